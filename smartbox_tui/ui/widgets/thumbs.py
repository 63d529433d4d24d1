"""Pictures that were taken, small and side by side, each with what it is below; a touch opens the large one. Half
blocks, or pixels where the panel's framebuffer can be drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from textual import events
from textual.message import Message

from smartbox_tui.ui import halfblocks, words
from smartbox_tui.ui.gallery import Size
from smartbox_tui.ui.halfblocks import Depth, Pixels
from smartbox_tui.ui.live_pixels import LivePixels
from smartbox_tui.ui.pixel_places import Area
from smartbox_tui.ui.state import key_of
from smartbox_tui.ui.view import Follower, View
from smartbox_tui.ui.widgets.picture import BORDER, strips
from smartbox_tui.ui.widgets.strip import HalfBlockStrip, Pictured, StripWidget
from smartbox_tui.wire import state

_CELLS: Final = ((90, (22, 7)), (60, (16, 5)), (0, (10, 3)))
"""From that width on that size: about sixteen to nine."""
WIDEST: Final = _CELLS[0][1][0]
"""Columns of the largest."""
_GROUND: Final = (17, 26, 34)
_ELSEWHERE: Final = "✓"
"""In the place of a picture that only archives have."""


class Cell(NamedTuple):
    """Where one lies, in columns and rows, its caption included."""

    x: int
    y: int
    width: int
    height: int


def cells(columns: int, rows: int, count: int, *, width: int, height: int) -> list[Cell]:
    """As many whole ones as there is room for, in reading order; `height` is that of the picture alone."""
    across, down = (columns + 1) // (width + 1), rows // (height + 1)
    return [
        Cell(at % across * (width + 1), at // across * (height + 1), width, height + 1)
        for at in range(min(count, across * down))
    ]


class PictureWidget(StripWidget, Follower):
    """Draws in cells what the panel does not draw as pixels."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view: View | None = None
        self._pictured: list[Pictured] = []
        self._drawn: object = None

    def pictures(self) -> Sequence[Pictured]:
        return self._pictured

    def show(self, view: View) -> None:
        self._view = view
        self._paint()

    def on_resize(self) -> None:
        self._drawn = None
        self._paint()

    def _paint(self) -> None:
        raise NotImplementedError

    @property
    def by_pixels(self) -> bool:
        """Whether the cells of a picture are left blank."""
        panel: LivePixels | None = getattr(self.app, "pixels", None)
        return panel is not None and panel.usable

    @property
    def depth(self) -> Depth:
        return getattr(self.app, "depth", Depth.TRUE)


