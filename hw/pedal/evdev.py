"""Pedals that are USB keyboards, mice or gamepads, read from /dev/input/eventN (<linux/input.h>)."""

from __future__ import annotations

import time
from collections import deque

from hw.base import DeviceInfo, PedalEdge
from hw.calls import SystemCalls, hardware_error
from hw.errors import HardwareError, NotSupported
from hw.evdev import EV_KEY, EV_SYN, EVIOCGBIT_KEY, EVIOCGKEY, SYN_DROPPED, SYN_REPORT, InputDevice, keys_of
from hw.identity import Nodes, resolve, udev_nodes


class EvdevPedal:
    """One pedal, grabbed, so that its keys do not type into the app.

    `device` is /dev/input/eventN or a key of hw.identity, then, where only one button of the device is meant,
    `#CODE` (decimal or 0x…, as <linux/input-event-codes.h>). Without it every key counts: a pedal that sends
    Ctrl+B is down from its first key to its last. A pedal that is already down at `open` gives no press.
    """

    def __init__(
        self, *, key: str, device: str, calls: SystemCalls | None = None, nodes: Nodes = udev_nodes
    ) -> None:
        """`key` is how the settings name the pedal. ValueError for a CODE that is no number."""
        self._name, _, code = device.partition("#")
        self._code = int(code, 0) if code else None
        self._calls = calls or SystemCalls()
        self._nodes = nodes
        self._info = DeviceInfo(key=key, name=key, path=self._name)
        self._device: InputDevice | None = None
        self._edges: deque[PedalEdge] = deque()
        self._held: set[int] = set()
        self._dropped = False

    @property
    def info(self) -> DeviceInfo:
        return self._info

    @property
    def down(self) -> bool:
        return bool(self._held)

    def open(self) -> None:
        """Find the device, grab it, set its clock. DeviceGone, DeviceBusy (grabbed by another), NotSupported."""
        self.close()
        node = resolve(self._name, "input", accept=self._has_keys, nodes=self._nodes)
        path = node.path
        try:
            self._device = InputDevice(self._calls, path)
            if not self._ours(self._device.codes(EVIOCGBIT_KEY)):
                raise NotSupported(
                    "open", path, "the device has no buttons", "Choose the pedal's other event device."
                )
            self._device.take()
            self._held = self._ours(self._device.codes(EVIOCGKEY))
            self._info = self._device.describe(self._info.key, node.manufacturer, node.serial)
        except OSError as error:
            self.close()
            raise hardware_error("open", path, error) from error
        except HardwareError:
            self.close()
            raise

    def read(self, timeout_s: float) -> PedalEdge | None:
        if self._device is None:
            raise HardwareError("read", self._info.path, "not open")
        give_up = time.monotonic() + timeout_s
        while not self._edges:
            data = self._device.wait(give_up - time.monotonic())
            if data is None:
                return None
            try:
                self._take(self._device, data)
            except OSError as error:
                raise hardware_error("read", self._info.path, error) from error
        return self._edges.popleft()

    def close(self) -> None:
        if self._device is not None:
            self._device.close()
        self._device = None
        self._edges.clear()
        self._held.clear()
        self._dropped = False

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
            self._edges.append(PedalEdge(bool(held), at_ns))
        self._held = held

    def _ours(self, codes: set[int]) -> set[int]:
        return codes if self._code is None else codes & {self._code}

    def _has_keys(self, path: str) -> bool:
        """Of a pedal's several event devices only the one with (our) keys will do."""
        keys = keys_of(self._calls, path)
        if keys is None:
            # No right to look: let the open of the chosen one say so.
            return path.rsplit("/", 1)[-1].startswith("event")
        return bool(self._ours(keys))
