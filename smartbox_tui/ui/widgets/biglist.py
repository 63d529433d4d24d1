"""A list for gloved fingers: entries of three rows, drawn only where they are seen, moved by finger and by keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from smartbox_tui.ui.pages import Paged
from smartbox_tui.ui.view import View, spread

ROWS: Final = 3
"""Two of text and a line between: nine millimetres on the panel."""
_SLIP: Final = 1
"""Rows that a finger may slip and still tap."""
_KEPT: Final = 200
"""Entries whose lines are kept drawn."""


class Row(NamedTuple):
    """An entry: two lines, each with something at its right edge; `bar` the style of the mark at its left."""

    first: Content
    first_right: Content
    second: Content
    second_right: Content = Content("")
    bar: str = ""


class BigList(ScrollView, can_focus=True, inherit_bindings=False):
    """`row` makes an entry's lines for a width; the entry under the cursor and the chosen one stand out. Keys are
    the screen's: those of a scroll view would move a long list under its cursor."""

    DEFAULT_CSS = """
    BigList { height: 1fr; background: $night; color: $text; scrollbar-size-vertical: 1;
              scrollbar-size-horizontal: 0; overflow-x: hidden; overflow-y: auto; }
    BigList:focus { background: $night; }
    BigList > .biglist--line { color: $key-line; background: $night; }
    BigList > .biglist--pointed { color: $text; background: $key; }
    BigList > .biglist--chosen { color: $on-calm; background: $calm; }
    """
    COMPONENT_CLASSES = {"biglist--line", "biglist--pointed", "biglist--chosen"}

    class Tapped(Message):
        """An entry was touched, or Enter pressed on it."""

        def __init__(self, entry: Any, by_key: bool) -> None:
            super().__init__()
            self.entry = entry
            self.by_key = by_key

    class Pointed(Message):
        """The cursor stands on another entry; None: there is none."""

        def __init__(self, entry: Any) -> None:
            super().__init__()
            self.entry = entry

    def __init__(self, row: Callable[[View, Any, int], Row], *, empty: Callable[[View], str], id: str) -> None:
        super().__init__(id=id)
        self._row = row
        self._empty = empty
        self._view: View | None = None
        self._entries: Sequence[Any] = ()
        self._key: Callable[[Any], str] = str
        self._lines: dict[int, tuple[Strip, Strip]] = {}
        self.cursor = 0
        self._held = ""  # the key of the entry under the cursor; the entries may be others by now
        self.chosen = ""
        self._grip: tuple[int, float, bool] | None = None

    # ---- what is shown

    def fill(self, view: View, entries: Sequence[Any], key: Callable[[Any], str]) -> None:
        """Shows these; the cursor stays on the entry that it was on, by its key."""
        old = self._held
        self._view, self._entries, self._key = view, entries, key
        self.cursor = min(self.cursor, max(0, len(entries) - 1))
        if old:
            # the same place first: a list of thousands is not searched when nothing has moved
            here = self.pointed
            if isinstance(entries, Paged):
                found = entries.find(old)  # where it is not there any more, the cursor stays at its place
                self.cursor = self.cursor if found is None else found
            elif here is None or key(here) != old:
                self.cursor = next((at for at, entry in enumerate(entries) if key(entry) == old), 0)
        self._lines.clear()
        self._measure()
        after = self.pointed
        self._held = key(after) if after is not None else ""
        if self._held != old:
            self.post_message(self.Pointed(after))
        self.refresh()

    def choose(self, key: str) -> None:
        """Marks that entry, or none, and brings it into sight."""
        self.chosen = key
        self._lines.clear()
        if key:
            at = next((at for at, entry in enumerate(self._entries) if self._key(entry) == key), None)
            if at is not None:
                self._point(at)
        self.refresh()

    @property
    def seen(self) -> tuple[int, int]:
        """The first and the last place in sight."""
        first = int(self.scroll_offset.y) // ROWS
        return first, first + max(1, self.size.height) // ROWS + 1

    @property
    def pointed(self) -> Any | None:
        """The entry under the cursor."""
        return self._entries[self.cursor] if 0 <= self.cursor < len(self._entries) else None

    def _measure(self) -> None:
        self.virtual_size = Size(max(1, self.size.width - 1), len(self._entries) * ROWS)

    def on_resize(self) -> None:
        self._lines.clear()
        self._measure()
        self._into_sight()

    def render_line(self, y: int) -> Strip:
        """A line of the window: of an entry, the line below it, or nothing."""
        width = self.scrollable_content_region.width
        at, part = divmod(y + self.scroll_offset.y, ROWS)
        if not self._entries and self._view is not None and y == 1:
            return self._strip(Content.styled(f" {self._empty(self._view)}", "$dim"), width)
        if at >= len(self._entries) or self._view is None:
            return Strip.blank(width, self.rich_style)
        if part == ROWS - 1:
            return self._strip(Content("─" * width), width, "biglist--line")
        if at not in self._lines:
            if len(self._lines) > _KEPT:
                self._lines.clear()
            self._lines[at] = self._draw(self._view, at, width)
        return self._lines[at][part]

    def _draw(self, view: View, at: int, width: int) -> tuple[Strip, Strip]:
        entry = self._entries[at]
        row = self._row(view, entry, width - 2)
        chosen = self._key(entry) == self.chosen
        styles = ("biglist--chosen",) if chosen else ("biglist--pointed",) if at == self.cursor else ()
        bar = Content.styled("▌", row.bar) if row.bar else Content(" ")
        lines = []
        for left, right in ((row.first, row.first_right), (row.second, row.second_right)):
            if chosen:  # on the light ground of the chosen one no other colour can be read
                left, right = Content.styled(left.plain, "bold"), Content(right.plain)
            lines.append(self._strip(Content.assemble(bar, spread(left, right, width - 2), " "), width, *styles))
        return lines[0], lines[1]

    def _strip(self, text: Content, width: int, *styles: str) -> Strip:
        if width < 1:
            return Strip.blank(0)
        style = self.get_visual_style(*styles) if styles else self.visual_style
        text = text.truncate(width, ellipsis=True, pad=True)
        made = Visual.to_strips(self, text, width, 1, style, apply_selection=False)
        return made[0].adjust_cell_length(width, style.rich_style)

    # ---- moving

    def _point(self, at: int) -> None:
        at = max(0, min(at, len(self._entries) - 1))
        if at != self.cursor:
            for line in (self.cursor, at):
                self._lines.pop(line, None)
            self.cursor = at
            self._held = self._key(self.pointed)
            self.post_message(self.Pointed(self.pointed))
        self._into_sight()
        self.refresh()

    def _into_sight(self) -> None:
        if self._entries and self.size.height:
            self.scroll_to_region(
                Region(0, self.cursor * ROWS, 1, min(ROWS, self.size.height)), animate=False, force=True
            )

    def move(self, step: int) -> None:
        """The cursor, by that many entries."""
        if self._entries:
            self._point(self.cursor + step)

    def page(self, step: int) -> None:
        """By a window's worth of entries."""
        self.move(step * max(1, self.size.height // ROWS))

    def edge(self, last: bool) -> None:
        """To the first or the last entry."""
        self._point(len(self._entries) - 1 if last else 0)

    def tap(self, by_key: bool = False) -> None:
        """As if the entry under the cursor was touched."""
        entry = self.pointed
        if entry is not None:
            self.post_message(self.Tapped(entry, by_key))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self.capture_mouse()
        self._grip = (event.screen_y, self.scroll_y, False)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """A finger that pulls moves the list; nothing is chosen then."""
        if self._grip is None:
            return
        start, scrolled, moved = self._grip
        pulled = event.screen_y - start
        if moved or abs(pulled) > _SLIP:
            self._grip = (start, scrolled, True)
            self.scroll_to(y=scrolled - pulled, animate=False, force=True)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self.release_mouse()
        grip, self._grip = self._grip, None
        if grip is None or grip[2]:
            return
        self._touch(event.screen_x, event.screen_y)

    def _touch(self, x: int, y: int) -> bool:
        at = (y - self.content_region.y + self.scroll_offset.y) // ROWS
        if not self.content_region.contains(x, y) or not 0 <= at < len(self._entries):
            return False
        self._point(at)
        self.tap()
        return True

    def on_mouse_release(self) -> None:
        """Somebody else has the finger now, or nobody: it was no tap."""
        self._grip = None

    def long_press(self, x: int, y: int) -> bool:
        """The same as a tap, without waiting for the finger to leave."""
        grip, self._grip = self._grip, None
        if grip is None or grip[2]:
            return False
        self.release_mouse()
        return self._touch(x, y)

    def on_click(self, event: events.Click) -> None:
        event.stop()
