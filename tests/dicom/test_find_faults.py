"""A worklist server that fails at any byte: what came is kept, the cause is told, nothing hangs."""

from __future__ import annotations

import struct
import threading
import time
import tracemalloc
from collections.abc import Callable

import pytest

from smartbox_tui.dicom.scu.find import MODALITY_WORKLIST, FindRefused, FindResult, find_worklist
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.worklist import WorklistEntry, WorklistKeys
from tests.support.peer import Call, scripted_peer

PENDING, CANCELLED = 0xFF00, 0xFE00


def element(group: int, number: int, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    return struct.pack("<HHL", group, number, len(value)) + value


def entry(number: int, name: bytes = b"Meier^Eva") -> bytes:
    return element(0x10, 0x10, name) + element(0x10, 0x20, b"%d" % number)


def command(
    status: int, *, message_id: int = 1, data: bool = True, field: int = 0x8020, comment: bytes = b""
) -> bytes:
    body = element(0, 0x0100, struct.pack("<H", field)) + element(0, 0x0120, struct.pack("<H", message_id))
    body += element(0, 0x0800, struct.pack("<H", 1 if data else 0x0101)) + element(
        0, 0x0900, struct.pack("<H", status)
    )
    body += element(0, 0x0902, comment) if comment else b""
    return element(0, 0, struct.pack("<L", len(body))) + body


def pdv(flags: int, data: bytes, context: int = 1) -> bytes:
    return struct.pack(">LBB", len(data) + 2, context, flags) + data


def pdu(*pdvs: bytes) -> bytes:
    body = b"".join(pdvs)
    return struct.pack(">BBL", 4, 0, len(body)) + body


def pending(number: int, name: bytes = b"Meier^Eva") -> bytes:
    return pdu(pdv(3, command(PENDING))) + pdu(pdv(2, entry(number, name)))


def final(status: int = 0, comment: bytes = b"") -> bytes:
    return pdu(pdv(3, command(status, data=False, comment=comment)))


def ask(
    port: int, timeout_s: float = 1.0, limit: int | None = None, cancelled: Callable[[], bool] = lambda: False
) -> tuple[list[WorklistEntry], FindResult]:
    found: list[WorklistEntry] = []
    peer = Peer("127.0.0.1", port, "ANY", timeout_s=timeout_s)
    return found, find_worklist(peer, WorklistKeys(), on_entry=found.append, limit=limit, cancelled=cancelled)


def answering(*data: bytes, then: Callable[[Call], None] = Call.answer_release) -> Callable[[Call], None]:
    def script(call: Call) -> None:
        call.accept()
        read_query(call)
        for piece in data:
            call.sock.sendall(piece)
        then(call)

    return script


def read_query(call: Call) -> None:
    call.read_message()
    assert call.sop_class_uid == MODALITY_WORKLIST
    assert call.data.startswith(struct.pack("<HHL", 8, 5, 0)), "SpecificCharacterSet asked for, and empty"


def test_the_query_asks_for_what_object_and_performed_step_need() -> None:
    with scripted_peer(answering(final())) as peer:
        assert ask(peer.port) == ([], FindResult(0, True, 0, "", 0))
    asked = peer.calls[0].data
    for group, number in (
        (0x08, 0x50), (0x08, 0x90), (0x08, 0x1110), (0x10, 0x10), (0x10, 0x20), (0x10, 0x21), (0x10, 0x30),
        (0x10, 0x40), (0x20, 0x0D), (0x32, 0x1060), (0x32, 0x1064), (0x40, 0x100), (0x40, 0x1), (0x40, 0x2),
        (0x40, 0x3), (0x40, 0x6), (0x40, 0x7), (0x40, 0x8), (0x40, 0x9), (0x40, 0x10), (0x40, 0x11), (0x40, 0x1001),
        (0x40, 0x1002), (0x40, 0x1003),
    ):  # fmt: skip
        assert struct.pack("<HH", group, number) in asked, f"{group:04X},{number:04X}"


def test_all_in_one_pdu_or_byte_by_byte_is_the_same() -> None:
    whole = pending(1) + pending(2) + final(0, b"done")
    together = pdu(pdv(3, command(PENDING)), pdv(2, entry(1)), pdv(3, command(PENDING))) + pdu(pdv(2, entry(2)))
    crumbs = [pdu(pdv(0, bytes((byte,)))) for byte in entry(1)[:-1]] + [pdu(pdv(2, entry(1)[-1:]))]
    for data in (
        [whole],
        [whole[i : i + 1] for i in range(len(whole))],
        [together, final(0, b"done")],
        [pdu(pdv(3, command(PENDING))), *crumbs, pending(2), final(0, b"done")],
    ):
        with scripted_peer(answering(*data)) as peer:
            found, result = ask(peer.port, timeout_s=10)
        assert [item.patient.id for item in found] == ["1", "2"]
        assert result == FindResult(2, True, 0, "done", 0)


def test_cut_off_at_every_byte_keeps_what_came() -> None:
    whole = pending(1) + pending(2)
    for end in range(0, len(whole) + 1, 3):
        found: list[WorklistEntry] = []
        with scripted_peer(answering(whole[:end], then=Call.close)) as peer, pytest.raises(SmartBoxError) as caught:
            find_worklist(Peer("127.0.0.1", peer.port, "ANY", timeout_s=5), WorklistKeys(), on_entry=found.append)
        assert caught.value.code == "refused"
        assert len(found) == (end >= len(whole) // 2) + (end == len(whole))


@pytest.mark.parametrize("end", [0, 5, 20, len(pending(1)) - 1, len(pending(1)), len(pending(1)) + 40])
def test_silence_ends_with_the_time_out(end: int) -> None:
    whole = pending(1) + pending(2)
    with scripted_peer(answering(whole[:end], then=Call.silent)) as peer, pytest.raises(SmartBoxError) as caught:
        ask(peer.port, timeout_s=0.5)
    assert caught.value.code == "timeout"


def test_a_slow_server_is_waited_for_as_long_as_it_goes_on() -> None:
    def script(call: Call) -> None:
        call.accept()
        read_query(call)
        for number in range(4):
            time.sleep(0.6)
            call.sock.sendall(pending(number + 1))
        call.sock.sendall(final())
        call.answer_release()

    with scripted_peer(script) as peer:
        found, result = ask(peer.port, timeout_s=1.5)
    assert (len(found), result.complete) == (4, True)


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400\r\n\r\n",
        pdu(pdv(2, entry(1))),  # a data set without a command
        pdu(pdv(3, command(PENDING))) + pdu(pdv(3, command(PENDING))),  # a command where the data set should be
        pdu(pdv(3, command(PENDING, message_id=77))) + pdu(pdv(2, entry(1))),
        pdu(pdv(3, command(PENDING, field=0x8001))) + pdu(pdv(2, entry(1))),
        pdu(pdv(3, b"\xff" * 50)),
        pdu(pdv(3, command(0, data=False), context=9)),
        pdu(),
        struct.pack(">BBL", 4, 0, 6) + struct.pack(">L", 100) + b"\x01\x03",
        pdu(pdv(1, b"")) * 70_000,
        pdu(pdv(1, bytes(4096))) * 20,
        struct.pack(">BBL", 2, 0, 4) + bytes(4),
        struct.pack(">BBL", 4, 0, 0xFFFFFFFF),
    ],
)
def test_garbage_is_refused(garbage: bytes) -> None:
    with scripted_peer(answering(garbage, then=Call.silent)) as peer, pytest.raises(SmartBoxError) as caught:
        ask(peer.port, timeout_s=20)
    assert caught.value.code == "refused"


