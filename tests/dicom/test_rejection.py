"""The rejection note: no error in it, archives store it, and it names every rejected object."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from smartbox_tui.dicom.compose import from_part10
from smartbox_tui.dicom.rejection import build_rejection_note
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import EXPLICIT_VR_LE, KEY_OBJECT_SELECTION, SOP_CLASSES, Equipment, StudyValues
from smartbox_tui.model.patient import Patient
from smartbox_tui.model.rejection import RejectionNote
from tests.support.dcmtk import dciodvfy, storescp
from tests.support.orthanc import Orthanc
from tests.support.worklist import Scheduled

AT = datetime(2026, 11, 21, 9, 30, tzinfo=timezone(timedelta(hours=1)))
STILL, CLIP = SOP_CLASSES["vl-endoscopic"], SOP_CLASSES["video-endoscopic"]
REJECTED = (
    ("1.2.3.10", STILL, "1.2.3.10.1"),
    ("1.2.3.11", CLIP, "1.2.3.11.1"),
    ("1.2.3.10", STILL, "1.2.3.10.2"),
    ("1.2.3.12", KEY_OBJECT_SELECTION, "1.2.3.12.1"),
)
NOTE = RejectionNote("1.2.3.90.1", "1.2.3.90", 9000, 1, AT + timedelta(hours=2), REJECTED)
EQUIPMENT = Equipment("ENDO1", "Klinik Süd")


def study(*, ordered: bool) -> StudyValues:
    plain = StudyValues(
        revision=1,
        patient=Patient("4711", "Łukaszewska^Zofia", date(1961, 3, 14), "F"),
        study_instance_uid="1.2.3.4",
        study_at=AT,
    )
    item = Scheduled("4711", plain.patient.name).dataset().to_json_dict()
    return dataclasses.replace(plain, worklist=item, accession_number="A1") if ordered else plain


@pytest.fixture(params=[True, False], ids=["ordered", "unordered"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "note.dcm"
    path.write_bytes(build_rejection_note(study(ordered=request.param), NOTE, EQUIPMENT))
    return path


def no_fault_of_ours(file: Path) -> None:
    """dciodvfy's opinion of a key object selection."""
    errors, warnings = dciodvfy(file)
    assert errors == []
    # A hospital's own coding scheme, and a study that nobody planned has no ID.
    known = ("<LOCAL>", "needed to build DICOMDIR - Study ID")
    assert [line for line in warnings if not any(text in line for text in known)] == []


def test_dciodvfy_finds_no_error(file: Path) -> None:
    no_fault_of_ours(file)


def test_it_names_every_object_in_evidence_and_content(file: Path) -> None:
    found = pydicom.dcmread(file)
    assert (found.SOPClassUID, found.SOPInstanceUID, found.Modality) == (KEY_OBJECT_SELECTION, "1.2.3.90.1", "KO")
    assert (found.StudyInstanceUID, found.SeriesInstanceUID, found.SeriesNumber) == ("1.2.3.4", "1.2.3.90", 9000)
    assert str(found.PatientName) == "Łukaszewska^Zofia"
    (title,) = found.ConceptNameCodeSequence
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113038", "DCM")
    assert (found.ContentDate, found.ContentTime) == ("20261121", "113000.000000")
    (evidence,) = found.CurrentRequestedProcedureEvidenceSequence
    assert evidence.StudyInstanceUID == "1.2.3.4"
    assert {
        (series.SeriesInstanceUID, item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID)
        for series in evidence.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    } == set(REJECTED)
    assert len(evidence.ReferencedSeriesSequence) == 3
    content = [
        (item.ValueType, item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for item in found.ContentSequence
    ]
    assert content == [
        ("IMAGE", "1.2.3.10.1"),
        ("IMAGE", "1.2.3.11.1"),
        ("IMAGE", "1.2.3.10.2"),
        ("COMPOSITE", "1.2.3.12.1"),
    ]


def test_the_same_note_is_the_same_bytes_and_holds_the_taken_order() -> None:
    first, again = (build_rejection_note(study(ordered=True), NOTE, EQUIPMENT) for _ in range(2))
    assert first == again
    request = pydicom.dcmread(BytesIO(first)).ReferencedRequestSequence[0]
    assert (request.AccessionNumber, request.RequestedProcedureID) == ("A1", "R4711")
    assert "ReferencedRequestSequence" not in pydicom.dcmread(
        BytesIO(build_rejection_note(study(ordered=False), NOTE, EQUIPMENT))
    )


def test_archives_store_it_as_it_is(file: Path, tmp_path: Path, archive: Orthanc) -> None:
    item = from_part10(file)
    context = [(KEY_OBJECT_SELECTION, EXPLICIT_VR_LE)]
    assert (item.sop_class_uid, item.transfer_syntax_uid) == context[0]
    with (
        storescp(tmp_path / "stored") as plain,
        StoreSession(Peer("127.0.0.1", plain.port, "ANY"), context) as session,
    ):
        assert session.store(item).status == 0
    (stored,) = plain.files()
    assert stored.read_bytes().endswith(b"".join(item.chunks()))
    with StoreSession(Peer("127.0.0.1", archive.port, archive.aet), context) as session:
        assert session.store(item).status == 0
    assert archive.file_of("1.2.3.90.1").endswith(b"".join(item.chunks()))


@pytest.mark.parametrize(
    "changes",
    [
        {"instances": ()},
        {"instances": (REJECTED[0], REJECTED[0])},
        {"instances": (("1.2", STILL, NOTE.sop_instance_uid),)},
        {"instances": (("1.2", STILL, "no uid"),)},
        {"made_at": AT.replace(tzinfo=None)},
    ],
)
def test_a_note_that_is_none_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SmartBoxError) as caught:
        build_rejection_note(study(ordered=False), dataclasses.replace(NOTE, **changes), EQUIPMENT)  # type: ignore[arg-type]
    assert caught.value.code == "invalid-object"


def test_a_name_that_the_character_set_cannot_hold_is_refused() -> None:
    latin = dataclasses.replace(study(ordered=False), charset="latin-1")
    with pytest.raises(SmartBoxError) as caught:
        build_rejection_note(latin, NOTE, EQUIPMENT)
    assert caught.value.code == "invalid-object"
    assert "Zofia" not in caught.value.message
