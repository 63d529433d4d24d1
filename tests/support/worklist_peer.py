"""A worklist server that answers what a test wants, as fast or as badly as it wants. Patients are invented."""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.peer import Call, scripted_peer

_PENDING = 0xFF00


def element(group: int, number: int, value: bytes | str) -> bytes:
    """Implicit VR Little Endian."""
    raw = value.encode() if isinstance(value, str) else value
    raw += b" " * (len(raw) % 2)
    return struct.pack("<HHL", group, number, len(raw)) + raw


def entry(number: int, day: str, *, name: str = "", station: str = "SMARTBOX", modality: str = "ES") -> bytes:
    """One answer; `day` YYYYMMDD. Everything of it follows from `number`."""
    step = (
        element(0x08, 0x60, modality)
        + element(0x40, 0x01, station)
        + element(0x40, 0x02, day)
        + element(0x40, 0x03, f"{number // 60 % 24:02d}{number % 60:02d}00")
        + element(0x40, 0x07, "Koloskopie")
        + element(0x40, 0x09, f"S{number}")
    )
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(step)) + step
    return b"".join(
        (
            element(0x08, 0x05, "ISO_IR 192"),
            element(0x08, 0x50, f"A{number}"),
            element(0x10, 0x10, name or f"Müster{number}^Eva"),
            element(0x10, 0x20, f"P{number}"),
            element(0x10, 0x30, "19610314"),
            element(0x10, 0x40, "F"),
            element(0x20, 0x0D, f"1.2.3.{number}"),
            element(0x32, 0x1060, "Koloskopie"),
            element(0x40, 0x100, item),
            element(0x40, 0x1001, f"R{number}"),
        )
    )


@dataclass
class WorklistPeer:
    """What it answers from now on. `fail_after`: so many entries, then the line is dead. `status`: of the final
    response. `pause`: (every so many entries, seconds). `hold`: answers nothing while it is set."""

    port: int = 0
    entries: list[bytes] = field(default_factory=list)
    fail_after: int | None = None
    status: int = 0
    pause: tuple[int, float] = (0, 0.0)
    hold: threading.Event = field(default_factory=threading.Event)
    queries: int = 0
    asked: list[bytes] = field(default_factory=list)
    cancelled: int = 0

    def _script(self, call: Call) -> None:
        call.accept(max_pdu=65536)
        call.read_message()
        self.queries += 1
        self.asked.append(call.data)
        while self.hold.is_set() and not call.stop.wait(0.05):
            pass
        every, seconds = self.pause
        data = []
        for number, item in enumerate(self.entries):
            if number == self.fail_after:
                break
            data.append(_pdu(3, _command(_PENDING, data=True)) + _pdu(2, item))
            if every and number % every == every - 1:
                call.sock.sendall(b"".join(data))
                data.clear()
                time.sleep(seconds)
        call.sock.sendall(b"".join(data))
        if self.fail_after is not None and self.fail_after < len(self.entries):
            call.reset()
            return
        call.sock.sendall(_pdu(3, _command(self.status, data=False)))
        kind, _ = call.read_pdu()
        if kind == 4:  # a C-CANCEL that came too late
            self.cancelled += 1
            kind, _ = call.read_pdu()
        call.send_pdu(6, bytes(4))


def _command(status: int, *, data: bool) -> bytes:
    body = element(0, 0x0100, struct.pack("<H", 0x8020)) + element(0, 0x0120, struct.pack("<H", 1))
    body += element(0, 0x0800, struct.pack("<H", 1 if data else 0x0101))
    body += element(0, 0x0900, struct.pack("<H", status))
    return element(0, 0, struct.pack("<L", len(body))) + body


def _pdu(flags: int, data: bytes) -> bytes:
    pdv = struct.pack(">LBB", len(data) + 2, 1, flags) + data
    return struct.pack(">BBL", 4, 0, len(pdv)) + pdv


@contextlib.contextmanager
def worklist_peer() -> Iterator[WorklistPeer]:
    made = WorklistPeer()
    with scripted_peer(made._script) as running:
        made.port = running.port
        yield made