@pytest.mark.parametrize("then", [Call.abort, Call.ask_release, Call.reset])
def test_a_server_that_leaves_is_told_so(then: Callable[[Call], None]) -> None:
    with scripted_peer(answering(pending(1), then=then)) as peer, pytest.raises(SmartBoxError) as caught:
        ask(peer.port)
    assert caught.value.code == "refused"


@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC001, 0x0122, 0x0124, 0xFE00, 0x4711])
def test_a_failure_after_some_answers_keeps_them(status: int) -> None:
    found: list[WorklistEntry] = []
    with scripted_peer(answering(pending(1), final(status, b"why"))) as peer, pytest.raises(FindRefused) as caught:
        find_worklist(Peer("127.0.0.1", peer.port, "ANY"), WorklistKeys(), on_entry=found.append)
    assert (caught.value.code, caught.value.status, caught.value.comment) == ("archive-refused", status, "why")
    assert f"{status:04X}H" in caught.value.message
    assert len(found) == 1


def test_what_cannot_be_read_is_counted_and_the_rest_comes() -> None:
    utf8 = element(8, 5, b"ISO_IR 192")
    answers = (
        pdu(pdv(3, command(PENDING))) + pdu(pdv(2, b"\xff" * 40)),
        pdu(pdv(3, command(PENDING))) + pdu(pdv(2, utf8 + entry(1, b"M\xfcller"))),
        pdu(pdv(3, command(PENDING))) + pdu(pdv(2, element(0x20, 0x0D, b"1.2.3"))),
        pdu(pdv(3, command(PENDING, data=False))),
        pdu(pdv(3, command(PENDING))) + pdu(pdv(2, utf8 + entry(5, "Müller".encode()))),
    )
    with scripted_peer(answering(*answers, final())) as peer:
        found, result = ask(peer.port)
    assert [item.patient.name for item in found] == ["Müller"]
    assert result == FindResult(1, True, 0, "", 4)