class Thumbs(PictureWidget):
    """`newest_first` for the strip of an exam under way; the grid of an exam screen begins with the first."""

    DEFAULT_CSS = "Thumbs { height: 1fr; background: $night; }"

    class Touched(Message):
        """That picture, of those that are shown."""

        def __init__(self, pictures: Sequence[state.Instance], at: int) -> None:
            super().__init__()
            self.pictures = pictures
            self.at = at

    def __init__(self, *, newest_first: bool, grows: bool = False, id: str | None = None) -> None:
        """`grows`: larger ones where there is room for them."""
        super().__init__(id=id)
        self._newest_first = newest_first
        self._grows = grows
        self._pictures: Sequence[state.Instance] = ()
        self._shown: list[tuple[Cell, int]] = []
        self.first = 0

    def fill(self, pictures: Sequence[state.Instance]) -> None:
        """Oldest first, whatever order they are shown in."""
        self._pictures = pictures
        self._paint()

    @property
    def _cell(self) -> tuple[int, int]:
        """Columns and rows of a picture."""
        width = self.size.width if self._grows else 0
        return next(cell for least, cell in _CELLS if width >= least)

    def page(self, step: int) -> None:
        """The pictures before or after those that are shown."""
        room = max(1, self.room)
        last = max(0, (len(self._pictures) - 1) // room * room)
        self.first = max(0, min(self.first + step * room, last))
        self._paint()

    @property
    def room(self) -> int:
        """How many fit."""
        width, height = self._cell
        return len(cells(self.size.width, self.size.height, 1000, width=width, height=height))

    def _paint(self) -> None:
        view, size = self._view, self.size
        if view is None or not size.width or not size.height:
            return
        order = list(range(len(self._pictures)))
        if self._newest_first:
            order.reverse()
        order = order[self.first :]
        width, height = self._cell
        places = cells(size.width, size.height, len(order), width=width, height=height)
        self._shown = list(zip(places, order, strict=False))
        gallery = view.gallery
        shown = [(place, self._pictures[at]) for place, at in self._shown]
        pixels = [
            gallery.want(key_of(item), Size.SMALL) if gallery and not item.released_at else None
            for _place, item in shown
        ]
        by_pixels = self.by_pixels
        items = tuple(item for _place, item in shown)
        drawn = (size, view.t.language, items, tuple(map(id, pixels)), by_pixels)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self._pictured = [
            Pictured(_name(item, Size.SMALL), Area(place.x, place.y, place.width, place.height - 1), picture)
            for (place, item), picture in zip(shown, pixels, strict=True)
            if by_pixels and picture is not None
        ]
        self._strips = self._draw(view, shown, pixels)
        self.refresh()

    def _draw(
        self,
        view: View,
        shown: list[tuple[Cell, state.Instance]],
        pixels: list[Pixels | None],
    ) -> list[HalfBlockStrip]:
        columns, rows = self.size
        field = np.empty((rows * 2, columns, 3), np.uint8)
        night = self.app.theme_variables["night"]
        field[:] = tuple(bytes.fromhex(night[1:7]))
        texts: dict[int, list[str]] = {}
        for (place, item), picture in zip(shown, pixels, strict=True):
            top, bottom = place.y * 2, (place.y + place.height - 1) * 2
            field[top:bottom, place.x : place.x + place.width] = _GROUND if picture is None else BORDER
            if picture is not None and not self._pictured:
                box = halfblocks.fit(picture.shape[1], picture.shape[0], place.width, place.height - 1)
                small = halfblocks.scale(picture, box.width, box.height)
                y, x = top + box.y, place.x + box.x
                field[y : y + box.height, x : x + box.width] = small
            elif picture is None:
                sign = _ELSEWHERE if item.released_at else "…"
                _write(texts, place.y + (place.height - 1) // 2, place.x, f"{sign:^{place.width}}", columns)
            caption = f"{words.KIND_GLYPH.get(item.kind, '■')} {words.mark_of(view.t, view.clock, item)}"
            if item.discarded:
                caption = f"✗ {caption[2:]}"
            _write(texts, place.y + place.height - 1, place.x, caption[: place.width], columns)
        lines = {row: (0, "".join(signs)) for row, signs in texts.items()}
        return strips(field, lines, self.depth)

    def on_click(self, event: events.Click) -> None:
        if self._touch(event.x, event.y):
            event.stop()

    def long_press(self, x: int, y: int) -> bool:
        """The same as a touch, without waiting for the finger to leave."""
        return self._touch(x - self.content_region.x, y - self.content_region.y)

    def _touch(self, x: int, y: int) -> bool:
        for place, at in self._shown:
            if place.x <= x < place.x + place.width and place.y <= y < place.y + place.height:
                self.post_message(self.Touched(self._pictures, at))
                return True
        return False


def _write(texts: dict[int, list[str]], row: int, column: int, text: str, width: int) -> None:
    """Puts a text into the row's line, which is as wide as the widget."""
    line = texts.setdefault(row, [" "] * width)
    for at, sign in enumerate(text, column):
        if at < width:
            line[at] = sign


def _name(item: state.Instance, size: Size) -> str:
    return f"{size}:{key_of(item)}"


class Large(PictureWidget):
    """One picture as large as there is room."""

    DEFAULT_CSS = "Large { width: 1fr; height: 1fr; background: $ink; }"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._picture: state.Instance | None = None

    def fill(self, picture: state.Instance | None) -> None:
        self._picture = picture
        self._paint()

    def _paint(self) -> None:
        view, (columns, rows), item = self._view, self.size, self._picture
        if view is None or not columns or not rows:
            return
        gallery, key = view.gallery, key_of(item) if item is not None else ""
        here = gallery is not None and item is not None and not item.released_at
        grain = Size.LARGE
        pixels = gallery.want(key, grain) if gallery and here else None
        if pixels is None and gallery is not None and here:
            grain = Size.SMALL  # a blurred one at once is better than nothing
            pixels = gallery.want(key, grain)
        failed = bool(gallery and pixels is None and gallery.failed(key, Size.LARGE))
        drawn = (columns, rows, key, id(pixels), failed, here, view.t.language, self.by_pixels)
        if drawn == self._drawn:
            return
        self._drawn, self._pictured = drawn, []
        field = np.empty((rows * 2, columns, 3), np.uint8)
        field[:] = BORDER
        texts: dict[int, tuple[int, str]] = {}
        if pixels is not None and item is not None and self.by_pixels:
            self._pictured = [Pictured(_name(item, grain), Area(0, 0, columns, rows), pixels)]
        elif pixels is not None:
            box = halfblocks.fit(pixels.shape[1], pixels.shape[0], columns, rows)
            field = halfblocks.place(pixels, box, columns, rows, BORDER)
        elif item is not None:
            text = view.t("The picture cannot be shown; it is kept.") if failed else view.t("One moment …")
            if item.released_at:
                text = view.t("Only the archive has this picture now.")
            text = text[:columns]
            texts[rows // 2] = ((columns - len(text)) // 2, text)
        self._strips = strips(field, texts, self.depth)
        self.refresh()
