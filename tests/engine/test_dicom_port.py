"""The box's own DICOM service: who is known, who is told of, and a port that somebody else has."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from smartbox_tui.engine import dicom_port
from smartbox_tui.engine.dicom_port import DicomPort
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.schema import Settings
from tests.support.box import until
from tests.support.dcmtk import free_port


@pytest.fixture
def number() -> int:
    return free_port()


@pytest.fixture
def port(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[DicomPort]:
    monkeypatch.setattr(dicom_port, "AGAIN_S", 0.2)
    settings = Settings(
        port=number,
        callers="COMMIT2, COMMIT3",
        destinations=(Destination(name="a", host="h", aet="ARCHIVE", calling_aet="BOX2"),),
    )
    made = DicomPort(lambda: settings, lambda *_: 0, lambda: None)
    yield made
    made.stop()


def call(number: int, calling: str, called: str) -> bool:
    ae = AE(ae_title=calling)
    ae.add_requested_context(StorageCommitmentPushModel)
    association = ae.associate("127.0.0.1", number, ae_title=called)
    accepted = bool(association.is_established)
    association.release() if accepted else None
    return accepted


def verifies(number: int) -> bool:
    ae = AE()
    ae.add_requested_context(Verification)
    association = ae.associate("127.0.0.1", number, ae_title="SMARTBOX")
    if not association.is_established:
        return False
    status = association.send_c_echo().Status
    association.release()
    return bool(status == 0)


def test_who_may_report_and_who_is_told_of(port: DicomPort, number: int) -> None:
    port.start()
    until(lambda: verifies(number), 10)
    assert port.alarms() == {}
    for calling, called in (("ARCHIVE", "SMARTBOX"), ("COMMIT3", "SMARTBOX"), ("COMMIT2", "BOX2")):
        assert call(number, calling, called)
    assert port.alarms() == {}
    assert not call(number, "archive", "SMARTBOX")
    assert port.alarms() == {
        "port-stranger": "archive at 127.0.0.1 called the box and was rejected: calling AE title not recognised."
    }
    assert not call(number, "ARCHIVE", "BOX3")
    assert "called AE title" in port.alarms()["port-stranger"]


def test_a_port_that_somebody_else_has_is_opened_when_it_is_free(port: DicomPort, number: int) -> None:
    with socket.create_server(("", number)):
        port.start()
        assert str(number) in until(lambda: port.alarms().get("port", ""), 10)
    until(lambda: verifies(number), 10)
    assert port.alarms() == {}
