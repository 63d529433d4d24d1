"""The app's part for the settings screens: the settings as the engine has them, and what came of a change."""

from __future__ import annotations

from typing import Any, Final

from textual import on
from textual.binding import Binding
from textual.message_pump import MessagePump

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui import setting_words
from smartbox_tui.ui.actions import Actions
from smartbox_tui.ui.link import (
    CommandWasAnswered,
    EngineCameBack,
    SettingsHaveChanged,
    StateWasRead,
    new_id,
)
from smartbox_tui.ui.screens.settings import SettingsScreen
from smartbox_tui.ui.screens.settings_keep import KeepScreen
from smartbox_tui.ui.settings_known import Known, known_from, known_locally
from smartbox_tui.wire import commands

SETTINGS: Final = "/v1/settings"
_LOOKS: Final = frozenset({"display.theme"})
"""Changes after which somebody must be able to say that the screens can still be read."""


class Adjusting(Actions):
    """`known`: until the engine has told, what the console read itself."""

    BINDINGS = [Binding("o", "settings", show=False)]

    _known: Known | None = None

    @property
    def known(self) -> Known:
        if self._known is None:
            self._known = known_locally(self.settings)
        return self._known

    def action_settings(self) -> None:
        self.ask_settings()
        self.go(SettingsScreen())

    def read(self, target: str, reply_to: MessagePump) -> None:
        """State of the engine; it comes to `reply_to`."""
        self.link.read(target, reply_to)

    def ask_settings(self) -> None:
        self.link.read(SETTINGS, self)

    @on(EngineCameBack)
    def _settings_of_engine(self) -> None:
        """They may have changed while it was away, or before the console was there."""
        self.ask_settings()

    @on(SettingsHaveChanged)
    def _settings_changed(self) -> None:
        self.ask_settings()

    @on(StateWasRead)
    def _settings_read(self, message: StateWasRead) -> None:
        if message.target != SETTINGS:
            return
        try:
            known = known_from(message.value)
        except (SmartBoxError, KeyError, TypeError):
            return  # an engine of another version: what the console read itself stays in force
        self._known = known
        self.redraw()

    # ---- outcomes

    def undo_setting(self, change: int | None = None) -> None:
        """Back to before that change; None: before the last one."""
        self.order(commands.SettingsUndo(id=new_id(), change=change), self)

    @on(CommandWasAnswered)
    def _setting_undone(self, message: CommandWasAnswered) -> None:
        if isinstance(message.command, commands.SettingsUndo):
            self.saved(message.answer, undone=True)

    def saved(self, answer: dict[str, Any], *, undone: bool = False) -> None:
        """Says what was done, and what must be started anew for it to hold."""
        t, number = self.t, answer.get("change")
        if number is None:
            self.say(t("Nothing was to change."), severity="information")
            return
        hints = [t("Undo brings it back.")] if undone else []
        recorder = _CAPTURE.get(answer.get("capture", ""))
        hints += [t(recorder)] if recorder else []
        names = [t(_PROCESSES.get(name, name)) for name in answer.get("restart", [])]
        if names:
            hints.append(t("It holds after a restart of: {names}.", names=", ".join(names)))
        self.say(t("Undone.") if undone else t("Saved."), " ".join(hints), "information")
        if _LOOKS & set(answer.get("paths", [])) and not undone:
            self.push_screen(KeepScreen(lambda: self.undo_setting(number)))


_CAPTURE: Final = {
    "restarting": setting_words.RESTARTING,
    "after-recording": setting_words.AFTER_RECORDING,
    "away": setting_words.RECORDER_AWAY,
    "by-hand": setting_words.RECORDER_BY_HAND,
}
_PROCESSES: Final = setting_words.PROCESSES
