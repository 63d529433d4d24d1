"""A button for gloved fingers: at least three rows by ten columns, its key written in its lower edge."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui.state import BoxState, Presence, Process
from smartbox_tui.ui.view import View

FLASH_S = 0.15
"""How long the pressed look stays: long enough to be seen under a finger that leaves."""

Label = Callable[[View], str | Content]


class BigButton(Widget, can_focus=True):
    """Runs `action` on click, touch and Enter. Never disabled: one that cannot work now says so when pressed.

    Classes: `-first` the main one, `-red` for emergency and stop, `-off` looks unavailable, `-on` chosen.
    """

    DEFAULT_CSS = """
    BigButton {
        width: 1fr; height: 3; min-width: 10; min-height: 3;
        content-align: center middle; text-align: center;
        background: $key; color: $text; border: round $key-line;
        border-subtitle-color: $dim; border-subtitle-align: center; border-subtitle-background: $key;
    }
    BigButton:hover { background: $key-hover; border-subtitle-background: $key-hover; }
    BigButton:focus { border: round $calm; }
    BigButton.-first {
        background: $calm-deep; border: round $calm; text-style: bold; border-subtitle-background: $calm-deep;
    }
    BigButton.-first:focus { border: heavy $calm; }
    BigButton.-red {
        background: $red-deep; color: $on-red; border: round $red; text-style: bold;
        border-subtitle-background: $red-deep; border-subtitle-color: $on-red;
    }
    BigButton.-red:focus { border: heavy $on-red; }
    BigButton.-on { border: heavy $calm; color: $calm; text-style: bold; }
    BigButton.-off { color: $faint; border: round $key; border-subtitle-color: $faint; text-style: none; }
    BigButton.-pressed { background: $calm; color: $on-calm; border-subtitle-background: $calm; }
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
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`label` is a msgid, or makes the text from the view; `key` the msgid of the key that does the same;
        `needs` the process without which it cannot work; `usable` says from the state whether it makes sense."""
        super().__init__(id=id, classes=classes)
        self._label = label
        self._action = action
        self._key = key
        self._needs = needs
        self._usable = usable
        self._content: str | Content = ""

    def show(self, view: View) -> None:
        """Label and key in the view's language, availability from its state."""
        content = view.t(self._label) if isinstance(self._label, str) else self._label(view)
        subtitle = view.t(self._key)
        presence = {Process.ENGINE: view.box.engine, Process.CAPTURE: view.box.capture}
        away = self._needs is not None and presence[self._needs] is Presence.AWAY
        self.set_class(away or not (self._usable is None or self._usable(view.box)), "-off")
        if subtitle != self.border_subtitle:
            self.border_subtitle = subtitle
        if content != self._content:
            self._content = content
            self.refresh()

    def render(self) -> Content:
        content = self._content
        return content if isinstance(content, Content) else Content(content)

    async def on_click(self, event: events.Click) -> None:
        event.stop()
        await self.action_press()

    async def action_press(self) -> None:
        """The finger's, the mouse's and Enter's."""
        self.add_class("-pressed")
        self.set_timer(FLASH_S, lambda: self.remove_class("-pressed"), name="button-flash")
        await self.run_action(self._action)
