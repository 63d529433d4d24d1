"""HEVC byte streams (ITU-T H.265 Annex B): NAL units and the sequence parameter set. Pure, no decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from smartbox_tui.media.bits import Bits, raw_bytes, units_between
from smartbox_tui.media.vui import UNSPECIFIED, Colour, sample_aspect

NAL_VPS: Final = 32
NAL_SPS: Final = 33
NAL_PPS: Final = 34
NAL_DELIMITER: Final = 35
IRAP: Final = range(16, 24)
"""Pictures that decoding can begin at (table 7-1); IDR are 19 and 20."""
IDR: Final = (19, 20)
PROFILE_MAIN: Final = 1


@dataclass(frozen=True, slots=True)
class Sps:
    """A sequence parameter set (7.3.2.2): what the stream really is.

    profile_idc     general_profile_idc: 1 is Main
    level_idc       general_level_idc: 30 times the level
    high_tier       general_tier_flag
    width, height   luma samples after the conformance window
    fps             of the VUI's timing, None where it has none
    general         the twelve bytes of general profile, tier and level, as `hvcC` has them
    """

    profile_idc: int
    level_idc: int
    high_tier: bool
    width: int
    height: int
    fps: Fraction | None
    chroma: int
    bit_depth: int
    aspect: Fraction | None
    colour: Colour
    progressive: bool
    general: bytes
    sub_layers: int
    nested: bool

    @property
    def full_range(self) -> bool:
        return self.colour.full_range


def nal_units(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """(nal_unit_type, the unit without its start code) of each unit, in order."""
    for unit in units_between(stream):
        yield unit[0] >> 1 & 0x3F, unit


def find_sps(stream: bytes) -> Sps | None:
    """The first sequence parameter set in the stream; None when there is none. Raises ValueError for a torn one."""
    for kind, unit in nal_units(stream):
        if kind == NAL_SPS:
            return parse_sps(unit)
    return None


def starts_gop(unit: bytes) -> bool:
    """Whether an access unit (Annex B) is an IDR picture: what follows can be decoded without what came before."""
    return any(kind in IDR for kind, _ in nal_units(unit))


def parse_sps(unit: bytes) -> Sps:
    """A NAL unit of type 33, without start code. Raises ValueError."""
    data = raw_bytes(unit[2:])
    bits = Bits(data)
    bits.take(4)
    sub_layers, nested = bits.take(3), bits.flag()
    general = data[1:13]
    bits.take(96)
    _skip_sub_layers(bits, sub_layers)
    bits.ue()  # sps_seq_parameter_set_id
    chroma = bits.below(4)
    if chroma == 3:
        bits.take(1)
    width, height = bits.ue(), bits.ue()
    if bits.take(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        across, down = {1: (2, 2), 2: (2, 1)}.get(chroma, (1, 1))
        width, height = width - across * (left + right), height - down * (top + bottom)
    depth = 8 + max(bits.below(9), bits.below(9))
    _skip_to_vui(bits, sub_layers)
    fps, aspect, colour = _vui(bits) if bits.take(1) else (None, None, UNSPECIFIED)
    return Sps(
        profile_idc=general[0] & 31,
        level_idc=general[11],
        high_tier=bool(general[0] & 0x20),
        width=width,
        height=height,
        fps=fps,
        chroma=chroma,
        bit_depth=depth,
        aspect=aspect,
        colour=colour,
        # general_progressive_source_flag, general_interlaced_source_flag: both 0 is unknown, taken for progressive.
        progressive=bool(general[5] & 0x80) or not general[5] & 0x40,
        general=general,
        sub_layers=sub_layers + 1,
        nested=nested,
    )


def _skip_sub_layers(bits: Bits, count: int) -> None:
    """7.3.3 behind the general part."""
    if not count:
        return
    flags = [(bits.take(1), bits.take(1)) for _ in range(8)][:count]
    for profile, level in flags:
        bits.take(88 * profile + 8 * level)


def _skip_to_vui(bits: Bits, sub_layers: int) -> None:
    order = bits.below(13) + 4
    for _ in range(sub_layers + 1 if bits.take(1) else 1):
        bits.ue(), bits.ue(), bits.ue()
    for _ in range(6):  # sizes of coding and transform blocks, depths of the transform hierarchy
        bits.ue()
    if bits.take(1) and bits.take(1):
        _skip_scaling(bits)
    bits.take(2)
    if bits.take(1):  # PCM
        bits.take(8)
        bits.ue(), bits.ue()
        bits.take(1)
    sets: list[list[int]] = []
    for number in range(bits.below(65)):
        sets.append(_reference_set(bits, number, sets))
    if bits.take(1):
        for _ in range(bits.below(33)):
            bits.take(order + 1)
    bits.take(2)


def _skip_scaling(bits: Bits) -> None:
    """7.3.4."""
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not bits.take(1):
                bits.ue()
                continue
            if size > 1:
                bits.se()
            for _ in range(min(64, 1 << 4 + 2 * size)):
                bits.se()


def _reference_set(bits: Bits, number: int, sets: list[list[int]]) -> list[int]:
    """The picture order distances of a short-term set, nearest first, those before the picture first (7.3.7)."""
    if number and bits.take(1):
        sign, size = bits.take(1), bits.below(1 << 15) + 1
        shift = -size if sign else size
        found = set()
        for distance in [*sets[number - 1], 0]:
            used = bits.take(1) or bits.take(1)
            if used and distance + shift:
                found.add(distance + shift)
    else:
        before, after = bits.below(17), bits.below(17)
        found = set()
        for count, way in ((before, -1), (after, 1)):
            distance = 0
            for _ in range(count):
                distance += way * (bits.below(1 << 15) + 1)
                bits.take(1)
                found.add(distance)
    if len(found) > 16:
        raise ValueError("a reference picture set of the sequence parameter set is too large")
    return sorted((item for item in found if item < 0), reverse=True) + sorted(item for item in found if item > 0)


def _vui(bits: Bits) -> tuple[Fraction | None, Fraction | None, Colour]:
    """Frame rate, sample aspect and colour of Annex E.2.1 up to the timing."""
    aspect = sample_aspect(bits)
    if bits.take(1):
        bits.take(1)
    colour = Colour.read(bits)
    if bits.take(1):
        bits.ue(), bits.ue()
    bits.take(3)
    if bits.take(1):
        for _ in range(4):
            bits.ue()
    if not bits.take(1):
        return None, aspect, colour
    tick, scale = bits.take(32), bits.take(32)
    return (Fraction(scale, tick) if tick and scale else None), aspect, colour
