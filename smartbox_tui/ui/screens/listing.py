"""What screens share that are led through a list, or show what the engine has to be asked for."""

from __future__ import annotations

from collections.abc import Iterable

from smartbox_tui.ui.screens.base import BoxScreen
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.biglist import BigList


class ListScreen(BoxScreen):
    """A BigList called `list`, led through by keys and by the two buttons beside it. `edge` and `tap` have their
    keys where a screen gives them some."""

    BINDINGS = [
        ("escape", "back", ""),
        ("up", "move(-1)", ""),
        ("down", "move(1)", ""),
        ("pageup", "page(-1)", ""),
        ("pagedown", "page(1)", ""),
    ]
    AUTO_FOCUS = "#list"

    @property
    def _list(self) -> BigList:
        return self.query_one("#list", BigList)

    def page_buttons(self) -> Iterable[BigButton]:
        yield BigButton("▲", "screen.page(-1)", id="page-up")
        yield BigButton("▼", "screen.page(1)", id="page-down")

    def action_move(self, step: int) -> None:
        self._list.move(step)

    def action_page(self, step: int) -> None:
        self._list.page(step)

    def action_edge(self, last: bool) -> None:
        self._list.edge(last)

    def action_tap(self) -> None:
        self._list.tap(by_key=True)


class AskingScreen(BoxScreen):
    """What it shows is read when it comes up and whenever it is in front again."""

    @property
    def _target(self) -> str:
        """What is read of the engine."""
        raise NotImplementedError

    def _ask(self) -> None:
        self.console.read(self._target, self)

    def _put(self) -> None:
        """Shows what was read so far."""
        self.draw()

    def on_mount(self) -> None:
        super().on_mount()
        self._put()
        self._ask()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self.is_mounted:
            self._ask()
