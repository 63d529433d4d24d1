"""What a stream is, as its own headers tell it: its transfer syntax, and whether the box made it as planned."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from smartbox_tui.media import h264, hevc, mpeg2
from smartbox_tui.media.examine import Video, sequence
from smartbox_tui.model.formats import Format, level_holds
from smartbox_tui.model.instance import (
    MPEG2_MPHL,
    MPEG2_MPML,
    h264_transfer_syntax,
    hevc_transfer_syntax,
    mpeg2_transfer_syntax,
)

_MPEG2_LEVELS: Final = {MPEG2_MPML: mpeg2.LEVEL_MAIN, MPEG2_MPHL: mpeg2.LEVEL_HIGH}
_RATE_TOLERANCE: Final = 0.0005
"""Grabbers say 10000000/333333 for 30: a stream's header may round that. 29.97 is twice as far away."""


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
        if video.profile != h264.PROFILE_HIGH:
            raise ValueError(f"its H.264 profile is {video.profile}, not High")
        return h264_transfer_syntax(video.level)
    if video.codec == "hevc":
        return hevc_transfer_syntax(video.profile, video.level)
    if video.profile != mpeg2.PROFILE_MAIN:
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


@dataclass(frozen=True, slots=True)
class Told:
    """`fps` None where the stream does not tell it; `level` as the codec writes it."""

    width: int
    height: int
    fps: Fraction | None
    transfer_syntax_uid: str
    codec: str
    level: int

    def check(self, plan: Format) -> None:
        """Raises ValueError with a sentence where it has another size or rate, or a level too low for them."""
        if (self.width, self.height) != (plan.width, plan.height):
            raise ValueError(f"it has {self.width}x{self.height} instead of {plan.width}x{plan.height} pixels")
        if self.fps is None:
            raise ValueError("it does not tell its frame rate")
        if abs(self.fps / plan.fps - 1) > _RATE_TOLERANCE:
            raise ValueError(f"it has {float(self.fps):g} instead of {float(plan.fps):g} frames a second")
        if not level_holds(self.codec, self.level, plan):
            raise ValueError(f"its level {self.level} is too low for its size and rate")


def told(codec: str, unit: bytes) -> Told:
    """Of an access unit (Annex B) with parameter sets, made by the box. Raises ValueError as `own` does."""
    return own(sequence(codec, unit))


def own(video: Video) -> Told:
    """Of what the box's encoder made, which keeps to more than `syntax_of` demands of others.

    Raises ValueError with a sentence: no parameter sets, no transfer syntax, or MPEG2 of another level, buffer or
    aspect than PS3.5 8.2.5 and 8.2.6 say.
    """
    syntax = syntax_of(video)
    if video.codec == "mpeg2":
        level = _MPEG2_LEVELS[syntax]
        if video.level != level:
            raise ValueError(f"its MPEG2 level is {video.level}, not {level}")
        if video.vbv_bits > mpeg2.BOUNDS[level].vbv_bits:
            raise ValueError(f"its buffer of {video.vbv_bits} bits is larger than its level allows")
        if syntax == MPEG2_MPHL and not video.wide:
            raise ValueError("its display aspect is not told as 16:9")
    return Told(video.width, video.height, video.fps, syntax, video.codec, video.level)


def starts_gop(codec: str, unit: bytes) -> bool:
    """Whether decoding can begin with this access unit: an IDR picture, for MPEG2 a sequence header."""
    match codec:
        case "mpeg2":
            return mpeg2.starts_gop(unit)
        case "hevc":
            return hevc.starts_gop(unit)
        case _:
            return h264.starts_gop(unit)
