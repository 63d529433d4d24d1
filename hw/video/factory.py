"""The video sources by the name of their kind."""

from __future__ import annotations

from fractions import Fraction

from hw.base import PixelFormat, VideoSource
from hw.video.trim import NOTHING, Trim


def video_source(
    kind: str,
    *,
    key: str,
    name: str,
    device: str,
    width: int,
    height: int,
    fps: Fraction,
    trim: Trim = NOTHING,
    pixel: PixelFormat | None = None,
) -> VideoSource:
    """A source of `kind` "v4l2", "file" or "pattern", not yet opened.

    `device` is a /dev/videoN or a udev identity (v4l2), a path (file), or anything (pattern); size and rate
    are what is asked for, `open` answers what comes; `pixel` names the format that a grabber is to deliver (None:
    the best). Only the pattern trims its pictures itself: what a device delivers is trimmed where it is decoded.
    ValueError for any other kind.
    """
    # Imported here, so that a box with a grabber never loads PyAV into capture for the file source's sake.
    match kind:
        case "pattern":
            from hw.video.pattern import PatternSource

            return PatternSource(key=key, name=name, device=device, width=width, height=height, fps=fps, trim=trim)
        case "file":
            from hw.video.file import FileSource

            return FileSource(key=key, name=name, device=device, width=width, height=height, fps=fps)
        case "v4l2":
            from hw.video.v4l2.device import V4l2Source

            return V4l2Source(key=key, name=name, device=device, width=width, height=height, fps=fps, pixel=pixel)
    raise ValueError(f"unknown kind of video source: {kind!r}")
