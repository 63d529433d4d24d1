"""JPEGs to plain pixels, for an archive that takes no JPEG: interleaved 8-bit rows, frame after frame."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.made import Made
from smartbox_tui.media.units import Bounded
from smartbox_tui.model.instance import EXPLICIT_VR_LE

_PIXELS_MAX: Final = 1 << 28
"""A picture of more is damaged, whatever its header says: decoding it would take gigabytes."""

_COLOURS: Final = {"Gray": ("GRAY", 1, "grey"), "YCbCr": ("RGB", 3, "rgb"), "RGB": ("RGB", 3, "rgb")}


def read_index(text: str) -> list[tuple[int, int]]:
    """(offset, length) of each frame: a JSON list of pairs. Raises SmartBoxError bad-value."""
    try:
        found = [(int(at), int(length)) for at, length in json.loads(text)]
    except (ValueError, TypeError) as exc:
        raise SmartBoxError(
            "bad-value", "That is no index of frames.", "A JSON list: [[offset, length], ...]."
        ) from exc
    if not found or any(at < 0 or length <= 0 for at, length in found):
        raise SmartBoxError("bad-value", "That index has no frames.", "A JSON list: [[offset, length], ...].")
    return found


def decode(source: Path, length: int | None, index: Sequence[tuple[int, int]], file: BinaryIO) -> Made:
    """Writes the pixels of the JPEGs at `index` (none: the whole file is one) in the first `length` bytes of
    `source` into `file`; all have the size of the first.

    Raises SmartBoxError: not-found, invalid-object (damaged, or not all alike); OSError.
    """
    try:
        opened = Bounded(source, source.stat().st_size if length is None else length)
    except OSError as exc:
        raise SmartBoxError("not-found", f"There is no file {source.name}.", "Has it been released?") from exc
    found = hashlib.sha256()
    first: tuple[int, int, str] | None = None
    size = 0
    with opened:
        for number, (at, count) in enumerate(index or [(0, opened.length)]):
            data = opened.at(at, count)
            if len(data) < count or not data:
                raise _damaged(source, number, "it is cut off")
            pixels, form = _pixels(source, number, data)
            first = first or form
            if form != first:
                raise _damaged(source, number, "it has not the size of the others")
            file.write(pixels)
            found.update(pixels)
            size += pixels.nbytes
    assert first is not None
    return Made(
        bytes=size,
        media="rgb",
        transfer_syntax_uid=EXPLICIT_VR_LE,
        width=first[0],
        height=first[1],
        frames=len(index) or 1,
        sampling=first[2],
        sha256=found.hexdigest(),
    )


def _pixels(source: Path, number: int, data: bytes) -> tuple[Any, tuple[int, int, str]]:
    import simplejpeg

    try:
        high, wide, colour, _sampling = simplejpeg.decode_jpeg_header(data)
        if colour not in _COLOURS or wide * high > _PIXELS_MAX:
            raise ValueError("it is no picture of this box")
        space, _samples, word = _COLOURS[colour]
        return memoryview(simplejpeg.decode_jpeg(data, colorspace=space)).cast("B"), (wide, high, word)
    except (ValueError, OSError) as exc:
        raise _damaged(source, number, "it cannot be decoded whole") from exc


def _damaged(source: Path, number: int, why: str) -> SmartBoxError:
    return SmartBoxError(
        "invalid-object",
        f"Picture {number + 1} in {source.name} cannot be used: {why}.",
        "The file itself is kept as it is.",
    )
