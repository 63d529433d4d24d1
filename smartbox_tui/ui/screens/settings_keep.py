"""After a change of what the screens look like: who cannot read them presses nothing, and it goes back alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from textual.binding import Binding
from textual.containers import Center, Horizontal, Vertical
from textual.widget import Widget

from smartbox_tui.ui.screens.choice import Question
from smartbox_tui.ui.screens.settings_base import SettingsBase
from smartbox_tui.ui.settings_known import Known
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.big_button import BigButton

WAIT_S: Final = 20.0


class KeepScreen(SettingsBase):
    """Both languages at once: the change may have been that of the language. `undo` takes the change back."""

    BINDINGS = [Binding("1", "keep", show=False), Binding("2", "take_back", show=False)]

    DEFAULT_CSS = """
    KeepScreen #body { align: center middle; }
    KeepScreen #keep-box { width: 90%; max-width: 100; height: auto; }
    KeepScreen #keep-options { height: auto; }
    KeepScreen #keep-options BigButton { height: 5; margin: 0 1; }
    """

    def __init__(self, undo: Callable[[], None]) -> None:
        super().__init__()
        self._undo = undo
        self._since_s: float | None = None
        self._answered = False

    def compose_body(self) -> Iterable[Widget]:
        buttons = Horizontal(
            BigButton(lambda _view: "Behalten / Keep", "screen.keep", "1", id="keep", classes="-first"),
            BigButton(lambda _view: "Zurück / Undo", "screen.take_back", "2", id="take-back"),
            id="keep-options",
        )
        question = Question(lambda _view: "Ist alles zu lesen?  Can you read this?", self._left)
        yield Center(Vertical(question, buttons, id="keep-box"))

    def _left(self, view: View) -> str:
        left = self._seconds(view)
        return f"Sonst zurück in {left} s · Otherwise back in {left} s"

    def _seconds(self, view: View) -> int:
        if self._since_s is None:
            self._since_s = view.now_s
        return max(0, round(WAIT_S - (view.now_s - self._since_s)))

    def fill(self, view: View, known: Known) -> None:
        if self._seconds(view) == 0:
            self.action_take_back()

    def action_keep(self) -> None:
        """It was readable."""
        self._answered = True
        super().action_back()

    def action_take_back(self) -> None:
        """Once."""
        if not self._answered:
            self._answered = True
            super().action_back()
            self._undo()

    def action_back(self) -> None:
        """Esc is no yes."""
        self.action_take_back()

    def action_undo(self) -> None:
        self.action_take_back()
