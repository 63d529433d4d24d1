"""A barcode scanner as keyboard wedge: a USB keyboard that types what it reads (<linux/input.h>)."""

from __future__ import annotations

import time
from collections import deque

from hw.base import DeviceInfo
from hw.calls import SystemCalls, hardware_error
from hw.errors import HardwareError, NotSupported
from hw.evdev import EV_KEY, EV_SYN, EVIOCGBIT_KEY, EVIOCGKEY, SYN_DROPPED, SYN_REPORT, InputDevice, keys_of
from hw.identity import Nodes, resolve, udev_nodes
from hw.panel.keys import ENDS, LAYOUTS, Typing

_DIGIT_KEYS = frozenset(range(2, 12))


class WedgeScanner:
    """One scanner, grabbed, so that it does not type into the app.

    `device` is /dev/input/eventN or a key of hw.identity; `layout` the keyboard that the scanner is set to play
    ("us", "de"). Enter, Tab and the number pad's Enter end a code; one that is not ended within a second of
    silence is dropped, as is one of which anything was lost or not understood.
    """

    def __init__(
        self,
        *,
        key: str,
        device: str,
        layout: str = "us",
        calls: SystemCalls | None = None,
        nodes: Nodes = udev_nodes,
    ) -> None:
        """ValueError for an unknown layout."""
        if layout not in LAYOUTS:
            raise ValueError(f"the layout of a scanner is one of {', '.join(LAYOUTS)}, not {layout!r}")
        self._name = device
        self._layout = layout
        self._calls = calls or SystemCalls()
        self._nodes = nodes
        self._info = DeviceInfo(key=key, name=key, path=device)
        self._device: InputDevice | None = None
        self._typing = Typing(layout, 0)
        self._codes: deque[str] = deque()
        self._dropped = False

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def open(self) -> None:
        """Find the device and grab it. DeviceGone, DeviceBusy (grabbed by another), DeviceRefused, NotSupported."""
        self.close()
        node = resolve(self._name, "input", accept=self._types, nodes=self._nodes)
        path = node.path
        try:
            self._device = InputDevice(self._calls, path)
            if not _types(self._device.codes(EVIOCGBIT_KEY)):
                raise NotSupported("open", path, "the device types nothing", "Choose the scanner's other device.")
            self._device.take()
            self._typing = Typing(self._layout, time.monotonic_ns())
            self._typing.hold(self._device.codes(EVIOCGKEY))
            self._info = self._device.describe(self._info.key, node.manufacturer, node.serial)
        except OSError as error:
            self.close()
            raise hardware_error("open", path, error) from error
        except HardwareError:
            self.close()
            raise

    def read(self, timeout_s: float) -> str | None:
        if self._device is None:
            raise HardwareError("read", self._info.path, "not open")
        give_up = time.monotonic() + timeout_s
        while not self._codes:
            data = self._device.wait(give_up - time.monotonic())
            if data is None:
                return None
            try:
                self._take(self._device, data)
            except OSError as error:
                raise hardware_error("read", self._info.path, error) from error
            if not self._codes and time.monotonic() >= give_up:
                return None
        return self._codes.popleft()

    def close(self) -> None:
        if self._device is not None:
            self._device.close()
        self._device = None
        self._codes.clear()
        self._dropped = False

    def _take(self, device: InputDevice, data: bytes) -> None:
        for at, kind, code, value in device.events(data):
            if kind == EV_SYN and code == SYN_DROPPED:
                # The kernel's queue ran over: half a number is another patient's.
                self._dropped = True
            elif kind == EV_SYN and code == SYN_REPORT and self._dropped:
                self._dropped = False
                self._typing.spoil(at)
                self._typing.hold(device.codes(EVIOCGKEY))
            elif kind == EV_KEY and value in (0, 1) and not self._dropped:
                text = self._typing.key(code, bool(value), at)
                if text is not None:
                    self._codes.append(text)

    def _types(self, path: str) -> bool:
        """Of a scanner's several event devices only the keyboard will do."""
        keys = keys_of(self._calls, path)
        if keys is None:
            # No right to look: let the open of the chosen one say so.
            return path.rsplit("/", 1)[-1].startswith("event")
        return _types(keys)


def _types(keys: set[int]) -> bool:
    return keys >= _DIGIT_KEYS and bool(keys & ENDS)
