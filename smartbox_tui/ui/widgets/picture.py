"""What the preview widget draws: live picture, the one just taken in its corner, words over it. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from smartbox_tui.ui import halfblocks
from smartbox_tui.ui.halfblocks import Depth, Pixels
from smartbox_tui.ui.pixel_places import NOWHERE, Area
from smartbox_tui.ui.widgets.strip import HalfBlockStrip
from smartbox_tui.wire.preview import PreviewPicture

BORDER: Final = (5, 8, 11)
FRAME: Final = (79, 195, 208)
CHIP: Final = (20, 66, 74)
ALERT: Final = (60, 20, 18)
FLASH: Final = (232, 238, 243)
_DIM: Final = 3
"""Divides the brightness of a picture that is not live any more."""


@dataclass(frozen=True, slots=True)
class Inset:
    """The picture just taken, shown in the lower right corner with its label."""

    picture: PreviewPicture
    label: str


@dataclass(frozen=True, slots=True)
class Scene:
    """One drawing. `notice` are lines of words over a dimmed picture: no signal, no recorder."""

    columns: int
    rows: int
    live: PreviewPicture | None = None
    inset: Inset | None = None
    notice: Sequence[str] = ()
    depth: Depth = Depth.TRUE
    cell_aspect: float = 0.5
    flash: bool = False

    @property
    def alert(self) -> tuple[int, int, int]:
        """The ground of words: one that sixteen colours have, so that nothing is dithered under them."""
        few = halfblocks.EIGHT.get(self.depth)
        return few[1] if few else ALERT

    @property
    def chip(self) -> tuple[int, int, int]:
        few = halfblocks.EIGHT.get(self.depth)
        return few[6] if few else CHIP


@dataclass(frozen=True, slots=True)
class Worded:
    """What cells show where the picture itself is drawn as pixels: `words` are areas of text, `inset` the place of
    the picture just taken with its frame; all as (x, y, width, height) in cells of the widget."""

    lines: list[HalfBlockStrip]
    words: list[Area]
    inset: Area | None


def pixels(picture: PreviewPicture) -> Pixels:
    return np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3)


def draw(scene: Scene) -> list[HalfBlockStrip]:
    """One strip a row; no picture is a dark field."""
    columns, rows, live = scene.columns, scene.rows, scene.live
    field = np.empty((rows * 2, columns, 3), np.uint8)
    field[:] = BORDER
    if live is not None:
        box = halfblocks.fit(live.width, live.height, columns, rows, scene.cell_aspect)
        field = halfblocks.place(pixels(live), box, columns, rows, BORDER)
        if scene.notice:
            field //= _DIM
    texts: dict[int, tuple[int, str]] = {}
    if scene.notice:
        _notice(scene, field, texts)
    elif scene.inset is not None:
        _inset(scene, scene.inset, field, texts)
    if scene.flash:
        for edge in (field[:2], field[-2:], field[:, :2], field[:, -2:]):
            edge[:] = FLASH
    return strips(field, texts, scene.depth)


def worded(scene: Scene) -> Worded:
    """The text of the scene alone."""
    field = np.empty((scene.rows * 2, scene.columns, 3), np.uint8)
    field[:] = BORDER
    texts: dict[int, tuple[int, str]] = {}
    areas: list[Area] = []
    inset: Area | None = None
    if scene.notice:
        areas.append(_notice(scene, field, texts))
    elif scene.inset is not None:
        placed = _inset(scene, scene.inset, field, texts)
        if placed:
            # the row of the label is text, what stands above it the picture with its frame
            inset = Area(placed.x - 1, placed.y - 1, placed.width + 2, placed.height)
            areas.append(Area(placed.x - 1, placed.bottom - 1, placed.width + 2, 1))
        field[:] = BORDER
        for area in areas:
            field[area.y * 2 : area.bottom * 2, area.columns] = scene.chip
    return Worded(strips(field, texts, scene.depth), areas, inset)


def _notice(scene: Scene, field: Pixels, texts: dict[int, tuple[int, str]]) -> Area:
    """The area that it takes, in cells."""
    room = max(8, scene.columns - 4)
    lines = [part for line in scene.notice for part in textwrap.wrap(line, room) or [""]]
    width = min(scene.columns, max(len(line) for line in lines) + 6)
    top = max(0, (scene.rows - len(lines)) // 2 - 1)
    left = (scene.columns - width) // 2
    field[max(0, top * 2) : (top + len(lines) + 2) * 2, left : left + width] = scene.alert
    for row, line in enumerate(lines, top + 1):
        if row < scene.rows and line:
            texts[row] = ((scene.columns - len(line)) // 2, line[: scene.columns])
    return Area(left, top, width, len(lines) + 2).common(Area(0, 0, scene.columns, scene.rows))


def _inset(scene: Scene, inset: Inset, field: Pixels, texts: dict[int, tuple[int, str]]) -> Area:
    """Two fifths of the widget: large enough to see whether it is sharp, small enough to go on working. The area of
    picture and label, without the frame."""
    picture = inset.picture
    box = halfblocks.fit(
        picture.width, picture.height, scene.columns * 2 // 5, scene.rows * 2 // 5, scene.cell_aspect
    )
    width = max(box.width, min(len(inset.label) + 2, scene.columns - 4))
    rows = box.height // 2
    left, top = scene.columns - width - 3, scene.rows - rows - 3
    if left < 1 or top < 1 or box.width < 4:
        return NOWHERE
    # a frame one cell across and half a cell down looks equally thick on all sides
    field[top * 2 - 1 : (top + rows + 1) * 2 + 1, left - 1 : left + width + 1] = FRAME
    field[top * 2 : (top + rows) * 2, left : left + width] = BORDER
    start = left + (width - box.width) // 2
    field[top * 2 : top * 2 + box.height, start : start + box.width] = halfblocks.scale(
        pixels(picture), box.width, box.height
    )
    field[(top + rows) * 2 : (top + rows + 1) * 2, left : left + width] = scene.chip
    label = inset.label[:width]
    texts[top + rows] = (left + (width - len(label)) // 2, label)
    return Area(left, top, width, rows + 1)


def strips(field: Pixels, texts: dict[int, tuple[int, str]], depth: Depth) -> list[HalfBlockStrip]:
    """A field of rows * 2 x columns as lines; `texts` lie over them, (column, text) by row."""
    lines = halfblocks.lines(field, depth)
    strips = []
    for row, line in enumerate(lines):
        pair = field[row * 2 : row * 2 + 2]
        words = texts.get(row)
        if words is not None:
            line = _worded(pair, words, depth)
        strips.append(HalfBlockStrip(line, pair, words, few=depth is Depth.PANEL))
    return strips


def _worded(pair: Pixels, words: tuple[int, str], depth: Depth) -> str:
    """The line with a text in it: the cells before, the text on the colour that lies there, the cells after."""
    column, text = words
    end = column + len(text)
    before, after = (halfblocks.lines(part, depth)[0] for part in (pair[:, :column], pair[:, end:]))
    ground = halfblocks.lines(np.repeat(pair[1:2, column : column + 1], 2, axis=0), depth)[0]
    colour = ground.partition(" ")[0]  # one blank cell: its background, the blank, the reset
    return f"{before}{colour}\x1b[1;97m{text}{halfblocks.RESET}{after}"
