"""A short sound from the box itself: the kernel's tone, made by its speaker (ioctl_console(2))."""

from __future__ import annotations

from typing import Final

from hw.panel.vt import VirtualTerminal

KDMKTONE: Final = 0x4B30
_CLOCK_HZ: Final = 1193180
"""Of the timer that the tone's period is counted in."""


class Sounder:
    """Never waits, never raises: the kernel ends the tone. A box without a speaker stays silent."""

    def __init__(self, terminal: VirtualTerminal) -> None:
        self._terminal = terminal

    def beep(self, hz: int = 1760, ms: int = 60) -> None:
        argument = ms << 16 | _CLOCK_HZ // hz
        try:
            self._terminal.calls.ioctl(self._terminal.fd, KDMKTONE, argument)
        except (OSError, ValueError):
            return
