"""The composer's stream is, byte by byte, the file that pydicom writes of the same object; for 2 GiB, too, and then
in the memory of a few buffers."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate

from smartbox_tui.dicom.build import build_dataset, build_header
from smartbox_tui.dicom.compose import Composition, compose
from smartbox_tui.dicom.iods import IODS, NATIVE
from smartbox_tui.dicom.lineage import Lineage, LossyStep
from smartbox_tui.model.instance import H264_HP_41, Kind, Picture
from smartbox_tui.model.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from tests.dicom.pictures import EMERGENCY_CHILD, EQUIPMENT, ORDERED, UNASSIGNED, still

DECODED = Lineage(before=(LossyStep("ISO_10918_1", 10.0),))
ROOT = Path(__file__).parents[2]
OBJECTS = [(iod.word, syntax) for iod in IODS.values() for syntax in iod.transfer_syntaxes]
LENGTHS = {1: [999], 3: [500, 333, 166]}  # odd and even ones; of 999 bytes in all


def picture_of(word: str, syntax: str, path: Path, frames: int, **changes: Any) -> Picture:
    video = word.startswith("video")
    kind = Kind.CLIP if video else Kind.BURST if frames > 1 else Kind.STILL
    values: dict[str, Any] = {"number_of_frames": frames} | ({"frame_time_ms": 40.0} if video or frames > 1 else {})
    return still(
        word, path, transfer_syntax_uid=syntax, kind=kind, sampling="420" if video else "422", **(values | changes)
    )


def by_pydicom(picture: Picture, pixels: bytes, study: Any) -> bytes:
    """The whole file, as pydicom writes it: its group 2, its sequences, its pixel data."""
    native = picture.transfer_syntax_uid in NATIVE
    dataset = build_dataset(study, picture, EQUIPMENT, DECODED if native else Lineage())
    dataset.file_meta = meta(picture)
    dataset.add_new(0x7FE00010, "OW" if picture.transfer_syntax_uid == "1.2.840.10008.1.2" else "OB", pixels)
    dataset["PixelData"].is_undefined_length = not native
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def meta(picture: Picture) -> FileMetaDataset:
    made = FileMetaDataset()
    made.FileMetaInformationVersion = b"\0\1"
    made.MediaStorageSOPClassUID = picture.sop_class_uid
    made.MediaStorageSOPInstanceUID = picture.sop_instance_uid
    made.TransferSyntaxUID = picture.transfer_syntax_uid
    made.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    made.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return made


def composed(picture: Picture, path: Path, study: Any, index: list[tuple[int, int]] | None) -> Composition:
    lineage = DECODED if picture.transfer_syntax_uid in NATIVE else Lineage()
    return compose(build_header(study, picture, EQUIPMENT, lineage), path, path.stat().st_size, index)


def cases() -> Iterator[Any]:
    for word, syntax in OBJECTS:
        for frames in (1, 3) if word == "multiframe-sc" else (1,):
            yield pytest.param(word, syntax, frames, id=f"{word}-{syntax}-{frames}")


@pytest.mark.parametrize("study", [ORDERED, UNASSIGNED, EMERGENCY_CHILD], ids=["ordered", "unassigned", "child"])
@pytest.mark.parametrize(("word", "syntax", "frames"), list(cases()))
def test_the_stream_is_the_file_that_pydicom_writes(
    word: str, syntax: str, frames: int, study: Any, tmp_path: Path
) -> None:
    """What is in the bitstream does not matter here, only that all of it is there once, and where."""
    path = tmp_path / "bitstream"
    path.write_bytes(bytes((7 * n + n // 256) & 255 for n in range(999)))
    data, index, at = path.read_bytes(), [], 0
    for length in LENGTHS[frames]:
        index.append((at, length))
        at += length
    picture = picture_of(word, syntax, path, frames)
    if syntax in NATIVE:
        pixels = data + b"\0"
    else:
        pixels = encapsulate([data[at : at + length] for at, length in index], has_bot=frames > 1)
    item = composed(picture, path, study, index if frames > 1 else None)
    stream = b"".join(item.chunks(97, with_meta=True))
    assert stream == by_pydicom(picture, pixels, study)
    assert len(stream) == len(item.meta) + item.dataset_length


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_two_gibibytes_are_the_same_bytes_at_constant_memory(tmp_path: Path) -> None:
    """In a child of its own: memory that another test took would hide what this one takes."""
    path = tmp_path / "bitstream"
    try:
        with path.open("wb") as file:
            file.truncate((2 << 30) - 1)  # odd: the pad byte is the stream's, not the file's
            for number, at in enumerate([0, *range(12345, (2 << 30) - 100000, 97 << 20), (2 << 30) - 65536]):
                file.seek(at)
                file.write(number.to_bytes(5, "big") * 13107)
            size = file.tell()
        picture = picture_of("video-endoscopic", H264_HP_41, path, 30)
        (tmp_path / "header").write_bytes(build_header(ORDERED, picture, EQUIPMENT))
        (tmp_path / "pydicom").write_bytes(by_pydicom(picture, encapsulate([b"\0\0"]), ORDERED))
        assert size == path.stat().st_size == (2 << 30) - 1
        command = [sys.executable, "-m", "tests.dicom.streaming", str(tmp_path)]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=200)
    finally:
        path.unlink(missing_ok=True)
    assert result.returncode == 0, result.stderr.decode()
    found = json.loads(result.stdout)
    assert found["bytes"] > 2 << 30
    assert found["sha256"] == found["pydicom"]
    assert found["growth_mib"] < 30, found
