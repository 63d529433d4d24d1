"""The panel without settings that hold: a screen that says so, in both languages, until somebody has mended
them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from textual.app import App, ComposeResult
from textual.content import Content
from textual.filter import LineFilter
from textual.widgets import Static

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.again import LOOK_S, Again
from smartbox_tui.settings.paths import Paths
from smartbox_tui.ui import file_words, terminal, theme
from smartbox_tui.ui.driver import BoxDriver
from smartbox_tui.ui.i18n import LANGUAGES, Texts
from smartbox_tui.ui.ink import DarkInk
from smartbox_tui.ui.leaving import ended, leave_on_signals
from smartbox_tui.ui.sentences import NO_PICTURES, PEDALS_WORK, SETTINGS_UNREADABLE
from smartbox_tui.ui.watched import watched
from smartbox_tui.wire import client
from smartbox_tui.wire.watchdog import Watchdog

_ASK_S: Final = 5.0


class UnreadableApp(App[None]):
    """Ends once the settings hold: the service manager starts the console anew."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: $night; color: $text; align: center middle; }
    Static { width: 90%; max-width: 100; }
    #what { color: $on-red; background: $red-deep; padding: 1 3; text-style: bold; }
    #why { padding: 1 3; }
    #hint { padding: 0 3; color: $wait; }
    """

    def __init__(self, again: Again, capture: Path, environ: Mapping[str, str]) -> None:
        """`capture` is its socket: it may work, with the settings of before."""
        few = terminal.few_colours(environ)
        self._ink = DarkInk(enabled=few)
        super().__init__(driver_class=BoxDriver)
        self._again = again
        self._capture = capture
        self._works = False
        self.watchdog: Watchdog | None = None
        chosen = theme.theme_for(few)
        self.register_theme(chosen)
        self.theme = chosen.name

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), self._ink]

    def compose(self) -> ComposeResult:
        yield Static(id="what")
        yield Static(id="why")
        yield Static(id="hint")

    def on_mount(self) -> None:
        self._show()
        self.set_interval(LOOK_S, self._look)
        self.watchdog = watched()

    def _show(self) -> None:
        texts = [Texts(language) for language in LANGUAGES]
        pictures = PEDALS_WORK if self._works else NO_PICTURES
        trouble = self._again.trouble
        for name, paragraphs in (
            ("#what", [f"{t(SETTINGS_UNREADABLE.what)}\n{t(pictures)}" for t in texts]),
            ("#why", [file_words.told(t, f"{trouble.message} {trouble.hint}".rstrip()) for t in texts]),
            ("#hint", [t(SETTINGS_UNREADABLE.hint) for t in texts]),
        ):
            self.query_one(name, Static).update(Content("\n\n".join(paragraphs)))

    async def _look(self) -> None:
        if await asyncio.to_thread(self._again.look):
            self.exit()
            return
        self._works = await asyncio.to_thread(self._captures)
        self._show()

    def _captures(self) -> bool:
        try:
            client.request(self._capture, "GET", "/v1/status", timeout_s=_ASK_S)
        except SmartBoxError:
            return False
        return True


def run(again: Again, paths: Paths) -> int:
    """0 once the settings hold or by signal, 1 when the terminal went away. Raises refused for a terminal that
    cannot show it."""
    terminal.prepare(os.environ)
    app = UnreadableApp(again, paths.capture_socket, os.environ)
    with leave_on_signals(app):
        app.run()
    return ended(app, app.watchdog)
