"""A made-up virtual terminal: answers what the panel's drivers ask of /dev/tty1."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from hw.calls import SystemCalls
from hw.panel import console, vt
from hw.panel.sound import KDMKTONE


class FakeTerminal(SystemCalls):
    """Give it as `calls`; any descriptor is this terminal. `front` is the number of the one that is shown,
    `mode` 0 for text and 1 for a program that draws for itself, `gone` a terminal that was hung up, `font` the size
    of its letters, None for a driver that does not tell it, `sounds` the tones that were asked for;
    `glyphs`, `signs` (number of a sign to its glyph) and `palette` as they were loaded."""

    def __init__(self, number: int = 1, cells: tuple[int, int] = (100, 30)) -> None:
        self.number = number
        self.size = cells
        self.front = number
        self.mode = vt.KD_TEXT
        self.gone = False
        self.font: tuple[int, int] | None = (8, 16)
        self.sounds: list[tuple[int, object]] = []
        self.glyphs: list[bytes] = []
        self.signs: dict[int, int] = {}
        self.palette = b""

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
        if request == console.PIO_CMAP:
            assert isinstance(argument, bytearray)
            self.palette = bytes(argument)
            return b""
        if request == console.PIO_UNIMAPCLR:
            self.signs = {}
            return b""
        if request == console.PIO_UNIMAP:
            assert isinstance(argument, bytearray)
            count, address = console.UNIMAP.unpack(argument)
            self.signs |= dict(console.PAIR.iter_unpack(ctypes.string_at(address, count * console.PAIR.size)))
            return b""
        if request == KDMKTONE:
            self.sounds.append((request, argument))
            return b""
        if request == vt.TIOCGDEV:
            return struct.pack("I", 4 << 8 | self.number)
        if request == vt.VT_GETSTATE:
            return struct.pack("3H", self.front, 0, 1 << self.number)
        if request == vt.KDGETMODE:
            return struct.pack("i", self.mode)
        if request == vt.TIOCGWINSZ:
            columns, rows = self.size
            return struct.pack("4H", rows, columns, 0, 0)
        if request == vt.KDFONTOP and self.font and isinstance(argument, (bytes, bytearray)):
            return self._font_op(bytes(argument))
        return None

    def _font_op(self, argument: bytes) -> bytes | None:
        op, flags, width, height, glyphs, address = vt.FONT_OP.unpack(argument)
        if op == console.KD_FONT_OP_SET and glyphs in (256, 512) and height <= console.ROWS:
            size = (width + 7) // 8 * console.ROWS
            data = ctypes.string_at(address, glyphs * size)
            self.glyphs = [data[at : at + size] for at in range(0, len(data), size)]
            self.font = (width, height)
            return argument
        if op != vt.KD_FONT_OP_GET or self.font is None:
            return None
        return vt.FONT_OP.pack(op, flags, *self.font, glyphs, address)
