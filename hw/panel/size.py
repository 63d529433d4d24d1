"""How large the panel's picture is, as the framebuffer says (<linux/fb.h>, FBIOGET_VSCREENINFO)."""

from __future__ import annotations

import os
import struct
from typing import Final

from hw.calls import SystemCalls

FBIOGET_VSCREENINFO: Final = 0x4600
_VSCREENINFO_BYTES: Final = 160


def panel_pixels(path: str = "/dev/fb0", calls: SystemCalls | None = None) -> tuple[int, int] | None:
    """Width and height; None where nobody may ask, or there is none. Never raises."""
    calls = calls or SystemCalls()
    try:
        fd = calls.open(path, os.O_RDONLY)
    except OSError:
        return None
    info = bytearray(_VSCREENINFO_BYTES)
    try:
        calls.ioctl(fd, FBIOGET_VSCREENINFO, info)
    except OSError:
        return None
    finally:
        calls.close(fd)
    width, height = struct.unpack_from("2I", info)
    return (width, height) if width and height else None
