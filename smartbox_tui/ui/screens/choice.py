"""One question, a few big answers. Esc and Back answer nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from textual import events
from textual.containers import Center, Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui.screens.base import BoxScreen
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.ui.widgets.big_button import BigButton

_IN_A_ROW = 4
"""More answers stand in two columns."""


class Option(NamedTuple):
    """`value` is what the answer gives, `label` its msgid, `key` the key that chooses it."""

    value: str
    label: str
    key: str
    classes: str = ""


Words = str | Callable[[View], str]


def _said(view: View, words: Words) -> str:
    return view.t(words) if isinstance(words, str) else words(view)


class Question(Shown):
    """A headline and a line below it, msgids or made from the view."""

    DEFAULT_CSS = "Question { height: auto; text-align: center; width: 100%; padding: 1 2; }"

    def __init__(self, headline: Words, detail: Words) -> None:
        super().__init__()
        self._headline = headline
        self._detail = detail

    def text(self, view: View, width: int, height: int) -> Content:
        headline = Content.styled(_said(view, self._headline), "bold")
        detail = _said(view, self._detail)
        return Content("\n").join([headline, Content.styled(detail, "$dim")]) if detail else headline


class ChoiceScreen(BoxScreen):
    """Calls `chosen` with the option's value and goes back to the picture."""

    BINDINGS = [("escape", "back", "")]

    DEFAULT_CSS = """
    ChoiceScreen #body { align: center middle; }
    ChoiceScreen #question-box { width: 90%; max-width: 100; height: auto; }
    ChoiceScreen #options { height: auto; }
    ChoiceScreen #options BigButton { height: 5; margin: 0 1; }
    ChoiceScreen.-narrow #options BigButton { margin: 0; }
    ChoiceScreen #options.-many { layout: grid; grid-size: 2; grid-gutter: 0 1; grid-rows: 3; }
    ChoiceScreen #options.-many BigButton { height: 3; margin: 0; }
    ChoiceScreen.-tall #options.-many { grid-rows: 4; }
    ChoiceScreen.-narrow #options.-stacked { layout: grid; grid-size: 2; grid-gutter: 0 1; grid-rows: 5; }
    """

    def __init__(
        self,
        headline: Words,
        detail: Words,
        options: Sequence[Option],
        chosen: Callable[[str], None],
        *,
        enter: str = "",
    ) -> None:
        """`enter` is the value that the Enter key chooses, none by default."""
        super().__init__()
        self._headline = headline
        self._detail = detail
        self._options = options
        self._chosen = chosen
        self._enter = enter

    def compose_body(self) -> Iterable[Widget]:
        buttons = [
            BigButton(
                option.label, f"screen.choose('{option.value}')", option.key, classes=option.classes or "-first"
            )
            for option in self._options
        ]
        question = Question(self._headline, self._detail)
        many = "-many" if len(buttons) > _IN_A_ROW else "-stacked" if len(buttons) == _IN_A_ROW else ""
        yield Center(Vertical(question, Horizontal(*buttons, id="options", classes=many), id="question-box"))

    def on_key(self, event: events.Key) -> None:
        value = self._enter if event.key == "enter" else ""
        value = value or next((option.value for option in self._options if option.key == event.key), "")
        if value and not (event.key == "enter" and isinstance(self.focused, BigButton)):
            event.stop()
            event.prevent_default()
            self.action_choose(value)

    def action_choose(self, value: str) -> None:
        self.action_back()
        self._chosen(value)
