"""What the usability information of H.264 and HEVC have in common: sample aspect and colour (Annex E of both)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Self

from smartbox_tui.media.bits import Bits

_EXTENDED: Final = 255
_ASPECTS: Final = (
    (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11),
    (80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip
"""aspect_ratio_idc from 1 on (ITU-T H.264 table E-1)."""


@dataclass(frozen=True, slots=True)
class Colour:
    """Code points of ITU-T H.273; 2 is unspecified. `full_range`: black is 0 and white 255."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    full_range: bool = False

    @classmethod
    def read(cls, bits: Bits) -> Self:
        """From video_signal_type_present_flag on. Raises ValueError."""
        if not bits.take(1):
            return cls()
        bits.take(3)
        full_range = bits.flag()
        if not bits.take(1):
            return cls(full_range=full_range)
        return cls(bits.take(8), bits.take(8), bits.take(8), full_range)


UNSPECIFIED: Final = Colour()


def sample_aspect(bits: Bits) -> Fraction | None:
    """From aspect_ratio_info_present_flag on; None where it is not told. Raises ValueError."""
    code = bits.take(8) if bits.take(1) else 0
    if code == _EXTENDED:
        across, down = bits.take(16), bits.take(16)
        return Fraction(across, down) if across and down else None
    return Fraction(*_ASPECTS[code - 1]) if 0 < code <= len(_ASPECTS) else None
