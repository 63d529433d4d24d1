"""A catalogue of misbehaviour: scripts for `scripted_peer`, by the moment they strike, and what must come of each.

`BEFORE` the association stands; in the `MIDDLE` of an object; `AFTER` its last byte; at the `RELEASE`.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.support.peer import Call

Script = Callable[[Call], None]


@dataclass(frozen=True)
class Bad:
    """`code` the error's; None: no error at all. `status`: what is answered where there is no error."""

    name: str
    script: Script
    code: str | None
    status: int | None = None


def _pdu(kind: int, length: int, body: bytes = b"") -> bytes:
    return struct.pack(">BBL", kind, 0, length) + body


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def _says(data: bytes, *, after_request: bool = True, quiet: bool = True) -> Script:
    def script(call: Call) -> None:
        if after_request:
            call.read_pdu()
        call.sock.sendall(data)
        if quiet:
            call.silent()

    return script


def _accepts(contexts: Callable[[dict[int, tuple[str, str]]], bytes], max_pdu: bytes = bytes(4)) -> Script:
    """An acceptance with presentation context items of one's own; then every message is answered with success."""

    def script(call: Call) -> None:
        body = call._read_request()
        answer = body[:68] + _item(0x10, b"1.2.840.10008.3.1.1.1") + contexts(call.contexts)
        call.send_pdu(2, answer + _item(0x50, _item(0x51, max_pdu) + _item(0x52, b"1.2.3.4")))
        call.answer_release()

    return script


def _context(number: int, syntax: str, result: int = 0) -> bytes:
    return _item(0x21, bytes((number, 0, result, 0)) + _item(0x40, syntax.encode()))


def _reads(call: Call) -> None:
    call.read_pdu()


def _does(*steps: Script) -> Script:
    def script(call: Call) -> None:
        for step in steps:
            step(call)

    return script


def _trickles(data: bytes, every_s: float) -> Script:
    def script(call: Call) -> None:
        call.read_pdu()
        for position in range(len(data)):
            call.sock.sendall(data[position : position + 1])
            if call.stop.wait(every_s):
                return

    return script


def rejections() -> Iterator[Bad]:
    """Every result, source and reason of PS3.8 9.3.4, and some that it does not know."""
    known = {(1, 3): "calling-aet-rejected", (1, 7): "called-aet-rejected"}
    for result in (1, 2):
        for source, reason in (
            (1, 1),
            (1, 2),
            (1, 3),
            (1, 7),
            (2, 1),
            (2, 2),
            (3, 0),
            (3, 1),
            (3, 2),
            (1, 10),
            (7, 7),
        ):
            yield Bad(
                f"reject {result}/{source}/{reason}",
                lambda call, r=result, s=source, d=reason: call.reject(r, s, d),  # type: ignore[misc]
                known.get((source, reason), "refused"),
            )


BEFORE = (
    *rejections(),
    Bad("silence after connecting", Call.silent, "timeout"),
    Bad("closes after connecting", Call.close, "refused"),
    Bad("resets after connecting", Call.reset, "refused"),
    Bad("closes after the request", _does(_reads, Call.close), "refused"),
    Bad("resets after the request", _does(_reads, Call.reset), "refused"),
    Bad("aborts the negotiation", _does(_reads, Call.abort), "refused"),
    Bad("aborts before it has read", _does(Call.abort, Call.reset), "refused"),
    Bad("silence after the request", _does(_reads, Call.silent), "timeout"),
    Bad("one byte of an acceptance", _says(b"\x02"), "timeout"),
    Bad("half a head", _says(b"\x02\0\0\0"), "timeout"),
    Bad("a head and no body", _says(_pdu(2, 200)), "timeout"),
    Bad("half an acceptance", _says(_pdu(2, 200, bytes(100))), "timeout"),
    Bad("half an acceptance, then closes", _says(_pdu(2, 200, bytes(100)), quiet=False), "refused"),
    Bad("an acceptance byte by byte, for ever", _trickles(_pdu(2, 5000, bytes(5000)), 0.1), "timeout"),
    Bad("an acceptance of length 0", _says(_pdu(2, 0)), "refused"),
    Bad("an acceptance of 2^32-1 bytes", _says(_pdu(2, 0xFFFFFFFF)), "refused"),
    Bad("an acceptance shorter than its items", _says(_pdu(2, 72, bytes(68) + b"\x21\0\xff\xff")), "refused"),
    Bad("an acceptance of zeros", _says(_pdu(2, 4000, bytes(4000))), "refused"),
    Bad("an acceptance of ones", _says(_pdu(2, 4000, b"\xff" * 4000)), "refused"),
    Bad("a rejection of length 0", _says(_pdu(3, 0)), "refused"),
    Bad("an abort of length 0", _says(_pdu(7, 0)), "refused"),
    Bad("HTTP", _says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "refused"),
    Bad("SSH, before anything was asked", _says(b"SSH-2.0-OpenSSH_9.2\r\n", after_request=False), "refused"),
    Bad("PDU type 0", _says(_pdu(0, 4, bytes(4))), "refused"),
    Bad("PDU type 99", _says(_pdu(99, 4, bytes(4))), "refused"),
    Bad("data instead of an acceptance", _says(_pdu(4, 8, bytes(8))), "refused"),
    Bad("a release instead of an acceptance", _says(_pdu(5, 4, bytes(4))), "refused"),
    Bad("the request sent back", lambda call: call.send_pdu(*call.read_pdu()), "refused"),
    Bad("a maximum PDU length of 3", lambda call: call.accept(max_pdu=3), "refused"),
    Bad("a maximum PDU length of 7", lambda call: call.accept(max_pdu=7), "refused"),
    Bad("rejects every context", _accepts(lambda them: b"".join(_context(n, t, 4) for n, (_, t) in them.items())),
        "no-context"),
    Bad("accepts contexts nobody proposed", _accepts(lambda _: _context(77, "1.2.840.10008.1.2")), "no-context"),
    Bad("accepts with a syntax nobody proposed",
        _accepts(lambda them: b"".join(_context(n, "1.2.840.10008.1.2") for n in them)), "no-context"),
    Bad("accepts without a syntax", _accepts(lambda them: b"".join(_item(0x21, bytes((n, 0, 0, 0))) for n in them)),
        "no-context"),
    Bad("accepts nothing at all", _accepts(lambda _: b""), "refused"),
)  # fmt: skip


