"""A picture as half blocks: two pixels a cell, the upper as foreground of ▀, the lower as background.

Lines are made as finished terminal sequences, colours only where they change: Segments with Styles cost seven to
ten times as much. Pure numpy, no Textual.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hw.panel.palette import PALETTE

Pixels = NDArray[np.uint8]
"""rows x columns x 3, RGB."""

HALF: Final = "▀"
RESET: Final = "\x1b[0m"
_PRECISION: Final = 0xFC
"""Six bits a channel: not to be seen, and a third fewer colour changes on the line."""


class Depth(StrEnum):
    TRUE = "truecolor"
    CUBE = "256"
    SIXTEEN = "standard"
    PANEL = "panel"  # sixteen, in the panel's own colours


@dataclass(frozen=True, slots=True)
class Box:
    """Where the picture lies in the widget, in cells across and half cells down."""

    x: int
    y: int
    width: int
    height: int


def fit(width: int, height: int, columns: int, rows: int, cell_aspect: float = 0.5) -> Box:
    """The largest place with the picture's aspect, centred. `cell_aspect` is a cell's width over its height.

    A half cell is 1 / (2 * cell_aspect) as high as a cell is wide. The height is even, so that no cell is half
    picture and half border.
    """
    if width <= 0 or height <= 0 or columns <= 0 or rows <= 0:
        return Box(0, 0, 0, 0)
    per_column = height / width * cell_aspect * 2  # half cells down for each cell across
    across = min(columns, int(rows * 2 / per_column))
    down = min(rows, max(1, round(across * per_column / 2))) * 2
    return Box((columns - across) // 2, (rows - down // 2) // 2 * 2, across, down)


def scale(picture: Pixels, width: int, height: int) -> Pixels:
    """Area average going down, nearest going up."""
    if width <= 0 or height <= 0:
        return np.zeros((max(0, height), max(0, width), 3), np.uint8)
    rows = np.arange(height) * picture.shape[0] // height
    columns = np.arange(width) * picture.shape[1] // width
    if picture.shape[0] <= height or picture.shape[1] <= width:
        return np.asarray(picture[rows[:, None], columns[None, :]])
    # at most about four samples a side: enough against flicker, and a quarter of the time of all pixels
    step = max(1, min(picture.shape[0] // height, picture.shape[1] // width) // 4)
    if step > 1:
        return scale(np.ascontiguousarray(picture[::step, ::step]), width, height)
    heights = np.diff(np.append(rows, picture.shape[0]))
    widths = np.diff(np.append(columns, picture.shape[1]))
    summed = np.add.reduceat(picture, rows, axis=0, dtype=np.uint32)
    summed = np.add.reduceat(summed, columns, axis=1)
    return np.asarray(summed // (heights[:, None, None] * widths[None, :, None]), dtype=np.uint8)


def place(picture: Pixels, box: Box, columns: int, rows: int, border: tuple[int, int, int]) -> Pixels:
    """The picture in its box on a field of rows * 2 x columns, `border` around it."""
    field = np.empty((rows * 2, columns, 3), np.uint8)
    field[:] = border
    field[box.y : box.y + box.height, box.x : box.x + box.width] = scale(picture, box.width, box.height)
    return field


def lines(field: Pixels, depth: Depth = Depth.TRUE) -> list[str]:
    """One string a row of cells: sequences and blocks, reset at its end."""
    foreground: Callable[[int], str]
    background: Callable[[int], str]
    if depth is Depth.TRUE:
        codes = _packed(np.bitwise_and(field, np.uint8(_PRECISION)))
        foreground, background = _true_foreground, _true_background
    elif depth is Depth.CUBE:
        codes = _cube(field)
        foreground, background = _cube_foreground, _cube_background
    else:
        codes = _sixteen(field, depth)
        foreground, background = _sixteen_foreground, _sixteen_background
    out = []
    for upper, lower in zip(codes[0::2].tolist(), codes[1::2].tolist(), strict=True):
        parts: list[str] = []
        add = parts.append
        last_upper = last_lower = -1
        for above, below in zip(upper, lower, strict=True):
            if above == below:
                # one colour: a blank needs the background only
                if below != last_lower:
                    last_lower = below
                    add(background(below))
                add(" ")
                continue
            if above != last_upper:
                last_upper = above
                add(foreground(above))
            if below != last_lower:
                last_lower = below
                add(background(below))
            add(HALF)
        add(RESET)
        out.append("".join(parts))
    return out


def _packed(field: Pixels) -> NDArray[np.uint32]:
    wide = field.astype(np.uint32)
    return np.asarray(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2])


@lru_cache(maxsize=65536)
def _true_foreground(code: int) -> str:
    return f"\x1b[38;2;{code >> 16};{code >> 8 & 255};{code & 255}m"


@lru_cache(maxsize=65536)
def _true_background(code: int) -> str:
    return f"\x1b[48;2;{code >> 16};{code >> 8 & 255};{code & 255}m"


def _cube(field: Pixels) -> NDArray[np.uint32]:
    """xterm's 6 x 6 x 6 cube, whose steps lie at 0, 95, 135, 175, 215, 255."""
    steps = np.digitize(field, (48, 115, 155, 195, 235)).astype(np.uint32)
    return np.asarray(16 + 36 * steps[..., 0] + 6 * steps[..., 1] + steps[..., 2])


@lru_cache(maxsize=256)
def _cube_foreground(code: int) -> str:
    return f"\x1b[38;5;{code}m"


@lru_cache(maxsize=256)
def _cube_background(code: int) -> str:
    return f"\x1b[48;5;{code}m"


STANDARD: Final = (
    (0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170)
)  # fmt: skip
EIGHT: Final = {Depth.SIXTEEN: STANDARD, Depth.PANEL: PALETTE[:8]}
"""The colours that a cell's background can have on the Linux console; the foreground keeps to them too."""
_NIGHT: Final = 36
"""What is so dark has no pattern: the field around a picture."""
_BAYER: Final = (np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) - 7.5) * 6


def _sixteen(field: Pixels, depth: Depth) -> NDArray[np.uint32]:
    """The nearest of eight, with an ordered pattern: shapes stay readable where colours cannot. What is one of the
    eight stays it: the ground of words has no pattern."""
    eight = np.array(EIGHT[depth], np.int32)
    rows, columns = field.shape[:2]
    pattern = np.tile(_BAYER, (rows // 4 + 1, columns // 4 + 1))[:rows, :columns]
    wanted = field.astype(np.int32) + pattern[..., None].astype(np.int32)
    distance = ((wanted[:, :, None, :] - eight[None, None, :, :]) ** 2).sum(axis=3)
    nearest = np.asarray(distance.argmin(axis=2), dtype=np.uint32)
    packed = _packed(field)
    for number, (red, green, blue) in enumerate(EIGHT[depth]):
        nearest[packed == (red << 16 | green << 8 | blue)] = number
    nearest[field.max(axis=2) <= _NIGHT] = 0
    return nearest


def _sixteen_foreground(code: int) -> str:
    return f"\x1b[{30 + code}m"


def _sixteen_background(code: int) -> str:
    return f"\x1b[{40 + code}m"
