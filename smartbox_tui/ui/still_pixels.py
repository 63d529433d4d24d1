"""Pictures that were taken as pixels in the framebuffer: scaled once for their place, drawn there as often as text
came over them. No thread of its own: see live_pixels."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hw.panel.framebuffer import Packing
from hw.panel.packing import Packed, Packer, Pixels
from smartbox_tui.ui.pixel_places import Area, cut, fit, in_pixels

_AT_ONCE_S: Final = 0.02
"""So long pictures are scaled before those that are ready are drawn."""


@dataclass(frozen=True, slots=True)
class Still:
    """A picture in its cells. `name` tells it from all others; `free` are the parts of `area` that nothing lies
    over. Areas count from the terminal's upper left."""

    name: str
    area: Area
    free: tuple[Area, ...]
    picture: Pixels = field(compare=False, repr=False)

    def box(self, cell: tuple[int, int]) -> Area:
        """Where the picture lies, in pixels."""
        height, width = self.picture.shape[:2]
        return fit(width, height, in_pixels(self.area, cell))


class StillPixels:
    """Keeps what is on the screen now, and nothing else."""

    def __init__(self) -> None:
        self._ready: dict[tuple[str, Packing, int, int], Packed] = {}

    def prepare(self, stills: Sequence[Still], packing: Packing, cell: tuple[int, int]) -> None:
        """Scales those that are not ready yet, as many as there is time for: at least one."""
        ready = {}
        began = time.monotonic()
        for still in stills:
            box = still.box(cell)
            key = (still.name, packing, box.width, box.height)
            packed = self._ready.get(key)
            if packed is None and box and time.monotonic() - began < _AT_ONCE_S:
                packer = Packer(packing, box.width, box.height, box.width, box.height)
                packed = packer.pack(resized(still.picture, box.width, box.height))
            if packed is not None:
                ready[key] = packed
        self._ready = ready

    def layers(
        self, still: Still, packing: Packing, cell: tuple[int, int], bar: Packed
    ) -> list[tuple[Area, Packed]] | None:
        """What is to be painted in its place: bars and picture. None while it is not ready."""
        box = still.box(cell)
        packed = self._ready.get((still.name, packing, box.width, box.height))
        if packed is None:
            return None if box else []
        return [(each, bar) for each in cut(in_pixels(still.area, cell), [box])] + [(box, packed)]


def paint(pixels: NDArray[Any], layers: Iterable[tuple[Area, Packed]], parts: Sequence[Area]) -> None:
    """Draws the layers, the last one uppermost, where they lie in one of the parts: a colour for a whole area, or a
    picture of its size. `pixels` as Framebuffer.pixels gives them."""
    deep = pixels.ndim
    for box, content in layers:
        for part in parts:
            if seen := part.common(box):
                if content.ndim == deep:
                    over = content[seen.y - box.y : seen.bottom - box.y, seen.x - box.x : seen.right - box.x]
                    pixels[seen.rows, seen.columns] = over
                else:
                    pixels[seen.rows, seen.columns] = content


def resized(picture: Pixels, width: int, height: int) -> Pixels:
    """Halved as often as it is twice as large, the rest linearly between neighbours: no line is left out."""
    rows = _along(picture, height)
    return np.ascontiguousarray(_along(rows.transpose(1, 0, 2), width).transpose(1, 0, 2))


def _along(picture: Pixels, count: int) -> Pixels:
    """The first axis, to so many pixels."""
    while picture.shape[0] >= 2 * count:
        even = picture[: picture.shape[0] // 2 * 2]
        picture = (((even[::2].astype(np.uint16) + even[1::2]) + 1) >> 1).astype(np.uint8)
    size = picture.shape[0]
    if size == count:
        return picture
    middles = np.clip((np.arange(count) + 0.5) * (size / count) - 0.5, 0, size - 1)
    lower = middles.astype(np.intp)
    share = ((middles - lower) * 256).astype(np.uint16)[:, None, None]  # 16 bits: 255 x 256 and the half fit
    both = picture[lower] * (256 - share)
    both += picture[np.minimum(lower + 1, size - 1)] * share
    both += 128
    both >>= 8
    return np.asarray(both, np.uint8)
