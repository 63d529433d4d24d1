"""The app's part of touch: what a finger that drags, rests or is lost does to the widgets under it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Final, Protocol, runtime_checkable

from textual import events, on
from textual.app import App
from textual.errors import NoWidget
from textual.geometry import Offset
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from hw.panel.calibration import Affine, Grid, Point
from hw.panel.size import panel_pixels
from smartbox_tui.ui.adjusting import Adjusting
from smartbox_tui.ui.aim import QUIET_S
from smartbox_tui.ui.screens.base import BoxScreen
from smartbox_tui.ui.screens.calibrate import CalibrateScreen
from smartbox_tui.ui.touching import (
    FingerDrags,
    FingerLost,
    FingerRests,
    FingerThrows,
    Placement,
    RawTouch,
    TouchBecame,
    TouchThread,
)
from smartbox_tui.ui.widgets.big_button import BigButton

THROW_S: Final = 0.6
THROW_SHARE: Final = THROW_S / 3
"""Of a second's way at the finger's speed: so the curve begins with just that speed (out_cubic)."""
_FURTHEST: Final = 60.0
"""Rows that a throw goes at most."""


@runtime_checkable
class LongPressed(Protocol):
    """A widget that a long press means something to."""

    def long_press(self, x: int, y: int) -> bool:
        """At that cell of the screen; True: it did what it does, and the finger's leaving does nothing more."""


