"""Which video encoders the machine may have, from its device nodes alone: nothing is loaded, nothing is started.

What is there need not work: that a test of its bitstream tells.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

_QUERYCAP: Final = 0x80685600
"""VIDIOC_QUERYCAP: struct v4l2_capability, 104 bytes."""

_CAPABILITIES: Final = struct.Struct("=16s32s32sIII12x")
_DEVICE_CAPS: Final = 0x80000000
_M2M: Final = 0x8000 | 0x4000
"""V4L2_CAP_VIDEO_M2M, V4L2_CAP_VIDEO_M2M_MPLANE."""

_INTEL: Final = "0x8086"


def missing(kind: str, root: Path = Path("/")) -> str:
    """Why this machine cannot have an encoder "nvenc", "qsv" or "v4l2m2m", as a sentence; empty: it may have it.

    `root` is the machine's root folder.
    """
    match kind:
        case "nvenc":
            return (
                "" if any((root / "dev").glob("nvidia[0-9]*")) else "the machine has no NVIDIA card with its driver"
            )
        case "qsv":
            return "" if _has_intel(root) else "the machine has no Intel graphics that can be used"
        case "v4l2m2m":
            found = sorted((root / "dev").glob("video[0-9]*"))
            return "" if any(map(_is_m2m, found)) else "the machine has no V4L2 device that converts pictures"
        case _:
            raise ValueError(f"no kind of encoder: {kind}")


def _has_intel(root: Path) -> bool:
    for node in sorted((root / "dev/dri").glob("renderD*")):
        vendor = root / "sys/class/drm" / node.name / "device/vendor"
        with contextlib.suppress(OSError):
            if vendor.read_text(encoding="ascii").strip() == _INTEL and os.access(node, os.R_OK | os.W_OK):
                return True
    return False


def _is_m2m(node: Path) -> bool:
    """Opening a capture device so disturbs nobody who streams from it (V4L2 API: Multiple Opens)."""
    try:
        fd = os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        answer = bytearray(_CAPABILITIES.size)
        fcntl.ioctl(fd, _QUERYCAP, answer)
    except OSError:
        return False
    finally:
        os.close(fd)
    return is_m2m(bytes(answer))


def is_m2m(capability: bytes) -> bool:
    """Of a struct v4l2_capability: whether this node takes pictures and gives others."""
    *_, capabilities, device_caps = _CAPABILITIES.unpack(capability)
    return bool((device_caps if capabilities & _DEVICE_CAPS else capabilities) & _M2M)
