"""Every class in every transfer syntax, container and character set: good for dciodvfy, decoded by others, sent by
our sender, and read back from archives as it was."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
import pytest
import simplejpeg
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pynetdicom import AE, evt
from pynetdicom.events import Event

from smartbox_tui.dicom.iods import SYNTAX_NAMES
from smartbox_tui.dicom.part10 import read_meta
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
from smartbox_tui.dicom.validate import validate_composition
from smartbox_tui.model.instance import FRAGMENTABLE, H264_HP_41, HEVC_MP_51
from tests.dicom.matrix_objects import NATIVE, STUDIES, Case, cases
from tests.support.dcmtk import dciodvfy, free_port, need, storescp
from tests.support.orthanc import Orthanc

BASE_OF = {twin: uid for uid, twin in FRAGMENTABLE.items()}
RELABELLED = BASE_OF | {HEVC_MP_51: H264_HP_41}
"""Syntaxes after this dciodvfy's time: judged on a copy under a syntax of the same kind that it knows. What is said
of the bitstream is our validator's and ffmpeg's to judge: dciodvfy does not look into it."""

EXPLAINED = {
    "Coding Scheme Designator": "99OPS is the hospital's own scheme, from the worklist",
    "attribute <Laterality>": "empty: the box does not know it, and Type 2C allows that",
    "Acquisition Duration": "General Acquisition Module: in the standard since 2021, after this dciodvfy's tables",
    "Standard Extended SOP Class": "follows from Acquisition Duration",
    "<ISO_23008_2>": "HEVC's defined term (PS3.3 C.7.6.1.1.5.1), after this dciodvfy's tables",
}
"""What dciodvfy warns of, and why that stays."""


COLUMNS = ("dciodvfy", "second decoder", "Orthanc", "storescp", "pynetdicom")


@dataclass(frozen=True)
class Matrix:
    cases: list[Case]
    files: dict[str, Path]
    """By the case's name: the Part 10 file as the box exports it."""
    seen: dict[tuple[str, str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """What came of each (SOP class word, transfer syntax, column), for the table in the documentation."""

    def saw(self, case: Case, column: str, what: str) -> None:
        self.seen[case.word, case.syntax, column].add(what)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    """SMARTBOX_MATRIX=FILE writes what was seen as a table (`make matrix`)."""
    folder = tmp_path_factory.mktemp("matrix")
    found, files = cases(folder), {}
    for number, case in enumerate(found):
        files[case.name] = folder / f"{number:03d}.dcm"
        case.composition.write(files[case.name])
    made = Matrix(found, files)
    yield made
    if path := os.environ.get("SMARTBOX_MATRIX"):
        Path(path).write_text(table(made))


def table(matrix: Matrix) -> str:
    rows = sorted({(case.word, list(SYNTAX_NAMES).index(case.syntax), case.syntax) for case in matrix.cases})
    lines = [
        "# Every object in every transfer syntax",
        "",
        "Written by `make matrix` from what `tests/dicom/test_matrix.py` saw: small objects of each class, in both",
        "containers where it is a video, each with a Japanese name of three groups in ISO_IR 192, and an umlaut in",
        'ISO_IR 100; sent by the box\'s own sender and read back. "not taken": the peer does not know the syntax.',
        "",
        "| class | transfer syntax | " + " | ".join(COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 2) + "|",
    ]
    for word, _, syntax in rows:
        cells = [", ".join(sorted(matrix.seen[word, syntax, column])) or "not taken" for column in COLUMNS]
        cells[1] = "no pixels" if word in ("note", "marks") else cells[1]
        lines.append(f"| {word} | {SYNTAX_NAMES[syntax]} | " + " | ".join(cells) + " |")
    lines += ["", "dciodvfy's warnings, and why they stay:", ""]
    return "\n".join([*lines, *(f"- `{key}`: {why}." for key, why in EXPLAINED.items()), ""])


def test_dciodvfy_finds_no_error_and_no_unexplained_warning(matrix: Matrix, tmp_path: Path) -> None:
    wrong, seen = {}, set()
    for case in matrix.cases:
        path = matrix.files[case.name]
        if case.syntax in RELABELLED:
            copy = pydicom.dcmread(path)
            copy.file_meta.TransferSyntaxUID = RELABELLED[case.syntax]
            path = tmp_path / "relabelled.dcm"
            copy.save_as(path)
        errors, warnings = dciodvfy(path)
        seen |= {known for known in EXPLAINED for line in warnings if known in line}
        unexplained = [line for line in warnings if not any(known in line for known in EXPLAINED)]
        matrix.saw(case, "dciodvfy", "no error (relabelled copy)" if case.syntax in RELABELLED else "no error")
        if errors or unexplained:
            wrong[case.name] = errors + unexplained
    assert wrong == {}
    assert seen == set(EXPLAINED), "an explanation that nobody needs"


def test_our_own_validator_finds_nothing(matrix: Matrix) -> None:
    found = {case.name: validate_composition(case.composition) for case in matrix.cases}
    assert {name: findings for name, findings in found.items() if findings} == {}


def test_names_are_read_as_they_were_given(matrix: Matrix) -> None:
    for case in matrix.cases:
        dataset = pydicom.dcmread(matrix.files[case.name], stop_before_pixels=True)
        assert str(dataset.PatientName) == STUDIES[case.charset].patient.name, case.name


# ---- second decoders


def test_dcmtk_decodes_every_frame_of_every_picture(matrix: Matrix, tmp_path: Path) -> None:
    """To what libjpeg-turbo makes of the same JPEGs, but for the rounding of the colours."""
    program = need("dcmj2pnm")
    for number, case in enumerate(matrix.cases):
        if case.word.startswith("video") or case.stream is None:
            continue
        out = tmp_path / str(number)
        out.mkdir()
        command = [program, "+Fa", "+op", str(matrix.files[case.name]), str(out / "frame")]
        subprocess.run(command, capture_output=True, check=True)
        frames = sorted(out.iterdir())
        assert len(frames) == case.frames, case.name
        for path, wanted in zip(frames, pictures_of(case.stream), strict=True):
            found = read_ppm(path).astype(int)
            assert found.shape == wanted.shape
            assert np.abs(found - wanted).mean() < (0.01 if case.syntax in NATIVE else 2), case.name
        matrix.saw(case, "second decoder", f"DCMTK, {case.frames} of {case.frames} frames")


def pictures_of(stream: Path) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    data, found = stream.read_bytes(), []
    while data:
        end = data.index(b"\xff\xd9") + 2  # small pictures without EXIF: no other EOI in them
        found.append(simplejpeg.decode_jpeg(data[:end]))
        data = data[end:]
    return found


def read_ppm(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    kind, size, most, pixels = path.read_bytes().split(b"\n", 3)
    assert (kind, most) == (b"P6", b"255")
    width, height = map(int, size.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def test_ffmpeg_decodes_every_frame_of_every_video(matrix: Matrix, tmp_path: Path) -> None:
    """Out of the object, not out of the file that it was made from; what is the same stream is decoded once."""
    program, decoded = need("ffmpeg"), {}
    for case in matrix.cases:
        if not case.word.startswith("video"):
            continue
        dataset = pydicom.dcmread(matrix.files[case.name])
        (stream,) = generate_frames(dataset.PixelData, number_of_frames=1)
        assert case.stream is not None
        original = case.stream.read_bytes()
        assert stream == original + b"\0" * (len(original) % 2)
        key = hashlib.sha256(stream).hexdigest()
        if key not in decoded:
            path = tmp_path / "stream"
            path.write_bytes(stream)
            command = [program, "-v", "error", "-xerror", "-i", str(path), "-fps_mode", "passthrough"]
            result = subprocess.run([*command, "-f", "framemd5", "-"], capture_output=True, check=True)
            assert result.stderr == b"", (case.name, result.stderr)
            lines = [line for line in result.stdout.splitlines() if not line.startswith(b"#")]
            decoded[key] = len(lines), len({line.rsplit(b",", 1)[1] for line in lines})
        assert decoded[key] == (case.frames, case.frames) == (dataset.NumberOfFrames,) * 2, case.name
        matrix.saw(case, "second decoder", f"ffmpeg, {case.frames} of {case.frames} frames")


# ---- archives


def contexts(matrix: Matrix) -> list[tuple[str, str]]:
    """One transfer syntax a presentation context."""
    pairs = {(case.composition.sop_class_uid, case.syntax) for case in matrix.cases}
    assert len(pairs) <= 128
    return sorted(pairs)


def send_all(matrix: Matrix, port: int, aet: str) -> list[Case]:
    """Those of a syntax that the peer takes, over one association."""
    sent = []
    with StoreSession(Peer("127.0.0.1", port, aet, timeout_s=60), contexts(matrix)) as session:
        accepted = set(session.accepted)
        for case in matrix.cases:
            if (case.composition.sop_class_uid, case.syntax) in accepted:
                assert session.store(case.composition).status == 0, case.name
                sent.append(case)
    return sent


def without_group_2(data: bytes) -> bytes:
    return data[read_meta(data, "It").size :]


def same(matrix: Matrix, peer: str, case: Case, data: bytes) -> str:
    """How a data set read back is the one that was sent. Fails where it is another."""
    way = compared(case, data)
    matrix.saw(case, peer, f"equal {way}")
    return way


def compared(case: Case, data: bytes) -> str:
    ours = b"".join(case.composition.chunks())
    theirs = without_group_2(data)
    if theirs == ours:
        return "byte by byte"
    sent = pydicom.dcmread(io.BytesIO(case.composition.meta + ours))
    found = pydicom.dcmread(io.BytesIO(data))
    assert found.file_meta.TransferSyntaxUID == case.syntax, case.name
    assert (
        hashlib.sha256(found.get("PixelData", b"")).digest() == hashlib.sha256(sent.get("PixelData", b"")).digest()
    )
    assert elements(found) == elements(sent), case.name
    return "element by element"


def elements(dataset: Dataset) -> list[object]:
    """Tag, VR and value of every element; items as lists. The pixels are compared by their hash."""
    return [
        (item.tag, item.VR, [elements(inner) for inner in item.value] if item.VR == "SQ" else item.value)
        for item in dataset
        if item.tag != 0x7FE00010
    ]


@pytest.mark.orthanc
def test_orthanc_gives_them_back(matrix: Matrix, archive: Orthanc) -> None:
    sent = send_all(matrix, archive.port, archive.aet)
    missing = {case.syntax for case in matrix.cases} - {case.syntax for case in sent}
    assert missing <= {*BASE_OF}, [SYNTAX_NAMES[uid] for uid in missing]
    ways = Counter(
        same(matrix, "Orthanc", case, archive.file_of(case.composition.sop_instance_uid)) for case in sent
    )
    assert ways == {"byte by byte": len(sent)}


def test_storescp_gives_them_back(matrix: Matrix, tmp_path: Path) -> None:
    with storescp(tmp_path / "stored") as peer:
        sent = send_all(matrix, peer.port, "STORESCP")
        missing = {case.syntax for case in matrix.cases} - {case.syntax for case in sent}
        assert missing <= {*BASE_OF}, [SYNTAX_NAMES[uid] for uid in missing]
        found = {
            pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID: path for path in peer.files()
        }
        assert len(found) == len(sent)
        ways = Counter(
            same(matrix, "storescp", case, found[case.composition.sop_instance_uid].read_bytes()) for case in sent
        )
    assert sum(ways.values()) == len(sent)


@contextmanager
def receiver(kept: dict[str, bytes]) -> Iterator[int]:
    """A pynetdicom SCP that takes everything; `kept` the data sets by UID, their bytes as they came."""

    def store(event: Event) -> int:
        assert event.request is not None
        kept[str(event.request.AffectedSOPInstanceUID)] = event.request.DataSet.getvalue()
        return 0

    entity, port = AE("PEER"), free_port()
    for sop_class in {case_class for case_class, _ in ALL_PAIRS}:
        entity.add_supported_context(sop_class, [syntax for name, syntax in ALL_PAIRS if name == sop_class])
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        yield port
    finally:
        server.shutdown()


ALL_PAIRS: list[tuple[str, str]] = []


def test_pynetdicom_takes_what_others_do_not_know(matrix: Matrix) -> None:
    ALL_PAIRS[:] = contexts(matrix)
    kept: dict[str, bytes] = {}
    with receiver(kept) as port:
        sent = send_all(matrix, port, "PEER")
    assert sent == matrix.cases
    for case in sent:
        assert kept[case.composition.sop_instance_uid] == b"".join(case.composition.chunks()), case.name
        matrix.saw(case, "pynetdicom", "equal byte by byte")
