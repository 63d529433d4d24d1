"""Draws the console's font: letters from an outline font by Pillow, lines and blocks by arithmetic, so that they
meet at the edges of their cells. Only for building: nothing imports it at run time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hw.panel import glyphs
from hw.panel.psf import Font

SIZES: Final = {"8x16": 13, "12x24": 20, "16x32": 26}
"""The outline font's size in pixels for each: the largest whose letters fit."""
OUTLINES: Final = tuple(
    Path(folder, "DejaVuSansMono.ttf")
    for folder in ("/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/dejavu", "/usr/share/fonts/TTF")
)
Cell = NDArray[np.bool_]


def outline() -> Path | None:
    """The outline font where distributions have it."""
    return next((path for path in OUTLINES if path.is_file()), None)


def build(size: str, ttf: Path) -> Font:
    """The font of a size of SIZES. Raises OSError for an outline font that cannot be read, ImportError without
    Pillow."""
    from PIL import ImageFont

    width, height = (int(part) for part in size.split("x"))
    face = ImageFont.truetype(str(ttf), SIZES[size], layout_engine=ImageFont.Layout.BASIC)
    cells = [_cell(sign, width, height, face) for sign in glyphs.GLYPHS]
    return Font(width, height, tuple(_packed(cell) for cell in cells), glyphs.UNICODE)


def _packed(cell: Cell) -> bytes:
    return np.packbits(cell, axis=1).tobytes()


def _cell(sign: str, width: int, height: int, face: Any) -> Cell:
    if sign in glyphs.BLOCKS:
        return block(sign, width, height)
    if sign in glyphs.LINES:
        arms = glyphs.arms(sign)
        return lines(arms, width, height) if arms else arc(sign, width, height)
    own = _SIGNS.get(sign)
    return own(width, height) if own else _letter(sign, width, height, face)


