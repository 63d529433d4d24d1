"""When the keyboard on the screen comes and goes: the app tells of keys, touches and focus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from textual import events
from textual.css.query import NoMatches
from textual.errors import NoWidget
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from smartbox_tui.ui.completion import Completion
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.keyboard import KEYBOARD_ID, Keyboard
from smartbox_tui.wire import state

TOUCH, ALWAYS, NEVER = "touch", "always", "never"
"""`settings.display.keyboard`."""
_BEFORE: Final = "#signal"
"""It stands above the signal line of a screen: the body gives way, nothing is covered."""

_LINGER_S: Final = 0.05


class KeyboardHost:
    """`touch`: comes when a field is touched, goes with its own key, with Esc, when something else is touched and
    when a real keyboard types. `always`: comes with every field, goes only with its key, Esc and the field."""

    def __init__(
        self,
        view: Callable[[], View],
        completion: Completion,
        known_people: Callable[[], Iterable[state.WorklistItem]],
    ) -> None:
        self._view = view
        self._completion = completion
        self._known_people = known_people
        self._leaves: Keyboard | None = None

    def on_screen(self, screen: Screen[object]) -> Keyboard | None:
        """The screen's keyboard where it has one."""
        try:
            return screen.query_one(f"#{KEYBOARD_ID}", Keyboard)
        except NoMatches:
            return None

    def real_key(self, event: events.Key, screen: Screen[object]) -> bool:
        """Of each key, before the app deals with it. True: it only sent the keyboard away."""
        keyboard = self.on_screen(screen)
        if keyboard is None or not keyboard.is_open or isinstance(event._sender, Keyboard):
            return False
        if event.key == "escape":
            keyboard.close()
            return True
        if self._mode != ALWAYS:
            keyboard.close()
        return False

    def touched(self, event: events.MouseEvent, screen: Screen[object]) -> None:
        """A finger came down, or has tapped. By now the field that it met has the focus."""
        self._leaves = None
        try:
            widget, _region = screen.get_widget_at(*event.screen_offset)
        except NoWidget:
            return
        keyboard = self.on_screen(screen)
        if isinstance(widget, Input):
            if self._mode != NEVER and not (keyboard is not None and keyboard.is_open):
                self.open(screen)
        elif not isinstance(widget, Keyboard) and not widget.has_class("-textual-system"):
            self._leaves = keyboard

    def let_go(self) -> None:
        """The finger left. What it touched beside the fields must not move away under it: only now, and a moment
        later still, the keyboard goes and the screen is laid out anew."""
        keyboard, self._leaves = self._leaves, None
        if keyboard is not None and keyboard.is_open:
            keyboard.set_timer(_LINGER_S, keyboard.close, name="keyboard-goes")

    def field_focused(self, widget: Widget) -> None:
        """A field got the focus, by whatever way."""
        if isinstance(widget, Input) and self._mode == ALWAYS:
            self.open(widget.screen)

    def open(self, screen: Screen[object]) -> None:
        """For the field that has the focus; the keyboard is made when the screen has none yet."""
        self._completion.feed_worklist(self._known_people())
        work = asyncio.to_thread(self._completion.prepare)
        screen.run_worker(work, name="completion", group="completion", exit_on_error=False)
        keyboard = self.on_screen(screen)
        if keyboard is not None:
            keyboard.show(self._view())
            keyboard.open()
        elif screen.query(_BEFORE):
            keyboard = Keyboard(self._completion.suggest)
            keyboard.show(self._view())
            screen.mount(keyboard, before=_BEFORE)

    @property
    def _mode(self) -> str:
        return self._view().settings.display.keyboard
