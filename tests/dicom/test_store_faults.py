"""A peer may do anything: nothing hangs, and it is always known whether the object may have arrived."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Outcome, TransferCancelled, TransferLost
from tests.dicom.pictures import ORDERED, composition, still
from tests.support.peer import Call, scripted_peer

PATIENT_WORDS = ("Müller", "Jörg", "4711-22", "1961")


@pytest.fixture
def large(tmp_path: Path) -> Composition:
    """More than the kernel's buffers take, so that what the peer does is felt in the middle."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    return composition(ORDERED, still("vl-endoscopic", path), path)


@pytest.fixture
def small(tmp_path: Path) -> Composition:
    path = tmp_path / "small"
    path.write_bytes(b"\xff\xd8" + b"x" * 10000)
    return composition(ORDERED, still("vl-endoscopic", path), path)


def lost(script: Callable[[Call], None], item: Composition) -> TransferLost:
    with scripted_peer(script, receive_buffer=65536) as peer:
        begin = time.monotonic()
        target = Peer("127.0.0.1", peer.port, "ANY", timeout_s=1.0)
        with (
            StoreSession(target, [(item.sop_class_uid, item.transfer_syntax_uid)]) as session,
            pytest.raises(TransferLost) as caught,
        ):
            session.store(item)
        assert time.monotonic() - begin < 12, "every wait must end"
        told = caught.value.message.replace(str(peer.port), "")  # any port may look like a year
    assert not any(word in told for word in PATIENT_WORDS)
    return caught.value


def stops_reading(call: Call) -> None:
    call.accept()
    call.read_message(data_pdus=3)
    call.silent()


def aborts_in_the_middle(call: Call) -> None:
    call.accept()
    call.read_message(data_pdus=3)
    call.abort()
    call.silent()


def aborts_and_closes_in_the_middle(call: Call) -> None:
    call.accept()
    call.read_message(data_pdus=3)
    call.abort()
    call.close()


def closes_in_the_middle(call: Call) -> None:
    call.accept()
    call.read_message(data_pdus=3)
    call.close()


def resets_in_the_middle(call: Call) -> None:
    call.accept()
    call.read_message(data_pdus=3)
    call.reset()


def asks_for_release_in_the_middle(call: Call) -> None:
    call.accept()
    call.read_message(data_pdus=3)
    call.ask_release()
    call.silent()


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (stops_reading, "timeout"),
        (aborts_in_the_middle, "refused"),
        (aborts_and_closes_in_the_middle, "refused"),
        (closes_in_the_middle, "refused"),
        (resets_in_the_middle, "refused"),
        (asks_for_release_in_the_middle, "refused"),
    ],
)
def test_what_ends_before_the_last_byte_is_safe_to_repeat(
    script: Callable[[Call], None], code: str, large: Composition
) -> None:
    error = lost(script, large)
    assert (error.code, error.outcome_unknown) == (code, False)


def test_an_abort_in_the_middle_is_told_from_a_broken_cable(large: Composition) -> None:
    assert "aborted" in lost(aborts_in_the_middle, large).message


def silent_after_the_object(call: Call) -> None:
    call.accept()
    call.read_message()
    call.silent()


def closes_after_the_object(call: Call) -> None:
    call.accept()
    call.read_message()
    call.close()


def resets_after_the_object(call: Call) -> None:
    call.accept()
    call.read_message()
    call.reset()


def aborts_after_the_object(call: Call) -> None:
    call.accept()
    call.read_message()
    call.abort()


def answers_half_and_stops(call: Call) -> None:
    call.accept()
    call.read_message()
    call.sock.sendall(b"\x04\0\0\0\0\x50\0\0")
    call.silent()


def answers_another_message(call: Call) -> None:
    call.accept()
    call.read_message()
    call.respond(0, message_id=call.message_id + 1)
    call.silent()


def answers_for_another_object(call: Call) -> None:
    call.accept()
    call.read_message()
    call.respond(0, uid="1.2.3")
    call.silent()


def answers_another_question(call: Call) -> None:
    call.accept()
    call.read_message()
    call.respond(0, field=0x8030)
    call.silent()


def answers_nonsense(call: Call) -> None:
    call.accept()
    call.read_message()
    call.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    call.silent()


@pytest.mark.parametrize(
    "script",
    [
        silent_after_the_object,
        closes_after_the_object,
        resets_after_the_object,
        aborts_after_the_object,
        answers_half_and_stops,
        answers_another_message,
        answers_for_another_object,
        answers_another_question,
        answers_nonsense,
    ],
)
def test_what_ends_after_the_last_byte_has_an_unknown_outcome(
    script: Callable[[Call], None], small: Composition
) -> None:
    error = lost(script, small)
    assert (error.code, error.outcome_unknown) == ("outcome-unknown", True)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(0xA700, Outcome.RETRY), (0xB000, Outcome.STORED_WITH_WARNING), (0x0111, Outcome.DUPLICATE)],
)
def test_the_archives_answer_comes_back_with_its_comment(status: int, outcome: Outcome, small: Composition) -> None:
    def script(call: Call) -> None:
        call.accept()
        call.read_message()
        call.respond(status, comment="disk full")
        call.answer_release()

    with scripted_peer(script) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY")
        with StoreSession(target, [(small.sop_class_uid, small.transfer_syntax_uid)]) as session:
            result = session.store(small)
    assert (result.status, result.comment, result.meaning.outcome) == (status, "disk full", outcome)


