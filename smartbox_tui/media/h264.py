"""H.264 byte streams (ITU-T H.264 Annex B): NAL units and the sequence parameter set. Pure, no decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

NAL_IDR: Final = 5
NAL_SPS: Final = 7
PROFILE_HIGH: Final = 100

_START: Final = b"\x00\x00\x01"
_CHROMA_PROFILES: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_EXTENDED_SAR: Final = 255


@dataclass(frozen=True, slots=True)
class Sps:
    """A sequence parameter set (7.3.2.1.1): what the stream really is, whatever the encoder was asked for.

    width, height   luma samples after cropping
    fps             of the VUI's timing, None where it has none
    full_range      of the VUI's video_full_range_flag
    """

    profile_idc: int
    level_idc: int
    width: int
    height: int
    fps: Fraction | None = None
    full_range: bool = False


def nal_units(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """(nal_unit_type, the unit without its start code) of each unit, in order."""
    at = stream.find(_START)
    while at >= 0:
        start = at + 3
        at = stream.find(_START, start)
        unit = stream[start : at if at >= 0 else len(stream)].rstrip(b"\x00")
        if unit:
            yield unit[0] & 0x1F, unit


def find_sps(stream: bytes) -> Sps | None:
    """The first sequence parameter set in the stream; None when there is none. Raises ValueError for a torn one."""
    for kind, unit in nal_units(stream):
        if kind == NAL_SPS:
            return parse_sps(unit)
    return None


def parse_sps(unit: bytes) -> Sps:
    """A NAL unit of type 7, without start code. Raises ValueError."""
    bits = _Bits(unit[1:].replace(b"\x00\x00\x03", b"\x00\x00"))
    profile, _flags, level = bits.take(8), bits.take(8), bits.take(8)
    bits.ue()  # seq_parameter_set_id
    chroma = 1
    if profile in _CHROMA_PROFILES:
        chroma = bits.ue()
        if chroma == 3:
            bits.take(1)
        bits.ue()  # bit_depth_luma_minus8
        bits.ue()  # bit_depth_chroma_minus8
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
    fps, full_range = _vui(bits) if bits.take(1) else (None, False)
    return Sps(
        profile_idc=profile,
        level_idc=level,
        width=across * 16 - unit_x * (left + right),
        height=down * 16 * (2 - frames_only) - unit_y * (top + bottom),
        fps=fps,
        full_range=full_range,
    )


def _skip_scaling(bits: _Bits, count: int) -> None:
    for index in range(count):
        if not bits.take(1):
            continue
        last, following = 8, 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.se()) % 256
            last = following or last


def _skip_order_count(bits: _Bits) -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.take(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue()):
            bits.se()


def _vui(bits: _Bits) -> tuple[Fraction | None, bool]:
    """Annex E.1.1 up to the timing."""
    if bits.take(1) and bits.take(8) == _EXTENDED_SAR:
        bits.take(32)
    if bits.take(1):
        bits.take(1)
    full_range = False
    if bits.take(1):
        bits.take(3)
        full_range = bool(bits.take(1))
        if bits.take(1):
            bits.take(24)
    if bits.take(1):
        bits.ue()
        bits.ue()
    if not bits.take(1):
        return None, full_range
    tick, scale = bits.take(32), bits.take(32)
    # A tick is a field: two make a frame (E.2.1).
    return (Fraction(scale, 2 * tick) if tick else None), full_range


class _Bits:
    """Reads bits, most significant first; ValueError past the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("the sequence parameter set ends too early")
        return self._value >> self._left & ((1 << count) - 1)

    def ue(self) -> int:
        """Exp-Golomb, unsigned (9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("not an Exp-Golomb code")
        return (1 << zeros) - 1 + self.take(zeros)

    def se(self) -> int:
        """Exp-Golomb, signed (9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)
