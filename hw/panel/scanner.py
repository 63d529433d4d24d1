"""A barcode scanner as keyboard wedge: a USB keyboard that types what it reads (<linux/input.h>)."""

from __future__ import annotations

import time

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
from hw.panel.keys import ENDS, LAYOUTS, Typing

_DIGIT_KEYS = frozenset(range(2, 12))


class WedgeScanner(InputReader[InputDevice, str]):
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
        super().__init__(InputDevice, key=key, device=device, calls=calls, nodes=nodes)
        self._layout = layout
        self._typing = Typing(layout, 0)
        self._dropped = False

    def close(self) -> None:
        super().close()
        self._dropped = False

    def _begin(self, device: InputDevice) -> None:
        if not _types(device.codes(EVIOCGBIT_KEY)):
            hint = "Choose the scanner's other device."
            raise NotSupported("open", device.path, "the device types nothing", hint)
        device.take()
        self._typing = Typing(self._layout, time.monotonic_ns())
        self._typing.hold(device.codes(EVIOCGKEY))

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
                    self._told.append(text)

    def _fits(self, path: str) -> bool | None:
        keys = keys_of(self._calls, path)
        return None if keys is None else _types(keys)


def _types(keys: set[int]) -> bool:
    return keys >= _DIGIT_KEYS and bool(keys & ENDS)
