"""A made-up touch panel at /dev/input/event0: real input_event structs through a real pipe, ioctls from memory."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from hw import evdev
from hw.fake.evdev import REPORT, FakeInput, bits
from hw.panel import contacts as touch
from hw.panel.contacts import Protocol
from hw.panel.touch import ABSINFO, EVIOCGBIT_ABS, EVIOCGPROP, INPUT_PROP_DIRECT, eviocgabs

MOST = 4095
_SLOTS = 5


@dataclass(slots=True)
class _Finger:
    x: int
    y: int
    identity: int
    palm: bool = False


class FakePanel(FakeInput):
    """Plays a panel of that protocol. Give it as `calls`; touch it from any thread, places from 0.0 to 1.0.

    As the kernel does it, values that did not change are not sent. `properties` is what EVIOCGPROP says,
    `extra_keys` are further buttons.
    """

    def __init__(self, protocol: Protocol = Protocol.SLOTS, name: str = "Fake panel") -> None:
        super().__init__(name, (3, 0x0EEF, 0xC000, 1))
        self.protocol = protocol
        self._fingers: dict[int, _Finger] = {}
        self._next = 1
        self._slot = 0
        self._pressed = False
        self._abs = {touch.ABS_X: 0, touch.ABS_Y: 0}
        self._slot_values = [[0, 0, touch.NOBODY, 0] for _ in range(_SLOTS)]
        self.properties: set[int] = {INPUT_PROP_DIRECT}
        self.button = touch.BTN_TOUCH
        self.extra_keys: tuple[int, ...] = ()
        self.deaf = False
        """Events are lost, as when the kernel's queue has run over."""

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
                     (touch.EV_ABS, touch.ABS_X, 1), REPORT])  # fmt: skip

    def replug(self) -> None:
        super().replug()
        self._fingers.clear()
        self._pressed = False
        self._slot_values = [[0, 0, touch.NOBODY, 0] for _ in range(_SLOTS)]

    # ---- the kernel's side

    def _answer(self, request: int, argument: bytearray) -> bytes | None:
        axes = {eviocgabs(axis): axis for axis in self._axes()}
        if request == EVIOCGBIT_ABS:
            return bits(len(argument), self._axes())
        if request == EVIOCGPROP:
            return bits(len(argument), self.properties)
        if request in axes:
            return ABSINFO.pack(*self._axis(axes[request]), 0, 0, 0)
        if request & 0xFFFF == ord("E") << 8 | 0x0A and self.protocol is Protocol.SLOTS:
            at = _VALUES.index(struct.unpack_from("I", argument)[0])
            count = len(argument) // 4 - 1
            values = [slot[at] for slot in self._slot_values][:count]
            return bytes(argument[:4]) + struct.pack(f"{count}i", *values, *[0] * (count - len(values)))
        return super()._answer(request, argument)

    def _keys(self) -> Iterable[int]:
        return (*self._buttons(), *self.extra_keys)

    def _keys_down(self) -> Iterable[int]:
        return self._buttons() if self._fingers else ()

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
            self._write([*events, REPORT], at_ns)

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


_VALUES = (touch.ABS_MT_X, touch.ABS_MT_Y, touch.ABS_MT_TRACKING_ID, touch.ABS_MT_TOOL_TYPE)
