"""Strips of half blocks: finished terminal text for the terminal, Segments only for those who ask."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from smartbox_tui.ui.halfblocks import HALF, Pixels
from smartbox_tui.ui.pixel_places import Area

_SEQUENCE: Final = re.compile(r"\x1b\[([\d;]*)m")
_PLAIN: Final = Style.null()


class Pictured(NamedTuple):
    """A picture that is drawn as pixels: `area` are cells of the widget, `name` tells it from all others."""

    name: str
    area: Area
    pixels: Pixels


class HalfBlockStrip(Strip):
    """A line that is drawn as it is. Screenshots, and screens laid over it, cut it into Segments: slow, seldom."""

    __slots__ = ["_few", "_made", "_pair", "_words"]

    def __init__(self, ansi: str, pair: Pixels, words: tuple[int, str] | None = None, *, few: bool = False) -> None:
        """`ansi` is what the terminal gets, `pair` the two rows of pixels, `words` a text over it from a column.
        `few`: the panel has sixteen of its own, whose numbers and pattern stand in `ansi` alone."""
        self._few = few
        self._made: list[Segment] | None = None
        self._pair = pair
        self._words = words
        super().__init__((), pair.shape[1])
        self._render_cache = ansi

    @property
    def _segments(self) -> list[Segment]:
        if self._made is None:
            self._made = _read(self._render_cache or "") if self._few else self._cells()
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


def _read(ansi: str) -> list[Segment]:
    """A finished line, taken apart: its colours keep their numbers. Sixteen, as `halfblocks.lines` says them."""
    segments, style = [], _PLAIN
    parts = _SEQUENCE.split(ansi)
    for text, codes in zip(parts[::2], [*parts[1::2], ""], strict=True):
        if text:
            segments.append(Segment(text, style))
        match [int(code) for code in codes.split(";") if code]:
            case [0]:
                style = _PLAIN
            case [1, 97]:
                style += Style(color=Color.from_ansi(15), bold=True)
            case [code] if 30 <= code < 38:
                style += Style(color=Color.from_ansi(code - 30))
            case [code] if 40 <= code < 48:
                style += Style(bgcolor=Color.from_ansi(code - 40))
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
