"""A button for gloved fingers: at least three rows by ten columns, its key written on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, cast

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from smartbox_tui.ui.state import BoxState, Presence, Process
from smartbox_tui.ui.touching import FingerDown
from smartbox_tui.ui.view import View

FLASH_S = 0.15
"""How long the pressed look stays: long enough to be seen under a finger that leaves."""

Label = Callable[[View], str | Content]


class Pressed(Protocol):
    """What is asked of the app."""

    def pressed(self, at_s: float) -> None: ...


class BigButton(Widget, can_focus=True):
    """Runs `action` on click, touch and Enter: as a rule when the finger leaves, so that it may still slide off.
    Never disabled: one that cannot work now says so when pressed.

    Classes: `-first` the main one, `-red` for emergency and stop, `-off` looks unavailable, `-on` chosen.
    """

    DEFAULT_CSS = """
    BigButton {
        width: 1fr; height: 3; min-width: 10; min-height: 3;
        content-align: center middle; text-align: center;
        background: $key; color: $text; border: inner $key;
    }
    BigButton:hover { background: $key-hover; border: inner $key-hover; }
    BigButton:focus { border: inner $calm; }
    BigButton.-first { background: $calm-deep; border: inner $calm-deep; text-style: bold; }
    BigButton.-first:hover { background: $calm-hover; border: inner $calm-hover; }
    BigButton.-first:focus { border: inner $calm; }
    BigButton.-red { background: $red-deep; color: $on-red; border: inner $red-deep; text-style: bold; }
    BigButton.-red:hover { background: $red-hover; border: inner $red-hover; }
    BigButton.-red:focus { border: inner $on-red; }
    BigButton.-on { background: $calm; border: inner $calm; color: $on-calm; text-style: bold; }
    BigButton.-off { background: $off; border: inner $off; color: $faint; text-style: none; }
    BigButton.-off:focus { border: inner $calm; }
    BigButton.-pressed { background: $calm; color: $on-calm; border: inner $calm; }
    """

    BINDINGS = [Binding("enter", "press", show=False)]

    def __init__(
        self,
        label: str | Label,
        action: str,
        key: str = "",
        *,
        needs: Process | None = None,
        usable: Callable[[BoxState], bool] | None = None,
        at_once: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`label` is a msgid, or makes the text from the view; `key` the msgid of the key that does the same;
        `needs` the process without which it cannot work; `usable` says from the state whether it makes sense;
        `at_once`: as a pedal, it acts when the finger comes down. A picture is of that moment, however long the
        finger stays: the frames of half a second ago are gone."""
        super().__init__(id=id, classes=classes)
        self._label = label
        self._action = action
        self._key = key
        self._needs = needs
        self._usable = usable
        self._at_once = at_once
        self._down_s = 0.0
        self._drawn: tuple[Content, str] = (Content(""), "")

    def show(self, view: View) -> None:
        """Label and key in the view's language, availability from its state."""
        label = view.t(self._label) if isinstance(self._label, str) else self._label(view)
        presence = {Process.ENGINE: view.box.engine, Process.CAPTURE: view.box.capture}
        away = self._needs is not None and presence[self._needs] is Presence.AWAY
        self.set_class(away or not (self._usable is None or self._usable(view.box)), "-off")
        drawn = (label if isinstance(label, Content) else Content(label), view.t(self._key))
        if drawn != self._drawn:
            self._drawn = drawn
            self.refresh(layout=True)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Label and key side by side."""
        label, key = self._drawn
        return label.cell_length + (len(key) + self._gap if key else 0)

    @property
    def _gap(self) -> int:
        """Columns between label and key: one where the screen is narrow."""
        return 1 if self.is_attached and self.screen.has_class("-narrow") else 2

    def render(self) -> Content:
        """The key stands beside the label, below it where there is room."""
        label, key = self._drawn
        if not key:
            return label
        plain = any(self.has_class(name) for name in ("-on", "-off", "-first", "-red", "-pressed"))
        style = "not bold" if plain else "not bold $hint"
        hint = Content.styled(key, style)
        if self.content_size.height >= 3:
            return Content("\n").join([label, Content(""), hint])
        if label.cell_length + len(key) + self._gap > self.content_size.width:
            return label
        return Content.assemble(label, " " * self._gap, hint)

    async def on_mouse_down(self, event: events.MouseDown) -> None:
        """The pressed look comes first."""
        self._look_pressed()
        if self._at_once and event.button <= 1:
            if isinstance(event, FingerDown):
                cast(Pressed, self.app).pressed(event.time)
            await self.run_action(self._action)

    def on_mouse_up(self) -> None:
        self.lift()

    async def on_click(self, event: events.Click) -> None:
        event.stop()
        if not self._at_once:
            await self.action_press()

    async def action_press(self) -> None:
        """The finger's, the mouse's and Enter's."""
        self._look_pressed()
        self.lift()
        await self.run_action(self._action)

    def _look_pressed(self) -> None:
        self._down_s = time.monotonic()
        self.add_class("-pressed")

    def lift(self) -> None:
        """The finger has left, or drags: the pressed look stays as long as it takes to be seen."""
        if self.has_class("-pressed") and self.is_attached:
            left = max(0.001, FLASH_S - (time.monotonic() - self._down_s))
            self.set_timer(left, self._look_lifted, name="button-flash")

    def _look_lifted(self) -> None:
        if time.monotonic() - self._down_s >= FLASH_S * 0.9:  # else it was pressed again meanwhile
            self.remove_class("-pressed")
