"""A made-up serial adapter with modem lines: ptys have none."""

from __future__ import annotations

import errno
import itertools
import os
import struct
import threading

from hw.calls import SystemCalls
from hw.pedal import lines, serial_line

_FDS = itertools.count(1_000_001)
_ORDER = ("cts", "dsr", "ri", "dcd")  # of struct serial_icounter_struct


class FakeModem(SystemCalls):
    """Give it as `calls`; switch its lines from any thread. `fed` tells whether DTR and RTS are on.

    `waits`: it knows TIOCMIWAIT, which, as the kernel's, ends with a line that moves or the adapter pulled alone.
    `counts`: it knows TIOCGICOUNT.
    """

    path = "/dev/ttyUSB0"

    def __init__(self, *, waits: bool = True, counts: bool = True) -> None:
        self._lines = 0
        self._counts = dict.fromkeys(_ORDER, 0)
        self._waits, self._counts_edges = waits, counts
        self._moved = threading.Condition()
        self._fds: set[int] = set()
        self._exclusive = False
        self.gone = False
        self.fed = False
        self.spins = False
        """TIOCMIWAIT comes back at once, as that of a broken driver."""

    @property
    def waiting(self) -> int:
        """Descriptors that are open beside the first."""
        return max(0, len(self._fds) - 1)

    def switch(self, line: str, on: bool) -> None:
        bit = serial_line.LINES[line]
        with self._moved:
            if bool(self._lines & bit) != on:
                self._counts[line] += 1
            self._lines = self._lines | bit if on else self._lines & ~bit
            self._moved.notify_all()

    def unplug(self) -> None:
        with self._moved:
            self.gone = True
            self._moved.notify_all()

    def open(self, path: str, flags: int) -> int:
        if self.gone or path != self.path:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        if self._exclusive:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        fd = next(_FDS)
        self._fds.add(fd)
        return fd

    def duplicate(self, fd: int) -> int:
        another = next(_FDS)
        self._fds.add(another)
        return another

    def close(self, fd: int) -> None:
        self._fds.discard(fd)
        if not self._fds:
            self._exclusive = self.fed = False

    def ioctl(self, fd: int, request: int, argument: object) -> None:
        if self.gone:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if request == lines.TIOCMIWAIT and self._waits:
            assert isinstance(argument, int)
            self._wait(argument)
        elif request == lines.TIOCGICOUNT and self._counts_edges:
            assert isinstance(argument, bytearray)
            argument[:16] = struct.pack("4i", *(self._counts[line] for line in _ORDER))
        elif request == serial_line.TIOCMBIS:
            assert isinstance(argument, bytearray)
            self.fed = struct.unpack("i", argument)[0] == serial_line.DTR | serial_line.RTS
        elif request == serial_line.TIOCMGET:
            assert isinstance(argument, bytearray)
            argument[:] = struct.pack("i", self._lines)
        elif request in (serial_line.TIOCEXCL, serial_line.TIOCNXCL):
            self._exclusive = request == serial_line.TIOCEXCL
        else:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))

    def _wait(self, mask: int) -> None:
        names = [name for name, bit in serial_line.LINES.items() if bit & mask]

        def counted() -> list[int]:
            return [self._counts[name] for name in names]

        with self._moved:
            before = counted()
            self._moved.wait_for(lambda: self.gone or self.spins or counted() != before)
            if self.gone:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
