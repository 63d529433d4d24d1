"""Interlaced pictures: which field comes first, how fields become pictures, and how wide a pixel of them is."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from hw.base import FieldOrder, PixelFormat
from hw.video.v4l2 import abi
from hw.video.v4l2.formats import COMPRESSED, row_bytes

_ORDERS = {
    abi.FIELD_INTERLACED_TB: FieldOrder.TOP_FIRST,
    abi.FIELD_INTERLACED_BT: FieldOrder.BOTTOM_FIRST,
    abi.FIELD_SEQ_TB: FieldOrder.TOP_FIRST,
    abi.FIELD_SEQ_BT: FieldOrder.BOTTOM_FIRST,
}
SEQUENTIAL = (abi.FIELD_SEQ_TB, abi.FIELD_SEQ_BT)
_APART = (*SEQUENTIAL, abi.FIELD_ALTERNATE)
_PLANAR = (PixelFormat.NV12, PixelFormat.I420)

LINES_525, LINES_625 = 480, 576
_ASPECTS = {LINES_525: Fraction(10, 11), LINES_625: Fraction(59, 54)}
"""Width by height of a pixel where 720 of them make a line (ITU-R BT.601)."""

_SQUARE_ENOUGH = Fraction(3, 100)


def order_of(field: int, *, lines_525: bool) -> FieldOrder:
    """Of a v4l2_field: 525-line video has its bottom field first, everything else the top field (V4L2 API)."""
    if field in (abi.FIELD_INTERLACED, abi.FIELD_ALTERNATE):
        return FieldOrder.BOTTOM_FIRST if lines_525 else FieldOrder.TOP_FIRST
    return _ORDERS.get(field, FieldOrder.PROGRESSIVE)


def can_weave(field: int, pixel: PixelFormat) -> bool:
    """Whether fields that come apart can be made one picture: packed rows only."""
    return field not in _APART or pixel not in (*COMPRESSED, *_PLANAR)


def woven(pixel: PixelFormat, width: int, first: bytes, second: bytes, *, top_first: bool) -> bytes:
    """Two fields of packed rows without padding as one picture; `first` is the earlier."""
    row = row_bytes(pixel, width)
    top, bottom = (first, second) if top_first else (second, first)
    pair = np.stack(
        (np.frombuffer(top, np.uint8).reshape(-1, row), np.frombuffer(bottom, np.uint8).reshape(-1, row)), 1
    )
    return pair.tobytes()


def split(data: bytes) -> tuple[bytes, bytes]:
    """The earlier and the later field of a picture that has one below the other."""
    half = len(data) // 2
    return data[:half], data[half:]


def analogue_aspect(cap: abi.CropCap | None, lines: int, width: int, height: int) -> Fraction:
    """A pixel's width by its height in an analogue picture of that size, `lines` (480, 576) of its standard.

    VIDIOC_CROPCAP's pixelaspect is y / x. Drivers that know none say 1/1: then BT.601's.
    """
    across, down, aspect = 720, lines, _ASPECTS[lines]
    if cap is not None and cap.defrect.width and cap.defrect.height:
        across, down = cap.defrect.width, cap.defrect.height
        told = cap.pixelaspect
        if told.numerator and told.denominator and told.numerator != told.denominator:
            aspect = Fraction(told.denominator, told.numerator)
    return square_if_near(aspect * Fraction(across, width) / Fraction(down, height))


def digital_aspect(timings: abi.BtTimings, cropped: tuple[int, int] | None, width: int, height: int) -> Fraction:
    """The same of a digital signal in a picture of that size, to which the device may have scaled it.

    timings  of the signal, which tell its picture's aspect where its own pixels are not square
    cropped  columns and rows of it that became the picture; None: all
    """
    told, own = timings.picture_aspect, Fraction(1)
    if timings.flags & abi.DV_FL_HAS_PICTURE_ASPECT and told.numerator and told.denominator:
        own = Fraction(told.numerator, told.denominator) / Fraction(timings.width, timings.height)
    across, down = cropped or (timings.width, timings.height)
    return square_if_near(own * Fraction(across, width) / Fraction(down, height))


def square_if_near(aspect: Fraction) -> Fraction:
    """1 where scaling would cost more sharpness than it gives shape."""
    return Fraction(1) if abs(aspect - 1) < _SQUARE_ENOUGH else aspect
