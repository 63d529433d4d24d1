"""What the settings screens have in common: the settings as the engine has them, and undoing the last change."""

from __future__ import annotations

import contextlib
from typing import Any, Protocol, cast

from textual.actions import SkipAction
from textual.binding import Binding
from textual.content import Content
from textual.css.query import NoMatches
from textual.message_pump import MessagePump
from textual.widgets import Input

from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.screens.base import BoxScreen
from smartbox_tui.ui.settings_known import Known
from smartbox_tui.ui.state import Process
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.biglist import BigList


class Settable(Protocol):
    """What these screens ask of the app beside `Console`."""

    known: Known

    def undo_setting(self, change: int | None = None) -> None: ...

    def saved(self, answer: dict[str, Any]) -> None: ...

    def read(self, target: str, reply_to: MessagePump) -> None: ...


class Title(Shown):
    """The path to the screen, and a line about it."""

    DEFAULT_CSS = "Title { height: 2; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__(id="settings-title")
        self._lines = ("", "", "")

    def say(self, headline: str, line: str = "", style: str = "$dim") -> None:
        """In the language of the view already."""
        self._lines = (headline, line, style)
        self._draw()

    def text(self, view: View, width: int, height: int) -> Content:
        headline, line, style = self._lines
        first = Content.styled(headline, "bold $calm").truncate(max(1, width), ellipsis=True)
        second = Content.styled(line, style).truncate(max(1, width), ellipsis=True)
        return Content("\n").join([first, second])


class SettingsBase(BoxScreen):
    """Subclasses fill themselves in `fill`, which is called when the view or the settings have changed."""

    BINDINGS = [
        Binding("escape", "back", show=False),
        Binding("u", "undo", show=False),
        Binding("enter", "tap", show=False, priority=True),  # as the arrows: else one behind it would overtake it
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
    ]

    def fill(self, view: View, known: Known) -> None:
        raise NotImplementedError

    def show(self, view: View) -> None:
        super().show(view)
        self._fill(view)

    def _fill(self, view: View) -> None:
        if self.is_mounted:
            with contextlib.suppress(NoMatches):  # its widgets are just going, or coming anew
                self.fill(view, self.tuning.known)

    @property
    def tuning(self) -> Settable:
        """The app, as far as settings go."""
        return cast(Settable, self.app)

    def refill(self) -> None:
        """After a change of the screen's own state."""
        self._fill(self.console.view())

    @property
    def _list(self) -> BigList:
        """The screen's list. Raises SkipAction for one that has none."""
        lists = self.query(BigList)
        if not lists:
            raise SkipAction
        return lists.first()

    def action_tap(self) -> None:
        """Enter, where no button and no field has the focus."""
        if isinstance(self.focused, (BigButton, Input)):
            raise SkipAction
        self._list.tap(by_key=True)

    def action_move(self, step: int) -> None:
        """The cursor of the list."""
        self._list.move(step)

    def action_page(self, step: int) -> None:
        """By a window's worth of lines."""
        self._list.page(step)

    def action_undo(self) -> None:
        """One touch: an undoing can be undone."""
        self.tuning.undo_setting()

    def undo_button(self) -> BigButton:
        return BigButton(N_("Undo"), "screen.undo", "u", needs=Process.ENGINE, id="undo")
