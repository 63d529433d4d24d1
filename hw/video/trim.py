"""What of a picture nobody is to see: edges that are cut off, rectangles that are black, before any encoding."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hw.base import VideoFormat
from hw.errors import NotSupported

Plane = npt.NDArray[np.uint8]
Rectangle = tuple[int, int, int, int]

SMALLEST = (160, 120)
"""Of what is left over: less is no picture."""


@dataclass(frozen=True, slots=True)
class Trim:
    """`crop` (left, top, right, bottom) is cut off, `masks` (left, top, width, height) are black.

    All in pixels of the whole picture as the device delivers it, the cropped edges even. A mask grows to even
    edges, so that no sample of colour shows a part of what it covers.
    """

    crop: Rectangle = (0, 0, 0, 0)
    masks: tuple[Rectangle, ...] = ()

    def __bool__(self) -> bool:
        return any(self.crop) or bool(self.masks)

    def problem(self, width: int, height: int) -> str:
        """Why it does not fit a picture of that size; empty when it does."""
        left, top, right, bottom = self.crop
        if any(edge % 2 for edge in self.crop):
            return "what is cut off must be even numbers of pixels"
        across, down = width - left - right, height - top - bottom
        if across < SMALLEST[0] or down < SMALLEST[1]:
            return f"of a picture of {width}x{height} the crop leaves less than {SMALLEST[0]}x{SMALLEST[1]}"
        for x, y, columns, rows in self.masks:
            if x + columns > width or y + rows > height:
                return f"the mask {x},{y},{columns},{rows} lies outside the picture of {width}x{height}"
        return ""

    def check(self, form: VideoFormat, path: str) -> None:
        """Raises NotSupported for a picture that it does not fit."""
        if reason := self.problem(form.width, form.height):
            raise NotSupported("open", path, reason, "Correct crop and mask of this source, or its size.")

    def format(self, form: VideoFormat) -> VideoFormat:
        """What is left of a picture of that format."""
        left, top, right, bottom = self.crop
        if not any(self.crop):
            return form
        return replace(form, width=form.width - left - right, height=form.height - top - bottom)

    def covered(self, form: VideoFormat) -> tuple[Rectangle, ...]:
        """(left, top, right, bottom) of the masks, even, in what is left of a picture of that format."""
        left, top, _, _ = self.crop
        kept = self.format(form)
        found = []
        for x, y, columns, rows in self.masks:
            begin = max(0, (x & ~1) - left), max(0, (y & ~1) - top)
            end = (x + columns + 1) & ~1, (y + rows + 1) & ~1
            end = min(kept.width, end[0] - left), min(kept.height, end[1] - top)
            if begin[0] < end[0] and begin[1] < end[1]:
                found.append((*begin, *end))
        return tuple(found)

    def kept(self, plane: Plane, across: int, down: int) -> Plane:
        """A view of a plane of (rows, columns) without the edges; `across` and `down` pixels share a sample."""
        left, top, right, bottom = self.crop
        rows, columns = plane.shape
        return plane[top // down : rows - bottom // down, left // across : columns - right // across]


NOTHING = Trim()
