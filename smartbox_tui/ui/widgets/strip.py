"""Strips of half blocks: finished terminal text for the terminal, Segments only for those who ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from smartbox_tui.ui.halfblocks import HALF, Pixels
from smartbox_tui.ui.pixel_places import Area


class Pictured(NamedTuple):
    """A picture that is drawn as pixels: `area` are cells of the widget, `name` tells it from all others."""

    name: str
    area: Area
    pixels: Pixels


class HalfBlockStrip(Strip):
    """A line that is drawn as it is. Screenshots, and screens laid over it, cut it into Segments: slow, seldom."""

    __slots__ = ["_made", "_pair", "_words"]

    def __init__(self, ansi: str, pair: Pixels, words: tuple[int, str] | None = None) -> None:
        """`ansi` is what the terminal gets, `pair` the two rows of pixels, `words` a text over it from a column."""
        self._made: list[Segment] | None = None
        self._pair = pair
        self._words = words
        super().__init__((), pair.shape[1])
        self._render_cache = ansi

    @property
    def _segments(self) -> list[Segment]:
        if self._made is None:
            self._made = self._cells()
        return self._made

    @_segments.setter
    def _segments(self, value: Any) -> None:
        """The base class sets it empty at the beginning: they are made when somebody asks."""

    def _cells(self) -> list[Segment]:
        upper, lower = (row.tolist() for row in self._pair)
        column, text = self._words or (0, "")
        segments = []
        for index, (above, below) in enumerate(zip(upper, lower, strict=True)):
            if column <= index < column + len(text):
                style = Style(color=Color.from_rgb(255, 255, 255), bgcolor=Color.from_rgb(*below), bold=True)
                segments.append(Segment(text[index - column], style))
            else:
                style = Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below))
                segments.append(Segment(HALF, style))
        return segments


class StripWidget(Widget):
    """A widget whose picture stands ready in `_strips`, a strip a row."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._strips: list[HalfBlockStrip] = []

    def pictures(self) -> Sequence[Pictured]:
        """Those whose cells stay blank, because the panel's framebuffer has them."""
        return ()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Finished lines, past Textual's styles: see halfblocks. A part of a line is cut from it."""
        rows = self._strips[crop.y : crop.bottom]
        blank = Strip.blank(crop.width, self.rich_style)
        if crop.x == 0 and all(strip.cell_length == crop.width for strip in rows):
            lines: list[Strip] = list(rows)
        else:
            lines = [strip.crop(crop.x, crop.right) for strip in rows]
        return lines + [blank] * (crop.height - len(lines))
