"""Keeping the process's memory where it belongs: glibc's malloc is told how frames are used."""

from __future__ import annotations

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8


def bound_malloc() -> None:
    """Frames come and go in megabytes from many threads. Left alone, glibc moves its mmap threshold up and keeps
    them in an arena per thread, which costs a multiple of what lives. Nothing happens with another libc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_ARENA_MAX, 2)
    mallopt(_M_MMAP_THRESHOLD, 512 << 10)
    mallopt(_M_TRIM_THRESHOLD, 4 << 20)
