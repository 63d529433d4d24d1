"""Rectangles of cells and of pixels: what lies over what, and where a picture of some shape fits. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple


class Area(NamedTuple):
    """A rectangle; false when there is nothing in it."""

    x: int
    y: int
    width: int
    height: int

    def __bool__(self) -> bool:
        return self.width > 0 and self.height > 0

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def rows(self) -> slice:
        return slice(self.y, self.bottom)

    @property
    def columns(self) -> slice:
        return slice(self.x, self.right)

    def common(self, other: Area) -> Area:
        """What both cover."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        return Area(x, y, min(self.right, other.right) - x, min(self.bottom, other.bottom) - y)

    def smaller(self, by: int) -> Area:
        """Without an edge of that width."""
        return Area(self.x + by, self.y + by, self.width - 2 * by, self.height - 2 * by)

    def larger(self, by: int) -> Area:
        return self.smaller(-by)


NOWHERE: Final = Area(0, 0, 0, 0)


def cut(area: Area, holes: Iterable[Area]) -> list[Area]:
    """What is left of `area` without the holes, in pieces that do not overlap."""
    left = [area] if area else []
    for hole in holes:
        pieces: list[Area] = []
        for each in left:
            over = each.common(hole)
            if not over:
                pieces.append(each)
                continue
            pieces += [
                Area(each.x, each.y, each.width, over.y - each.y),
                Area(each.x, over.bottom, each.width, each.bottom - over.bottom),
                Area(each.x, over.y, over.x - each.x, over.height),
                Area(over.right, over.y, each.right - over.right, over.height),
            ]
        left = [piece for piece in pieces if piece]
    return left


def in_pixels(cells: Area, cell: tuple[int, int]) -> Area:
    """Of an area of cells; `cell` is one's width and height."""
    width, height = cell
    return Area(cells.x * width, cells.y * height, cells.width * width, cells.height * height)


def fit(width: int, height: int, area: Area) -> Area:
    """The largest place of that shape in `area`, in its middle."""
    if width <= 0 or height <= 0 or not area:
        return Area(area.x, area.y, 0, 0)
    across = min(area.width, area.height * width // height)
    down = min(area.height, max(1, round(across * height / width)))
    return Area(area.x + (area.width - across) // 2, area.y + (area.height - down) // 2, across, down)