def _letter(sign: str, width: int, height: int, face: Any) -> Cell:
    from PIL import Image, ImageDraw

    image = Image.new("1", (width, height), 0)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1"
    up, down = face.getmetrics()
    base = (height - up - down) // 2 + up
    left = round((width - face.getlength(sign)) / 2)
    # what reaches out of the cell (d with a caron, l with an acute) moves its letter: it must not be lost
    _, top, right, _ = face.getbbox(sign, mode="1", anchor="ls")
    left -= max(0, min(left + right - width, width // 8))
    base += max(0, min(-top - base, height // 8))
    draw.text((left, base), sign, font=face, fill=1, anchor="ls")
    return np.asarray(image, np.bool_)


def block(sign: str, width: int, height: int) -> Cell:
    """Block elements, U+2580 to U+259F."""
    cell = np.zeros((height, width), np.bool_)
    number = ord(sign)
    rows, columns = np.mgrid[0:height, 0:width]
    if number == 0x2580:
        cell[: height // 2] = True
    elif number <= 0x2588:
        cell[height - height * (number - 0x2580) // 8 :] = True
    elif number <= 0x258F:
        cell[:, : width * (0x2590 - number) // 8] = True
    elif number == 0x2590:
        cell[:, width // 2 :] = True
    elif number == 0x2591:
        cell[(rows % 2 == 0) & (columns % 4 == rows % 4)] = True
    elif number == 0x2592:
        cell[(rows + columns) % 2 == 0] = True
    elif number == 0x2593:
        cell[~((rows % 2 == 0) & (columns % 4 == rows % 4))] = True
    elif number == 0x2594:
        cell[: height // 8] = True
    elif number == 0x2595:
        cell[:, width - width // 8 :] = True
    else:
        quarters = {0x2596: 4, 0x2597: 8, 0x2598: 1, 0x2599: 13, 0x259A: 9, 0x259B: 7, 0x259C: 11, 0x259D: 2}
        bits = {**quarters, 0x259E: 6, 0x259F: 14}[
            number
        ]  # upper left 1, upper right 2, lower left 4, lower right 8
        for bit, (down, right) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            if bits >> bit & 1:
                top, left = down * (height // 2), right * (width // 2)
                cell[top : top + height // 2, left : left + width // 2] = True
    return cell


def _stroke(width: int) -> int:
    return max(1, (width + 4) // 8)


def _middle(size: int, thick: int) -> int:
    return (size - thick) // 2


def lines(arms: tuple[int, int, int, int], width: int, height: int) -> Cell:
    """Straight lines from the middle to the edges; see glyphs.arms."""
    light = _stroke(width)
    weight = max(arms)
    thick = {1: light, 2: 2 * light, 3: 3 * light}[weight]
    cell = _bars(arms, width, height, thick, 0)
    if weight == 3:
        cell &= ~_bars(arms, width, height, light, light)
    return cell


def _bars(arms: tuple[int, int, int, int], width: int, height: int, thick: int, back: int) -> Cell:
    """Each arm from the far side of the square where they meet; `back`: from so much less far."""
    cell = np.zeros((height, width), np.bool_)
    left, right, up, down = arms
    x, y = _middle(width, thick + 2 * back) + back, _middle(height, thick + 2 * back) + back
    if left:
        cell[y : y + thick, : x + thick] = True
    if right:
        cell[y : y + thick, x:] = True
    if up:
        cell[: y + thick, x : x + thick] = True
    if down:
        cell[y:, x : x + thick] = True
    return cell


def arc(sign: str, width: int, height: int) -> Cell:
    """A rounded corner whose ends meet the straight lines."""
    thick = _stroke(width)
    x, y = _middle(width, thick) + thick / 2, _middle(height, thick) + thick / 2
    right, down = sign in "╭╰", sign in "╭╮"
    radius = (width - x) if right else x
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    centre_x, centre_y = (x + radius if right else x - radius), (y + radius if down else y - radius)
    distance = np.hypot(columns - centre_x, rows - centre_y)
    inside = (columns <= centre_x if right else columns >= centre_x) & (
        rows <= centre_y if down else rows >= centre_y
    )
    cell = inside & (np.abs(distance - radius) <= thick / 2)
    straight = (np.abs(columns - x) < thick / 2) & (rows > centre_y if down else rows < centre_y)
    return np.asarray(cell | straight, np.bool_)


def _square(width: int, height: int) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Coordinates from the middle of the small letters, and half a side of what stands there."""
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    return columns - width / 2, rows - height * 0.53, width / 2 - max(0.5, width / 16)


def _disc(width: int, height: int) -> Cell:
    x, y, half = _square(width, height)
    return np.asarray(np.hypot(x, y) <= half, np.bool_)


def _ring(width: int, height: int) -> Cell:
    x, y, half = _square(width, height)
    return np.asarray((np.hypot(x, y) <= half) & (np.hypot(x, y) > half - _stroke(width)), np.bool_)


def _stop(width: int, height: int) -> Cell:
    x, y, half = _square(width, height)
    return np.asarray(np.maximum(np.abs(x), np.abs(y)) <= half * 0.88, np.bool_)


def _pause(width: int, height: int) -> Cell:
    x, y, half = _square(width, height)
    return np.asarray((np.abs(y) <= half) & (np.abs(x) <= half * 0.9) & (np.abs(x) > half * 0.3), np.bool_)


def _play(width: int, height: int) -> Cell:
    x, y, half = _square(width, height)
    return np.asarray((x >= -half * 0.8) & (x + half * 0.8 <= (half - np.abs(y)) * 1.7), np.bool_)


def _unknown(width: int, height: int) -> Cell:
    """An empty box: a letter that the font does not have is seen to be missing."""
    cell = np.zeros((height, width), np.bool_)
    thick, edge = _stroke(width), max(1, width // 8)
    cell[height // 5 : height * 4 // 5, edge : width - edge] = True
    cell[height // 5 + thick : height * 4 // 5 - thick, edge + thick : width - edge - thick] = False
    return cell


_SIGNS: Final = {"⏺": _disc, "⭘": _ring, "⏹": _stop, "⏸": _pause, "⏵": _play, glyphs.REPLACEMENT: _unknown}
