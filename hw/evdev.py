"""Input devices as <linux/input.h> has them: one open /dev/input/eventN, its events, its keys, its clock."""

from __future__ import annotations

import errno
import os
import select
import struct
import time
from collections.abc import Iterator

from hw.base import DeviceInfo
from hw.calls import SystemCalls, hardware_error, io_read, io_write
from hw.errors import DeviceGone

_NS = 1_000_000_000

EVENT = struct.Struct("@llHHi")  # struct input_event: seconds, microseconds, type, code, value
EV_SYN, EV_KEY = 0x00, 0x01
SYN_REPORT, SYN_DROPPED = 0, 3
KEY_BYTES = 96  # KEY_CNT is 0x300
CLOCK_MONOTONIC = 1

EVIOCGID = io_read("E", 0x02, 8)
EVIOCGRAB = io_write("E", 0x90, 4)
EVIOCSCLOCKID = io_write("E", 0xA0, 4)
EVIOCGKEY = io_read("E", 0x18, KEY_BYTES)
EVIOCGBIT_KEY = io_read("E", 0x20 + EV_KEY, KEY_BYTES)
EVIOCGNAME = io_read("E", 0x06, 256)


class InputDevice:
    """An input device while it is open. All but `close` raise OSError."""

    def __init__(self, calls: SystemCalls, path: str) -> None:
        self._calls = calls
        self.path = path
        self._fd = calls.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._monotonic = False

    def codes(self, request: int) -> set[int]:
        """The key codes whose bit is set: which exist (EVIOCGBIT_KEY) or which are down (EVIOCGKEY)."""
        bits = bytearray(KEY_BYTES)
        self._calls.ioctl(self._fd, request, bits)
        return {code for code in range(KEY_BYTES * 8) if bits[code >> 3] >> (code & 7) & 1}

    def take(self) -> None:
        """Grabs it, so that its keys type nowhere else, and sets its clock to CLOCK_MONOTONIC."""
        self._calls.ioctl(self._fd, EVIOCGRAB, 1)
        self._monotonic = self._set_clock()

    def describe(self, key: str, manufacturer: str, serial: str) -> DeviceInfo:
        name, ids = bytearray(256), bytearray(8)
        self._calls.ioctl(self._fd, EVIOCGID, ids)
        self._calls.ioctl(self._fd, EVIOCGNAME, name)
        _, vendor, product, _ = struct.unpack("4H", ids)
        said = name.split(b"\0", 1)[0].decode("utf-8", "replace")
        return DeviceInfo(key, said or self.path, self.path, manufacturer, f"{vendor:04x}:{product:04x}", serial)

    def wait(self, timeout_s: float) -> bytes | None:
        """The events that are there, as bytes; None when none came within `timeout_s`. HardwareError."""
        try:
            if not self._calls.poll(self._fd, select.POLLIN, max(0.0, timeout_s)):
                return None
            data = self._calls.read(self._fd, EVENT.size * 64)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise hardware_error("read", self.path, error) from error
        if not data:
            raise DeviceGone("read", self.path, "the device was unplugged", "Plug it in again, into the same port.")
        return data

    def events(self, data: bytes) -> Iterator[tuple[int, int, int, int]]:
        """(CLOCK_MONOTONIC in ns, type, code, value) of each event in `data`."""
        for seconds, micros, kind, code, value in EVENT.iter_unpack(data[: len(data) // EVENT.size * EVENT.size]):
            at = seconds * _NS + micros * 1000 if self._monotonic else time.monotonic_ns()
            yield at, kind, code, value

    def close(self) -> None:
        """Never raises, may be called twice."""
        if self._fd >= 0:
            try:
                self._calls.close(self._fd)
            except OSError:
                pass
        self._fd = -1

    def _set_clock(self) -> bool:
        try:
            self._calls.ioctl(self._fd, EVIOCSCLOCKID, bytearray(struct.pack("i", CLOCK_MONOTONIC)))
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTTY):
                raise
            return False
        return True


def keys_of(calls: SystemCalls, path: str) -> set[int] | None:
    """The key codes that a device has; None where nobody may look."""
    try:
        device = InputDevice(calls, path)
    except OSError:
        return None
    try:
        return device.codes(EVIOCGBIT_KEY)
    except OSError:
        return set()
    finally:
        device.close()
