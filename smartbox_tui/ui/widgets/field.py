"""A field of a form: its name, an input that the keyboard on the screen knows the purpose of, its error."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from smartbox_tui.ui.view import Shown, View


class Entry(Input):
    """An Input for fingers. `purpose` chooses the keyboard's keys, `key` what it proposes (see `keyboard`)."""

    def __init__(self, value: str = "", *, purpose: str = "text", key: str = "", **options: Any) -> None:
        super().__init__(value, select_on_focus=False, **options)
        self.purpose = purpose
        self.key = key

    async def _on_mouse_move(self, event: events.MouseMove) -> None:
        """A finger that trembles selects nothing: the next letter would take the place of what it selected."""
        event.prevent_default()


class Label(Shown):
    """A field's name, its error in its place when there is one, and a note at its right."""

    DEFAULT_CSS = "Label { height: 1; padding: 0 1; color: $dim; } Label.-bad { color: $wait; text-style: bold; }"

    def __init__(self, name: str, *, id: str) -> None:
        super().__init__(id=id)
        self._name_of_field = name
        self._error = ""
        self._note = ""

    def say(self, error: str) -> None:
        """The reason instead of the name; an empty one takes it back."""
        self._error = error
        self.set_class(bool(error), "-bad")
        self._draw()

    def note(self, text: str) -> None:
        """How the box has understood what stands in the field, in words."""
        self._note = text
        self._draw()

    def text(self, view: View, width: int, height: int) -> Content:
        if self._error:
            return Content(self._error)
        name = view.t(self._name_of_field)
        if not self._note:
            return Content(name)
        if len(name) + 2 + len(self._note) > width:
            return Content.styled(self._note, "$text")
        return Content.assemble(name, "  ", (self._note, "$text"))


class Field(Vertical):
    """A label and an entry, four rows; `key` is what errors name and what completions are found by. `beside`: a
    button at the entry's right. `maximum` only bounds what can be typed: what a value may not be longer than is
    said, never cut off."""

    DEFAULT_CSS = """
    Field { height: 4; width: 1fr; }
    Field Horizontal { height: 3; }
    Field Horizontal Input { width: 1fr; }
    """

    def __init__(
        self,
        key: str,
        name: str,
        *,
        purpose: str = "text",
        maximum: int = 128,
        value: str = "",
        beside: Widget | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=f"field-{key}", classes=classes)
        self.key = key
        self._name_of_field = name
        self._purpose = purpose
        self._maximum = maximum
        self._value = value
        self._beside = beside

    def compose(self) -> ComposeResult:
        yield Label(self._name_of_field, id=f"label-{self.key}")
        entry = Entry(
            self._value,
            purpose=self._purpose,
            key=self.key,
            id=f"input-{self.key}",
            max_length=self._maximum,
        )
        yield entry if self._beside is None else Horizontal(entry, self._beside)

    @property
    def value(self) -> str:
        return self.query_one(Input).value.strip()

    @value.setter
    def value(self, text: str) -> None:
        entry = self.query_one(Input)
        entry.value = text
        entry.cursor_position = len(text)

    def bad(self, why: str) -> None:
        """Says it, or takes it back with an empty text."""
        self.query_one(Label).say(why)
        self.query_one(Input).set_class(bool(why), "-invalid")

    def note(self, text: str) -> None:
        """Beside the name: how the entry was understood."""
        self.query_one(Label).note(text)
