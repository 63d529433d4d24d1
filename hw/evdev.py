"""Input devices as <linux/input.h> has them: one open /dev/input/eventN, its events, its keys, its clock; and who
finds one, grabs it and reads it: pedal, scanner and touch panel differ in what they make of the events."""

from __future__ import annotations

import errno
import os
import select
import struct
import time
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from hw.base import DeviceInfo
from hw.calls import SystemCalls, hardware_error, io_read, io_write
from hw.errors import DeviceGone, HardwareError
from hw.identity import Node, Nodes, resolve

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


def is_event(path: str) -> bool:
    return path.rsplit("/", 1)[-1].startswith("event")


Device = TypeVar("Device", bound=InputDevice)
Told = TypeVar("Told")


class InputReader(Generic[Device, Told]):
    """One input device, grabbed, so that it types and points nowhere else; `Told` is what it is read as. Who is one
    says which device will do (`_fits`), how it begins (`_begin`) and what its events mean (`_take`)."""

    def __init__(
        self, kind: type[Device], *, key: str, device: str, calls: SystemCalls | None, nodes: Nodes
    ) -> None:
        """`device` is /dev/input/eventN or a key of hw.identity, `key` what it is called until it is open."""
        self._kind = kind
        self._name = device
        self._calls = calls or SystemCalls()
        self._nodes = nodes
        self._info = DeviceInfo(key=key, name=key, path=device)
        self._device: Device | None = None
        self._told: deque[Told] = deque()
        self._gone: HardwareError | None = None

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def open(self) -> None:
        """Find the device and grab it. DeviceGone, DeviceBusy (grabbed by another), DeviceRefused, NotSupported."""
        self.close()
        node = self._find()
        try:
            device = self._device = self._kind(self._calls, node.path)
            self._begin(device)
            self._info = device.describe(self._key(node), node.manufacturer, node.serial)
        except OSError as error:
            self.close()
            raise hardware_error("open", node.path, error) from error
        except HardwareError:
            self.close()
            raise

    def read(self, timeout_s: float) -> Told | None:
        """The next of what it tells, None after `timeout_s`. What was told before the device failed comes first,
        then the HardwareError, each time until it is opened again."""
        if self._device is None:
            raise HardwareError("read", self._info.path, "not open")
        give_up = time.monotonic() + timeout_s
        while not self._told:
            if self._gone is not None:
                raise self._gone
            try:
                if (data := self._device.wait(give_up - time.monotonic())) is not None:
                    self._take(self._device, data)
            except OSError as error:
                self._lose(hardware_error("read", self._info.path, error))
            except HardwareError as error:
                self._lose(error)
            self._wait_over()
            if not self._told and self._gone is None and time.monotonic() >= give_up:
                return None
        return self._told.popleft()

    def close(self) -> None:
        """Never raises, may be called twice."""
        if self._device is not None:
            self._device.close()
        self._device = None
        self._told.clear()
        self._gone = None

    def _begin(self, device: Device) -> None:
        """Looks whether it is the right kind (NotSupported), takes it, asks what is down. Raises OSError."""
        raise NotImplementedError

    def _take(self, device: Device, data: bytes) -> None:
        """Puts what these events tell into `_told`. Raises OSError where the device must be asked, and cannot."""
        raise NotImplementedError

    def _fits(self, path: str) -> bool | None:
        """Whether that one of a device's several event devices will do; None where nobody may look."""
        raise NotImplementedError

    def _key(self, node: Node) -> str:
        """What the device is called while it is open."""
        return self._info.key

    def _find(self) -> Node:
        return resolve(self._name, "input", accept=self._accepted, nodes=self._nodes)

    def _accepted(self, path: str) -> bool:
        fits = self._fits(path)
        # No right to look: let the open of the chosen one say so.
        return is_event(path) if fits is None else fits

    def _wait_over(self) -> None:
        """Events were taken, or none came: what time alone changes."""

    def _lose(self, error: HardwareError) -> None:
        self._gone = error
