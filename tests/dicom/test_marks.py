"""The marks of a clip as a Key Object Selection: no error in it, archives store it, it names the marked frames."""

from __future__ import annotations

import dataclasses
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from smartbox_tui.dicom.compose import from_part10
from smartbox_tui.dicom.marks import build_marks
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
from smartbox_tui.dicom.validate import validate_file
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import EXPLICIT_VR_LE, KEY_OBJECT_SELECTION
from smartbox_tui.model.marks import Mark, MarkedFrames
from tests.dicom.test_rejection import AT, CLIP, EQUIPMENT, no_fault_of_ours, study
from tests.support.dcmtk import storescp

MARKS = (Mark(0.5, 16, "Polyp, größer"), Mark(0.51, 16), Mark(3723.4, 111_700, "Narbe\x1b[31m\n ok"))
MARKED = MarkedFrames("1.2.3.80.1", "1.2.3.80", 8001, 4, AT, ("1.2.3.11", CLIP, "1.2.3.11.1"), MARKS)


@pytest.fixture(params=[True, False], ids=["ordered", "unordered"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "marks.dcm"
    path.write_bytes(build_marks(study(ordered=request.param), MARKED, EQUIPMENT))
    return path


def test_dciodvfy_and_our_own_validator_find_no_error(file: Path) -> None:
    no_fault_of_ours(file)
    assert [item for item in validate_file(file) if item.severity == "error"] == []


def test_it_names_the_frames_the_clip_and_what_was_said(file: Path) -> None:
    found = pydicom.dcmread(file)
    assert (found.SOPClassUID, found.SOPInstanceUID, found.Modality) == (KEY_OBJECT_SELECTION, "1.2.3.80.1", "KO")
    assert (found.SeriesInstanceUID, found.SeriesNumber, found.InstanceNumber) == ("1.2.3.80", 8001, 4)
    (title,) = found.ConceptNameCodeSequence
    assert (title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning) == ("113000", "DCM", "Of Interest")
    assert found.ContentTemplateSequence[0].TemplateIdentifier == "2010"
    text, *images = found.ContentSequence
    assert (text.ValueType, text.RelationshipType) == ("TEXT", "CONTAINS")
    assert text.ConceptNameCodeSequence[0].CodeValue == "113012"
    assert text.TextValue.splitlines() == [
        "0:00:00.500, frame 16: Polyp, größer",
        "0:00:00.510, frame 16",
        "1:02:03.400, frame 111700: Narbe [31m ok",
    ]
    assert [(item.ValueType, item.RelationshipType) for item in images] == [("IMAGE", "CONTAINS")] * 2
    references = [item.ReferencedSOPSequence[0] for item in images]
    assert {(item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in references} == {
        (CLIP, "1.2.3.11.1")
    }
    assert [item.ReferencedFrameNumber for item in references] == [16, 111_700]
    (evidence,) = found.CurrentRequestedProcedureEvidenceSequence
    (series,) = evidence.ReferencedSeriesSequence
    assert (evidence.StudyInstanceUID, series.SeriesInstanceUID) == ("1.2.3.4", "1.2.3.11")
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == ["1.2.3.11.1"]


def test_the_same_marks_are_the_same_bytes() -> None:
    first, again = (build_marks(study(ordered=True), MARKED, EQUIPMENT) for _ in range(2))
    assert first == again
    assert "ReferencedRequestSequence" in pydicom.dcmread(BytesIO(first))


def test_archives_store_it_as_it_is(file: Path, tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    "changes",
    [
        {"marks": ()},
        {"marks": (Mark(0.0, 0),)},
        {"sop_instance_uid": "1.2.3.11.1"},
        {"made_at": AT.replace(tzinfo=None)},
    ],
)
def test_what_cannot_be_said_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SmartBoxError) as caught:
        build_marks(study(ordered=False), dataclasses.replace(MARKED, **changes), EQUIPMENT)  # type: ignore[arg-type]
    assert caught.value.code == "invalid-object"


def test_text_that_the_character_set_cannot_hold_is_never_replaced() -> None:
    latin = dataclasses.replace(study(ordered=False), charset="latin-1")
    latin = dataclasses.replace(latin, patient=dataclasses.replace(latin.patient, name="Plain^Name"))
    build_marks(latin, MARKED, EQUIPMENT)
    with pytest.raises(SmartBoxError) as caught:
        build_marks(latin, dataclasses.replace(MARKED, marks=(Mark(1.0, 30, "ポリープ"),)), EQUIPMENT)
    assert caught.value.code == "invalid-object"