def test_an_answer_that_comes_before_the_last_byte_is_kept_for_its_time(large: Composition) -> None:
    def script(call: Call) -> None:
        call.accept()
        call.read_message(data_pdus=1)
        call.respond(0xA700)
        while call.read_pdu()[1][5] != 2:
            pass
        call.answer_release()

    with scripted_peer(script) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY")
        with StoreSession(target, [(large.sop_class_uid, large.transfer_syntax_uid)]) as session:
            assert session.store(large).status == 0xA700


def test_cancelling_before_the_last_fragment_aborts_and_is_safe(large: Composition) -> None:
    aborted = threading.Event()

    def script(call: Call) -> None:
        call.accept(max_pdu=131072)
        with pytest.raises(ConnectionError, match="PDU type 7"):  # between two PDUs, as an A-ABORT
            call.read_message()
        aborted.set()

    asked: list[int] = []
    with scripted_peer(script) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY")
        with (
            StoreSession(target, [(large.sop_class_uid, large.transfer_syntax_uid)]) as session,
            pytest.raises(TransferCancelled),
        ):
            session.store(large, cancelled=lambda: asked.append(1) or len(asked) > 3)  # type: ignore[func-returns-value]
        assert aborted.wait(5)
        assert not session.is_open


def test_abort_from_another_thread_ends_the_call_at_once(large: Composition) -> None:
    with scripted_peer(stops_reading, receive_buffer=65536) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY", timeout_s=30)
        session = StoreSession(target, [(large.sop_class_uid, large.transfer_syntax_uid)])
        session.open()
        timer = threading.Timer(0.3, session.abort)
        timer.start()
        begin = time.monotonic()
        with pytest.raises(TransferCancelled):
            session.store(large)
        assert time.monotonic() - begin < 5
        session.abort()  # again, on a closed one: nothing


def test_abort_while_waiting_for_the_answer_leaves_the_outcome_unknown(small: Composition) -> None:
    with scripted_peer(silent_after_the_object) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY", timeout_s=30)
        session = StoreSession(target, [(small.sop_class_uid, small.transfer_syntax_uid)])
        session.open()
        threading.Timer(0.3, session.abort).start()
        with pytest.raises(TransferLost) as caught:
            session.store(small)
    assert caught.value.outcome_unknown


def test_a_session_after_a_loss_says_so_and_does_not_hang(small: Composition) -> None:
    with scripted_peer(closes_after_the_object) as peer:
        session = StoreSession(
            Peer("127.0.0.1", peer.port, "ANY"), [(small.sop_class_uid, small.transfer_syntax_uid)]
        )
        session.open()
        for expected in (True, False):
            with pytest.raises(TransferLost) as caught:
                session.store(small)
            assert caught.value.outcome_unknown is expected
        session.close()


def test_a_bitstream_that_shrinks_while_sending_aborts_the_association(tmp_path: Path) -> None:
    path = tmp_path / "shrinks"
    with path.open("wb") as file:
        file.truncate(32 << 20)
    item = composition(ORDERED, still("vl-endoscopic", path), path)

    def cut(sent: int) -> None:
        with path.open("r+b") as file:
            file.truncate(min(sent, 100))

    def script(call: Call) -> None:
        call.accept(max_pdu=131072)
        call.read_message()

    with scripted_peer(script) as peer:
        session = StoreSession(
            Peer("127.0.0.1", peer.port, "ANY"), [(item.sop_class_uid, item.transfer_syntax_uid)]
        )
        session.open()
        with pytest.raises(SmartBoxError) as caught:
            session.store(item, on_progress=cut)
    assert caught.value.code == "invalid-object"
    assert not session.is_open


@pytest.mark.parametrize("ending", ["close", "reset", "abort", "ask_release"])
def test_a_peer_that_leaves_while_idle_is_noticed_before_the_next_object(ending: str, small: Composition) -> None:
    gone = threading.Event()

    def script(call: Call) -> None:
        call.accept()
        call.read_message()
        call.respond(0)
        getattr(call, ending)()
        gone.set()
        if ending == "ask_release":
            assert call.read_pdu()[0] == 6, "a release is answered"

    with scripted_peer(script) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY")
        session = StoreSession(target, [(small.sop_class_uid, small.transfer_syntax_uid)])
        session.open()
        session.store(small)
        assert gone.wait(5)
        time.sleep(0.05)
        assert not session.is_open
        session.close()


def test_a_session_that_was_aborted_opens_and_sends_nothing_more(small: Composition) -> None:
    def script(call: Call) -> None:
        call.accept()
        call.silent()

    contexts = [(small.sop_class_uid, small.transfer_syntax_uid)]
    with scripted_peer(script) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY")
        opened, unopened = StoreSession(target, contexts), StoreSession(target, contexts)
        opened.open()
        opened.abort()
        unopened.abort()
        with pytest.raises(TransferCancelled):
            opened.store(small)
        with pytest.raises(TransferCancelled):
            unopened.open()
        opened.close()