class Finger:
    """One finger on one screen. The mouse of a terminal counts as one, but it does not drag what scrolls."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._button: BigButton | None = None
        self._under: Widget | None = None
        self._scroller: Widget | None = None
        self._grip: tuple[int, float] | None = None
        self._thrown: Widget | None = None
        self._stopped = False
        self._under_at = Offset()
        self._left_s = float("-inf")
        self.down = False
        self.dragged = False

    def takes(self, event: events.MouseEvent, *, touched: bool) -> bool:
        """Of each event of the terminal or the panel, before the widgets. True: it is dealt with."""
        if isinstance(event, events.MouseDown):
            return self._comes(event)
        if isinstance(event, events.MouseUp):
            return self._leaves()
        if isinstance(event, events.MouseMove) and touched:
            return self._moves(event)
        return False

    def _comes(self, event: events.MouseDown) -> bool:
        self.lift()
        self.down, self.dragged = True, False
        # a widget that went away with the finger on it would hold it for ever
        self._app.capture_mouse(None)
        self._scroller = self._grip = None
        widget = self._under = self._at(event.screen_offset)
        self._button = widget if isinstance(widget, BigButton) else None
        if widget is not None:
            self._under_at = widget.region.offset
        screen = self._app.screen
        if isinstance(screen, BoxScreen) and screen.aim.misses(widget, event.screen_offset, event.time):
            # the screen has moved under it: nobody has seen yet what is there now
            self._button, self._stopped = None, True
            self._app._mouse_down_widget = None
            return True
        thrown, self._thrown = self._thrown, None
        if thrown is None or widget is None or thrown not in widget.ancestors_with_self:
            return False
        if not self._app.animator.is_being_animated(thrown, "scroll_y"):
            return False
        # a list that flies is stopped by a touch, and nothing else: nobody aims at what flies
        self._app.animator.force_stop_animation(thrown, "scroll_y")
        self._scroller, self._button, self._stopped = thrown, None, True
        self._app._mouse_down_widget = None
        return True

    def _moves(self, event: events.MouseMove) -> bool:
        if self._scroller is not None:
            if self._grip is None:
                self._grip = (event.screen_y, self._scroller.scroll_y)
            start, scrolled = self._grip
            self._scroller.scroll_to(y=scrolled - (event.screen_y - start), animate=False, force=True)
            return True
        # nobody but who holds the finger wants to know: what it passes over is not aimed at
        return self._app.mouse_captured is None

    def _leaves(self) -> bool:
        if self.down:
            self.down, self._left_s = False, time.monotonic()
        under = self._under
        if under is not None and not isinstance(under, BigButton | Input) and under.region.offset != self._under_at:
            self._app._mouse_down_widget = None  # what is under it now is another row of the list
        self.lift()
        stopped, self._stopped = self._stopped, False
        return stopped

    def at_work(self) -> bool:
        """Whether it is on the screen, or was a moment ago: whoever taps taps again."""
        return self.down or time.monotonic() - self._left_s < QUIET_S

    def lift(self) -> None:
        """The button that was under it looks as ever."""
        button, self._button = self._button, None
        if button is not None:
            button.lift()

    # ---- what only a finger does

    def drags(self) -> None:
        """It presses nothing any more; what scrolls where it came down follows."""
        if not self.down:  # its coming only lit the screen
            return
        self.dragged = True
        self.lift()
        self._app._mouse_down_widget = None
        under = self._under
        if self._scroller is None and under is not None and not under.has_class("-textual-system"):
            above = (each for each in under.ancestors_with_self if isinstance(each, Widget))
            self._scroller = next((each for each in above if each.allow_vertical_scroll), None)
            if self._scroller is not None:
                # behind its MouseDown and before its MouseUp, however many events are waiting
                under.post_message(events.MouseRelease(self._app.mouse_position))

    def throws(self, speed: float) -> None:
        """What it dragged flies on for a moment, begun with its speed."""
        target = self._scroller
        if self.down and target is not None and not isinstance(target, Screen):
            rows = max(-_FURTHEST, min(_FURTHEST, speed * THROW_SHARE))
            self._thrown = target
            target.scroll_to(y=target.scroll_y - rows, duration=THROW_S, easing="out_cubic", force=True)

    def rests(self, at: Point) -> None:
        x, y = int(at[0]), int(at[1])
        widget = self._at((x, y))
        if self.down and not self._stopped and isinstance(widget, LongPressed) and widget.long_press(x, y):
            self._app._mouse_down_widget = None

    def lost(self) -> None:
        """Whoever holds it lets go without doing anything."""
        self.down = False  # it is at work no more
        self.lift()
        self._app._mouse_down_widget = None
        self._app.capture_mouse(None)
        if self._under is not None:
            self._under.post_message(events.MouseRelease(self._app.mouse_position))

    def _at(self, offset: tuple[int, int]) -> Widget | None:
        try:
            return self._app.screen.get_widget_at(*offset)[0]
        except NoWidget:
            return None


class Touchable(Adjusting):
    """`touch` is None everywhere but on the box's own panel."""

    touch: TouchThread | None = None

    @property
    def finger(self) -> Finger:
        if self._finger is None:
            self._finger = Finger(self)
        return self._finger

    _finger: Finger | None = None

    def place_touch(self, calibration: Affine | None = None) -> None:
        """By the settings and the screen's size; `calibration`: this one, before the settings have it."""
        if self.touch is not None and self.size:
            grid = Grid.on(self.size.width, self.size.height, panel_pixels())
            placement = Placement.of(self.settings, grid)
            self.touch.place(replace(placement, calibration=calibration) if calibration else placement)

    def on_resize(self) -> None:
        self.place_touch()

    @on(FingerDrags)
    def _finger_drags(self) -> None:
        self.finger.drags()

    @on(FingerThrows)
    def _finger_throws(self, message: FingerThrows) -> None:
        self.finger.throws(message.speed)

    @on(FingerRests)
    def _finger_rests(self, message: FingerRests) -> None:
        self.finger.rests(message.at)

    @on(FingerLost)
    def _finger_lost(self) -> None:
        self.finger.lost()

    @on(RawTouch)
    def _raw_touch(self, message: RawTouch) -> None:
        if isinstance(self.screen, CalibrateScreen):
            self.screen.raw_touch(message)

    @on(TouchBecame)
    def _touch_became(self, message: TouchBecame) -> None:
        self.box = replace(self.box, touch=message.state)
        self.redraw()
