"""What a widget is shown: attributes go down as one value, messages come up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from textual.app import RenderResult
from textual.content import Content
from textual.geometry import Size
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
        self._drawn_for = Size(0, 0)

    def show(self, view: View) -> None:
        """Takes the view and draws what changed."""
        self._view = view
        self._draw()

    def on_resize(self) -> None:
        """Texts are fitted to the width."""
        self._draw()

    def render(self) -> RenderResult:
        """Fitted when it is painted: a new screen is shown the view before its widgets have a place, and is painted
        before they hear of it. Its first picture would be one without the patient's name."""
        if self._view is not None and self._drawn_for != self.content_size:
            self._fit(self._view)
        return super().render() if self._drawn is None else self._drawn

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Of the text for that width, which is not the one that it was drawn for yet."""
        if self._view is None or not width:
            return super().get_content_height(container, viewport, width)
        return self.text(self._view, width, self.content_size.height).get_height(self.styles.get_rules(), width)

    def text(self, view: View, width: int, height: int) -> Content:
        """The text for that many cells. Pure."""
        raise NotImplementedError

    def _draw(self) -> None:
        if self._view is None:
            return
        old, text = self._drawn, self._fit(self._view)
        if old is None or not text.is_same(old):
            # a text that always fills its place needs no new layout of the screen
            layout = old is None or old.plain.count("\n") != text.plain.count("\n")
            if layout:
                self._box_model_cache.clear()  # Textual keeps the first of two heights asked for in one turn
            self.refresh(layout=layout)

    def _fit(self, view: View) -> Content:
        self._drawn_for = self.content_size
        self._drawn = self.text(view, self._drawn_for.width, self._drawn_for.height)
        return self._drawn


def spread(left: Content, right: Content, width: int) -> Content:
    """`left` at the left edge, `right` at the right one; the left text is shortened when both do not fit."""
    room = max(0, width - right.cell_length - 1)
    left = left.truncate(room, ellipsis=True)
    return Content.assemble(left, " " * max(1, width - left.cell_length - right.cell_length), right)
