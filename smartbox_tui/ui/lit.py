"""The app's part of the panel: where the picture's pixels are, what lights the screen, what is heard there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from textual.events import Event, Key, MouseDown, MouseEvent, MouseMove, MouseUp
from textual.screen import Screen

from smartbox_tui.ui.adjusting import Adjusting
from smartbox_tui.ui.gallery import BLOCKS, Grain, Size, pixel_grain
from smartbox_tui.ui.link import BoxMessage, PedalWasUsed, TriggerHasFailed
from smartbox_tui.ui.live_pixels import LivePixels, Place
from smartbox_tui.ui.panel import Panel
from smartbox_tui.ui.pixel_layout import layout
from smartbox_tui.ui.state import BoxState
from smartbox_tui.ui.widgets.preview import was_taken
from smartbox_tui.ui.widgets.thumbs import WIDEST

_ASK_S: Final = 4.0
"""How often capture is told that a panel shows its picture; it believes it for three times as long."""
_LOOK_S: Final = 1.0
_CELLS_OF_ONE: Final = 150
"""Fewer than the largest thumbnail takes, with caption and gap."""
_WORKS_IN_THE_DARK: Final = frozenset({"space", "r", "m", "p"})
"""Keys that take pictures, as a pedal does; any other only lights the screen."""
_HOVERS_S: Final = 0.3
"""A mouse that moves so long after it lit the screen is no finger that still lies on it."""


class Lit(Adjusting):
    """`panel` is None on every terminal but the box's own screen."""

    panel: Panel | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._woken_s: float | None = None

    @property
    def pixels(self) -> LivePixels | None:
        return self.panel.pixels if self.panel else None

    def picture_grain(self) -> Mapping[Size, Grain]:
        """How fine pictures that were taken are wanted."""
        columns, rows = self.size
        letter = self.pixels.letter((columns, rows)) if self.pixels is not None else None
        if letter is None:
            return BLOCKS
        room = columns * rows // _CELLS_OF_ONE + rows  # a grid of large ones; a strip of small ones at the side
        return pixel_grain(WIDEST * letter[0], columns * letter[0], room)

    def start_panel(self) -> None:
        """Once the app runs."""
        if self.panel is None:
            return
        self.panel.sleep.stir(time.monotonic())
        self.set_interval(_LOOK_S, self._look_at_clock, name="panel")
        self.set_interval(_ASK_S, self._ask_for_pixels, name="pixels")
        self.set_timer(_LOOK_S, self._ask_for_pixels)

    def adjust_panel(self) -> None:
        """The settings are others now."""
        if self.panel is not None:
            self.panel.adjust(self.settings.panel)

    def panel_hears(self, message: BoxMessage, before: BoxState, after: BoxState) -> None:
        """A fact from the box: what was taken sounds, what is news lights the screen."""
        if self.panel is None:
            return
        now = time.monotonic()
        if isinstance(message, (PedalWasUsed, TriggerHasFailed)):
            self.panel.touched(now)
        self.panel.heard(before, after, now)
        if was_taken(before, after):
            self.panel.taken()

    def wakes(self, event: Event) -> bool:
        """Whether a touch or key did nothing but light the dark screen; else it is for the screens."""
        if self.panel is None or not isinstance(event, (Key, MouseEvent)) or event.is_forwarded:
            return False
        now = time.monotonic()
        was_dark = self.panel.touched(now)
        if isinstance(event, Key):
            return was_dark and event.key not in _WORKS_IN_THE_DARK
        if was_dark:
            self._woken_s = now
        if self._woken_s is None:
            return False
        # the whole touch is gone with it: up to the finger's going
        hovers = isinstance(event, MouseMove) and not event.button and now - self._woken_s > _HOVERS_S
        if isinstance(event, MouseUp) or hovers:
            self._woken_s = None
        elif isinstance(event, MouseDown):
            self._woken_s = now
        return True

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        """Before anything is written to the terminal the pictures' pixels leave the places where it will stand."""
        if self.panel is not None:
            self.panel.put(self._place())
        super()._display(screen, renderable)

    def _place(self) -> Place:
        front = self.screen_stack[-1] if self.screen_stack else None
        return layout(front) if front is not None and front.is_attached else Place()

    def text_was_written(self) -> None:
        """The terminal has taken all that was written to it. From any thread."""
        if self.pixels is not None:
            self.pixels.written()

    def _look_at_clock(self) -> None:
        if self.panel is not None:
            self.panel.look(time.monotonic())

    def _ask_for_pixels(self) -> None:
        source = self.box.source
        if self.pixels is None or not self.pixels.usable or source is None:
            return
        width, height = self.pixels.wanted()
        if width and height:
            self.link.ask_preview(source.id, width, height)
