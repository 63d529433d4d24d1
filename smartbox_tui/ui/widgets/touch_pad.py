"""Rows of keys drawn by one widget: a touch repaints one key and nothing else, whatever the number of keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from smartbox_tui.ui.widgets.big_button import FLASH_S

LEAST_HEIGHT: Final = 3
LEAST_WIDTH: Final = 5
"""Rows and columns of a key that a gloved finger still meets."""


@dataclass(frozen=True, slots=True)
class PadKey:
    """`name` says which one it is and is unique on its pad, `label` what stands on it; `weight` is its share of the
    row's width; `look`: key, side, first, red, on, off, or gap for a place without a key."""

    name: str
    label: str
    weight: float = 1.0
    look: str = "key"


@dataclass(frozen=True, slots=True)
class Place:
    """A key and its cells on the pad."""

    key: PadKey
    region: Region


def arranged(rows: Sequence[Sequence[PadKey]], width: int, height: int) -> list[list[Place]]:
    """The rows spread over that many cells: all of one height, widths by weight, no column left over."""
    places: list[list[Place]] = []
    for number, row in enumerate(rows):
        top, bottom = (height // len(rows) * at for at in (number, number + 1))
        total, done, left = sum(key.weight for key in row), 0.0, 0
        line = []
        for key in row:
            done += key.weight
            right = round(width * done / total)
            line.append(Place(key, Region(left, top, right - left, bottom - top)))
            left = right
        places.append(line)
    return places


class TouchPad(Widget):
    """Subclasses give `set_keys` the rows and override `pressed`, `released` and `moved`."""

    COMPONENT_CLASSES = {
        "touch-pad--key",
        "touch-pad--side",
        "touch-pad--first",
        "touch-pad--red",
        "touch-pad--on",
        "touch-pad--off",
        "touch-pad--down",
        "touch-pad--cursor",
    }

    DEFAULT_CSS = """
    TouchPad { background: $night; color: $text; }
    TouchPad > .touch-pad--key { background: $key; color: $text; }
    TouchPad > .touch-pad--side { background: $key-hover; color: $hint; }
    TouchPad > .touch-pad--first { background: $calm-deep; color: $text; text-style: bold; }
    TouchPad > .touch-pad--red { background: $red-deep; color: $on-red; text-style: bold; }
    TouchPad > .touch-pad--on { background: $calm; color: $on-calm; text-style: bold; }
    TouchPad > .touch-pad--off { background: $off; color: $faint; }
    TouchPad > .touch-pad--down { background: $calm; color: $on-calm; text-style: bold; }
    TouchPad > .touch-pad--cursor { background: $calm; color: $on-calm; }
    """
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._rows: tuple[tuple[PadKey, ...], ...] = ()
        self._places: list[list[Place]] = []
        self._down = ""
        self._cursor = ""
        self._flash: Timer | None = None
        self._down_since = 0.0

    # ---- keys

    def set_keys(self, rows: Sequence[Sequence[PadKey]]) -> None:
        """Shows these keys; only rows that changed are drawn anew."""
        new = tuple(tuple(row) for row in rows)
        if new == self._rows:
            return
        before, self._rows = self._rows, new
        self._place()
        if len(before) != len(new):
            self.refresh()
            return
        for old, row, places in zip(before, new, self._places, strict=False):
            if old != row and places:
                self.refresh(Region(0, places[0].region.y, self.size.width, places[0].region.height))

    def _place(self) -> None:
        self._places = arranged(self._rows, self.size.width, self.size.height)

    def on_resize(self) -> None:
        """The keys fill whatever room there is."""
        self._place()
        self.refresh()

    def places(self) -> list[Place]:
        """Every key with its cells, in reading order."""
        return [place for row in self._places for place in row if place.key.look != "gap"]

    def place_at(self, x: int, y: int) -> Place | None:
        """The key at a cell of the pad."""
        return next((place for place in self.places() if place.region.contains(x, y)), None)

    def place_of(self, name: str) -> Place | None:
        """The key of that name."""
        return next((place for place in self.places() if place.key.name == name), None)

    def _redraw_key(self, name: str) -> None:
        place = self.place_of(name)
        if place is not None:
            self.refresh(place.region)

    # ---- touch

    def pressed(self, key: PadKey) -> None:
        """The finger is on it."""

    def released(self, key: PadKey, over: PadKey | None) -> None:
        """The finger left; `over` is the key it left from, the same one as a rule."""

    def moved(self, key: PadKey, over: PadKey | None) -> None:
        """The finger that pressed `key` is over another one now, or over none."""

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """The pressed look comes first, whatever the key does then."""
        event.stop()
        place = self.place_at(event.x, event.y)
        if place is None or place.key.look == "off":
            return
        self._lift()
        self.capture_mouse()
        self._down, self._down_since = place.key.name, event.time
        self.refresh(place.region)
        self._held, self._over = place.key, place.key
        self.pressed(place.key)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Only while a finger is down."""
        held = self._held
        if held is None:
            return
        event.stop()
        place = self.place_at(event.x, event.y)
        over = place.key if place else None
        if over != self._over:
            self._over = over
            self.moved(held, over)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """The pressed look stays long enough to be seen under a finger that leaves."""
        event.stop()
        held, self._held = self._held, None
        self.release_mouse()
        if held is None:
            return
        left = FLASH_S - (event.time - self._down_since)
        if left > 0:
            self._flash = self.set_timer(left, self._lift, name="key-flash")
        else:
            self._lift()
        place = self.place_at(event.x, event.y)
        self.released(held, place.key if place else None)

    def on_mouse_release(self) -> None:
        """The finger is lost: as if it had slid off the pad."""
        held, self._held = self._held, None
        if held is not None:
            self._lift()
            self.released(held, None)

    def on_click(self, event: events.Click) -> None:
        """Was dealt with as down and up."""
        event.stop()

    _held: PadKey | None = None
    _over: PadKey | None = None

    def _lift(self) -> None:
        if self._flash is not None:
            self._flash.stop()
            self._flash = None
        down, self._down = self._down, ""
        if down:
            self._redraw_key(down)

    # ---- drawing

    def render_line(self, y: int) -> Strip:
        """One line of the keys that lie in it. A key's edge is half a cell of its own colour, as a button's is."""
        ground = self.rich_style
        row = next((row for row in self._places if row and row[0].region.y <= y < row[0].region.bottom), None)
        if row is None:
            return Strip.blank(self.size.width, ground)
        segments: list[Segment] = []
        for place in row:
            segments += self._key_line(place, y - place.region.y, ground)
        return Strip(segments, self.size.width)

    def _key_line(self, place: Place, line: int, ground: Style) -> list[Segment]:
        key, width, height = place.key, place.region.width, place.region.height
        if key.look == "gap" or width < 3:
            return [Segment(" " * width, ground)]
        look = "down" if key.name == self._down else key.look
        style = self.get_component_rich_style(f"touch-pad--{look}")
        edge = style
        if key.name == self._cursor and self.has_focus and look != "down":
            edge = self.get_component_rich_style("touch-pad--cursor")
        rim = Style(color=edge.bgcolor, bgcolor=ground.bgcolor)
        inner = width - 2
        if line == 0:
            return [Segment("▗" + "▄" * inner + "▖", rim)]
        if line == height - 1:
            return [Segment("▝" + "▀" * inner + "▘", rim)]
        text = key.label if line == (height - 1) // 2 else ""
        text = text if len(text) <= inner else text[: inner - 1] + "…"
        return [Segment("▐", rim), Segment(text.center(inner), style), Segment("▌", rim)]
