"""Whatever can be entered of a person arrives unchanged, or is refused with a sentence: not altered, not told."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import traceback
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from uuid import uuid4

import pydicom
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import from_part10
from smartbox_tui.dicom.validate import validate_composition
from smartbox_tui.engine.ports import NoWorklist
from smartbox_tui.engine.rendition import study_values
from smartbox_tui.engine.who import Identity, Registry
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import StudyValues
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool.examfile import ExamFile, create_exam, read_exam, read_revision
from smartbox_tui.wire import commands
from tests.dicom.people import LATIN, MARK, SCRIPTS, people
from tests.dicom.pictures import EQUIPMENT, TAKEN, still
from tests.support.dcmtk import need
from tests.support.fuzzing import examples
from tests.support.orthanc import Orthanc

T = TypeVar("T")
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=TAKEN.tzinfo)
ENCODINGS = {"utf-8": "utf-8", "latin-1": "latin-1"}


def attempt(call: Callable[[], T]) -> tuple[T | None, SmartBoxError | None]:
    """What came of it, or how it was refused."""
    try:
        return call(), None
    except SmartBoxError as exc:
        return None, exc


def entered(values: dict[str, Any]) -> Identity:
    """The way of `exam open --patient-file`: the command, and the engine's check. Raises SmartBoxError."""
    patient = dict(values)
    order = {key: patient.pop(key) for key in ("accession", "referring_physician") if key in patient}
    command = commands.ExamOpen(id=str(uuid4()), patient=patient, **order)
    return Registry(None, NoWorklist()).identity(command, Settings(), NOW)


def kept(identity: Identity, charset: str) -> StudyValues:
    """Through the spool's files and back, as an exam that was opened and adopted from."""
    with TemporaryDirectory() as folder:
        exam = ExamFile("e", "open", "1.2.3.4", NOW.isoformat(), "engine")
        path = Path(folder) / "exam"
        create_exam(path, exam, identity.revision(1, NOW.isoformat(), "1.2.3.4", performed=False))
        return study_values(read_exam(path), read_revision(path, 1), charset)


def header(study: StudyValues) -> bytes:
    here = Path(__file__)  # any file: its length is the bitstream's
    return build_header(study, still("vl-endoscopic", here), EQUIPMENT)


def expected(values: dict[str, Any]) -> dict[str, str]:
    """What was typed. Spaces around a value mean nothing (PS3.5 6.2), of a name around each of its groups; an age
    has three digits."""

    def name(text: str) -> str:
        return "=".join(group.strip() for group in text.split("=")).rstrip("=") if text.strip("^= ") else ""

    age = (values.get("age") or "").strip().upper()
    return {
        "PatientName": name(values["name"]),
        "PatientID": values["id"].strip(),
        "PatientBirthDate": (values.get("birth_date") or "").replace("-", ""),
        "PatientSex": values.get("sex") or "",
        "PatientAge": age.rjust(4, "0") if age else "",
        "AccessionNumber": values.get("accession", "").strip(),
        "ReferringPhysicianName": name(values.get("referring_physician", "")),
    }


def read_by_pydicom(data: bytes) -> dict[str, str]:
    dataset = pydicom.dcmread(io.BytesIO(data))
    return {key: str(dataset.get(key, "") or "") for key in expected({"name": "", "id": ""})}


@contextmanager
def lines_of_all() -> Iterator[list[str]]:
    """Every warning and log line of the block."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler, root = Handler(), logging.getLogger()
    root.addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield lines
    finally:
        root.removeHandler(handler)
        lines += [str(item.message) for item in caught]


@given(people())
@examples(400)
def test_what_is_entered_arrives_unchanged_or_is_refused(values: dict[str, Any]) -> None:
    identity, refused = attempt(lambda: entered(values))
    if identity is None:
        assert refused is not None
        assert (refused.code, bool(refused.message), bool(refused.hint)) == ("bad-value", True, True)
        return
    data = header(kept(identity, "utf-8"))  # what was accepted can be written: no picture of it is kept back
    assert read_by_pydicom(data) == expected(values)


@given(st.one_of(people(), people(wrong=False, scripts=LATIN)))
@examples(250)
def test_in_latin_1_it_arrives_unchanged_or_is_refused(values: dict[str, Any]) -> None:
    identity, _ = attempt(lambda: entered(values))
    assume(identity is not None)
    assert identity is not None
    wanted = expected(values)
    fits = all(is_latin_1(text) for text in wanted.values())
    data, refused = attempt(lambda: header(kept(identity, "latin-1")))
    if data is None:
        assert refused is not None
        assert (refused.code, bool(refused.hint)) == ("invalid-object", True)
        assert not fits, "everything that the character set holds goes"
        return
    assert fits
    assert read_by_pydicom(data) == wanted


@given(people(MARK))
@examples(300)
def test_no_error_tells_a_value(values: dict[str, Any]) -> None:
    with lines_of_all() as lines:
        identity, refused = attempt(lambda: entered(values))
        errors = [refused]
        if identity is not None:
            errors += [attempt(lambda word=word: header(kept(identity, word)))[1] for word in ENCODINGS]
        for error in filter(None, errors):
            lines += [error.message, error.hint, *traceback.format_exception(error)]
    assert not [line for line in lines if MARK in line]


def is_latin_1(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


@given(people(wrong=False))
@examples(100)
def test_the_boxes_own_validator_has_nothing_against_what_was_entered(values: dict[str, Any]) -> None:
    """Else the picture would be blocked later, when nobody is there who knows the patient."""
    identity, _ = attempt(lambda: entered(values))
    assume(identity is not None)
    assert identity is not None
    with TemporaryDirectory() as folder:
        path = Path(folder) / "header.dcm"
        path.write_bytes(header(kept(identity, "utf-8")))
        findings = validate_composition(from_part10(path))
    assert [item for item in findings if item.severity == "error" and "PixelData" not in item.message] == []


# ---- other readers, on batches: each is a process or a server


def sample(size: int, charset: str) -> list[dict[str, Any]]:
    """So many different people that can be entered, drawn without a test in it: shrinking would run the readers
    thousands of times."""
    found: list[dict[str, Any]] = []

    @given(people(wrong=False, scripts=SCRIPTS if charset == "utf-8" else LATIN))
    @examples(size)
    def collect(values: dict[str, Any]) -> None:
        if attempt(lambda: entered(values))[1] is None:
            found.append(values)

    collect()
    assert len(found) > size / 3
    return found


def written(folder: Path, values: dict[str, Any], charset: str) -> Path | None:
    """The header's file, or None where the character set does not hold it."""
    data, _ = attempt(lambda: header(kept(entered(values), charset)))
    if data is None:
        return None
    path = folder / f"{uuid4()}.dcm"
    path.write_bytes(data)
    return path


