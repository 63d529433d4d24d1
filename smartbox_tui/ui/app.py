"""The console: one Textual app on one terminal, a client of engine and capture. Composition root of the room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from textual import on
from textual.events import CursorPosition, DescendantFocus, Event, InputEvent, Key, MouseDown, MouseEvent, MouseUp
from textual.filter import LineFilter
from textual.widgets import Input

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.load import load
from smartbox_tui.settings.paths import Paths
from smartbox_tui.settings.schema import Loaded
from smartbox_tui.ui import terminal, theme
from smartbox_tui.ui.clock import Clock
from smartbox_tui.ui.completion import Completion
from smartbox_tui.ui.driver import BoxDriver
from smartbox_tui.ui.fingers import Touchable
from smartbox_tui.ui.gallery import Gallery
from smartbox_tui.ui.halfblocks import Depth
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.ink import DarkInk
from smartbox_tui.ui.leaving import ended, leave_on_signals
from smartbox_tui.ui.link import BoxLink, BoxMessage, SettingsHaveChanged
from smartbox_tui.ui.lit import Lit
from smartbox_tui.ui.pace import Pace
from smartbox_tui.ui.panel import at_panel
from smartbox_tui.ui.panel_driver import PanelDriver
from smartbox_tui.ui.scanner import listening
from smartbox_tui.ui.screens.base import BoxScreen
from smartbox_tui.ui.screens.capture import CaptureScreen
from smartbox_tui.ui.state import BoxState, reduce
from smartbox_tui.ui.touching import TouchThread, own_panel
from smartbox_tui.ui.view import View
from smartbox_tui.ui.watched import watched
from smartbox_tui.ui.widgets.keyboard_host import KeyboardHost
from smartbox_tui.ui.widgets.preview import LOCAL_FPS, REMOTE_FPS
from smartbox_tui.wire.watchdog import Watchdog

LOG_VARIABLE: Final = "SMARTBOX_LOG"
"""A file for the console's log; without it nothing is logged: the terminal belongs to the screen."""
_TRIGGER_KEYS: Final = frozenset({"space", "r", "m", "p", "d", "c"})
_REPEAT_S: Final = 0.12
"""The same key sooner than that is the keyboard's repetition: 33 ms apart as a rule, fingers need 150."""
_REDRAW_S: Final = 0.03
"""Facts that come within it are drawn together."""


