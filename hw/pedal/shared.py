"""Several pedals on one device: a block of three is one keyboard, and one adapter has four modem lines.

A device can be grabbed, or opened exclusively, only once. So it is opened once, and each pedal gets a descriptor of
its own that behaves like the device's: its ioctls go there, and what the device says comes through a pipe.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from dataclasses import dataclass, field

from hw.calls import SystemCalls
from hw.evdev import EVIOCGKEY, EVIOCGRAB
from hw.pedal.serial_line import TIOCEXCL, TIOCNXCL

log = logging.getLogger(__name__)

_LOOK_S = 0.1
_BYTES = 24 * 64
_ONCE = frozenset({EVIOCGRAB, TIOCEXCL})


@dataclass
class _Device:
    """One open device. `members`: the descriptors handed out, each with the end of the pipe that is written to."""

    path: str
    flags: int
    fd: int
    members: dict[int, int] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)  # requests of _ONCE
    pump: threading.Thread | None = None
    gone: bool = False


class SharedCalls(SystemCalls):
    """Give one to all pedals of a process. Thread-safe; each descriptor belongs to one thread."""

    def __init__(self, calls: SystemCalls | None = None) -> None:
        self._calls = calls or SystemCalls()
        self._lock = threading.RLock()
        self._devices: dict[tuple[str, int], _Device] = {}
        self._of: dict[int, _Device] = {}

    def open(self, path: str, flags: int) -> int:
        with self._lock:
            device = self._devices.get((path, flags))
            if device is not None and not device.gone:
                self._drain(device)
            if device is None or device.gone:
                device = _Device(path, flags, self._calls.open(path, flags))
                self._devices[path, flags] = device
            try:
                reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            except OSError:
                self._let_go(device)
                raise
            device.members[reading] = writing
            self._of[reading] = device
            return reading

    def close(self, fd: int) -> None:
        with self._lock:
            if fd not in self._of:  # a duplicate
                self._calls.close(fd)
                return
            device = self._of.pop(fd)
            writing = device.members.pop(fd)
            if writing >= 0:
                os.close(writing)
            os.close(fd)
            self._let_go(device)

    def duplicate(self, fd: int) -> int:
        """A descriptor of the device itself: what is asked of it may wait, and keeps nobody else waiting."""
        with self._lock:
            return self._calls.duplicate(self._of[fd].fd)

    def ioctl(self, fd: int, request: int, argument: object) -> None:
        if fd not in self._of:
            self._calls.ioctl(fd, request, argument)
            return
        with self._lock:
            device = self._of[fd]
            if request in device.done:
                return
            if request == TIOCNXCL:
                if len(device.members) > 1:
                    return
                device.done.discard(TIOCEXCL)
            if request == EVIOCGKEY:  # it takes the keys that wait out of the kernel's queue, which are everybody's
                self._drain(device)
            self._calls.ioctl(device.fd, request, argument)
            if request in _ONCE:
                device.done.add(request)

    def poll(self, fd: int, events: int, timeout_s: float) -> int:
        with self._lock:
            device = self._of[fd]
            if device.pump is None:
                device.pump = threading.Thread(target=self._run, args=(device,), name="pedal-block", daemon=True)
                device.pump.start()
        return super().poll(fd, events, timeout_s)

    def _drain(self, device: _Device) -> None:
        """What the device has said so far is for those who had it then. The caller has the lock."""
        try:
            while self._calls.poll(device.fd, select.POLLIN, 0) & select.POLLIN:
                if not self._tell(device, self._calls.read(device.fd, _BYTES)):
                    return
        except OSError:  # who reads next is told
            return

    def _let_go(self, device: _Device) -> None:
        """Closes a device that nobody has any more. The caller has the lock."""
        if device.members:
            return
        if self._devices.get((device.path, device.flags)) is device:
            del self._devices[device.path, device.flags]
        fd, device.fd = device.fd, -1
        device.gone = True
        if fd >= 0:
            self._calls.close(fd)

    def _run(self, device: _Device) -> None:
        """Copies what the device says to everybody, until it is closed or gone."""
        while True:
            fd = device.fd
            if fd < 0:
                return
            try:
                happened = self._calls.poll(fd, select.POLLIN, _LOOK_S)
                with self._lock:
                    if device.fd != fd:
                        return
                    data = self._calls.read(fd, _BYTES) if happened else None
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data is not None and not self._tell(device, data):
                return

    def _tell(self, device: _Device, data: bytes) -> bool:
        """Hands out `data`; none of it: the device is gone, everybody's pipe ends."""
        with self._lock:
            for fd, writing in device.members.items():
                if writing < 0:
                    continue
                if not data:
                    os.close(writing)
                    device.members[fd] = -1
                    continue
                try:
                    os.write(writing, data)
                except BlockingIOError:
                    log.warning("a pedal of %s does not read: its events are lost", device.path)
            device.gone = device.gone or not data
        return bool(data)
