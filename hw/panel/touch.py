"""Touch panels and absolute pointers, read from /dev/input/eventN (<linux/input.h>)."""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hw.base import TouchEvent
from hw.calls import SystemCalls, io_read
from hw.errors import DeviceGone, DeviceRefused, HardwareError, NotSupported
from hw.evdev import EV_SYN, EVIOCGBIT_KEY, EVIOCGKEY, SYN_DROPPED, InputDevice, InputReader, is_event
from hw.identity import Node, Nodes, udev_nodes
from hw.panel.contacts import (
    ABS_MT_SLOT,
    ABS_MT_TOOL_TYPE,
    ABS_MT_TRACKING_ID,
    ABS_MT_X,
    ABS_MT_Y,
    ABS_X,
    ABS_Y,
    BTN_LEFT,
    BTN_TOUCH,
    EV_ABS,
    MT_TOOL_PALM,
    Contact,
    Contacts,
    Protocol,
    Range,
    State,
)

AUTO: Final = "auto"

ABSINFO: Final = struct.Struct("@6i")  # struct input_absinfo: value, minimum, maximum, fuzz, flat, resolution
ABS_BYTES, PROP_BYTES = 8, 4  # ABS_CNT is 0x40, INPUT_PROP_CNT 0x20
EVIOCGPROP = io_read("E", 0x09, PROP_BYTES)
EVIOCGBIT_ABS = io_read("E", 0x20 + EV_ABS, ABS_BYTES)
INPUT_PROP_POINTER, INPUT_PROP_DIRECT, INPUT_PROP_ACCELEROMETER = 0, 1, 6

_JOYSTICK: Final = frozenset(range(0x120, 0x140))
"""BTN_JOYSTICK to BTN_THUMBR."""
_BTN_TOOL_PEN, _BTN_TOOL_FINGER = 0x140, 0x145
_LETTERS: Final = frozenset(range(16, 51))
_MOST_SLOTS: Final = 64
_DRAINS: Final = 64


def eviocgabs(axis: int) -> int:
    return io_read("E", 0x40 + axis, ABSINFO.size)


