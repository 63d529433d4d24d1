"""How large the panel's picture is, as the framebuffer says (<linux/fb.h>, FBIOGET_VSCREENINFO)."""

from __future__ import annotations

import os

from hw.calls import SystemCalls
from hw.panel.framebuffer import FBIOGET_VSCREENINFO, VAR


def panel_pixels(path: str = "/dev/fb0", calls: SystemCalls | None = None) -> tuple[int, int] | None:
    """Width and height; None where nobody may ask, or there is none. Never raises."""
    calls = calls or SystemCalls()
    try:
        fd = calls.open(path, os.O_RDONLY)
    except OSError:
        return None
    info = bytearray(VAR.size)
    try:
        calls.ioctl(fd, FBIOGET_VSCREENINFO, info)
    except OSError:
        return None
    finally:
        calls.close(fd)
    width, height = VAR.unpack(info)[:2]
    return (width, height) if width and height else None
