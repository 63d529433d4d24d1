"""What a widget is shown: attributes go down as one value, messages come up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from textual.content import Content
from textual.widgets import Static

from smartbox_tui.settings.schema import Settings
from smartbox_tui.ui.asks import Ask
from smartbox_tui.ui.clock import Clock
from smartbox_tui.ui.gallery import Gallery
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.people import NOBODY, People
from smartbox_tui.ui.state import BoxState


@dataclass(frozen=True, slots=True)
class View:
    """The box's state in one language at one moment."""

    box: BoxState
    t: Texts
    clock: Clock
    settings: Settings
    now: datetime
    now_s: float
    people: People = NOBODY
    ask: Ask | None = None
    gallery: Gallery | None = None


class Follower:
    """A widget that is no text and follows the view all the same."""

    def show(self, view: View) -> None:
        raise NotImplementedError


class Shown(Static):
    """A text that follows the view. Subclasses override `text`; nothing is drawn when it stays the same."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__("", id=id, classes=classes, markup=False)
        self._view: View | None = None
        self._drawn: Content | None = None

    def show(self, view: View) -> None:
        """Takes the view and draws what changed."""
        self._view = view
        self._draw()

    def on_resize(self) -> None:
        """Texts are fitted to the width."""
        self._draw()

    def text(self, view: View, width: int, height: int) -> Content:
        """The text for that many cells. Pure."""
        raise NotImplementedError

    def _draw(self) -> None:
        if self._view is None:
            return
        text = self.text(self._view, self.content_size.width, self.content_size.height)
        if self._drawn is None or not text.is_same(self._drawn):
            # a text that always fills its place needs no new layout of the screen
            old, self._drawn = self._drawn, text
            layout = old is None or old.plain.count("\n") != text.plain.count("\n")
            if layout:
                self._box_model_cache.clear()  # Textual keeps the first of two heights asked for in one turn
            self.update(text, layout=layout)


def spread(left: Content, right: Content, width: int) -> Content:
    """`left` at the left edge, `right` at the right one; the left text is shortened when both do not fit."""
    room = max(0, width - right.cell_length - 1)
    left = left.truncate(room, ellipsis=True)
    return Content.assemble(left, " " * max(1, width - left.cell_length - right.cell_length), right)
