"""The box as SCU of Storage Commitment: what it asks, what each answer means, and peers that misbehave."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from pydicom.dataset import Dataset

from smartbox_tui.dicom.datasets import from_json
from smartbox_tui.dicom.scu import commit, dimse
from smartbox_tui.dicom.scu.commit import Asked, CommitSession, answer_to, meaning, read_report
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.commitment import Failure, Reference, Report, failure
from tests.support.commitment import Committer, Question, committer
from tests.support.peer import Call, scripted_peer

SC = "1.2.840.10008.5.1.4.1.1.7"
REFERENCES = [Reference(SC, f"1.2.{number}") for number in range(3)]


@pytest.fixture
def peer() -> Iterator[Committer]:
    with committer() as running:
        yield running


def at(port: int, timeout_s: float = 2.0) -> Peer:
    return Peer("127.0.0.1", port, "COMMITTER", timeout_s=timeout_s)


def test_what_is_asked_and_answered_on_the_same_association(peer: Committer) -> None:
    peer.after = lambda question, association: peer.report(
        question, association=association, failed={"1.2.1": 0x0112}
    )
    told: list[Report] = []

    def hear(report: Report) -> int:
        told.append(report)
        return 0

    with CommitSession(at(peer.port), hear) as session:
        answer = session.request("2.25.7", REFERENCES)
        assert (answer.status, answer.outcome) == (0, Asked.TAKEN)
        begin = time.monotonic()
        session.listen(10, lambda: bool(told))
        assert time.monotonic() - begin < 8  # it does not wait on once it has heard enough
    assert peer.questions == [
        Question("2.25.7", [(item.sop_class_uid, item.sop_instance_uid) for item in REFERENCES])
    ]
    assert told == [Report("2.25.7", ("1.2.0", "1.2.2"), (("1.2.1", 0x0112),))]
    assert peer.statuses == [0]


@pytest.mark.parametrize("status", [0x0110, 0x0122, 0x0124, 0x0211, 0x0213, 0x0131, 0xA700, 0x4242])
def test_each_refusal_is_told_apart(peer: Committer, status: int) -> None:
    peer.respond = lambda _: status
    with CommitSession(at(peer.port), lambda _: 0) as session:
        answer = session.request("2.25.8", REFERENCES)
    assert answer.status == status
    assert answer.outcome is (Asked.UNSUPPORTED if status in (0x0122, 0x0124, 0x0211) else Asked.LATER)
    assert answer.sentence == meaning(status)[1]


def test_an_archive_without_it() -> None:
    with committer(supports=False) as peer:
        with pytest.raises(SmartBoxError) as caught:
            CommitSession(at(peer.port), lambda _: 0).open()
        assert caught.value.code == "no-context"
        assert "COMMITTER" in caught.value.message


def test_stopped_from_another_thread(peer: Committer) -> None:
    with CommitSession(at(peer.port, 20), lambda _: 0) as session:
        session.request("2.25.9", REFERENCES)
        threading.Timer(0.3, session.wake).start()
        begin = time.monotonic()
        session.listen(20)
        assert time.monotonic() - begin < 10
        assert not session.is_open


# ---- misbehaviour


def response(
    field: int = 0x8130, message_id: int = 1, status: int = 0, context: int = 1, data: bytes = b"", event: int = 0
) -> bytes:
    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(value)) + value

    body = element(2, commit.STORAGE_COMMITMENT.encode()) + element(0x100, struct.pack("<H", field))
    body += element(0x110 if field < 0x8000 else 0x120, struct.pack("<H", message_id))
    body += element(0x800, struct.pack("<H", 1 if data else 0x0101)) + element(0x900, struct.pack("<H", status))
    body += element(0x1000, commit.INSTANCE.encode())
    if event:
        body += element(0x1002, struct.pack("<H", event))
    command = element(0, struct.pack("<L", len(body))) + body
    pdus = b""
    for piece, flags in ((command, 3), *(((data, 2),) if data else ())):
        pdv = struct.pack(">LBB", len(piece) + 2, context, flags) + piece
        pdus += struct.pack(">BBL", 4, 0, len(pdv)) + pdv
    return pdus


def event_data(uid: str = "2.25.7") -> bytes:
    value = commit.action_of(uid, REFERENCES)
    return from_json(value, explicit=False)


def after(*steps: Callable[[Call], object]) -> Callable[[Call], None]:
    def script(call: Call) -> None:
        call.accept()
        call.read_pdu()  # the command
        call.read_pdu()  # and its data set
        for step in steps:
            step(call)

    return script


def raw(data: bytes) -> Callable[[Call], object]:
    return lambda call: call.sock.sendall(data)


def trickle(call: Call) -> None:
    while not call.stop.wait(0.05):
        call.send_pdu(4, struct.pack(">LBB", 2, 1, 1))


BAD = {
    "silence": after(Call.silent),
    "closes": after(Call.close),
    "resets": after(Call.reset),
    "aborts": after(Call.abort),
    "releases": after(Call.ask_release, Call.silent),
    "half a head": after(raw(b"\x04\0\0"), Call.silent),
    "half an answer": after(raw(response()[:30]), Call.silent),
    "another message's answer": after(raw(response(message_id=9)), Call.silent),
    "another operation's answer": after(raw(response(0x8001)), Call.silent),
    "another context": after(raw(response(context=99)), Call.silent),
    "noise": after(raw(b"\x04\0\0\0\0\x10\0\0\0\x0c\1\3" + b"\xaa" * 10), Call.silent),
    "an absurd length": after(raw(b"\x04\0\xff\xff\xff\xff"), Call.silent),
    "text": after(raw(b"panic: out of memory\n"), Call.silent),
    "fragments without end": after(trickle),
    "requests without end": after(raw(response(0x0100, event=1) * 500), Call.silent),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BAD))
def test_after_a_question_that_has_gone_the_outcome_is_unknown(name: str) -> None:
    threads = threading.active_count()
    with scripted_peer(BAD[name]) as running:
        session = CommitSession(at(running.port, 0.7), lambda _: 0)
        session.open()
        begin = time.monotonic()
        with pytest.raises(SmartBoxError) as caught:
            session.request("2.25.7", REFERENCES)
        assert caught.value.code == "outcome-unknown"
        assert time.monotonic() - begin < 25
        assert not session.is_open
        session.abort()
    assert threading.active_count() <= threads


def test_a_report_before_the_answer_to_the_question() -> None:
    told: list[str] = []
    good = after(raw(response(0x0100, 5, data=event_data(), event=1)), raw(response()), Call.silent)
    with scripted_peer(good) as running:
        session = CommitSession(at(running.port), lambda report: told.append(report.transaction_uid) or 0)  # type: ignore[func-returns-value]
        session.open()
        assert session.request("2.25.7", REFERENCES).outcome is Asked.TAKEN
        session.abort()
    assert told == ["2.25.7"]


# ---- what a report says


def report_of(**sequences: list[tuple[str, int | None]]) -> bytes:
    data = Dataset()
    data.TransactionUID = "2.25.7"
    for keyword, items in sequences.items():
        found = []
        for uid, reason in items:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = SC, uid
            if reason is not None:
                item.FailureReason = reason
            found.append(item)
        setattr(data, keyword, found)
    return from_json(data.to_json_dict(), explicit=True)


def test_what_stands_in_both_lists_has_failed() -> None:
    data = report_of(
        ReferencedSOPSequence=[("1.1", None), ("1.2", None), ("1.1", None)],
        FailedSOPSequence=[("1.2", 0x0112), ("1.3", None)],
    )
    assert read_report(data, explicit=True) == Report("2.25.7", ("1.1",), (("1.2", 0x0112), ("1.3", 0)))


@pytest.mark.parametrize("data", [b"x", b"\0" * 40, report_of()[:-3], from_json({}, explicit=True)])
def test_what_is_no_report(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^[a-z]"):
        read_report(data, explicit=True)


def test_requests_that_are_none() -> None:
    good: dimse.Command = {
        dimse.COMMAND_FIELD: dimse.N_EVENT_REPORT_RQ,
        dimse.SOP_CLASS_UID: commit.STORAGE_COMMITMENT,
        dimse.SOP_INSTANCE_UID: commit.INSTANCE,
        dimse.EVENT_TYPE: 1,
    }
    data = event_data()

    def answer(data: bytes | None = data, **changes: int | str) -> int:
        command = {**good, **{getattr(dimse, name): value for name, value in changes.items()}}
        return answer_to(command, data, explicit=False, on_report=lambda _: 0)

    assert answer() == 0
    assert answer(COMMAND_FIELD=dimse.C_ECHO_RQ) == 0x0211
    assert answer(SOP_CLASS_UID="1.2") == 0x0118
    assert answer(SOP_INSTANCE_UID="1.2") == 0x0112
    assert answer(EVENT_TYPE=7) == 0x0113
    assert answer(None) == 0x0213
    assert answer(b"") == 0x0120
    assert answer(b"abc") == 0x0110


def test_failure_reasons() -> None:
    assert failure(0x0112)[0] is Failure.SEND
    assert failure(0x0122)[0] is Failure.NEVER
    assert failure(0x0213)[0] is Failure.ASK
    assert failure(0x7777)[0] is Failure.SEND