def _in_the_middle(*does: Script) -> Script:
    def script(call: Call) -> None:
        call.accept()
        call.read_message(data_pdus=3)
        for step in does:
            step(call)

    return script


def _raw(data: bytes) -> Script:
    return lambda call: call.sock.sendall(data)


def _never_reads_on(call: Call) -> None:
    call.accept()
    call.silent()


def _reads_ever_less(call: Call) -> None:
    """Takes the command and some data, then a byte now and again, then none."""
    call.accept()
    call.read_message(data_pdus=3)
    for _ in range(3):
        call.sock.recv(1)
        time.sleep(0.05)
    call.silent()


MIDDLE = (
    Bad("accepts, then never reads", _never_reads_on, "timeout"),
    Bad("stops reading", _in_the_middle(Call.silent), "timeout"),
    Bad("reads ever less", _reads_ever_less, "timeout"),
    Bad("aborts", _in_the_middle(Call.abort, Call.silent), "refused"),
    Bad("aborts and closes", _in_the_middle(Call.abort, Call.close), "refused"),
    Bad("aborts and resets", _in_the_middle(Call.abort, Call.reset), "refused"),
    Bad("asks for release", _in_the_middle(Call.ask_release, Call.silent), "refused"),
    Bad("asks for release and closes", _in_the_middle(Call.ask_release, Call.close), "refused"),
    Bad("answers, then aborts", _in_the_middle(lambda call: call.respond(0xA700), Call.abort, Call.silent),
        "refused"),
    Bad("closes", _in_the_middle(Call.close), "refused"),
    Bad("closes its half", _in_the_middle(lambda call: call.sock.shutdown(1), Call.silent), "refused"),
    Bad("resets", _in_the_middle(Call.reset), "refused"),
    Bad("PDU type 0", _in_the_middle(_raw(_pdu(0, 0)), Call.silent), "refused"),
    Bad("PDU type 99", _in_the_middle(_raw(_pdu(99, 4, bytes(4))), Call.silent), "refused"),
    Bad("text", _in_the_middle(_raw(b"panic: out of memory\n"), Call.silent), "refused"),
    Bad("data of 2^32-1 bytes", _in_the_middle(_raw(_pdu(4, 0xFFFFFFFF)), Call.silent), "refused"),
    Bad("floods", _in_the_middle(_raw(_pdu(4, 60000, bytes(60000)) * 99)), "refused"),
)  # fmt: skip


def _after(*does: Script) -> Script:
    def script(call: Call) -> None:
        call.accept()
        call.read_message()
        for step in does:
            step(call)

    return script


def _answer(call: Call, status: int = 0, context: int | None = None) -> bytes:
    """A response PDU as bytes, to be broken by whoever asked for it."""
    uid = call.sop_instance_uid.encode()
    uid += b"\0" * (len(uid) % 2)

    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(value)) + value

    body = b"".join(
        element(number, struct.pack("<H", value))
        for number, value in ((0x100, 0x8001), (0x120, call.message_id), (0x800, 0x101), (0x900, status))
    )
    body += element(0x1000, uid)
    command = element(0, struct.pack("<L", len(body))) + body
    pdv = struct.pack(">LBB", len(command) + 2, min(call.contexts) if context is None else context, 3) + command
    return _pdu(4, len(pdv), pdv)


def _split(call: Call) -> None:
    """The response in several PDUs, one of them with two PDVs."""
    command = _answer(call)[12:]
    number = min(call.contexts)

    def pdv(piece: bytes, flags: int) -> bytes:
        return struct.pack(">LBB", len(piece) + 2, number, flags) + piece

    for body in (
        pdv(command[:7], 1),
        pdv(command[7:8], 1) + pdv(command[8:30], 1),
        pdv(b"", 1),
        pdv(command[30:], 3),
    ):
        call.send_pdu(4, body)


