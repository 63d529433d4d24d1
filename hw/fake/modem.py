"""A made-up serial adapter with modem lines: ptys have none."""

from __future__ import annotations

import errno
import os
import struct

from hw.calls import SystemCalls
from hw.pedal import serial_line

_FD = 1_000_001


class FakeModem(SystemCalls):
    """Give it as `calls`; switch its lines from any thread. `fed` tells whether DTR and RTS are on."""

    path = "/dev/ttyUSB0"

    def __init__(self) -> None:
        self._lines = 0
        self._open = False
        self.gone = False
        self.fed = False

    def switch(self, line: str, on: bool) -> None:
        bit = serial_line.LINES[line]
        self._lines = self._lines | bit if on else self._lines & ~bit

    def unplug(self) -> None:
        self.gone = True

    def open(self, path: str, flags: int) -> int:
        if self.gone or path != self.path:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        if self._open:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self._open = True
        return _FD

    def close(self, fd: int) -> None:
        self._open = self.fed = False

    def ioctl(self, fd: int, request: int, argument: object) -> None:
        if self.gone:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if request == serial_line.TIOCMBIS:
            assert isinstance(argument, bytearray)
            self.fed = struct.unpack("i", argument)[0] == serial_line.DTR | serial_line.RTS
        elif request == serial_line.TIOCMGET:
            assert isinstance(argument, bytearray)
            argument[:] = struct.pack("i", self._lines)
        elif request != serial_line.TIOCEXCL:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
