"""Which of a device's formats is taken, and how its rows become ours."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hw.base import PixelFormat
from hw.video.v4l2 import abi

# What comes compressed fits through any cable at the full rate; NV12 costs the encoder no conversion, RGB most.
# H.264 is last: its stills are cut out of a film.
PREFERENCE = (
    (abi.fourcc("MJPG"), PixelFormat.MJPEG),
    (abi.fourcc("JPEG"), PixelFormat.MJPEG),
    (abi.fourcc("NV12"), PixelFormat.NV12),
    (abi.fourcc("YUYV"), PixelFormat.YUYV),
    (abi.fourcc("UYVY"), PixelFormat.UYVY),
    (abi.fourcc("YU12"), PixelFormat.I420),
    (abi.fourcc("BGR3"), PixelFormat.BGR24),
    (abi.fourcc("RGB3"), PixelFormat.RGB24),
    (abi.fourcc("H264"), PixelFormat.H264),
)
PIXELS = dict(PREFERENCE)
COMPRESSED = (PixelFormat.MJPEG, PixelFormat.H264)

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
    """V4L2_MAP_QUANTIZATION_DEFAULT: JPEG (JFIF) and RGB are full range, YUV limited unless the driver says."""
    pixel = PIXELS.get(pix.pixelformat)
    if pixel is PixelFormat.MJPEG:
        return True
    if pixel in (PixelFormat.RGB24, PixelFormat.BGR24):
        return bool(pix.quantization != abi.QUANTIZATION_LIM_RANGE)
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
    """Bytes the driver uses for a picture whose first plane has rows of `stride` bytes; of compressed ones some
    drivers tell a stride, too, which says nothing."""
    if pixel in COMPRESSED:
        return picture_bytes(pixel, width, height)
    if pixel in (PixelFormat.NV12, PixelFormat.I420):
        return stride * height + stride * -(-height // 2)
    return picture_bytes(pixel, width, height) if not stride else stride * height


@dataclass(frozen=True, slots=True)
class Offer:
    """What a device answers to a wish in one of its formats; `rate` None where it follows its input."""

    code: int
    width: int
    height: int
    rate: Fraction | None


def best(offers: list[Offer], width: int, height: int, fps: Fraction) -> Offer:
    """The offer that has most of the asked size and rate; among equals the nearest size, then the preference.

    `offers` is not empty. A rate within a hundredth counts as reached (29.97 is 30).
    """
    ranks = {code: rank for rank, (code, _) in enumerate(PREFERENCE)}

    def order(offer: Offer) -> tuple[Fraction, int, int]:
        reached = Fraction(1) if offer.rate is None else min(Fraction(1), offer.rate / fps)
        if reached >= Fraction(99, 100):
            reached = Fraction(1)
        covered = min(Fraction(1), Fraction(offer.width, width)) * min(Fraction(1), Fraction(offer.height, height))
        return -reached * covered, abs(offer.width * offer.height - width * height), ranks[offer.code]

    return min(offers, key=order)


def nearest_rate(rates: list[Fraction], fps: Fraction) -> Fraction | None:
    """The smallest rate that reaches `fps`, else the highest; None where none are told."""
    enough = [rate for rate in rates if rate >= fps * Fraction(99, 100)]
    return min(enough) if enough else max(rates, default=None)


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


def timings_text(timings: abi.BtTimings) -> str:
    """As people name a signal: "1920×1080 60 Hz", "1920×1080i 50 Hz" (fields); empty where it tells nothing."""
    if not (timings.width and timings.height):
        return ""
    interlaced = bool(timings.interlaced)
    rate = rate_of(timings)
    text = f"{timings.width}×{timings.height}{'i' if interlaced else ''}"
    return f"{text} {round(float(rate) * (2 if interlaced else 1), 2):g} Hz" if rate else text
