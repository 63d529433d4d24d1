"""Fingers on a panel: input events of the kernel in, the first finger's touches out. Pure, no clock of its own.

Linux multi-touch protocol (Documentation/input/multi-touch-protocol.rst): with slots (type B), without (type A),
and panels and absolute pointers that know one finger only. Codes as in <linux/input-event-codes.h>.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import Final

from hw.base import TouchEvent, TouchKind

EV_SYN, EV_KEY, EV_ABS = 0x00, 0x01, 0x03
SYN_REPORT, SYN_MT_REPORT = 0, 2
ABS_X, ABS_Y = 0x00, 0x01
ABS_MT_SLOT, ABS_MT_X, ABS_MT_Y = 0x2F, 0x35, 0x36
ABS_MT_TOOL_TYPE, ABS_MT_TRACKING_ID = 0x37, 0x39
MT_TOOL_PALM: Final = 2
BTN_LEFT, BTN_TOUCH = 0x110, 0x14A
NOBODY: Final = -1
"""The tracking identity of an empty slot."""

JITTER: Final = 0.004
"""Of an axis: what a finger at rest seems to move. Eight pixels of 1920."""
STUCK_NS: Final = 30_000_000_000
"""Longer no finger lies on one spot: it is a drop, a palm, a cable. It counts as lifted, and others are heard."""


class Protocol(Enum):
    SLOTS = "B"
    PACKETS = "A"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class Range:
    """An axis: its values from `least` to `most`."""

    least: int
    most: int

    def share(self, value: int) -> float:
        """0.0 to 1.0."""
        return min(1.0, max(0.0, (value - self.least) / max(1, self.most - self.least)))


@dataclass(slots=True)
class Contact:
    """Something on the panel, in the units of its axes."""

    x: int
    y: int
    identity: int = NOBODY
    palm: bool = False


@dataclass(slots=True)
class _Finger:
    """The one that is told: its slot (0 without slots), identity, where it was told last, and where it rests."""

    slot: int
    identity: int
    x: float
    y: float
    rest: tuple[float, float] = (0.0, 0.0)
    rest_ns: int = 0


@dataclass(slots=True)
class State:
    """What the device itself says is on it: `slots` by number for type B, else `down` with its place."""

    slot: int = 0
    slots: Mapping[int, Contact] = field(default_factory=dict)
    down: bool = False
    x: int = 0
    y: int = 0


class Contacts:
    """`event` for each event of the device; `state` at the opening and after events were lost."""

    def __init__(self, protocol: Protocol, across: Range, down: Range, buttons: Set[int]) -> None:
        """`across` and `down`: the axes that are used. `buttons`: those that mean a touch (type single)."""
        self._protocol = protocol
        self._ranges = (across, down)
        self._buttons = buttons
        self._slot = 0
        self._contacts: dict[int, Contact] = {}
        self._packet: list[Contact] = []
        self._part = Contact(0, 0)
        self._part_seen = False
        self._at = [0, 0]
        self._pressed = False
        self._finger: _Finger | None = None
        self._passed_over: dict[int, int] = {}
        """Slot and identity of what is not told: it lay there before, came second, or lies there for good."""

    # ---- in

    def state(self, state: State, at_ns: int, *, fresh: bool) -> list[TouchEvent]:
        """Takes what is on the panel now. `fresh`: it was just opened, and what lies on it is not told."""
        self._slot = state.slot
        self._packet, self._part_seen = [], False
        self._at, self._pressed = [state.x, state.y], state.down
        self._contacts = {number: Contact(one.x, one.y, one.identity, one.palm)
                          for number, one in state.slots.items()}  # fmt: skip
        if not fresh:
            # type A says nothing of what is on it before its next packet
            return self.lifted(at_ns) if self._protocol is Protocol.PACKETS else self._report(at_ns)
        self._finger = None
        self._passed_over = {slot: one.identity for slot, one in self._there().items()}
        return []

    def event(self, kind: int, code: int, value: int, at_ns: int) -> list[TouchEvent]:
        """What it tells; as a rule nothing before the SYN_REPORT that ends a packet."""
        if kind == EV_ABS:
            self._axis(code, value)
        elif kind == EV_KEY and code in self._buttons:
            self._pressed = value != 0
        elif kind == EV_SYN and code == SYN_MT_REPORT and self._protocol is Protocol.PACKETS:
            if self._part_seen:
                self._packet.append(self._part)
            self._part, self._part_seen = Contact(0, 0), False
        elif kind == EV_SYN and code == SYN_REPORT:
            if self._protocol is Protocol.PACKETS:
                self._take_packet()
            return self._report(at_ns)
        return []

    def lifted(self, at_ns: int) -> list[TouchEvent]:
        """Nobody lifted the finger, but nothing more is known of it: the device is gone."""
        self._contacts, self._pressed = {}, False
        return self._up(at_ns, cancelled=True)

    def overdue(self, now_ns: int) -> list[TouchEvent]:
        """What lies on one spot for half a minute is let go of: the next finger is heard."""
        finger = self._finger
        if finger is None or now_ns - finger.rest_ns < STUCK_NS:
            return []
        self._passed_over[finger.slot] = finger.identity
        return self._up(now_ns, cancelled=True)

    # ---- what the events mean

    def _axis(self, code: int, value: int) -> None:
        if self._protocol is Protocol.SINGLE:
            if code in (ABS_X, ABS_Y):
                self._at[code] = value
            return
        if code == ABS_MT_SLOT:
            self._slot = value
            return
        if self._protocol is Protocol.PACKETS:
            one = self._part
            self._part_seen = self._part_seen or code in (ABS_MT_X, ABS_MT_Y)
        else:
            one = self._contacts.setdefault(self._slot, Contact(0, 0))
        if code == ABS_MT_X:
            one.x = value
        elif code == ABS_MT_Y:
            one.y = value
        elif code == ABS_MT_TRACKING_ID:
            one.identity = value
        elif code == ABS_MT_TOOL_TYPE:
            one.palm = value == MT_TOOL_PALM

    def _take_packet(self) -> None:
        """Type A has no slots: a contact keeps its place by its identity, else by being the nearest."""
        if self._part_seen:
            # a driver that knows one finger only may leave the SYN_MT_REPORT out
            self._packet.append(self._part)
            self._part, self._part_seen = Contact(0, 0), False
        packet, self._packet = self._packet, []
        before, self._contacts = self._contacts, {}
        pairs = sorted(
            (one.identity != old.identity, (one.x - old.x) ** 2 + (one.y - old.y) ** 2, slot, at)
            for slot, old in before.items()
            for at, one in enumerate(packet)
            if one.identity == old.identity or NOBODY in (one.identity, old.identity)
        )
        taken: set[int] = set()
        for _other, _distance, slot, at in pairs:
            if slot not in self._contacts and at not in taken:
                taken.add(at)
                self._contacts[slot] = packet[at]
        for at, one in enumerate(packet):
            if at not in taken:
                free = next(number for number in count() if number not in self._contacts and number not in before)
                self._contacts[free] = one

    # ---- out

    def _there(self) -> dict[int, Contact]:
        """What lies on the panel, by slot."""
        if self._protocol is Protocol.SINGLE:
            return {0: Contact(self._at[0], self._at[1], 0)} if self._pressed else {}
        if self._protocol is Protocol.PACKETS:
            return self._contacts
        return {number: one for number, one in self._contacts.items() if one.identity != NOBODY}

    def _report(self, at_ns: int) -> list[TouchEvent]:
        there, told = self._there(), []
        self._passed_over = {slot: identity for slot, identity in self._passed_over.items()
                             if slot in there and there[slot].identity == identity}  # fmt: skip
        finger = self._finger
        if finger is not None:
            one = there.get(finger.slot)
            if one is not None and one.identity == finger.identity and not one.palm:
                told += self._move(finger, one, at_ns)
            else:
                told += self._up(at_ns, cancelled=one is not None and one.palm)
        new = [slot for slot, one in sorted(there.items()) if slot not in self._passed_over and not one.palm]
        if self._finger is None and new:
            told.append(self._down(new[0], there[new[0]], at_ns))
        finger = self._finger
        for slot, one in there.items():
            # whoever comes second is never told, not even when the first has left
            if one.palm or (finger is not None and slot != finger.slot):
                self._passed_over[slot] = one.identity
        return told

    def _place(self, one: Contact) -> tuple[float, float]:
        return self._ranges[0].share(one.x), self._ranges[1].share(one.y)

    def _down(self, slot: int, one: Contact, at_ns: int) -> TouchEvent:
        x, y = self._place(one)
        self._finger = _Finger(slot, one.identity, x, y, (x, y), at_ns)
        return TouchEvent(TouchKind.DOWN, x, y, at_ns)

    def _move(self, finger: _Finger, one: Contact, at_ns: int) -> list[TouchEvent]:
        x, y = self._place(one)
        if abs(x - finger.rest[0]) > 2 * JITTER or abs(y - finger.rest[1]) > 2 * JITTER:
            finger.rest, finger.rest_ns = (x, y), at_ns
        if abs(x - finger.x) <= JITTER and abs(y - finger.y) <= JITTER:
            return []
        finger.x, finger.y = x, y
        return [TouchEvent(TouchKind.MOVE, x, y, at_ns)]

    def _up(self, at_ns: int, *, cancelled: bool) -> list[TouchEvent]:
        """Where it was told last: panels wander while a finger leaves."""
        finger, self._finger = self._finger, None
        return [TouchEvent(TouchKind.UP, finger.x, finger.y, at_ns, cancelled)] if finger else []
