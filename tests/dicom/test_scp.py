"""The demo's archive answers its worklist and keeps to its AE title."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import ModalityWorklistInformationFind

from smartbox_tui.dicom import scp
from smartbox_tui.dicom.scu.echo import echo
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.errors import SmartBoxError


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
