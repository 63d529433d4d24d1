"""A small JPEG of a picture in the spool: a still scaled down, or the first frame of a clip that can be decoded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from smartbox_tui.errors import SmartBoxError

WIDEST: Final = 960
QUALITY: Final = 88


def write_poster(source: Path, out: Path, width: int = WIDEST) -> None:
    """Writes the JPEG at `out`, which appears whole or not at all; never wider than the picture itself.

    Raises not-found, invalid-object (nothing in it can be decoded); OSError where it cannot be written.
    """
    import av

    if not source.is_file():
        raise SmartBoxError("not-found", f"There is no file {source.name}.", "Has it been released?")
    try:
        frame = _first_frame(source)
    except (av.FFmpegError, ValueError) as exc:
        raise _undecodable(source) from exc
    if frame is None:
        raise _undecodable(source)
    wide = min(width, WIDEST, frame.width)
    high = max(1, round(frame.height * wide / frame.width))
    data = _jpeg(frame, wide, high)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(out)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _first_frame(source: Path) -> Any:
    import av

    with av.open(str(source)) as container:
        if not container.streams.video:
            return None
        stream = container.streams.video[0]
        stream.thread_count = 1
        for packet in container.demux(stream):
            try:
                for frame in packet.decode():
                    return frame
            except av.error.InvalidDataError:
                continue  # a damaged start: the next one perhaps
    return None


def _jpeg(frame: Any, width: int, height: int) -> bytes:
    """RGB first: its levels are full range whatever the stream's are."""
    import numpy as np
    import simplejpeg

    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    plane = small.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(height, plane.line_size)[:, : width * 3]
    pixels = np.ascontiguousarray(rows).reshape(height, width, 3)
    return bytes(simplejpeg.encode_jpeg(pixels, quality=QUALITY, colorspace="RGB"))


def _undecodable(source: Path) -> SmartBoxError:
    return SmartBoxError(
        "invalid-object",
        f"Nothing in {source.name} can be shown.",
        "It is kept; `store check` tells more.",
    )
