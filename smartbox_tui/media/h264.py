"""H.264 byte streams (ITU-T H.264 Annex B): NAL units and the sequence parameter set. Pure, no decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from smartbox_tui.media.bits import Bits, raw_bytes, units_between
from smartbox_tui.media.vui import UNSPECIFIED, Colour, sample_aspect

NAL_IDR: Final = 5
NAL_SPS: Final = 7
NAL_PPS: Final = 8
NAL_DELIMITER: Final = 9
PROFILE_HIGH: Final = 100

_CHROMA_PROFILES: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


@dataclass(frozen=True, slots=True)
class Sps:
    """A sequence parameter set (7.3.2.1.1): what the stream really is, whatever the encoder was asked for.

    width, height   luma samples after cropping
    fps             of the VUI's timing, None where it has none
    full_range      of the VUI's video_full_range_flag
    progressive     frame_mbs_only_flag: no field, no field pair can be coded
    chroma          chroma_format_idc: 1 is 4:2:0
    aspect          of a sample, None where it is not told
    """

    profile_idc: int
    level_idc: int
    width: int
    height: int
    fps: Fraction | None = None
    full_range: bool = False
    progressive: bool = True
    chroma: int = 1
    bit_depth: int = 8
    aspect: Fraction | None = None
    colour: Colour = UNSPECIFIED


def nal_units(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """(nal_unit_type, the unit without its start code) of each unit, in order."""
    for unit in units_between(stream):
        yield unit[0] & 0x1F, unit


def find_sps(stream: bytes) -> Sps | None:
    """The first sequence parameter set in the stream; None when there is none. Raises ValueError for a torn one."""
    for kind, unit in nal_units(stream):
        if kind == NAL_SPS:
            return parse_sps(unit)
    return None


def parse_sps(unit: bytes) -> Sps:
    """A NAL unit of type 7, without start code. Raises ValueError."""
    bits = Bits(raw_bytes(unit[1:]))
    profile, _flags, level = bits.take(8), bits.take(8), bits.take(8)
    bits.ue()  # seq_parameter_set_id
    chroma, depth = 1, 8
    if profile in _CHROMA_PROFILES:
        chroma = bits.below(4)
        if chroma == 3:
            bits.take(1)
        depth = 8 + max(bits.below(7), bits.below(7))
        bits.take(1)
        if bits.take(1):
            _skip_scaling(bits, 8 if chroma != 3 else 12)
    bits.ue()  # log2_max_frame_num_minus4
    _skip_order_count(bits)
    bits.ue()  # max_num_ref_frames
    bits.take(1)
    across, down = bits.ue() + 1, bits.ue() + 1
    frames_only = bits.take(1)
    if not frames_only:
        bits.take(1)
    bits.take(1)
    left = right = top = bottom = 0
    if bits.take(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
    unit_x = 2 if chroma in (1, 2) else 1
    unit_y = (2 if chroma == 1 else 1) * (2 - frames_only)
    fps, aspect, colour = _vui(bits) if bits.take(1) else (None, None, UNSPECIFIED)
    return Sps(
        profile_idc=profile,
        level_idc=level,
        width=across * 16 - unit_x * (left + right),
        height=down * 16 * (2 - frames_only) - unit_y * (top + bottom),
        fps=fps,
        full_range=colour.full_range,
        progressive=bool(frames_only),
        chroma=chroma,
        bit_depth=depth,
        aspect=aspect,
        colour=colour,
    )


def starts_gop(unit: bytes) -> bool:
    """Whether an access unit (Annex B) is an IDR picture: what follows can be decoded without what came before."""
    return any(kind == NAL_IDR for kind, _ in nal_units(unit))


def _skip_scaling(bits: Bits, count: int) -> None:
    for index in range(count):
        if not bits.take(1):
            continue
        last, following = 8, 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.se()) % 256
            last = following or last


def _skip_order_count(bits: Bits) -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.take(1)
        bits.se()
        bits.se()
        for _ in range(bits.below(256)):
            bits.se()


def _vui(bits: Bits) -> tuple[Fraction | None, Fraction | None, Colour]:
    """Frame rate, sample aspect and colour of Annex E.1.1 up to the timing."""
    aspect = sample_aspect(bits)
    if bits.take(1):
        bits.take(1)
    colour = Colour.read(bits)
    if bits.take(1):
        bits.ue()
        bits.ue()
    if not bits.take(1):
        return None, aspect, colour
    tick, scale = bits.take(32), bits.take(32)
    # A tick is a field: two make a frame (E.2.1).
    return (Fraction(scale, 2 * tick) if tick and scale else None), aspect, colour
