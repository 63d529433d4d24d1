"""Several made-up devices at once: each path goes to the one that plays it."""

from __future__ import annotations

import errno
import os

from hw.calls import SystemCalls


class FakeSeveral(SystemCalls):
    """Give it as `calls` to what opens more than one device; `devices`: fakes, each with a `path` of its own."""

    def __init__(self, *devices: SystemCalls) -> None:
        self._devices = devices
        self._open: dict[int, SystemCalls] = {}

    def open(self, path: str, flags: int) -> int:
        for device in self._devices:
            if getattr(device, "path", "") == path:
                fd = device.open(path, flags)
                self._open[fd] = device
                return fd
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def close(self, fd: int) -> None:
        self._open.pop(fd).close(fd)

    def duplicate(self, fd: int) -> int:
        another = self._open[fd].duplicate(fd)
        self._open[another] = self._open[fd]
        return another

    def ioctl(self, fd: int, request: int, argument: object) -> None:
        self._open[fd].ioctl(fd, request, argument)

    def poll(self, fd: int, events: int, timeout_s: float) -> int:
        return self._open[fd].poll(fd, events, timeout_s)

    def read(self, fd: int, size: int) -> bytes:
        return self._open[fd].read(fd, size)
