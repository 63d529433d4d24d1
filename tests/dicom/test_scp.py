"""The demo's archive answers its worklist and keeps to its AE title."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import ModalityWorklistInformationFind

from smartbox_tui.demo import worklist
from smartbox_tui.dicom import scp
from smartbox_tui.dicom.performed import created, ended
from smartbox_tui.dicom.scu.echo import echo
from smartbox_tui.dicom.scu.find import find_worklist
from smartbox_tui.dicom.scu.mpps import StepOutcome, create, set_final
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import StudyValues
from smartbox_tui.model.patient import Patient
from smartbox_tui.model.performed import PerformedSeries, StepBegin, StepEnd, StepState, step_of
from smartbox_tui.model.worklist import WorklistEntry, WorklistKeys


def item(patient_id: str, name: str, date: str, modality: str) -> dict[str, Any]:
    return {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": name}]},
        "00100020": {"vr": "LO", "Value": [patient_id]},
        "0020000D": {"vr": "UI", "Value": [f"1.2.3.{patient_id}"]},
        "00400100": {
            "vr": "SQ",
            "Value": [{"00080060": {"vr": "CS", "Value": [modality]}, "00400002": {"vr": "DA", "Value": [date]}}],
        },
    }


ITEMS = [
    item("1", "Müller^Jörg", "20260701", "ES"),
    item("2", "Łukasz^Jan", "20260701", "XC"),
    item("3", "Meier^Eva", "20260702", "ES"),
]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[scp.Archive]:
    running = scp.start("127.0.0.1", 0, "DEMO", tmp_path / "demo", ITEMS, require_called_aet=True)
    yield running
    running.stop()


def ask(port: int, *, name: str = "", date: str = "", modality: str = "") -> list[str]:
    query = Dataset()
    query.PatientName, query.PatientID = name, ""
    step = Dataset()
    step.Modality, step.ScheduledProcedureStepStartDate = modality, date
    query.ScheduledProcedureStepSequence = [step]
    ae = AE("TEST")
    ae.add_requested_context(ModalityWorklistInformationFind)
    association = ae.associate("127.0.0.1", port, ae_title="DEMO")
    assert association.is_established
    try:
        answers = list(association.send_c_find(query, ModalityWorklistInformationFind))
    finally:
        association.release()
    assert answers[-1][0].Status == 0
    return [str(found.PatientName) for _, found in answers[:-1] if found is not None]


def test_the_worklist_is_filtered_as_asked(archive: scp.Archive) -> None:
    assert ask(archive.port) == ["Müller^Jörg", "Łukasz^Jan", "Meier^Eva"]
    assert ask(archive.port, modality="ES", date="20260701") == ["Müller^Jörg"]
    assert ask(archive.port, date="20260702-") == ["Meier^Eva"]
    assert ask(archive.port, date="-20260701", modality="XC") == ["Łukasz^Jan"]
    assert ask(archive.port, name="m*") == ["Müller^Jörg", "Meier^Eva"]


def test_another_called_ae_title_is_rejected_and_ours_is_not(archive: scp.Archive) -> None:
    echo(Peer("127.0.0.1", archive.port, "DEMO"))
    with pytest.raises(SmartBoxError) as caught:
        echo(Peer("127.0.0.1", archive.port, "NOBODY"))
    assert caught.value.code == "called-aet-rejected"


def test_a_port_in_use_is_said_so(archive: scp.Archive, tmp_path: Path) -> None:
    with pytest.raises(SmartBoxError) as caught:
        scp.start("127.0.0.1", archive.port, "DEMO", tmp_path)
    assert caught.value.code == "in-use"


def test_stopping_leaves_no_listener(archive: scp.Archive) -> None:
    archive.stop()
    assert not [thread for thread in threading.enumerate() if "AcceptorServer" in thread.name]


def test_the_demos_worklist_is_read_in_every_script_and_tells_namesakes_apart(tmp_path: Path) -> None:
    planned = worklist.items(date.today())
    running = scp.start("127.0.0.1", 0, "DEMO", tmp_path / "demo", planned)
    try:
        peer = Peer("127.0.0.1", running.port, "DEMO")
        found: list[WorklistEntry] = []
        result = find_worklist(peer, WorklistKeys(date_from=date.today()), on_entry=found.append)
        greek: list[WorklistEntry] = []
        find_worklist(peer, WorklistKeys(name="παπα*"), on_entry=greek.append)
    finally:
        running.stop()
    assert (result.complete, result.skipped, result.count) == (True, 0, len(planned))
    assert "YAMADA^Tarou=山田^太郎=やまだ^たろう" in {entry.patient.name for entry in found}
    assert len({entry.id for entry in found}) == len({entry.study_instance_uid for entry in found}) == len(planned)
    namesakes = [entry.patient for entry in found if entry.patient.name == "SCHMIDT^Anna"]
    assert len({(patient.id, patient.birth_date) for patient in namesakes}) == 2
    assert [entry.patient.id for entry in found if entry.emergency] == ["D-1004"]
    assert [entry.patient.id for entry in greek] == ["D-1008"]


def test_performed_steps_are_kept_as_dicom_says(archive: scp.Archive) -> None:
    peer = Peer("127.0.0.1", archive.port, "DEMO")
    at = datetime(2026, 11, 21, 9, tzinfo=UTC)
    study = StudyValues(revision=1, patient=Patient("1", "Łukasz^Jan"), study_instance_uid="1.2.3", study_at=at)
    step = step_of(str(uuid4()), 0, 0)
    begin = StepBegin(step, "ENDO1", "SMARTBOX", "ES", at)
    end = StepEnd(step, StepState.COMPLETED, at, None, (PerformedSeries("1.2.3.1", "", ()),))
    assert set_final(peer, step.uid, ended(study, end)).outcome is StepOutcome.UNKNOWN
    assert create(peer, step.uid, created(study, begin)).outcome is StepOutcome.DONE
    assert archive.performed()[step.uid]["00400252"]["Value"] == ["IN PROGRESS"]
    assert create(peer, step.uid, created(study, begin)).outcome is StepOutcome.EXISTS
    assert set_final(peer, step.uid, ended(study, end)).outcome is StepOutcome.DONE
    assert set_final(peer, step.uid, ended(study, end)).outcome is StepOutcome.FINAL
    kept = archive.performed()[step.uid]
    assert kept["00400252"]["Value"] == ["COMPLETED"]
    assert kept["00100010"]["Value"] == [{"Alphabetic": "Łukasz^Jan"}]
    wrong = created(study, begin) | {"00400252": {"vr": "CS", "Value": ["COMPLETED"]}}
    assert create(peer, "1.2.3.4", wrong).status == 0x0106
    wrong.pop("00400252")
    assert create(peer, "1.2.3.4", wrong).status == 0x0120
