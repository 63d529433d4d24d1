"""MPEG2 video (ISO/IEC 13818-2): the sequence header, picture types, and the bounds of its levels. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

PROFILE_MAIN: Final = 4
LEVEL_HIGH: Final = 4
LEVEL_HIGH_1440: Final = 6
LEVEL_MAIN: Final = 8
LEVEL_LOW: Final = 10

FRAME_RATES: Final = {
    1: Fraction(24000, 1001),
    2: Fraction(24),
    3: Fraction(25),
    4: Fraction(30000, 1001),
    5: Fraction(30),
    6: Fraction(50),
    7: Fraction(60000, 1001),
    8: Fraction(60),
}
"""frame_rate_code (table 6-4). There is no code for another rate that Main Profile could use."""

PICTURE: Final = 0x00
SEQUENCE: Final = 0xB3
EXTENSION: Final = 0xB5
GROUP: Final = 0xB8

_NOT_TOLD: Final = 0x3FFFF
_WIDE: Final = 3
_DISPLAY_ASPECTS: Final = {2: Fraction(4, 3), 3: Fraction(16, 9), 4: Fraction(221, 100)}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What Main Profile at a level may have (tables 8-10 to 8-14), and how its frame rates are coded."""

    width: int
    height: int
    fps: int
    samples: int
    """Luminance samples a second."""
    bitrate: int
    vbv_bits: int

    def hold(self, width: int, height: int, fps: Fraction | float) -> bool:
        """Whether a picture of that size at that rate is within them."""
        return (
            width <= self.width
            and height <= self.height
            and fps <= self.fps
            and width * height * fps <= self.samples
        )


BOUNDS: Final = {
    LEVEL_LOW: Bounds(352, 288, 30, 3_041_280, 4_000_000, 475_136),
    LEVEL_MAIN: Bounds(720, 576, 30, 10_368_000, 15_000_000, 1_835_008),
    LEVEL_HIGH_1440: Bounds(1440, 1152, 60, 47_001_600, 60_000_000, 7_340_032),
    LEVEL_HIGH: Bounds(1920, 1152, 60, 62_668_800, 80_000_000, 9_781_248),
}


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence header and its extension (6.2.2.1, 6.2.2.3).

    profile, level   PROFILE_MAIN; LEVEL_MAIN, LEVEL_HIGH ...; with the escape bit set both are 0
    fps              None for a code that the standard forbids
    aspect           of a sample; 1 is square
    bitrate          bits a second, in steps of 400: the bound that the stream keeps; 0 for all ones, not told
    wide             aspect_ratio_information is 0011, a display of 16:9, as PS3.5 8.2.6 wants at High Level
    progressive      progressive_sequence
    """

    profile: int
    level: int
    width: int
    height: int
    fps: Fraction | None
    aspect: Fraction
    bitrate: int
    vbv_bits: int
    progressive: bool
    chroma_420: bool
    low_delay: bool = False
    wide: bool = False


def units(stream: bytes) -> Iterator[tuple[int, int]]:
    """(start code value, offset behind it) of each start code, in order."""
    at = stream.find(b"\0\0\1")
    while 0 <= at < len(stream) - 3:
        yield stream[at + 3], at + 4
        at = stream.find(b"\0\0\1", at + 3)


def find_sequence(stream: bytes) -> Sequence | None:
    """The first sequence header with its extension; None without either, as in MPEG1. Raises ValueError for a torn
    one, or a size of 0."""
    at = stream.find(b"\0\0\1\xb3")
    extension = stream.find(b"\0\0\1\xb5", at + 4) if at >= 0 else -1
    if at < 0 or extension < 0:
        return None
    if extension + 10 > len(stream) or at + 12 > extension:
        raise ValueError("the sequence header ends too early")
    head = int.from_bytes(stream[at + 4 : at + 12], "big")
    more = int.from_bytes(stream[extension + 4 : extension + 10], "big")
    if more >> 44 != 1:  # a picture's or a sequence display extension: MPEG1 has none before it either
        return None
    width = (more >> 31 & 3) << 12 | head >> 52
    height = (more >> 29 & 3) << 12 | head >> 40 & 0xFFF
    if not width or not height:
        raise ValueError("the sequence header tells no size")
    code = head >> 36 & 15
    escaped = more >> 43 & 1
    rate = FRAME_RATES.get(head >> 32 & 15)
    bitrate = (more >> 17 & 0xFFF) << 18 | head >> 14 & 0x3FFFF
    return Sequence(
        profile=0 if escaped else more >> 40 & 7,
        level=0 if escaped else more >> 36 & 15,
        width=width,
        height=height,
        fps=rate * ((more >> 5 & 3) + 1) / ((more & 31) + 1) if rate else None,
        aspect=_DISPLAY_ASPECTS[code] * height / width if code in _DISPLAY_ASPECTS else Fraction(1),
        bitrate=bitrate * 400 if bitrate != _NOT_TOLD else 0,
        vbv_bits=((more >> 8 & 0xFF) << 10 | head >> 3 & 0x3FF) * 16384,
        progressive=bool(more >> 35 & 1),
        chroma_420=more >> 33 & 3 == 1,
        low_delay=bool(more >> 7 & 1),
        wide=code == _WIDE,
    )


def starts_gop(unit: bytes) -> bool:
    """Whether an access unit begins with a sequence header: decoding can begin there."""
    for code, _ in units(unit):
        if code in (SEQUENCE, PICTURE):
            return code == SEQUENCE
    return False


def picture_type(unit: bytes) -> str:
    """I, P or B (6.3.9) of the first picture; empty without one."""
    for code, at in units(unit):
        if code == PICTURE and at + 1 < len(unit):
            return {1: "I", 2: "P", 3: "B"}.get(unit[at + 1] >> 3 & 7, "")
    return ""


def closed_gop(unit: bytes) -> bool | None:
    """closed_gop of the unit's group header (6.3.8); None without one."""
    for code, at in units(unit):
        if code == GROUP and at + 3 < len(unit):
            return bool(unit[at + 3] >> 6 & 1)
    return None


def parameters(unit: bytes) -> bytes:
    """The bytes of the unit's sequence header and its extensions, start codes and all: what an MP4 keeps apart."""
    begin = -1
    for code, at in units(unit):
        if code == SEQUENCE and begin < 0:
            begin = at - 4
        elif begin >= 0 and code in (GROUP, PICTURE):
            return unit[begin : at - 4]
    return b""


def level_for(width: int, height: int, fps: Fraction, bitrate: int) -> int:
    """LEVEL_MAIN where it holds all, else LEVEL_HIGH. Raises ValueError where no level does."""
    for level in (LEVEL_MAIN, LEVEL_HIGH):
        bounds = BOUNDS[level]
        if bounds.hold(width, height, fps) and bitrate <= bounds.bitrate:
            return level
    raise ValueError(f"MPEG2 has no level for {width}x{height} at {float(fps):g} frames/s and {bitrate} bit/s")