def eviocgmtslots(slots: int) -> int:
    """Of a buffer that begins with the code, one value for each slot behind it."""
    return io_read("E", 0x0A, 4 + 4 * slots)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a device says of itself: key codes, absolute axes, properties."""

    keys: frozenset[int]
    axes: frozenset[int]
    properties: frozenset[int]

    @property
    def protocol(self) -> Protocol | None:
        """None: no finger can be told from it."""
        if {ABS_MT_X, ABS_MT_Y} <= self.axes:
            return Protocol.SLOTS if ABS_MT_SLOT in self.axes else Protocol.PACKETS
        return Protocol.SINGLE if {ABS_X, ABS_Y} <= self.axes and self.buttons else None

    @property
    def buttons(self) -> frozenset[int]:
        """The one that means a touch."""
        return frozenset(next(({code} for code in (BTN_TOUCH, BTN_LEFT) if code in self.keys), ()))

    @property
    def rank(self) -> int | None:
        """How much it is a touch panel: 0 surely, 1 an absolute pointer, None nothing to be taken without being
        named: pedals and keyboards, joysticks, touch pads, graphics tablets, sensors."""
        if self.protocol is None or self.keys & _JOYSTICK or INPUT_PROP_ACCELEROMETER in self.properties:
            return None
        if INPUT_PROP_DIRECT in self.properties:
            return 0
        pad = INPUT_PROP_POINTER in self.properties or {_BTN_TOOL_FINGER, _BTN_TOOL_PEN} & self.keys
        return None if pad or self.keys & _LETTERS else 1


class TouchDevice(InputDevice):
    """An input device with absolute axes while it is open. All but `close` raise OSError."""

    def abilities(self) -> Abilities:
        return Abilities(
            frozenset(self.codes(EVIOCGBIT_KEY)),
            frozenset(self._bits(EVIOCGBIT_ABS, ABS_BYTES)),
            frozenset(self._properties()),
        )

    def axis(self, axis: int) -> tuple[int, Range]:
        """The value of an axis now, and its range."""
        info = bytearray(ABSINFO.size)
        self._calls.ioctl(self._fd, eviocgabs(axis), info)
        value, least, most, _, _, _ = ABSINFO.unpack(info)
        return value, Range(least, most)

    def slots(self, code: int, count: int) -> tuple[int, ...]:
        """That value of each slot."""
        values = bytearray(struct.pack("I", code) + bytes(4 * count))
        self._calls.ioctl(self._fd, eviocgmtslots(count), values)
        return struct.unpack(f"{count}i", values[4:])

    def state(self, abilities: Abilities) -> State:
        """What is on it now."""
        match abilities.protocol:
            case Protocol.SLOTS:
                slot, numbers = self.axis(ABS_MT_SLOT)
                count = min(_MOST_SLOTS, numbers.most + 1)
                xs, ys = (self.slots(code, count) for code in (ABS_MT_X, ABS_MT_Y))
                ids = self.slots(ABS_MT_TRACKING_ID, count)
                tools = self.slots(ABS_MT_TOOL_TYPE, count) if ABS_MT_TOOL_TYPE in abilities.axes else (0,) * count
                found = {at: Contact(xs[at], ys[at], ids[at], tools[at] == MT_TOOL_PALM) for at in range(count)}
                return State(slot=slot, slots=found)
            case Protocol.SINGLE:
                down = bool(self.codes(EVIOCGKEY) & abilities.buttons)
                return State(down=down, x=self.axis(ABS_X)[0], y=self.axis(ABS_Y)[0])
            case _:
                return State()  # type A: the next packet tells all of it

    def _properties(self) -> set[int]:
        try:
            return self._bits(EVIOCGPROP, PROP_BYTES)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):  # before Linux 2.6.38
                return set()
            raise

    def _bits(self, request: int, size: int) -> set[int]:
        bits = bytearray(size)
        self._calls.ioctl(self._fd, request, bits)
        return {number for number in range(size * 8) if bits[number >> 3] >> (number & 7) & 1}


class EvdevTouch(InputReader[TouchDevice, TouchEvent]):
    """One panel, grabbed. `device` is "auto", /dev/input/eventN or a key of hw.identity; `never` are the devices of
    pedals and scanners, which "auto" leaves alone. Of several that are equally good the one with the first key is
    taken, after every boot the same."""

    def __init__(
        self,
        *,
        key: str = "panel",
        device: str = AUTO,
        never: Iterable[str] = (),
        calls: SystemCalls | None = None,
        nodes: Nodes = udev_nodes,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`key` names it until it is open; then it is the device's own."""
        super().__init__(TouchDevice, key=key, device=device, calls=calls, nodes=nodes)
        self._never = tuple(name.partition("#")[0] for name in never if name)
        self._clock = clock
        self._abilities = Abilities(frozenset(), frozenset(), frozenset())
        self._contacts = Contacts(Protocol.SINGLE, Range(0, 1), Range(0, 1), frozenset())

    def outdone(self) -> bool:
        """Whether "auto" took a mere pointer, and a touch screen has come since: at power-on they are slow."""
        if self._name != AUTO or self._device is None or self._abilities.rank == 0:
            return False
        return any(rank == 0 for rank, _, _, _ in self._candidates()[0])

    def _begin(self, device: TouchDevice) -> None:
        self._abilities = device.abilities()
        protocol = self._abilities.protocol
        if protocol is None:
            hint = "Choose the panel's other device."
            raise NotSupported("open", device.path, "the device is no touch panel", hint)
        device.take()
        axes = (ABS_X, ABS_Y) if protocol is Protocol.SINGLE else (ABS_MT_X, ABS_MT_Y)
        across, down = (device.axis(axis)[1] for axis in axes)
        self._contacts = Contacts(protocol, across, down, self._abilities.buttons)
        self._contacts.state(device.state(self._abilities), self._clock(), fresh=True)

    def _key(self, node: Node) -> str:
        return node.key

    def _wait_over(self) -> None:
        self._told += self._contacts.overdue(self._clock())

    def _lose(self, error: HardwareError) -> None:
        """The finger first: a touch that is never over would hold a button down for ever."""
        super()._lose(error)
        self._told += self._contacts.lifted(self._clock())

    def _take(self, device: TouchDevice, data: bytes) -> None:
        for at, kind, code, value in device.events(data):
            if kind == EV_SYN and code == SYN_DROPPED:
                # The kernel's queue ran over. What is still in it is old, and part of a packet.
                for _ in range(_DRAINS):
                    if device.wait(0) is None:
                        break
                self._told += self._contacts.state(device.state(self._abilities), self._clock(), fresh=False)
                return
            self._told += self._contacts.event(kind, code, value, at)

    # ---- which one

    def _find(self) -> Node:
        if self._name != AUTO:
            return super()._find()
        found, refused = self._candidates()
        if found:
            return min(found)[3]
        if refused:
            hint = "The console's user needs the group input."
            raise DeviceRefused("find", "touch panel", "no permission to look at the input devices", hint)
        raise DeviceGone("find", "touch panel", "none is plugged in", "Plug its USB cable in.")

    def _candidates(self) -> tuple[list[tuple[int, str, str, Node]], bool]:
        """Each with its rank, key and path; and whether there are some that nobody may look at."""
        found: list[tuple[int, str, str, Node]] = []
        refused = False
        for node in self._nodes("input") or _bare_nodes():
            if not is_event(node.path) or any(node.matches(name) for name in self._never):
                continue
            able = self._look(node.path)
            refused = refused or able is None
            if able is not None and (rank := able.rank) is not None:
                found.append((rank, node.key, node.path, node))
        return found, refused

    def _fits(self, path: str) -> bool | None:
        able = self._look(path)
        return None if able is None else able.protocol is not None

    def _look(self, path: str) -> Abilities | None:
        """None where nobody may look."""
        try:
            device = TouchDevice(self._calls, path)
        except OSError as error:
            refused = error.errno in (errno.EACCES, errno.EPERM)
            return None if refused else Abilities(frozenset(), frozenset(), frozenset())
        try:
            return device.abilities()
        except OSError:
            return Abilities(frozenset(), frozenset(), frozenset())
        finally:
            device.close()


def _bare_nodes() -> list[Node]:
    """Where there is no udev to ask."""
    return [Node(str(path), "") for path in sorted(Path("/dev/input").glob("event*"))]
