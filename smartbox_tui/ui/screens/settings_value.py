"""One setting: by its kind as big buttons or as a field with the keyboard that goes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from textual import on
from textual.binding import Binding
from textual.containers import Grid, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from smartbox_tui.settings.describe import Key, Section, why_not
from smartbox_tui.ui import setting_words
from smartbox_tui.ui.i18n import N_, Texts
from smartbox_tui.ui.screens.settings_base import SettingsBase, Title
from smartbox_tui.ui.settings_known import Known
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.field import Field

RESET: Any = object()
"""What the settings file says, or the default, in the place of what was set here."""
_PURPOSES = {"number": "number", "host": "host"}


class Meaning(Shown):
    """What the setting means, and what it may be."""

    DEFAULT_CSS = "Meaning { height: auto; padding: 0 1 1 1; color: $dim; }"

    def __init__(self, key: Key) -> None:
        super().__init__(id="meaning")
        self._key = key

    def text(self, view: View, width: int, height: int) -> Content:
        t, key = view.t, self._key
        lines = [setting_words.doc(t, key) + "."]
        notes = [setting_words.bounds(t, key)]
        if not key.required and key.default not in ("", None):
            notes.append(t("Default: {value}", value=setting_words.value(t, key, key.default)))
        if key.restart in setting_words.BY_HAND:
            process = t(setting_words.PROCESSES[key.restart])
            notes.append(t("It holds after a restart of: {names}.", names=process).rstrip("."))
        return Content("\n".join([*lines, " · ".join(note for note in notes if note)]).rstrip())


def parsed(t: Texts, section: Section, key: Key, text: str) -> tuple[Any, str]:
    """The value of what was typed, and why it is not right; empty: it is."""
    value: Any = text
    if key.type in ("integer", "number"):
        try:
            number = float(text.replace(",", "."))
            value = int(number) if number == int(number) else number
        except (ValueError, OverflowError):
            return text, t("A number.")
        if key.type == "integer" and not isinstance(value, int):
            return text, t("A whole number.")
    elif key.required and not text:
        return text, t("Something must stand here.")
    why = why_not(section.name, key, value)
    return value, setting_words.reason(t, key, why) if why else ""


class SettingValueScreen(SettingsBase):
    """Calls `chosen` with the new value, or RESET, and goes back."""

    BINDINGS = [Binding("f2", "accept", show=False), Binding("f4", "reset", show=False)]

    DEFAULT_CSS = """
    SettingValueScreen #value-box { padding: 0 1; height: 1fr; }
    SettingValueScreen Grid { grid-size: 2; grid-rows: 3; grid-gutter: 0 1; height: auto; }
    SettingValueScreen.-tall Grid { grid-gutter: 1 1; }
    SettingValueScreen.-huge Grid { grid-size: 3; }
    SettingValueScreen.-low.-keyboard #meaning { display: none; }
    SettingValueScreen.-low.-keyboard Title { height: 1; }
    """

    def __init__(
        self,
        section: Section,
        key: Key,
        entry: str,
        value: Any,
        chosen: Callable[[Any], None],
        *,
        headline: str = "",
        resettable: bool = False,
        taken: Sequence[str] = (),
    ) -> None:
        """`taken`: names that may not be given again; `headline` a msgid in the place of the key's label."""
        super().__init__()
        self._section, self._key, self._entry = section, key, entry
        self._value, self._chosen, self._headline = value, chosen, headline
        self._resettable, self._taken = resettable, [name.lower() for name in taken]

    def compose_body(self) -> Iterable[Widget]:
        yield Title()
        with Vertical(id="value-box"):
            yield Meaning(self._key)
            if self._key.choices:
                yield Grid(*(self._choice(at, item) for at, item in enumerate(self._key.choices)))
            else:
                label = setting_words.LABELS.get(f"{self._section.name}.{self._key.key}")
                label = label or setting_words.LABELS.get(self._key.key, self._key.key)
                text = "" if self._value is None else str(self._value)
                purpose = "host" if self._key.key == "device" else _PURPOSES.get(self._key.input, "text")
                yield Field("value", label, purpose=purpose, value=text)

    def _choice(self, at: int, item: Any) -> BigButton:
        classes = "-on" if item == self._value else ""

        def label(view: View) -> str:
            return setting_words.value(view.t, self._key, item)

        key = str(at + 1) if at < 9 else ""
        return BigButton(label, f"screen.choose({at})", key, id=f"choice-{at}", classes=classes)

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        if not self._key.choices:
            yield BigButton(N_("✓ OK"), "screen.accept", "F2", id="ok", classes="-first")
        if self._resettable:
            yield BigButton(N_("Take back"), "screen.reset", "F4", id="reset")

    def on_mount(self) -> None:
        super().on_mount()
        fields = self.query(Input)
        if fields:
            fields.first().focus()
            fields.first().cursor_position = len(fields.first().value)

    def fill(self, view: View, known: Known) -> None:
        where = setting_words.section(view.t, self._section.name)
        headline = " → ".join(part for part in (where, self._entry) if part)
        label = view.t(self._headline) or setting_words.label(view.t, self._section.name, self._key.key)
        self.query_one(Title).say(headline, label, "bold")

    def on_key(self, event: Any) -> None:
        if self._key.choices and event.key.isdecimal() and 1 <= int(event.key) <= len(self._key.choices):
            event.stop()
            self.action_choose(int(event.key) - 1)

    def action_choose(self, at: int) -> None:
        self._done(self._key.choices[at])

    def action_reset(self) -> None:
        if self._resettable:
            self._done(RESET)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_accept()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one(Field).bad("")

    def action_accept(self) -> None:
        """What does not hold is said at the field."""
        if self._key.choices:
            return
        field, t = self.query_one(Field), self.console.view().t
        value, why = parsed(t, self._section, self._key, field.value)
        if not why and str(value).lower() in self._taken:
            why = t("That name is taken.")
        if why:
            field.bad(why)
            field.query_one(Input).focus()
        else:
            self._done(value)

    def _done(self, value: Any) -> None:
        self.action_back()
        self._chosen(value)
