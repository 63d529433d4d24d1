"""The patient form. Values are checked by model.patient, its reasons are said at the field."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from textual import events, on
from textual.actions import SkipAction
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.patient import accession_from, patient_from
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import CommandWasRefused
from smartbox_tui.ui.purpose import NEW, Purpose
from smartbox_tui.ui.screens.conflict import OpensExam
from smartbox_tui.ui.sentences import field_error
from smartbox_tui.ui.state import Process
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.field import Field, Label

_DAY_FIRST: Final = re.compile(r"^(\d{1,2})[./ -](\d{1,2})[./ -](\d{4})$")
_DIGITS: Final = re.compile(r"^(\d{2})(\d{2})(\d{4})$")


def iso_date(text: str) -> str:
    """`14.3.1961`, `14/03/1961`, `14031961` and `1961-03-14` as the last; anything else as it is, for the model to
    refuse. Two-digit years are refused too: 61 may be a child."""
    text = text.strip()
    match = _DAY_FIRST.match(text) or _DIGITS.match(text)
    return f"{match[3]}-{int(match[2]):02d}-{int(match[1]):02d}" if match else text


class PatientScreen(OpensExam):
    """OK opens the exam. Enter goes to the next field, in the last one it is OK."""

    # Priority: the focus moves before the next key is given to a field. A scanner types its code and Enter in one
    # go; as a message of the field, the Enter would come after the letters of the next one.
    BINDINGS = [
        Binding("enter", "enter", show=False, priority=True),
        Binding("escape", "back", show=False),
        Binding("f2", "accept", show=False),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
    ]
    AUTO_FOCUS = "#input-family"

    DEFAULT_CSS = """
    PatientScreen #form { padding: 0 1; height: 1fr; scrollbar-size-vertical: 1; }
    PatientScreen #form Horizontal { height: auto; }
    PatientScreen.-tall #form > Horizontal { margin-top: 1; }
    PatientScreen #sexes { width: 1fr; height: 4; }
    PatientScreen #sexes BigButton { height: 3; }
    PatientScreen .narrow { width: 24; }
    """

    def __init__(self, purpose: Purpose = NEW) -> None:
        super().__init__(purpose)
        self._sex: str | None = None

    def compose_body(self) -> Iterable[Widget]:
        with VerticalScroll(id="form", can_focus=False):
            with Horizontal():
                yield Field("family", N_("Family name"), purpose="name")
                yield Field("given", N_("Given name"), purpose="name")
            with Horizontal():
                yield Field("id", N_("Patient ID"), purpose="id")
                yield Field("birth_date", N_("Birth date (DD.MM.YYYY)"), purpose="date", maximum=10)
            with Horizontal():
                yield Field("accession", N_("Order number (accession)"), purpose="id", maximum=16)
                with Vertical(id="sexes"):
                    yield Label(N_("Sex"), id="label-sex")
                    with Horizontal():
                        for value, name in (("F", N_("female")), ("M", N_("male")), ("O", N_("diverse"))):
                            yield BigButton(name, f"screen.sex('{value}')", id=f"sex-{value}")

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        yield BigButton(
            N_("✓ OK, open exam"), "screen.accept", "F2", needs=Process.ENGINE, id="ok", classes="-first"
        )

    def action_sex(self, value: str) -> None:
        """A second press takes it back: unknown is an honest answer."""
        self._sex = None if self._sex == value else value
        for sex in ("F", "M", "O"):
            self.query_one(f"#sex-{sex}").set_class(sex == self._sex, "-on")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        """Of the last field: by then it has taken every letter before the Enter."""
        event.stop()
        self.action_accept()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        field = event.input.parent
        if isinstance(field, Field):
            field.bad("")

    def action_enter(self) -> None:
        """To the next field; in the last one, and on a button, Enter is theirs."""
        inputs = list(self.query(Input))
        if self.focused not in inputs[:-1]:
            raise SkipAction
        self.action_move(1)

    def action_move(self, step: int) -> None:
        """Up and down through the fields."""
        inputs = list(self.query(Input))
        at = next((index for index, item in enumerate(inputs) if item is self.focused), 0)
        self.set_focus(inputs[(at + step) % len(inputs)])

    def values(self) -> dict[str, Any]:
        """PATIENT's keys from the fields."""
        field = {item.key: item.value for item in self.query(Field)}
        name = "^".join((field["family"], field["given"])).rstrip("^")
        birth = iso_date(field["birth_date"])
        return {"id": field["id"], "name": name, "birth_date": birth or None, "sex": self._sex}

    def action_accept(self) -> None:
        """Checks here what can be checked here: the engine is asked once, with values that hold."""
        for field in self.query(Field):
            field.bad("")
        accession = self.query_one("#field-accession", Field).value
        today = self.console.view().now.date()
        try:
            self._check_separators()
            patient_from(self.values(), today)
            accession_from(accession)
        except SmartBoxError as exc:
            self._say_at_field(exc)
            return
        self.open(self.purpose.command(patient=self.values(), accession=accession))

    def _check_separators(self) -> None:
        """`^` and `=` would move a part of the name into another component."""
        for field in self.query(Field):
            for sign, why in (("^", "more than five components"), ("=", "more than three component groups")):
                if field.key in ("family", "given") and sign in field.value:
                    raise SmartBoxError("bad-value", f"{field.key}: {why}", "Leave it out.")

    def show_error(self, message: CommandWasRefused) -> bool:
        return message.error.code == "bad-value" and self._say_at_field(message.error)

    def _say_at_field(self, error: SmartBoxError) -> bool:
        key, why = field_error(self.console.view().t, error)
        fields = {item.key: item for item in self.query(Field)}
        field = fields.get({"name": "family"}.get(key, key))
        if field is None:
            return False
        field.bad(why)
        field.query_one(Input).focus()
        return True

    def on_key(self, event: events.Key) -> None:
        """No other key does anything to the exam while a form is open: a slip of the hand opens nothing."""
        if event.key in ("n", "c", "q", "s") and not isinstance(self.focused, Input):
            event.stop()
            event.prevent_default()
