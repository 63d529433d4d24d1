"""Pedals that are USB keyboards, mice or gamepads, read from /dev/input/eventN (<linux/input.h>)."""

from __future__ import annotations

import errno
import os
import select
import struct
import time
from collections import deque

from hw.base import DeviceInfo, PedalEdge
from hw.calls import SystemCalls, hardware_error, io_read, io_write
from hw.errors import DeviceGone, HardwareError, NotSupported
from hw.identity import Nodes, resolve, udev_nodes

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
        self._device, _, code = device.partition("#")
        self._code = int(code, 0) if code else None
        self._calls = calls or SystemCalls()
        self._nodes = nodes
        self._info = DeviceInfo(key=key, name=key, path=self._device)
        self._fd = -1
        self._edges: deque[PedalEdge] = deque()
        self._held: set[int] = set()
        self._dropped = False
        self._monotonic = True

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def open(self) -> None:
        """Find the device, grab it, set its clock. DeviceGone, DeviceBusy (grabbed by another), NotSupported."""
        self.close()
        node = resolve(self._device, "input", accept=self._has_keys, nodes=self._nodes)
        path = node.path
        try:
            self._fd = self._calls.open(path, os.O_RDONLY | os.O_NONBLOCK)
            if not self._codes(EVIOCGBIT_KEY):
                raise NotSupported(
                    "open", path, "the device has no buttons", "Choose the pedal's other event device."
                )
            self._calls.ioctl(self._fd, EVIOCGRAB, 1)
            self._monotonic = self._set_clock()
            self._held = self._codes(EVIOCGKEY)
            self._info = self._describe(path, node.manufacturer, node.serial)
        except OSError as error:
            self.close()
            raise hardware_error("open", path, error) from error
        except HardwareError:
            self.close()
            raise

    def read(self, timeout_s: float) -> PedalEdge | None:
        if self._fd < 0:
            raise HardwareError("read", self._info.path, "not open")
        give_up = time.monotonic() + timeout_s
        while not self._edges:
            left = give_up - time.monotonic()
            try:
                if not self._calls.poll(self._fd, select.POLLIN, max(0.0, left)):
                    return None
                self._take(self._calls.read(self._fd, EVENT.size * 64))
            except BlockingIOError:
                pass
            except OSError as error:
                raise hardware_error("read", self._info.path, error) from error
        return self._edges.popleft()

    def close(self) -> None:
        if self._fd >= 0:
            try:
                self._calls.close(self._fd)
            except OSError:
                pass
        self._fd = -1
        self._edges.clear()
        self._held.clear()
        self._dropped = False

    def _take(self, data: bytes) -> None:
        if not data:
            raise DeviceGone("read", self._info.path, "the device was unplugged")
        for seconds, micros, kind, code, value in EVENT.iter_unpack(data[: len(data) // EVENT.size * EVENT.size]):
            at = seconds * _NS + micros * 1000 if self._monotonic else time.monotonic_ns()
            if kind == EV_SYN and code == SYN_DROPPED:
                # The kernel's queue ran over: what follows up to the next report is worth nothing.
                self._dropped = True
            elif kind == EV_SYN and code == SYN_REPORT and self._dropped:
                self._dropped = False
                self._become(self._codes(EVIOCGKEY), at)
            elif kind == EV_KEY and value in (0, 1) and not self._dropped and self._ours(code):
                self._become(self._held | {code} if value else self._held - {code}, at)

    def _become(self, held: set[int], at_ns: int) -> None:
        if bool(held) != bool(self._held):
            self._edges.append(PedalEdge(bool(held), at_ns))
        self._held = held

    def _ours(self, code: int) -> bool:
        return self._code is None or code == self._code

    def _codes(self, request: int) -> set[int]:
        """The key codes whose bit is set: which exist (EVIOCGBIT) or which are down (EVIOCGKEY)."""
        bits = bytearray(KEY_BYTES)
        self._calls.ioctl(self._fd, request, bits)
        return {code for code in range(KEY_BYTES * 8) if bits[code >> 3] >> (code & 7) & 1 and self._ours(code)}

    def _set_clock(self) -> bool:
        try:
            self._calls.ioctl(self._fd, EVIOCSCLOCKID, bytearray(struct.pack("i", CLOCK_MONOTONIC)))
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTTY):
                raise
            return False
        return True

    def _describe(self, path: str, manufacturer: str, serial: str) -> DeviceInfo:
        name, ids = bytearray(256), bytearray(8)
        self._calls.ioctl(self._fd, EVIOCGID, ids)
        self._calls.ioctl(self._fd, EVIOCGNAME, name)
        _, vendor, product, _ = struct.unpack("4H", ids)
        said = name.split(b"\0", 1)[0].decode("utf-8", "replace")
        return DeviceInfo(self._info.key, said or path, path, manufacturer, f"{vendor:04x}:{product:04x}", serial)

    def _has_keys(self, path: str) -> bool:
        """Of a pedal's several event devices only the one with (our) keys will do."""
        try:
            self._fd = self._calls.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            # No right to look: let the open of the chosen one say so.
            return path.rsplit("/", 1)[-1].startswith("event")
        try:
            return bool(self._codes(EVIOCGBIT_KEY))
        except OSError:
            return False
        finally:
            self._calls.close(self._fd)
            self._fd = -1
