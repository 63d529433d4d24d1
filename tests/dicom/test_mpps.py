"""Performed procedure steps: complete when sent, understood when answered, and a lost answer is known as such."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from smartbox_tui.dicom.datasets import from_json, to_json
from smartbox_tui.dicom.performed import created, ended
from smartbox_tui.dicom.scu.mpps import PERFORMED_STEP, StepLost, StepOutcome, create, meaning, set_final
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import KEY_OBJECT_SELECTION, StudyValues
from smartbox_tui.model.patient import UNKNOWN, Patient
from smartbox_tui.model.performed import REASONS, PerformedSeries, StepBegin, StepEnd, StepState, step_of
from tests.support.dcmjs import dcmjs_mpps
from tests.support.peer import Call, scripted_peer
from tests.support.worklist import Scheduled

BERLIN = timezone(timedelta(hours=1))
AT = datetime(2026, 11, 21, 9, 30, 15, tzinfo=BERLIN)
STEP = step_of(str(uuid4()), 0, 0)
ENDOSCOPIC = "1.2.840.10008.5.1.4.1.1.77.1.1"


def ordered() -> StudyValues:
    item = Scheduled("4711", "Łukaszewska^Zofia=王^小東", procedure="Spiegelung, groß").dataset()
    raw = item.to_json_dict()
    raw.pop("00080005")
    return StudyValues(
        revision=1,
        patient=Patient("4711", "Łukaszewska^Zofia=王^小東", date(1961, 3, 14), "F"),
        study_instance_uid="1.2.3.4",
        study_at=AT,
        accession_number="A1",
        worklist=raw,
    )


UNSCHEDULED = StudyValues(revision=1, patient=UNKNOWN, study_instance_uid="1.2.3.5", study_at=AT)
BEGIN = StepBegin(STEP, "ENDO1", "SMARTBOX", "ES", AT)
SERIES = PerformedSeries("1.2.3.9", "Spiegelung", ((ENDOSCOPIC, "1.2.3.9.1"), (KEY_OBJECT_SELECTION, "1.2.3.9.2")))
DONE = StepEnd(STEP, StepState.COMPLETED, AT + timedelta(minutes=20), None, (SERIES,))
WRONG = StepEnd(STEP, StepState.DISCONTINUED, AT + timedelta(minutes=5), REASONS["wrong-worklist-entry"], ())


@dataclass
class Steps:
    """A pynetdicom SCP that keeps its steps as PS3.4 F.7.2 says."""

    port: int = 0
    held: dict[str, Dataset] = field(default_factory=dict)
    status: int | None = None

    def create(self, event: Any) -> tuple[int | Dataset, Dataset | None]:
        uid = str(event.request.AffectedSOPInstanceUID)
        if self.status is not None:
            return self.status, None
        if uid in self.held:
            return 0x0111, None
        self.held[uid] = event.attribute_list
        return 0x0000, event.attribute_list

    def set(self, event: Any) -> tuple[int | Dataset, Dataset | None]:
        uid = str(event.request.RequestedSOPInstanceUID)
        if uid not in self.held:
            return 0x0112, None
        if self.held[uid].PerformedProcedureStepStatus != "IN PROGRESS":
            answer = Dataset()
            answer.Status, answer.ErrorID = 0x0110, 0xA710
            answer.ErrorComment = "Performed Procedure Step Object may no longer be updated"
            return answer, None
        self.held[uid].update(event.modification_list)
        return 0x0000, self.held[uid]

    @property
    def peer(self) -> Peer:
        return Peer("127.0.0.1", self.port, "RIS", timeout_s=10)


@pytest.fixture
def steps() -> Iterator[Steps]:
    kept = Steps()
    ae = AE("RIS")
    ae.add_supported_context(ModalityPerformedProcedureStep)
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_CREATE, kept.create), (evt.EVT_N_SET, kept.set)]
    )
    assert server is not None
    kept.port = server.socket.getsockname()[1]
    yield kept
    server.shutdown()


def test_a_step_from_begin_to_end(steps: Steps) -> None:
    study = ordered()
    answer = create(steps.peer, STEP.uid, created(study, BEGIN))
    assert (answer.status, answer.outcome) == (0, StepOutcome.DONE)
    assert create(steps.peer, STEP.uid, created(study, BEGIN)).outcome is StepOutcome.EXISTS
    assert set_final(steps.peer, STEP.uid, ended(study, DONE)).outcome is StepOutcome.DONE
    assert set_final(steps.peer, STEP.uid, ended(study, DONE)).outcome is StepOutcome.FINAL
    assert set_final(steps.peer, "1.2.3.99", ended(study, DONE)).outcome is StepOutcome.UNKNOWN
    held = steps.held[STEP.uid]
    assert held.SpecificCharacterSet == "ISO_IR 192"
    assert str(held.PatientName) == "Łukaszewska^Zofia=王^小東"
    assert (held.PatientID, held.IssuerOfPatientID) == ("4711", "HOSPITAL")
    assert (held.PatientBirthDate, held.PatientSex) == ("19610314", "F")
    scheduled = held.ScheduledStepAttributesSequence[0]
    assert (scheduled.StudyInstanceUID, scheduled.AccessionNumber) == ("1.2.3.4", "A1")
    assert (scheduled.RequestedProcedureID, scheduled.ScheduledProcedureStepID) == ("R4711", "S4711")
    assert scheduled.RequestedProcedureDescription == "Spiegelung, groß"
    assert scheduled.ScheduledProtocolCodeSequence[0].CodeValue == "S1-1"
    assert held.ProcedureCodeSequence[0].CodeValue == "P1-1"
    assert held.PerformedProtocolCodeSequence[0].CodeValue == "S1-1"
    assert (held.PerformedStationAETitle, held.PerformedStationName) == ("SMARTBOX", "ENDO1")
    assert (held.PerformedProcedureStepStartDate, held.PerformedProcedureStepStartTime) == ("20261121", "093015")
    assert (held.PerformedProcedureStepEndDate, held.PerformedProcedureStepEndTime) == ("20261121", "095015")
    assert (held.PerformedProcedureStepStatus, held.Modality) == ("COMPLETED", "ES")
    (series,) = held.PerformedSeriesSequence
    assert (series.SeriesInstanceUID, series.SeriesDescription) == ("1.2.3.9", "Spiegelung")
    assert series.ProtocolName == "Spiegelung, groß"
    assert str(series.PerformingPhysicianName) == "Arzt^Carla"
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedImageSequence] == ["1.2.3.9.1"]
    others = series.ReferencedNonImageCompositeSOPInstanceSequence
    assert [item.ReferencedSOPInstanceUID for item in others] == ["1.2.3.9.2"]


# PS3.4 table F.7.2-1, requirement for the SCU at N-CREATE: 1 has a value, 2 is there.
TYPE_1 = """PerformedProcedureStepID PerformedStationAETitle PerformedProcedureStepStartDate
    PerformedProcedureStepStartTime PerformedProcedureStepStatus Modality ScheduledStepAttributesSequence""".split()
TYPE_2 = """PatientName PatientID PatientBirthDate PatientSex ReferencedPatientSequence PerformedStationName
    PerformedLocation PerformedProcedureStepDescription PerformedProcedureTypeDescription ProcedureCodeSequence
    PerformedProcedureStepEndDate PerformedProcedureStepEndTime StudyID PerformedProtocolCodeSequence
    PerformedSeriesSequence""".split()
SCHEDULED_2 = """ReferencedStudySequence AccessionNumber RequestedProcedureID RequestedProcedureDescription
    ScheduledProcedureStepID ScheduledProcedureStepDescription ScheduledProtocolCodeSequence""".split()


@pytest.mark.parametrize("study", [ordered(), UNSCHEDULED])
def test_every_attribute_of_the_table_is_there(study: StudyValues) -> None:
    step = Dataset.from_json(created(study, BEGIN))
    for keyword in TYPE_1:
        assert step.get(keyword), keyword
    for keyword in TYPE_2:
        assert keyword in step, keyword
    (scheduled,) = step.ScheduledStepAttributesSequence
    assert scheduled.StudyInstanceUID == study.study_instance_uid
    for keyword in SCHEDULED_2:
        assert keyword in scheduled, keyword
    final = Dataset.from_json(ended(study, DONE))
    (series,) = final.PerformedSeriesSequence
    for keyword in ("SeriesInstanceUID", "ProtocolName"):
        assert series.get(keyword), keyword
    for (
        keyword
    ) in """PerformingPhysicianName OperatorsName SeriesDescription RetrieveAETitle ReferencedImageSequence
        ReferencedNonImageCompositeSOPInstanceSequence""".split():
        assert keyword in series, keyword
    # An N-SET must not touch what belongs to the N-CREATE.
    assert not [keyword for keyword in ("PatientName", "PatientID", "Modality", "StudyID") if keyword in final]


def test_a_discontinued_step_has_its_reason_and_may_be_empty(steps: Steps) -> None:
    create(steps.peer, STEP.uid, created(UNSCHEDULED, BEGIN))
    assert set_final(steps.peer, STEP.uid, ended(UNSCHEDULED, WRONG)).outcome is StepOutcome.DONE
    held = steps.held[STEP.uid]
    (reason,) = held.PerformedProcedureStepDiscontinuationReasonCodeSequence
    assert (reason.CodeValue, reason.CodingSchemeDesignator) == ("110514", "DCM")
    assert held.PerformedProcedureStepStatus == "DISCONTINUED"
    assert list(held.PerformedSeriesSequence) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: ended(UNSCHEDULED, dataclasses.replace(DONE, series=())),
        lambda: ended(UNSCHEDULED, dataclasses.replace(WRONG, reason=None)),
        lambda: ended(UNSCHEDULED, dataclasses.replace(DONE, state=StepState.IN_PROGRESS)),
        lambda: ended(UNSCHEDULED, dataclasses.replace(DONE, ended_at=AT.replace(tzinfo=None))),
        lambda: created(UNSCHEDULED, dataclasses.replace(BEGIN, modality="")),
        lambda: created(UNSCHEDULED, dataclasses.replace(BEGIN, station_aet="")),
        lambda: created(dataclasses.replace(UNSCHEDULED, patient=Patient("x" * 65, "A")), BEGIN),
    ],
)
def test_a_step_that_is_none_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(SmartBoxError) as caught:
        make()
    assert caught.value.code == "invalid-object"
    assert "xxx" not in caught.value.message


def test_times_are_those_of_the_study() -> None:
    begin = dataclasses.replace(BEGIN, started_at=AT.astimezone(UTC))
    assert Dataset.from_json(created(UNSCHEDULED, begin)).PerformedProcedureStepStartTime == "093015"


def test_both_syntaxes_carry_the_same_unicode() -> None:
    value = created(ordered(), BEGIN)
    implicit, explicit = from_json(value, explicit=False), from_json(value, explicit=True)
    assert to_json(implicit) == to_json(explicit, explicit=True)
    assert "Łukaszewska".encode() in implicit
    assert to_json(implicit)["00100010"]["Value"] == [{"Alphabetic": "Łukaszewska^Zofia", "Ideographic": "王^小東"}]


@pytest.mark.parametrize(
    ("setting", "status", "error_id", "comment", "outcome"),
    [
        (False, 0x0000, 0, "", StepOutcome.DONE),
        (False, 0x0107, 0, "", StepOutcome.DONE),
        (True, 0xB305, 0, "", StepOutcome.DONE),
        (False, 0x0111, 0, "", StepOutcome.EXISTS),
        (True, 0x0111, 0, "", StepOutcome.REFUSED),
        (True, 0x0112, 0, "", StepOutcome.UNKNOWN),
        (False, 0x0112, 0, "", StepOutcome.REFUSED),
        (True, 0x0110, 0xA710, "", StepOutcome.FINAL),
        (True, 0x0110, 0, "Performed Procedure Step Object may no longer be updated", StepOutcome.FINAL),
        (True, 0x0110, 0, "disk full", StepOutcome.LATER),
        (False, 0x0110, 0xA710, "", StepOutcome.LATER),
        *(
            (False, status, 0, "", StepOutcome.REFUSED)
            for status in (0x105, 0x106, 0x117, 0x120, 0x121, 0x122, 0x124)
        ),
        (True, 0x0213, 0, "", StepOutcome.LATER),
        (False, 0x4711, 0, "", StepOutcome.REFUSED),
    ],
)
def test_what_an_answer_means(
    setting: bool, status: int, error_id: int, comment: str, outcome: StepOutcome
) -> None:
    assert meaning(status, comment, error_id, setting=setting)[0] is outcome
    assert meaning(status, comment, error_id, setting=setting)[1]


def test_a_status_comes_with_its_comment(steps: Steps) -> None:
    steps.status = 0x0106
    answer = create(steps.peer, STEP.uid, created(UNSCHEDULED, BEGIN))
    assert (answer.status, answer.outcome) == (0x0106, StepOutcome.REFUSED)
    assert answer.sentence


def reads_then(act: Callable[[Call], None]) -> Callable[[Call], None]:
    def script(call: Call) -> None:
        call.accept()
        call.read_message()
        assert call.sop_class_uid == PERFORMED_STEP
        assert call.sop_instance_uid == STEP.uid
        act(call)

    return script


@pytest.mark.parametrize(
    "act",
    [
        Call.close,
        Call.reset,
        Call.abort,
        Call.silent,
        Call.ask_release,
        lambda call: call.respond(0, field=0x8001),
        lambda call: call.respond(0, field=0x8140, message_id=99),
        lambda call: call.send_pdu(4, b"\xff" * 20),
    ],
)
def test_an_answer_that_never_came_is_an_unknown_outcome(act: Callable[[Call], None]) -> None:
    with scripted_peer(reads_then(act)) as peer, pytest.raises(StepLost) as caught:
        create(Peer("127.0.0.1", peer.port, "ANY", timeout_s=1), STEP.uid, created(UNSCHEDULED, BEGIN))
    assert (caught.value.code, caught.value.outcome_unknown) == ("outcome-unknown", True)


def test_a_peer_that_takes_nothing_has_nothing() -> None:
    def script(call: Call) -> None:
        call.accept()
        call.silent()

    endless = {"0040A160": {"vr": "UT", "Value": ["x" * 20_000_000]}}  # more than the kernel's buffers hold
    with scripted_peer(script, receive_buffer=4096) as peer, pytest.raises(StepLost) as caught:
        set_final(Peer("127.0.0.1", peer.port, "ANY", timeout_s=1), STEP.uid, endless)
    assert (caught.value.code, caught.value.outcome_unknown) == ("timeout", False)


def test_no_context_and_rejections_are_told() -> None:
    def without(call: Call) -> None:
        call.accept(results=lambda _a, _t: 3)
        call.answer_release()

    for script, code in (
        (without, "no-context"),
        (lambda call: call.reject(1, 1, 7), "called-aet-rejected"),
        (lambda call: call.reject(1, 1, 3), "calling-aet-rejected"),
    ):
        with scripted_peer(script) as peer, pytest.raises(SmartBoxError) as caught:
            create(Peer("127.0.0.1", peer.port, "ANY"), STEP.uid, created(UNSCHEDULED, BEGIN))
        assert caught.value.code == code


def test_an_answer_in_explicit_vr_with_a_data_set() -> None:
    def script(call: Call) -> None:
        call.accept(results=lambda _a, transfer: 0 if transfer.endswith(".1") else 4)
        call.read_message()
        assert call.data.startswith(b"\x08\0\x05\0CS\x0a\0ISO_IR 192")
        body = struct.pack("<HHLH", 0, 0x0100, 2, 0x8140) + struct.pack("<HHLH", 0, 0x0120, 2, call.message_id)
        body += struct.pack("<HHLH", 0, 0x0800, 2, 1) + struct.pack("<HHLH", 0, 0x0900, 2, 0)
        for flags, data in ((3, body), (2, call.data)):
            call.send_pdu(4, struct.pack(">LBB", len(data) + 2, 3, flags) + data)
        call.answer_release()

    with scripted_peer(script) as peer:
        answer = create(Peer("127.0.0.1", peer.port, "ANY"), STEP.uid, created(UNSCHEDULED, BEGIN))
    assert answer.outcome is StepOutcome.DONE


def test_another_makers_server_killed_between_the_two_messages(tmp_path: Path) -> None:
    study = ordered()
    with dcmjs_mpps(tmp_path) as server:
        peer = Peer("127.0.0.1", server.port, "RIS", timeout_s=10)
        assert create(peer, STEP.uid, created(study, BEGIN)).outcome is StepOutcome.DONE
        assert create(peer, STEP.uid, created(study, BEGIN)).outcome is StepOutcome.EXISTS
        assert set_final(peer, "1.2.3.99", ended(study, DONE)).outcome is StepOutcome.UNKNOWN
        held = server.steps()[STEP.uid]
        assert (held["PatientID"], held["PerformedProcedureStepStatus"]) == ("4711", "IN PROGRESS")
        assert held["PatientName"][0]["Alphabetic"] == "Łukaszewska^Zofia"
        assert held["PatientName"][0]["Ideographic"] == "王^小東"
    with pytest.raises(SmartBoxError) as caught:
        set_final(peer, STEP.uid, ended(study, DONE))
    assert (caught.value.code, isinstance(caught.value, StepLost)) == ("refused", False)
    with dcmjs_mpps(tmp_path) as server:
        peer = Peer("127.0.0.1", server.port, "RIS", timeout_s=10)
        # It came back empty: the box has to begin with the N-CREATE again.
        assert set_final(peer, STEP.uid, ended(study, DONE)).outcome is StepOutcome.UNKNOWN
        assert create(peer, STEP.uid, created(study, BEGIN)).outcome is StepOutcome.DONE
        assert set_final(peer, STEP.uid, ended(study, DONE)).outcome is StepOutcome.DONE
        held = server.steps()[STEP.uid]
        assert (held["PerformedProcedureStepStatus"], held["PerformedProcedureStepEndTime"]) == (
            "COMPLETED",
            "095015",
        )
        assert held["PerformedSeriesSequence"][0]["SeriesInstanceUID"] == "1.2.3.9"
