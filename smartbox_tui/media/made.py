"""What a media child has made, as the bitstream itself tells it: the answer to whoever asked for it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

from smartbox_tui.media.examine import Video
from smartbox_tui.media.h264 import PROFILE_HIGH
from smartbox_tui.media.mpeg2 import PROFILE_MAIN
from smartbox_tui.model.instance import h264_transfer_syntax, hevc_transfer_syntax, mpeg2_transfer_syntax

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


def syntax_of(video: Video) -> str:
    """The transfer syntax of a clip, by its sequence header. Raises ValueError with a sentence where none fits."""
    if not video.width:
        raise ValueError("its sequence header is missing")
    if video.turned:
        raise ValueError("it is to be shown rotated or mirrored, which DICOM cannot tell")
    if video.aspect not in (None, 1):
        raise ValueError("its pixels are not square")
    if not video.chroma_420 or video.bit_depth != 8:
        raise ValueError("its samples are not 4:2:0 with 8 bits")
    if video.codec == "h264":
        if video.profile != PROFILE_HIGH:
            raise ValueError(f"its H.264 profile is {video.profile}, not High")
        return h264_transfer_syntax(video.level)
    if video.codec == "hevc":
        return hevc_transfer_syntax(video.profile, video.level)
    if video.profile != PROFILE_MAIN:
        raise ValueError(f"its MPEG2 profile is {video.profile}, not Main")
    if video.fps is None:
        raise ValueError("its frame rate has no code")
    return mpeg2_transfer_syntax(video.width, video.height, float(video.fps), video.bitrate or 0)


def syntax_or_none(video: Video) -> str:
    """`syntax_of`, empty for what has none."""
    try:
        return syntax_of(video)
    except ValueError:
        return ""


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
