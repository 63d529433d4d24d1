"""Whether the wall clock can be trusted: the kernel says if it was ever synchronised (adjtimex(2))."""

from __future__ import annotations

import ctypes
import time
from typing import Final

_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2), as far as `status`; the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("room", ctypes.c_byte * 256),
    )


def synchronised() -> bool:
    """True when the kernel's clock is synchronised; also where it cannot be asked (then nobody can know)."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        value = _Timex()
        state = libc.adjtimex(ctypes.byref(value))
    except (OSError, AttributeError):
        return True
    return state >= 0 and state != _TIME_ERROR and not value.status & _STA_UNSYNC


class ClockGate:
    """Delivery's question to the clock. Once trusted it stays so: a server that goes away later changes nothing."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._trusted = False

    @property
    def trusted(self) -> bool:
        self._trusted = self._trusted or synchronised()
        return self._trusted

    def why_not(self) -> str:
        """A reason to wait with sending, empty when there is none. The wait counts from boot."""
        if self._wait_s <= 0 or self.trusted or time.clock_gettime(time.CLOCK_BOOTTIME) >= self._wait_s:
            return ""
        return "The clock is not synchronised yet: pictures wait so that they carry the right time."
