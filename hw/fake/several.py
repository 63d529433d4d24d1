"""Several made-up devices at once: each path goes to the one that plays it."""

from __future__ import annotations

import errno
import itertools
import mmap
import os

from hw.calls import SystemCalls

_FIRST = 2_000_000  # far from real descriptors, and from those of the fakes


class FakeSeveral(SystemCalls):
    """Give it as `calls` to what opens more than one device; `devices`: fakes, each with a `path` of its own."""

    def __init__(self, *devices: SystemCalls) -> None:
        self._devices = devices
        self._open: dict[int, tuple[SystemCalls, int]] = {}
        self._numbers = itertools.count(_FIRST)

    def open(self, path: str, flags: int) -> int:
        for device in self._devices:
            if getattr(device, "path", "") == path:
                # A number of our own: two fakes may answer the same one.
                number = next(self._numbers)
                self._open[number] = (device, device.open(path, flags))
                return number
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def close(self, fd: int) -> None:
        device, own = self._open.pop(fd)
        device.close(own)

    def ioctl(self, fd: int, request: int, argument: object) -> None:
        device, own = self._open[fd]
        device.ioctl(own, request, argument)

    def mmap(self, fd: int, length: int, offset: int) -> mmap.mmap:
        device, own = self._open[fd]
        return device.mmap(own, length, offset)

    def poll(self, fd: int, events: int, timeout_s: float) -> int:
        device, own = self._open[fd]
        return device.poll(own, events, timeout_s)

    def read(self, fd: int, size: int) -> bytes:
        device, own = self._open[fd]
        return device.read(own, size)