def _then_all_is_well(*does: Script) -> Script:
    return _after(*does, Call.answer_release)


def _holding_on(call: Call) -> None:
    """A response whose last fragment never comes, an empty fragment at a time."""
    while not call.stop.wait(0.02):
        call.send_pdu(4, struct.pack(">LBB", 2, min(call.contexts), 1))


AFTER = (
    Bad("silence", _after(Call.silent), "outcome-unknown"),
    Bad("closes", _after(Call.close), "outcome-unknown"),
    Bad("closes its half", _after(lambda call: call.sock.shutdown(1), Call.silent), "outcome-unknown"),
    Bad("resets", _after(Call.reset), "outcome-unknown"),
    Bad("aborts", _after(Call.abort), "outcome-unknown"),
    Bad("asks for release", _after(Call.ask_release, Call.silent), "outcome-unknown"),
    Bad("half a head", _after(_raw(b"\x04\0\0"), Call.silent), "outcome-unknown"),
    Bad("half a response", _after(lambda call: call.sock.sendall(_answer(call)[:40]), Call.silent),
        "outcome-unknown"),
    Bad("half a response, then closes", _after(lambda call: call.sock.sendall(_answer(call)[:40]), Call.close),
        "outcome-unknown"),
    Bad("all but the last byte", _after(lambda call: call.sock.sendall(_answer(call)[:-1]), Call.silent),
        "outcome-unknown"),
    Bad("a response without end", _after(_holding_on), "outcome-unknown"),
    Bad("wrong message id", _after(lambda call: call.respond(0, message_id=call.message_id ^ 1), Call.silent),
        "outcome-unknown"),
    Bad("wrong SOP instance", _after(lambda call: call.respond(0, uid="1.2.3"), Call.silent), "outcome-unknown"),
    Bad("answer to another question", _after(lambda call: call.respond(0, field=0x8030), Call.silent),
        "outcome-unknown"),
    Bad("a request of its own", _after(lambda call: call.respond(0, field=0x0001), Call.silent), "outcome-unknown"),
    Bad("on a context nobody proposed", _after(lambda call: call.sock.sendall(_answer(call, 0, 77)), Call.silent),
        "outcome-unknown"),
    Bad("an empty PDU", _after(_raw(_pdu(4, 0)), Call.silent), "outcome-unknown"),
    Bad("a PDU of 2^32-1 bytes", _after(_raw(_pdu(4, 0xFFFFFFFF)), Call.silent), "outcome-unknown"),
    Bad("a PDU shorter than its PDV", _after(_raw(_pdu(4, 8, b"\0\0\1\0\1\3ab")), Call.silent), "outcome-unknown"),
    Bad("a PDV of length 0", _after(_raw(_pdu(4, 6, b"\0\0\0\0\1\3")), Call.silent), "outcome-unknown"),
    Bad("a PDV of 2^32-1 bytes", _after(_raw(_pdu(4, 6, b"\xff\xff\xff\xff\1\3")), Call.silent), "outcome-unknown"),
    Bad("a data set", _after(_raw(_pdu(4, 8, b"\0\0\0\4\1\2ab")), Call.silent), "outcome-unknown"),
    Bad("a command set of noise", _after(_raw(_pdu(4, 16, b"\0\0\0\x0c\1\3" + b"\xaa" * 10)), Call.silent),
        "outcome-unknown"),
    Bad("PDU type 0", _after(_raw(_pdu(0, 0)), Call.silent), "outcome-unknown"),
    Bad("a second acceptance", _after(_raw(_pdu(2, 4, bytes(4))), Call.silent), "outcome-unknown"),
    Bad("text", _after(_raw(b"panic: out of memory\n"), Call.silent), "outcome-unknown"),
    Bad("byte by byte", _then_all_is_well(lambda call: call.respond(0, pieces=True)), None, 0),
    Bad("in several PDUs", _then_all_is_well(_split), None, 0),
    Bad("twice", _then_all_is_well(lambda call: call.respond(0), lambda call: call.respond(0)), None, 0),
    Bad("without its UID", _then_all_is_well(lambda call: call.respond(0, uid="")), None, 0),
)  # fmt: skip

RELEASE = (
    Bad("silence", _after(lambda call: call.respond(0), Call.silent), None, 0),
    Bad("closes instead", _after(lambda call: call.respond(0), _reads, Call.close), None, 0),
    Bad("resets instead", _after(lambda call: call.respond(0), _reads, Call.reset), None, 0),
    Bad("aborts instead", _after(lambda call: call.respond(0), _reads, Call.abort), None, 0),
    Bad("half a head", _after(lambda call: call.respond(0), _reads, _raw(b"\x06\0"), Call.silent), None, 0),
    Bad("goes on answering", _after(lambda call: call.respond(0), _reads, _holding_on), None, 0),
    Bad("closed before we asked", _after(lambda call: call.respond(0), Call.close), None, 0),
    Bad("text", _after(lambda call: call.respond(0), _reads, _raw(b"bye"), Call.silent), None, 0),
)