class ConsoleApp(Lit, Touchable):
    """State comes in as messages of `ui.link`, is reduced to one BoxState and handed down to the screen."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "SmartBox"
    CSS_PATH = "console.tcss"
    NOTIFICATION_TIMEOUT = 8

    def __init__(
        self,
        paths: Paths,
        loaded: Loaded,
        *,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
        config: Path | None = None,
        touch: TouchThread | None = None,
    ) -> None:
        """`config`: the settings file that was named on the command line, read again when settings change;
        `touch`: the panel's, on the box's own screen."""
        self._ink = DarkInk(enabled=False)
        super().__init__(driver_class=PanelDriver if touch else BoxDriver)
        self.touch = touch
        # a finger that drags scrolls; text is for those to mark who have a clipboard
        self.ALLOW_SELECT = touch is None  # type: ignore[misc]  # Textual reads it of the app, whatever it is
        environ = os.environ if environ is None else environ
        self.paths = paths
        self.settings = loaded.settings
        self.t = Texts(loaded.settings.language)
        self.wall = clock or Clock()
        self.box = BoxState()
        kind = terminal.kind(environ)
        self.link = BoxLink(self, paths, kind)
        self.completion = Completion()
        self._keyboard = KeyboardHost(self.view, self.completion, self.known_people)
        self.depth = Depth.TRUE
        self._gallery: Gallery | None = None
        self._config = config
        self._environ = environ
        self.pace = Pace() if kind == terminal.SSH else None
        self._pressed_s = 0.0
        self._last_key = ("", 0.0)
        self._redraw_due = False
        self.watchdog: Watchdog | None = None
        for each in (theme.TRUE_COLOUR, theme.SIXTEEN):
            self.register_theme(each)
        self._colour()

    def view(self) -> View:
        """What the screens are shown now."""
        return View(
            self.box,
            self.t,
            self.wall,
            self.settings,
            self.wall.now(),
            self.wall.monotonic_s(),
            self.people,
            self.ask(),
            self._gallery,
        )

    def _colour(self) -> None:
        """By the setting; `auto` by the terminal."""
        few = {"true-colour": False, "console": True}.get(self.settings.display.theme)
        few = terminal.few_colours(self._environ) if few is None else few
        self._ink.enabled = few
        self.theme = theme.theme_for(few).name

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *([self._ink] if self._ink.enabled else ())]

    async def on_mount(self) -> None:
        depths = {"standard": Depth.SIXTEEN, "256": Depth.CUBE}
        self.depth = depths.get(self.console.color_system or "", Depth.TRUE)
        if self.panel is not None and self.depth is Depth.SIXTEEN:
            self.depth = Depth.PANEL
        self._gallery = Gallery(
            self.link.picture, self._in_background, self.redraw_soon, self.wall.monotonic_s, self.picture_grain()
        )
        fps = self.settings.display.preview_fps or (REMOTE_FPS if self.pace else LOCAL_FPS)
        await self.push_screen(CaptureScreen(self.paths.runtime, fps, self.depth, self.pixels))
        self.set_interval(1.0, self.redraw, name="clock")
        self.link.start()
        self.watchdog = watched()
        self.start_panel()
        if charset := terminal.foreign_charset(self._environ):
            self.say(
                self.t("This login writes {charset}, the screens are UTF-8.", charset=charset),
                self.t("If letters look wrong: set the terminal to UTF-8, and LANG=C.UTF-8."),
            )

    def on_cursor_position(self, _event: CursorPosition) -> None:
        """The terminal has drawn all that was written before it was asked."""
        if self.pace is not None:
            self.pace.answered()

    async def on_event(self, event: Event) -> None:
        """Keeps the time of the press: the trigger carries it, so that the picture is that of the press. Textual's
        events are stamped with the monotonic clock when they are read from the terminal."""
        if isinstance(event, InputEvent) and not self.screen_stack:
            return  # the app comes or goes: there is nothing that was meant
        if self.wakes(event):
            return
        first = isinstance(event, MouseEvent) and not event.is_forwarded
        if isinstance(event, MouseEvent) and first and self.finger.takes(event, touched=self.touch is not None):
            return
        if isinstance(event, Key) or (isinstance(event, MouseDown) and (first or not self.finger.down)):
            # an event comes here twice: from the terminal, and back up from a widget that had no use for it
            if isinstance(event, Key) and not event.is_forwarded and self._repeats(event):
                return
            self._pressed_s = event.time
            if isinstance(event, Key) and not event.is_forwarded and self._keyboard.real_key(event, self.screen):
                return
        await super().on_event(event)

    def on_mouse_down(self, event: MouseDown) -> None:
        """Whatever is touched: a field brings the keyboard on the screen, anything else sends it away."""
        if self.touch is None:
            self._keyboard.touched(event, self.screen)

    def on_mouse_up(self, event: MouseUp) -> None:
        """A finger on a field may have come to pull the form: only now it is known to be none."""
        self.finger.lift()
        if self.touch is not None:
            if self.finger.dragged:
                return
            self._keyboard.touched(event, self.screen)
        self._keyboard.let_go()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Where the keyboard on the screen is wanted always, it comes with every field."""
        self._keyboard.field_focused(event.widget)

    def _repeats(self, event: Key) -> bool:
        """Whether a key that works the box is held down: an elbow on it takes no thirty pictures a second."""
        before, self._last_key = self._last_key, (event.key, event.time)
        works = event.key in _TRIGGER_KEYS and not isinstance(self.focused, Input)
        return works and before[0] == event.key and event.time - before[1] < _REPEAT_S

    def pressed(self, at_s: float) -> None:
        """Of what is done now, where several presses may be under way: the monotonic clock."""
        self._pressed_s = at_s

    @property
    def pressed_ns(self) -> int:
        """CLOCK_MONOTONIC of the last key or touch."""
        return int((self._pressed_s or self.wall.monotonic_s()) * 1e9)

    @on(BoxMessage)
    def take_in(self, message: BoxMessage) -> None:
        """Every fact, through the one reducer."""
        before, self.box = self.box, reduce(self.box, message.fact, self.wall.monotonic_s())
        self.tell_change(before, self.box)
        self.panel_hears(message, before, self.box)
        self.redraw_soon()

    def redraw_soon(self) -> None:
        """What changes within a moment is drawn together."""
        if not self._redraw_due:
            self._redraw_due = True
            self.set_timer(_REDRAW_S, self.redraw, name="redraw")

    def _in_background(self, work: Any) -> None:
        self.run_worker(work, name="picture", group="picture", exit_on_error=False)

    @on(SettingsHaveChanged)
    def read_settings(self) -> None:
        """The file is read beside the screens; one that cannot be read leaves everything as it is."""
        self.run_worker(self._reload(), name="settings", group="settings", exclusive=True, exit_on_error=False)

    async def _reload(self) -> None:
        try:
            loaded = await asyncio.to_thread(load, self._config, self.paths.state, self._environ, fallback=True)
        except SmartBoxError as exc:
            self.tell_error(exc)
            return
        spoken, self.settings = self.settings.language, loaded.settings
        self.place_touch()
        self._colour()
        self.adjust_panel()
        if loaded.settings.language != spoken:
            self.t = Texts(loaded.settings.language)
        self.redraw()

    def redraw(self) -> None:
        """Hands the view to the screen in front; the others get it when they come back."""
        self._redraw_due = False
        front = self.screen_stack[-1] if self.screen_stack else None  # none while the app ends
        if isinstance(front, BoxScreen) and front.is_mounted:
            front.draw()

    def speak(self, language: str) -> None:
        """Switches every text on the screen."""
        self.t = Texts(language)
        self.redraw()


def _log_to_file(environ: Mapping[str, str]) -> None:
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    handler: logging.Handler = logging.NullHandler()
    if path := environ.get(LOG_VARIABLE):
        # a log that cannot be written is no reason to leave the operator without a screen
        with contextlib.suppress(OSError):
            handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)


def run(paths: Paths, loaded: Loaded, config: Path | None = None) -> int:
    """The console until it is left: 0 by key or signal, 1 when its terminal went away. Raises refused for a
    terminal that cannot show it."""
    terminal.prepare(os.environ)
    _log_to_file(os.environ)
    app = ConsoleApp(paths, loaded, config=config, touch=own_panel(os.environ))
    scanner, panel = loaded.settings.scanner, loaded.settings.panel
    with leave_on_signals(app), listening(app, scanner, os.environ), at_panel(app, panel, paths.runtime):
        app.run()
    return ended(app, app.watchdog)
