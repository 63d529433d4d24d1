"""A made-up touch panel at /dev/input/event0: real input_event structs through a real pipe, ioctls from memory."""

from __future__ import annotations

import errno
import os
import struct
import threading
import time
from dataclasses import dataclass

from hw import evdev
from hw.calls import SystemCalls
from hw.panel import contacts as touch
from hw.panel.contacts import Protocol
from hw.panel.touch import ABSINFO, EVIOCGBIT_ABS, EVIOCGPROP, INPUT_PROP_DIRECT, eviocgabs

_NS = 1_000_000_000
MOST = 4095
_SLOTS = 5


@dataclass(slots=True)
class _Finger:
    x: int
    y: int
    identity: int
    palm: bool = False


class FakePanel(SystemCalls):
    """Plays a panel of that protocol. Give it as `calls`; touch it from any thread, places from 0.0 to 1.0.

    As the kernel does it, values that did not change are not sent. `fail_open` is an errno the next opens fail
    with, `properties` what EVIOCGPROP says, `extra_keys` further buttons, `grabbed` whether somebody has it,
    `other_grab` that another program has.
    """

    path = "/dev/input/event0"

    def __init__(self, protocol: Protocol = Protocol.SLOTS, name: str = "Fake panel") -> None:
        self.protocol = protocol
        self._name = name
        self._pipe: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._fingers: dict[int, _Finger] = {}
        self._next = 1
        self._slot = 0
        self._pressed = False
        self._abs = {touch.ABS_X: 0, touch.ABS_Y: 0}
        self._slot_values = [[0, 0, touch.NOBODY, 0] for _ in range(_SLOTS)]
        self.properties: set[int] = {INPUT_PROP_DIRECT}
        self.button = touch.BTN_TOUCH
        self.extra_keys: tuple[int, ...] = ()
        self.gone = False
        self.deaf = False
        """Events are lost, as when the kernel's queue has run over."""
        self.grabbed = False
        self.other_grab = False
        self.fail_open = 0

    # ---- fingers

    def down(self, x: float, y: float, finger: int = 0, *, palm: bool = False, at_ns: int | None = None) -> None:
        self._next += 1
        self._fingers[finger] = _Finger(round(x * MOST), round(y * MOST), self._next, palm)
        self._send(at_ns)

    def move(self, x: float, y: float, finger: int = 0, at_ns: int | None = None) -> None:
        self._fingers[finger].x, self._fingers[finger].y = round(x * MOST), round(y * MOST)
        self._send(at_ns)

    def up(self, finger: int = 0, at_ns: int | None = None) -> None:
        self._fingers.pop(finger, None)
        self._send(at_ns)

    def overflow(self) -> None:
        """Tells that events were lost, with the rest of a packet that is worth nothing."""
        self.deaf = False
        self._write([(evdev.EV_SYN, evdev.SYN_DROPPED, 0), (touch.EV_ABS, touch.ABS_MT_X, 1),
                     (touch.EV_ABS, touch.ABS_X, 1), (evdev.EV_SYN, evdev.SYN_REPORT, 0)])  # fmt: skip

    def unplug(self) -> None:
        self.gone = True
        self._write([(evdev.EV_SYN, evdev.SYN_REPORT, 0)])

    def replug(self) -> None:
        """It comes back with nobody on it."""
        self.gone = False
        self._fingers.clear()
        self._pressed = False
        self._slot_values = [[0, 0, touch.NOBODY, 0] for _ in range(_SLOTS)]

    # ---- the kernel's side

    def open(self, path: str, flags: int) -> int:
        if self.fail_open:
            raise OSError(self.fail_open, os.strerror(self.fail_open), path)
        if self.gone or path != self.path:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        with self._lock:
            self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            return self._pipe[0]

    def close(self, fd: int) -> None:
        with self._lock:
            self.grabbed = False
            if self._pipe is None or self._pipe[0] != fd:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            for end in self._pipe:
                os.close(end)
            self._pipe = None

    def read(self, fd: int, size: int) -> bytes:
        data = super().read(fd, size)
        if self.gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return data

    def ioctl(self, fd: int, request: int, argument: object) -> None:
        if self.gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        if request == evdev.EVIOCGRAB:
            if argument and (self.grabbed or self.other_grab):
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            self.grabbed = bool(argument)
            return
        assert isinstance(argument, bytearray)
        answer = self._answer(request, argument)
        if answer is None:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        argument[: len(answer)] = answer

    def _answer(self, request: int, argument: bytearray) -> bytes | None:
        axes = {eviocgabs(axis): axis for axis in self._axes()}
        if request == evdev.EVIOCSCLOCKID:
            assert struct.unpack("i", argument)[0] == evdev.CLOCK_MONOTONIC
            return b""
        if request == evdev.EVIOCGBIT_KEY:
            return _bits(len(argument), (*self._buttons(), *self.extra_keys))
        if request == evdev.EVIOCGKEY:
            return _bits(len(argument), self._buttons() if self._fingers else ())
        if request == EVIOCGBIT_ABS:
            return _bits(len(argument), tuple(self._axes()))
        if request == EVIOCGPROP:
            return _bits(len(argument), tuple(self.properties))
        if request == evdev.EVIOCGNAME:
            return self._name.encode() + b"\0"
        if request == evdev.EVIOCGID:
            return struct.pack("4H", 3, 0x0EEF, 0xC000, 1)
        if request in axes:
            return ABSINFO.pack(*self._axis(axes[request]), 0, 0, 0)
        if request & 0xFFFF == ord("E") << 8 | 0x0A and self.protocol is Protocol.SLOTS:
            at = _VALUES.index(struct.unpack_from("I", argument)[0])
            count = len(argument) // 4 - 1
            values = [slot[at] for slot in self._slot_values][:count]
            return bytes(argument[:4]) + struct.pack(f"{count}i", *values, *[0] * (count - len(values)))
        return None

    def _buttons(self) -> tuple[int, ...]:
        return () if self.protocol is Protocol.PACKETS else (self.button,)

    def _axes(self) -> set[int]:
        if self.protocol is Protocol.SINGLE:
            return {touch.ABS_X, touch.ABS_Y}
        both = {touch.ABS_MT_X, touch.ABS_MT_Y, touch.ABS_MT_TRACKING_ID, touch.ABS_MT_TOOL_TYPE}
        if self.protocol is Protocol.SLOTS:
            return both | {touch.ABS_MT_SLOT, touch.ABS_X, touch.ABS_Y}
        return both - {touch.ABS_MT_TRACKING_ID}

    def _axis(self, axis: int) -> tuple[int, int, int]:
        if axis == touch.ABS_MT_SLOT:
            return self._slot, 0, _SLOTS - 1
        return self._abs.get(axis, 0), 0, MOST

    def _send(self, at_ns: int | None) -> None:
        events = {
            Protocol.SLOTS: self._slots,
            Protocol.PACKETS: self._packets,
            Protocol.SINGLE: self._single,
        }[self.protocol]()
        if not self.deaf:
            self._write([*events, (evdev.EV_SYN, evdev.SYN_REPORT, 0)], at_ns)

    def _slots(self) -> list[tuple[int, int, int]]:
        events = []
        for slot, before in enumerate(self._slot_values):
            one = self._fingers.get(slot)
            now = [one.x, one.y, one.identity, 2 * one.palm] if one else [before[0], before[1], touch.NOBODY, 0]
            changed = [(touch.EV_ABS, code, value) for code, value, old in zip(_VALUES, now, before, strict=True)
                       if value != old]  # fmt: skip
            if changed:
                if slot != self._slot:
                    self._slot = slot
                    events.append((touch.EV_ABS, touch.ABS_MT_SLOT, slot))
                events += changed
            self._slot_values[slot] = now
        return events

    def _packets(self) -> list[tuple[int, int, int]]:
        """Every contact anew in each packet; an empty one ends with its sign alone."""
        events = []
        for one in self._fingers.values():
            events += [(touch.EV_ABS, touch.ABS_MT_TOOL_TYPE, 2 * one.palm), (touch.EV_ABS, touch.ABS_MT_X, one.x),
                       (touch.EV_ABS, touch.ABS_MT_Y, one.y), (evdev.EV_SYN, touch.SYN_MT_REPORT, 0)]  # fmt: skip
        return events or [(evdev.EV_SYN, touch.SYN_MT_REPORT, 0)]

    def _single(self) -> list[tuple[int, int, int]]:
        one = next(iter(self._fingers.values()), None)
        events = []
        if one is not None:
            for axis, value in ((touch.ABS_X, one.x), (touch.ABS_Y, one.y)):
                if self._abs[axis] != value:
                    self._abs[axis] = value
                    events.append((touch.EV_ABS, axis, value))
        if self._pressed != (one is not None):
            self._pressed = one is not None
            events.append((evdev.EV_KEY, self.button, int(self._pressed)))
        return events

    def _write(self, events: list[tuple[int, int, int]], at_ns: int | None = None) -> None:
        at = time.monotonic_ns() if at_ns is None else at_ns
        with self._lock:
            if self._pipe is not None:
                packed = (evdev.EVENT.pack(at // _NS, at % _NS // 1000, *event) for event in events)
                os.write(self._pipe[1], b"".join(packed))


_VALUES = (touch.ABS_MT_X, touch.ABS_MT_Y, touch.ABS_MT_TRACKING_ID, touch.ABS_MT_TOOL_TYPE)


def _bits(size: int, numbers: tuple[int, ...]) -> bytes:
    bits = bytearray(size)
    for number in numbers:
        bits[number >> 3] |= 1 << (number & 7)
    return bytes(bits)
