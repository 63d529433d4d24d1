"""Which of a device's formats is taken, and how its rows become ours."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from hw.base import PixelFormat
from hw.video.v4l2 import abi

# What comes compressed fits through any cable at the full rate; NV12 costs the encoder no conversion.
PREFERENCE = (
    (abi.fourcc("MJPG"), PixelFormat.MJPEG),
    (abi.fourcc("NV12"), PixelFormat.NV12),
    (abi.fourcc("YUYV"), PixelFormat.YUYV),
    (abi.fourcc("YU12"), PixelFormat.I420),
)
PIXELS = dict(PREFERENCE)

_ROW_BYTES = {
    PixelFormat.MJPEG: 0,
    PixelFormat.H264: 0,
    PixelFormat.YUYV: 2,
    PixelFormat.UYVY: 2,
    PixelFormat.RGB24: 3,
    PixelFormat.BGR24: 3,
}
"""Bytes of a pixel in the first plane; of the others it is one."""


def is_full_range(pix: abi.PixFormat) -> bool:
    """V4L2_MAP_QUANTIZATION_DEFAULT: JPEG is full range (JFIF), other YUV limited unless the driver says."""
    if PIXELS.get(pix.pixelformat) is PixelFormat.MJPEG:
        return True
    if pix.quantization == abi.QUANTIZATION_DEFAULT:
        return bool(pix.colorspace == abi.COLORSPACE_JPEG)
    return bool(pix.quantization == abi.QUANTIZATION_FULL_RANGE)


def row_bytes(pixel: PixelFormat, width: int) -> int:
    """Bytes of a row of the first plane, without padding; 0 for compressed pictures."""
    return width * _ROW_BYTES.get(pixel, 1)


def picture_bytes(pixel: PixelFormat, width: int, height: int) -> int:
    """Bytes of a picture without padding; 1, the least that makes sense, for compressed pictures."""
    match pixel:
        case PixelFormat.MJPEG | PixelFormat.H264:
            return 1
        case PixelFormat.YUYV | PixelFormat.UYVY:
            return width * height * 2
        case PixelFormat.RGB24 | PixelFormat.BGR24:
            return width * height * 3
        case PixelFormat.NV12 | PixelFormat.I420:
            return width * height + 2 * (-(-width // 2) * -(-height // 2))


def padded_bytes(pixel: PixelFormat, width: int, height: int, stride: int) -> int:
    """Bytes the driver uses for a picture whose first plane has rows of `stride` bytes."""
    if pixel in (PixelFormat.NV12, PixelFormat.I420):
        return stride * height + stride * -(-height // 2)
    return picture_bytes(pixel, width, height) if not stride else stride * height


def unpad(pixel: PixelFormat, width: int, height: int, stride: int, data: memoryview) -> bytes:
    """A copy of a picture without the padding at the ends of its rows (`stride`: bytesperline, 0 = none).

    `data` holds `padded_bytes` or more. In YU12 the chroma rows are half as long as the luma rows, padding
    included; in NV12 as long (V4L2's single-plane layouts).
    """
    row = row_bytes(pixel, width)
    if not row:
        return bytes(data)
    size = picture_bytes(pixel, width, height)
    if stride in (0, row):
        return bytes(data[:size])
    planes = [(height, stride, row)]
    half = -(-height // 2)
    if pixel is PixelFormat.NV12:
        planes.append((half, stride, -(-width // 2) * 2))
    elif pixel is PixelFormat.I420:
        planes += [(half, stride // 2, -(-width // 2))] * 2
    parts, at = [], 0
    for rows, step, used in planes:
        plane = np.frombuffer(data, np.uint8, rows * step, at).reshape(rows, step)
        parts.append(plane[:, :used].tobytes())
        at += rows * step
    return b"".join(parts)


def rate_of(timings: abi.BtTimings) -> Fraction | None:
    """Pictures a second of a digital signal; None where the timings say nothing."""
    across = timings.width + timings.hfrontporch + timings.hsync + timings.hbackporch
    down = timings.height + timings.vfrontporch + timings.vsync + timings.vbackporch
    if timings.interlaced:
        # A frame is two fields, the second with blanking of its own.
        down += timings.il_vfrontporch + timings.il_vsync + timings.il_vbackporch
    return Fraction(timings.pixelclock, across * down) if timings.pixelclock and across * down else None
