"""A made-up virtual terminal: answers what the panel's drivers ask of /dev/tty1."""

from __future__ import annotations

import errno
import os
import struct

from hw.calls import SystemCalls
from hw.panel import vt


class FakeTerminal(SystemCalls):
    """Give it as `calls`; any descriptor is this terminal. `front` is the number of the one that is shown,
    `mode` 0 for text and 1 for a program that draws for itself, `gone` a terminal that was hung up."""

    def __init__(self, number: int = 1, cells: tuple[int, int] = (100, 30)) -> None:
        self.number = number
        self.size = cells
        self.front = number
        self.mode = vt.KD_TEXT
        self.gone = False

    def ioctl(self, fd: int, request: int, argument: object) -> None:
        if self.gone:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        answer = self.answer(request, argument)
        if answer is None:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        if isinstance(argument, bytearray):
            argument[: len(answer)] = answer

    def answer(self, request: int, argument: object) -> bytes | None:
        """What the kernel writes back; None: it does not know the request."""
        if request == vt.TIOCGDEV:
            return struct.pack("I", 4 << 8 | self.number)
        if request == vt.VT_GETSTATE:
            return struct.pack("3H", self.front, 0, 1 << self.number)
        if request == vt.KDGETMODE:
            return struct.pack("i", self.mode)
        if request == vt.TIOCGWINSZ:
            columns, rows = self.size
            return struct.pack("4H", rows, columns, 0, 0)
        return None
