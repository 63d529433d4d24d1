"""From a panel's own axes to the screen: how it is turned, and what four taps have told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

Point = tuple[float, float]
"""0.0 to 1.0 from left to right and from top to bottom."""

CONTRADICTION: Final = 0.02
"""How far a tap may lie from where all four together put it. One tap beside its cross by 8 % of the screen, with
the other three right, leaves 2 % at each: a thumb's width on a panel of ten inches."""
AIM: Final = 0.05
"""How far the tap that tries the calibration may lie from its cross: half a button."""
_LARGEST: Final = 10.0
_THINNEST: Final = 0.05
"""Of the screen's area: panels whose taps cover less of their axes are no panels, or the taps were one."""


class TapsRefused(ValueError):
    """The taps give no calibration."""


class TapsContradict(TapsRefused):
    """At least one was not on its cross."""


class TapsTogether(TapsRefused):
    """They lie too close together, or in a line."""


@dataclass(frozen=True, slots=True)
class Affine:
    """x' = a*x + b*y + c, y' = d*x + e*y + f; the six numbers of the setting `panel.calibration`."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 1.0
    f: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Affine:
        """Of the setting; empty: none. ValueError for anything but six numbers."""
        if not text:
            return cls()
        numbers = [float(part) for part in text.split(",")]
        if len(numbers) != 6:
            raise ValueError("a calibration has six numbers")
        return cls(*numbers)

    @property
    def text(self) -> str:
        numbers = (self.a, self.b, self.c, self.d, self.e, self.f)
        return ",".join(f"{number:.5f}" for number in numbers)

    def __call__(self, point: Point) -> Point:
        x, y = point
        return self.a * x + self.b * y + self.c, self.d * x + self.e * y + self.f


def turned(point: Point, degrees: int) -> Point:
    """Where a touch lies when the panel is turned clockwise by 0, 90, 180 or 270 degrees. ValueError for others."""
    x, y = point
    match degrees:
        case 0:
            return x, y
        case 90:
            return 1 - y, x
        case 180:
            return 1 - x, 1 - y
        case 270:
            return y, 1 - x
    raise ValueError(f"a panel is turned by 0, 90, 180 or 270 degrees, not by {degrees}")


def fitted(taps: Sequence[Point], crosses: Sequence[Point]) -> Affine:
    """What puts each tap on its cross, by least squares. Raises TapsTogether or TapsContradict."""
    rows = np.array([(x, y, 1.0) for x, y in taps])
    aims = np.array(crosses)
    if len(rows) < 3 or np.linalg.matrix_rank(rows, tol=0.05) < 3:
        raise TapsTogether
    found, _, _, _ = np.linalg.lstsq(rows, aims, rcond=None)
    numbers = found.T.ravel()
    area = abs(numbers[0] * numbers[4] - numbers[1] * numbers[3])
    if np.abs(numbers).max() > _LARGEST or area > 1 / _THINNEST:
        raise TapsTogether
    beside = np.abs(rows @ found - aims).max()
    if beside > CONTRADICTION or area < _THINNEST:
        raise TapsContradict
    return Affine(*(float(number) for number in numbers))


def hits(point: Point, cross: Point) -> bool:
    """Whether a calibrated tap lies on a cross as near as a gloved finger aims."""
    return max(abs(point[0] - cross[0]), abs(point[1] - cross[1])) <= AIM


@dataclass(frozen=True, slots=True)
class Grid:
    """Character cells on the panel. `width`, `height`: the share of the panel that they cover: a picture that is no
    whole number of cells leaves an edge."""

    columns: int
    rows: int
    width: float = 1.0
    height: float = 1.0

    @classmethod
    def on(cls, columns: int, rows: int, pixels: tuple[int, int] | None) -> Grid:
        """`pixels`: width and height of the panel's picture; None: not known, then the cells cover all of it."""
        if pixels is None or not (columns and rows):
            return cls(columns, rows)
        across = _side(pixels[0], columns, _WIDTHS) * columns / pixels[0]
        down = _side(pixels[1], rows, _HEIGHTS) * rows / pixels[1]
        return cls(columns, rows, min(1.0, across), min(1.0, down))

    def cell(self, point: Point) -> Point:
        """Column and row, with their fractions, kept on the screen."""
        x, y = point[0] / self.width * self.columns, point[1] / self.height * self.rows
        return min(max(x, 0.0), self.columns - 0.01), min(max(y, 0.0), self.rows - 0.01)

    def middle(self, column: int, row: int) -> Point:
        """Where the middle of a cell lies on the panel."""
        return (column + 0.5) / self.columns * self.width, (row + 0.5) / self.rows * self.height


_WIDTHS: Final = (16, 12, 8)
_HEIGHTS: Final = (32, 24, 16, 14, 8)


def _side(pixels: int, cells: int, known: Sequence[int]) -> int:
    """A cell's side in pixels: the known letters' size that gives so many cells, else as many pixels as fit."""
    return next((side for side in known if pixels // side == cells), max(1, pixels // cells))