def test_an_answer_of_hundreds_of_megabytes_is_skipped_in_little_memory() -> None:
    piece = pdu(pdv(0, bytes(16000)))

    def script(call: Call) -> None:
        call.accept()
        read_query(call)
        call.sock.sendall(pdu(pdv(3, command(PENDING))))
        for _ in range(6000):
            call.sock.sendall(piece)
        call.sock.sendall(pdu(pdv(2, b"")) + pending(2) + final())
        call.answer_release()

    with scripted_peer(script) as peer:
        tracemalloc.start()
        found, result = ask(peer.port, timeout_s=20)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (len(found), result.skipped, result.complete) == (1, 1, True)
    assert peak < 16 << 20


def cancel_read(call: Call) -> None:
    """The C-CANCEL-RQ names the query's message (PS3.7 table 9.3-4)."""
    kind, body = call.read_pdu()
    assert kind == 4
    assert body[5] == 3
    assert struct.pack("<HHLH", 0, 0x0100, 2, 0x0FFF) in body
    assert struct.pack("<HHLH", 0, 0x0120, 2, 1) in body


def test_the_limit_cancels_and_reads_on_to_the_end() -> None:
    def script(call: Call) -> None:
        call.accept()
        read_query(call)
        call.sock.sendall(b"".join(pending(number) for number in range(1, 6)))
        cancel_read(call)
        call.sock.sendall(pending(6) + final(CANCELLED))
        call.answer_release()

    with scripted_peer(script) as peer:
        found, result = ask(peer.port, limit=3)
    assert [item.patient.id for item in found] == ["1", "2", "3"]
    assert result == FindResult(3, False, CANCELLED, "", 0)


def test_exactly_as_many_as_the_limit_are_all() -> None:
    with scripted_peer(answering(pending(1), pending(2), final())) as peer:
        found, result = ask(peer.port, limit=2)
    assert (len(found), result.complete) == (2, True)


def test_cancelling_while_the_server_thinks() -> None:
    stop = threading.Event()

    def script(call: Call) -> None:
        call.accept()
        read_query(call)
        call.sock.sendall(pending(1))
        stop.set()
        cancel_read(call)
        call.sock.sendall(final(CANCELLED))
        call.answer_release()

    with scripted_peer(script) as peer:
        found, result = ask(peer.port, timeout_s=20, cancelled=stop.is_set)
    assert result.complete is False
    assert len(found) <= 1


def test_a_server_deaf_to_cancelling_is_left() -> None:
    def goes_on(call: Call) -> None:
        call.accept()
        read_query(call)
        number = 0
        while not call.stop.is_set():
            number += 1
            call.sock.sendall(pending(number))

    for script in (goes_on, answering(*(pending(number) for number in range(1, 6)), then=Call.silent)):
        with scripted_peer(script) as peer:
            found, result = ask(peer.port, limit=3, timeout_s=0.5)
        assert (len(found), result.complete, result.status) == (3, False, CANCELLED)


def test_whoever_listens_may_fail_and_the_association_ends() -> None:
    def fails(_: WorklistEntry) -> None:
        raise RuntimeError("no room")

    def script(call: Call) -> None:
        call.accept()
        read_query(call)
        call.sock.sendall(pending(1))
        kind, _ = call.read_pdu()
        assert kind == 7

    with scripted_peer(script) as peer, pytest.raises(RuntimeError):
        find_worklist(Peer("127.0.0.1", peer.port, "ANY"), WorklistKeys(), on_entry=fails)


def test_a_peer_without_a_worklist_is_told_so() -> None:
    def script(call: Call) -> None:
        call.accept(results=lambda _a, _t: 3)
        call.answer_release()

    with scripted_peer(script) as peer, pytest.raises(SmartBoxError) as caught:
        ask(peer.port)
    assert caught.value.code == "no-context"


def test_a_server_of_explicit_vr_alone() -> None:
    def script(call: Call) -> None:
        call.accept(results=lambda _a, transfer: 0 if transfer.endswith(".1") else 4)
        call.read_message()
        assert call.data.startswith(b"\x08\0\x05\0CS\0\0")
        name, number = b"Meier^Eva ", b"7 "
        data = (
            b"\x10\0\x10\0PN"
            + struct.pack("<H", len(name))
            + name
            + b"\x10\0\x20\0LO"
            + struct.pack("<H", 2)
            + number
        )
        call.sock.sendall(
            pdu(pdv(3, command(PENDING), 3)) + pdu(pdv(2, data, 3)) + pdu(pdv(3, command(0, data=False), 3))
        )
        call.answer_release()

    with scripted_peer(script) as peer:
        found, _ = ask(peer.port)
    assert [(item.patient.id, item.patient.name) for item in found] == [("7", "Meier^Eva")]
