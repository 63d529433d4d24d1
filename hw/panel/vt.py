"""The virtual terminal of the machine's own screen: whether a console runs on it, and whether it is in front."""

from __future__ import annotations

import struct
from typing import Final

from hw.calls import SystemCalls, hardware_error

STDIN: Final = 0

TIOCGDEV: Final = 0x80045432
TIOCGWINSZ: Final = 0x5413
VT_GETSTATE: Final = 0x5603
KDGETMODE: Final = 0x4B3B
KD_TEXT: Final = 0
KDFONTOP: Final = 0x4B72
KD_FONT_OP_GET: Final = 1
FONT_OP: Final = struct.Struct("@5IP")
"""struct console_font_op: op, flags, width, height, glyphs, the glyphs' address."""

_TTY_MAJOR: Final = 4
_HIGHEST: Final = 63
"""Minor numbers 1 to 63 are virtual terminals, above them begin serial lines (devices.txt)."""


class VirtualTerminal:
    """tty1 to tty63. Borrows the descriptor of the terminal that somebody else has open."""

    def __init__(self, fd: int, number: int, calls: SystemCalls) -> None:
        self.fd = fd
        self.number = number
        self.calls = calls

    @property
    def path(self) -> str:
        return f"/dev/tty{self.number}"

    def in_front(self) -> bool:
        """Whether the screen shows this terminal, as text (VT_GETSTATE, KDGETMODE). Not while another terminal is
        in front or a program draws for itself; not when the terminal is gone. Never raises."""
        state, mode = bytearray(6), bytearray(4)
        try:
            self.calls.ioctl(self.fd, VT_GETSTATE, state)
            self.calls.ioctl(self.fd, KDGETMODE, mode)
        except (OSError, ValueError):
            return False
        active: int = struct.unpack("3H", state)[0]
        shown: int = struct.unpack("i", mode)[0]
        return active == self.number and shown == KD_TEXT

    def cells(self) -> tuple[int, int]:
        """Columns and rows. Raises HardwareError."""
        size = bytearray(8)
        try:
            self.calls.ioctl(self.fd, TIOCGWINSZ, size)
        except OSError as error:
            raise hardware_error("size of", self.path, error) from error
        rows, columns, _, _ = struct.unpack("4H", size)
        return columns, rows

    def cell(self) -> tuple[int, int] | None:
        """Width and height of the font's letters in pixels (KDFONTOP); None where the driver does not tell."""
        font = bytearray(FONT_OP.pack(KD_FONT_OP_GET, 0, 64, 128, 512, 0))
        try:
            self.calls.ioctl(self.fd, KDFONTOP, font)
        except (OSError, ValueError):
            return None
        width, height = FONT_OP.unpack(font)[2:4]
        return (width, height) if width and height else None


def virtual_terminal(fd: int, calls: SystemCalls | None = None) -> VirtualTerminal | None:
    """The virtual terminal that `fd` is; None for anything else: a pty (SSH, tmux), a serial line, no terminal.

    TIOCGDEV tells the device behind /dev/tty and /dev/console, too (ioctl_tty(2)).
    """
    calls = calls or SystemCalls()
    device = bytearray(4)
    try:
        calls.ioctl(fd, TIOCGDEV, device)
    except (OSError, ValueError):
        return None
    # as the kernel packs it (new_encode_dev): minor 0-7, major 8-19, minor 20-31
    packed: int = struct.unpack("I", device)[0]
    major, minor = packed >> 8 & 0xFFF, packed & 0xFF | packed >> 12 & 0xFFF00
    if major != _TTY_MAJOR or not 1 <= minor <= _HIGHEST:
        return None
    return VirtualTerminal(fd, minor, calls)


def own_terminal(calls: SystemCalls | None = None) -> VirtualTerminal | None:
    """The virtual terminal that this process reads from; None when it runs anywhere but on the panel."""
    return virtual_terminal(STDIN, calls)
