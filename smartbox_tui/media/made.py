"""What a media child has made, as the bitstream itself tells it: the answer to whoever asked for it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

from smartbox_tui.media.examine import Video

_BLOCK: Final = 1 << 20
_RATES: Final = tuple(
    Fraction(rate, unit) for rate in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60) for unit in (1, Fraction(1001, 1000))
)


@dataclass(frozen=True, slots=True)
class Made:
    """The fields of `spool.bitstream.Bitstream` that the child knows.

    dropped, repeated   frames of the source that are not in it, or once more, where the rate had to change
    """

    bytes: int
    media: str
    transfer_syntax_uid: str
    width: int
    height: int
    frames: int
    sampling: str
    sha256: str
    fps_num: int = 0
    fps_den: int = 1
    index: tuple[tuple[int, int], ...] = ()
    dropped: int = 0
    repeated: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def rate_of(video: Video, usual_ticks: int, time_base: Fraction) -> Fraction:
    """Frames a second: as the stream tells, else by the time between most frames; 0 where neither is known."""
    if video.codec and video.fps:
        return video.fps
    if not usual_ticks:
        return Fraction(0)
    measured = 1 / (usual_ticks * time_base)
    nearest = min(_RATES, key=lambda rate: abs(rate - measured))
    return nearest if abs(nearest / measured - 1) < Fraction(1, 500) else measured.limit_denominator(1001)


def sha256_of(file: BinaryIO) -> str:
    """Of the file from its beginning, as it is read back."""
    file.seek(0)
    found = hashlib.sha256()
    while block := file.read(_BLOCK):
        found.update(block)
    return found.hexdigest()


def size_of(path: Path) -> int:
    return path.stat().st_size
