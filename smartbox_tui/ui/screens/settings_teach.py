"""Press to teach: capture waits for a press on anything that could be a pedal and says which it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from textual import on
from textual.binding import Binding
from textual.containers import Center, Vertical
from textual.widget import Widget

from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import CommandWasAnswered, CommandWasRefused, new_id
from smartbox_tui.ui.screens.choice import Question
from smartbox_tui.ui.screens.settings_base import SettingsBase
from smartbox_tui.ui.settings_known import Known
from smartbox_tui.ui.state import Process
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.wire import commands

WAIT_S: Final = 15.0
AGAIN_S: Final = 10.0


class TeachScreen(SettingsBase):
    """Calls `taught` with {"kind", "device", "name"} and goes back."""

    BINDINGS = [Binding("t", "again", show=False)]

    DEFAULT_CSS = """
    TeachScreen #body { align: center middle; }
    TeachScreen #teach-box { width: 90%; max-width: 100; height: auto; }
    """

    def __init__(self, taught: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self._taught = taught
        self._since_s: float | None = None
        self._busy = ""

    def compose_body(self) -> Iterable[Widget]:
        yield Center(Vertical(Question(self._headline, self._detail), id="teach-box"))

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        yield BigButton(N_("Again"), "screen.again", "t", needs=Process.CAPTURE, id="again", classes="-first")

    def on_mount(self) -> None:
        super().on_mount()
        self.action_again()

    def fill(self, view: View, known: Known) -> None:
        """The question follows the view by itself."""

    def _headline(self, view: View) -> str:
        if self._since_s is None:
            return view.t("No pedal was pressed.")
        return view.t("Press the pedal now …")

    def _detail(self, view: View) -> str:
        if self._since_s is None and self._busy:
            why = view.t("Another program has what could be the pedal: end that one, then touch “Again”.")
            return f"{why}\n{self._busy}"
        if self._since_s is None:
            return view.t("Is it plugged in? Touch “Again” and press it firmly.")
        left = max(0, round(WAIT_S - (view.now_s - self._since_s)))
        seconds = view.t.n("{count} second left", "{count} seconds left", left)
        # A line at another speed is found by pressing again.
        return seconds if left > AGAIN_S else " ".join((view.t("Nothing yet? Press it again."), seconds))

    def action_again(self) -> None:
        """One at a time."""
        if self._since_s is None:
            view = self.console.view()
            self._since_s, self._busy = view.now_s, ""
            self.console.order(commands.TeachPedal(id=new_id(), seconds=WAIT_S), self)
            self.show(view)

    @on(CommandWasAnswered)
    def _answered(self, message: CommandWasAnswered) -> None:
        if isinstance(message.command, commands.TeachPedal):
            message.stop()
            pedal, t = message.answer["pedal"], self.console.view().t
            self.action_back()
            self._taught(pedal)
            self.console.say(t("This pedal it is."), str(pedal.get("name") or pedal["device"]), "information")
            if pedal["kind"] == "serial-bytes" and "release=" not in pedal["device"]:
                what = t("This pedal does not tell when it is let go.")
                self.console.say(what, t("A long press cannot be used; short and double can."))

    @on(CommandWasRefused)
    def _refused(self, message: CommandWasRefused) -> None:
        if isinstance(message.command, commands.TeachPedal):
            self._since_s = None
            self._busy = message.error.message if message.error.code == "device-busy" else ""
            if message.error.code in ("timeout", "device-busy"):
                message.stop()
            self.draw()
