"""Real input devices, made by the kernel: /dev/uinput of <linux/uinput.h>."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from hw.evdev import EV_KEY, EV_SYN, EVENT, SYN_REPORT
from hw.panel.contacts import EV_ABS

UI_DEV_CREATE, UI_DEV_DESTROY = 0x5501, 0x5502
UI_DEV_SETUP, UI_ABS_SETUP = 0x405C5503, 0x401C5504
UI_SET_EVBIT, UI_SET_KEYBIT, UI_SET_ABSBIT, UI_SET_PROPBIT = 0x40045564, 0x40045565, 0x40045567, 0x4004556E
UI_GET_SYSNAME = 2 << 30 | 64 << 16 | ord("U") << 8 | 44


class UinputDevice:
    """One input device, plugged in. `axes`: absolute axes with their largest values, from 0; `path` is its event
    device. Skips the test where there is no /dev/uinput."""

    def __init__(
        self,
        name: str,
        *,
        keys: Iterable[int],
        axes: Mapping[int, int] | None = None,
        properties: Iterable[int] = (),
    ) -> None:
        self._name, self._keys, self._axes, self._properties = (
            name,
            tuple(keys),
            dict(axes or {}),
            tuple(properties),
        )
        self._fd = -1
        self.path = ""
        self.plug()

    def plug(self) -> None:
        """Anew after `unplug`: the kernel may give it another number."""
        self.end()
        try:
            self._fd = os.open("/dev/uinput", os.O_WRONLY)
        except OSError as error:
            pytest.skip(
                f"no usable /dev/uinput here ({error.strerror}): {self._name} is not tested on a real device"
            )
        for kind in (EV_KEY, EV_ABS) if self._axes else (EV_KEY,):
            fcntl.ioctl(self._fd, UI_SET_EVBIT, kind)
        for key in self._keys:
            fcntl.ioctl(self._fd, UI_SET_KEYBIT, key)
        for number in self._properties:
            fcntl.ioctl(self._fd, UI_SET_PROPBIT, number)
        for axis, most in self._axes.items():
            fcntl.ioctl(self._fd, UI_SET_ABSBIT, axis)
            fcntl.ioctl(self._fd, UI_ABS_SETUP, struct.pack("H2x6i", axis, 0, 0, most, 0, 0, 0))
        fcntl.ioctl(self._fd, UI_DEV_SETUP, struct.pack("4H80sI", 3, 0x1234, 0x5678, 1, self._name.encode(), 0))
        fcntl.ioctl(self._fd, UI_DEV_CREATE)
        self.path = str(self._node())

    def send(self, *events: tuple[int, int, int]) -> None:
        """One packet of (type, code, value)."""
        packed = [EVENT.pack(0, 0, *event) for event in (*events, (EV_SYN, SYN_REPORT, 0))]
        os.write(self._fd, b"".join(packed))

    def unplug(self) -> None:
        fcntl.ioctl(self._fd, UI_DEV_DESTROY)

    def end(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _node(self) -> Path:
        name = bytearray(64)
        fcntl.ioctl(self._fd, UI_GET_SYSNAME, name)
        folder = Path("/sys/devices/virtual/input", name.split(b"\0")[0].decode())
        path = Path("/dev/input", next(folder.glob("event*")).name)
        for _ in range(100):
            if path.exists():
                break
            time.sleep(0.02)
        return path
