"""Pedals that are USB keyboards, mice or gamepads, read from /dev/input/eventN (<linux/input.h>)."""

from __future__ import annotations

from hw.base import PedalEdge
from hw.calls import SystemCalls
from hw.errors import NotSupported
from hw.evdev import (
    EV_KEY,
    EV_SYN,
    EVIOCGBIT_KEY,
    EVIOCGKEY,
    SYN_DROPPED,
    SYN_REPORT,
    InputDevice,
    InputReader,
    keys_of,
)
from hw.identity import Nodes, udev_nodes


class EvdevPedal(InputReader[InputDevice, PedalEdge]):
    """One pedal, grabbed, so that its keys do not type into the app.

    `device` is /dev/input/eventN or a key of hw.identity, then, where only one button of the device is meant,
    `#CODE` (decimal or 0x…, as <linux/input-event-codes.h>). Without it every key counts: a pedal that sends
    Ctrl+B is down from its first key to its last. A pedal that is already down at `open` gives no press.
    """

    def __init__(
        self, *, key: str, device: str, calls: SystemCalls | None = None, nodes: Nodes = udev_nodes
    ) -> None:
        """`key` is how the settings name the pedal. ValueError for a CODE that is no number."""
        path, _, code = device.partition("#")
        self._code = int(code, 0) if code else None
        super().__init__(InputDevice, key=key, device=path, calls=calls, nodes=nodes)
        self._held: set[int] = set()
        self._dropped = False

    @property
    def down(self) -> bool:
        return bool(self._held)

    def close(self) -> None:
        super().close()
        self._held.clear()
        self._dropped = False

    def _begin(self, device: InputDevice) -> None:
        if not self._ours(device.codes(EVIOCGBIT_KEY)):
            hint = "Choose the pedal's other event device."
            raise NotSupported("open", device.path, "the device has no buttons", hint)
        device.take()
        self._held = self._ours(device.codes(EVIOCGKEY))

    def _take(self, device: InputDevice, data: bytes) -> None:
        for at, kind, code, value in device.events(data):
            if kind == EV_SYN and code == SYN_DROPPED:
                # The kernel's queue ran over: what follows up to the next report is worth nothing.
                self._dropped = True
            elif kind == EV_SYN and code == SYN_REPORT and self._dropped:
                self._dropped = False
                self._become(self._ours(device.codes(EVIOCGKEY)), at)
            elif kind == EV_KEY and value in (0, 1) and not self._dropped and self._ours({code}):
                self._become(self._held | {code} if value else self._held - {code}, at)

    def _become(self, held: set[int], at_ns: int) -> None:
        if bool(held) != bool(self._held):
            self._told.append(PedalEdge(bool(held), at_ns))
        self._held = held

    def _ours(self, codes: set[int]) -> set[int]:
        return codes if self._code is None else codes & {self._code}

    def _fits(self, path: str) -> bool | None:
        keys = keys_of(self._calls, path)
        return None if keys is None else bool(self._ours(keys))