TAGS = {
    "PatientName": "0010,0010",
    "PatientID": "0010,0020",
    "PatientBirthDate": "0010,0030",
    "PatientSex": "0010,0040",
    "PatientAge": "0010,1010",
    "AccessionNumber": "0008,0050",
    "ReferringPhysicianName": "0008,0090",
}


@pytest.mark.parametrize("charset", ENCODINGS)
def test_dcmdump_reads_what_was_entered(charset: str, tmp_path: Path) -> None:
    program = need("dcmdump")
    files = {path: item for item in sample(150, charset) if (path := written(tmp_path, item, charset))}
    assert len(files) > 10
    asked = [part for tag in TAGS.values() for part in ("+P", tag)]
    result = subprocess.run([program, "-q", "+L", "-M", *asked, *map(str, files)], capture_output=True, check=True)
    lines = iter(result.stdout.decode(charset).split("\n"))
    for values in files.values():
        wanted = expected(values)
        for keyword in TAGS:
            if not wanted[keyword] and keyword == "PatientAge":  # Type 3, absent
                continue
            line = next(item for item in lines if item.rstrip().endswith(f" {keyword}"))
            text = line.partition(" ")[2].partition(" ")[2].rpartition("#")[0].strip()
            text = "" if text == "(no value available)" else text.removeprefix("[").removesuffix("]")
            assert text.rstrip(" ") == wanted[keyword]


def json_model_text(element: dict[str, Any]) -> str:
    (value, *_), groups = element.get("Value", [""]), ("Alphabetic", "Ideographic", "Phonetic")
    if isinstance(value, dict):
        return json_model_name("=".join(value.get(key, "") for key in groups))
    return str(value).rstrip(" ")


def json_model_name(name: str) -> str:
    """Empty components at the end of a group say nothing (PS3.5 6.2.1), and dcm2json leaves them out."""
    return "=".join(group.rstrip("^ ") for group in name.split("=")).rstrip("=")


def test_dcm2json_reads_what_was_entered(tmp_path: Path) -> None:
    program = need("dcm2json")
    for values in sample(60, "utf-8"):
        path = written(tmp_path, values, "utf-8")
        assert path is not None
        result = subprocess.run([program, "-q", "-fc", str(path)], capture_output=True, check=True)
        found = json.loads(result.stdout.decode())
        for keyword, text in expected(values).items():
            read = json_model_text(found.get(TAGS[keyword].replace(",", ""), {}))
            assert read == (json_model_name(text) if keyword.endswith("Name") else text), keyword


@pytest.mark.orthanc
@pytest.mark.parametrize("charset", ENCODINGS)
def test_orthanc_shows_what_was_entered(charset: str, archive: Orthanc, tmp_path: Path) -> None:
    seen = 0
    for values in sample(60, charset):
        path = written(tmp_path, values, charset)
        if path is None:
            continue
        url = f"http://127.0.0.1:{archive.http_port}/instances"
        request = urllib.request.Request(url, data=path.read_bytes(), method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            made = json.loads(answer.read())["ID"]
        tags = archive.json(f"/instances/{made}/tags?simplify")
        assert {key: (tags.get(key) or "").rstrip(" ") for key in TAGS} == expected(values)
        seen += 1
    assert seen > 5


def test_a_grabbers_broken_name_does_not_keep_a_picture_back() -> None:
    """USB descriptors are decoded with U+FFFD for what is no text; a reader would call that unreadable."""
    equipment = replace(EQUIPMENT, manufacturer="Gr\ufffdbber \u0085X", model_name="\ufffd", serial_number="1\\2")
    data = build_header(
        kept(entered({"id": "1", "name": "A^B"}), "utf-8"), still("vl-endoscopic", Path(__file__)), equipment
    )
    found = pydicom.dcmread(io.BytesIO(data))
    assert (found.Manufacturer, found.DeviceSerialNumber) == ("Grbber X", "12")
    assert "ManufacturerModelName" not in found
