"""The panel's text console: its font, the signs of its glyphs, its palette (ioctl_console(2), <linux/kd.h>)."""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Sequence
from typing import Final

from hw.calls import hardware_error
from hw.errors import NotSupported
from hw.panel.psf import Font
from hw.panel.vt import FONT_OP, KDFONTOP, VirtualTerminal

KD_FONT_OP_SET: Final = 0
PIO_UNIMAPCLR: Final = 0x4B68
PIO_UNIMAP: Final = 0x4B67
PIO_CMAP: Final = 0x4B71
UNIMAP: Final = struct.Struct("@HP")
"""struct unimapdesc: pairs, their address."""
PAIR: Final = struct.Struct("@HH")
"""struct unipair: sign, glyph."""
ROWS: Final = 32
"""The kernel takes each glyph as so many rows, whatever the font's height."""
_COUNTS: Final = (256, 512)
_QUIET: Final = b"\x1b%G\x1b[9;0]\x1b[14;0]\x1b[?25l"
"""UTF-8; the console's own blanking and power saving off (console_codes(4)); no cursor."""

_CLEARED: Final = b"\x1b[0m\x1b[H\x1b[2J"


def load_font(terminal: VirtualTerminal, font: Font) -> None:
    """The terminal's letters from now on: rows and columns change with it. Raises HardwareError."""
    if len(font.glyphs) not in _COUNTS or font.height > ROWS or font.width > 32:
        raise NotSupported("load the font of", terminal.path, "the console cannot take it", "Build it anew.")
    size, rest = font.row_bytes * font.height, font.row_bytes * (ROWS - font.height)
    data = ctypes.create_string_buffer(b"".join(glyph[:size] + bytes(rest) for glyph in font.glyphs))
    request = bytearray(
        FONT_OP.pack(KD_FONT_OP_SET, 0, font.width, font.height, len(font.glyphs), ctypes.addressof(data))
    )
    _ask(terminal, "load the font of", KDFONTOP, request)
    load_signs(terminal, font)


def load_signs(terminal: VirtualTerminal, font: Font) -> None:
    """Which glyph a sign is drawn by. Raises HardwareError."""
    pairs = [
        PAIR.pack(ord(sign), glyph)
        for glyph, signs in enumerate(font.unicode)
        for sign in signs
        if sign < "\U00010000"
    ]
    data = ctypes.create_string_buffer(b"".join(pairs))
    _ask(terminal, "load the signs of", PIO_UNIMAPCLR, bytearray(6))
    request = bytearray(UNIMAP.pack(len(pairs), ctypes.addressof(data)))
    _ask(terminal, "load the signs of", PIO_UNIMAP, request)


def set_palette(terminal: VirtualTerminal, palette: Sequence[tuple[int, int, int]]) -> None:
    """Sixteen colours, red, green and blue each, in the order of the terminal's sequences. They are those of every
    virtual terminal, and stay when one is reset. Raises HardwareError."""
    _ask(terminal, "set the colours of", PIO_CMAP, bytearray(value for colour in palette for value in colour))


def quiet() -> bytes:
    """What to write to the terminal so that it neither blanks by itself nor shows a cursor."""
    return _QUIET


def cleared() -> bytes:
    """What to write so that nothing is on it."""
    return _CLEARED


def _ask(terminal: VirtualTerminal, op: str, request: int, argument: bytearray) -> None:
    try:
        terminal.calls.ioctl(terminal.fd, request, argument)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            raise NotSupported(op, terminal.path, "its driver has no fonts", "Is there a framebuffer?") from error
        raise hardware_error(op, terminal.path, error) from error
