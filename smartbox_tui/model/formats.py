"""The sizes and rates that DICOM's video transfer syntaxes allow, and how another picture is fitted in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from smartbox_tui.model import instance
from smartbox_tui.model.instance import MPEG2_HD_SIZES, mpeg2_transfer_syntax

MPEG2_RATES: Final = tuple(Fraction(rate).limit_denominator(1001) for rate in instance.MPEG2_RATES)
"""MPEG2 itself has codes for 24 and 23.976, too, but DICOM does not list them; others cannot be written at all: in
Main Profile frame_rate_extension is 0 (ISO/IEC 13818-2 8.1)."""

H264_41: Final = (8192, 245_760)
H264_42: Final = (8704, 522_240)
"""Macroblocks of a picture, and a second, up to levels 4.1 and 4.2 (ITU-T H.264 table A-1)."""

HEVC_51: Final = (8_912_896, 534_773_760)
"""Luma samples of a picture, and a second, up to level 5.1 (ITU-T H.265 tables A.8 and A.9)."""

_H264_LEVELS: Final = {
    10: (99, 1_485), 11: (396, 3_000), 12: (396, 6_000), 13: (396, 11_880),
    20: (396, 11_880), 21: (792, 19_800), 22: (1_620, 20_250),
    30: (1_620, 40_500), 31: (3_600, 108_000), 32: (5_120, 216_000),
    40: H264_41, 41: H264_41, 42: H264_42,
}  # fmt: skip
"""By level_idc: macroblocks of a picture, and a second (ITU-T H.264 table A-1)."""

_HEVC_LEVELS: Final = {
    30: (36_864, 552_960), 60: (122_880, 3_686_400), 63: (245_760, 7_372_800),
    90: (552_960, 16_588_800), 93: (983_040, 33_177_600),
    120: (2_228_224, 66_846_720), 123: (2_228_224, 133_693_440),
    150: (8_912_896, 267_386_880), 153: HEVC_51,
}  # fmt: skip
"""By general_level_idc: luma samples of a picture, and a second (ITU-T H.265 tables A.8 and A.9)."""

_TOLERANCE: Final = Fraction(1, 2000)
"""Grabbers write 29.97 as 2997/100 or 30000/1001; 30 is twice as far away as that."""


@dataclass(frozen=True, slots=True)
class Format:
    """What is encoded: one frame in `every`, its picture within `width` x `height`, `fps` as the stream has it."""

    width: int
    height: int
    fps: Fraction
    every: int = 1


def h264_format(width: int, height: int, fps: Fraction) -> Format:
    """What level 4.2 holds of a source: a picture too large is made smaller, of too many frames every n-th kept."""
    wide, high = shrunk(width, height, H264_42[0])
    return _thinned(wide, high, fps, H264_42[1] / Fraction(blocks(wide, high)))


def is_level_41(form: Format) -> bool:
    """Whether H.264's level 4.1 holds it, which is ...4.102; else it is 4.2 and ...4.104."""
    size = blocks(form.width, form.height)
    return size <= H264_41[0] and size * form.fps <= H264_41[1]


def level_holds(codec: str, level_idc: int, form: Format) -> bool:
    """Whether a level as the stream tells it allows that size and rate; MPEG2 is told by its transfer syntax."""
    if codec == "mpeg2":
        return True
    levels, size = _H264_LEVELS, blocks(form.width, form.height)
    if codec == "hevc":
        levels, size = _HEVC_LEVELS, form.width * form.height
    most, most_a_second = levels.get(level_idc, (0, 0))
    return size <= most and size * form.fps <= most_a_second * (1 + _TOLERANCE)


def hevc_format(width: int, height: int, fps: Fraction) -> Format:
    """What HEVC's level 5.1 holds of a source, as with H.264."""
    wide, high = shrunk(width, height, HEVC_51[0] // 256)
    return _thinned(wide, high, fps, Fraction(HEVC_51[1], wide * high))


def _thinned(width: int, height: int, fps: Fraction, most: Fraction) -> Format:
    """Of the frames as many as are within `most` a second."""
    every = max(1, math.ceil(fps / most))
    return Format(width, height, fps / every, every)


def mpeg2_format(width: int, height: int, fps: Fraction) -> Format:
    """The legal MPEG2 format that keeps most of a source: all its frames before its size.

    A picture of no legal size goes into the next larger one with black borders, as PS3.5 8.2.6 note 1 says.
    Raises ValueError with a sentence for a rate that cannot be told in MPEG2: no frame is invented.
    """
    for every in range(1, 9):
        rate = _legal_rate(fps / every)
        if rate is None:
            continue
        for wide, high in ((width, height), *MPEG2_HD_SIZES):
            holds = (width <= wide and height <= high) or (wide, high) == MPEG2_HD_SIZES[-1]
            if holds and _is_legal(wide, high, rate):
                return Format(wide, high, rate, every)
    raise ValueError(
        "MPEG2 in DICOM has 25, 29.97, 30, 50, 59.94 or 60 frames a second; "
        f"the source has {round(float(fps), 3):g}"
    )


def _is_legal(width: int, height: int, fps: Fraction) -> bool:
    try:
        mpeg2_transfer_syntax(width, height, float(fps), 0)
    except ValueError:
        return False
    return True


def _legal_rate(fps: Fraction) -> Fraction | None:
    nearest = min(MPEG2_RATES, key=lambda rate: abs(rate - fps))
    return nearest if abs(nearest - fps) <= nearest * _TOLERANCE else None


def exact_rate(fps: float) -> Fraction:
    """29.97 is 30000/1001: the broadcast rates are written rounded."""
    for rate in (24, 30, 48, 60, 120):
        if abs(fps - rate * 1000 / 1001) < 0.005:
            return Fraction(rate * 1000, 1001)
    return Fraction(fps).limit_denominator(1000)


def placed(width: int, height: int, form: Format) -> tuple[int, int, int, int]:
    """(left, top, width, height) of a picture in the middle of the format, scaled down where it does not fit, its
    proportions kept; all even."""
    scale = min(Fraction(1), Fraction(form.width, width), Fraction(form.height, height))
    wide, high = (max(2, int(side * scale) // 2 * 2) for side in (width, height))
    return (form.width - wide) // 4 * 2, (form.height - high) // 4 * 2, wide, high


def blocks(width: int, height: int) -> int:
    """Macroblocks of a picture."""
    return -(-width // 16) * -(-height // 16)


def shrunk(width: int, height: int, most_blocks: int) -> tuple[int, int]:
    """The size itself, or the largest even one of its proportions with at most that many macroblocks."""
    wide, high = width, height
    while blocks(wide, high) > most_blocks:
        wide = wide // 2 * 2 - 2
        high = max(2, height * wide // width // 2 * 2)
    return wide, high
