"""The patient form. Values are checked by model.patient, its reasons are said at the field."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from textual import events, on
from textual.actions import SkipAction
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.patient import accession_from, patient_from, physician_from
from smartbox_tui.ui import form_values, words
from smartbox_tui.ui.completion import shown_name
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import CommandWasRefused
from smartbox_tui.ui.purpose import NEW, Purpose
from smartbox_tui.ui.screens.birth_date import BirthDateScreen
from smartbox_tui.ui.screens.conflict import OpensExam
from smartbox_tui.ui.sentences import field_error
from smartbox_tui.ui.state import Process, current_exam
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.field import Field, Label
from smartbox_tui.wire import state

_SHORT: Final = 16
_LONG: Final = 64
"""Characters of SH, and of LO and each group of PN (PS3.5 6.2)."""
_LIMITS: Final = {"accession": _SHORT}
_RARE: Final = ("middle", "prefix", "suffix", "referring_physician")
"""Behind the button until somebody wants them, or has filled them."""


class Whose(Shown):
    """Which pictures get the patient."""

    DEFAULT_CSS = """
    Whose { height: 1; padding: 0 1; text-style: bold; color: $wait; display: none; }
    Whose.-asks { display: block; }
    """

    def __init__(self, purpose: Purpose, which: str) -> None:
        super().__init__(id="whose", classes="-asks" if purpose.exam is not None else None)
        self._exam = purpose.exam
        self._which = which

    def text(self, view: View, width: int, height: int) -> Content:
        t, exam = view.t, current_exam(view.box)
        which = self._which
        if not which and exam is not None and exam.id == self._exam:
            opened = words.when(exam.opened_at)
            since = t("since {time}", time=t.clock(view.clock.local(opened))) if opened else ""
            which = " ".join(part for part in (words.counters(t, view.box), since) if part)
        asked = t("Whose pictures are these?")
        return Content(f"{asked}  {which}" if which else asked).truncate(max(1, width), ellipsis=True)


class PatientScreen(OpensExam):
    """OK opens the exam, or assigns the pictures of the purpose's. Enter goes to the next field, in the last one it
    is OK. `prefill`, `accession` and `referring_physician` (a PN) stand in the fields at the beginning; `which`
    tells in words, in the language of the screens, whose pictures are assigned."""

    # Priority: the focus moves before the next key is given to a field. A scanner types its code and Enter in one
    # go; as a message of the field, the Enter would come after the letters of the next one.
    BINDINGS = [
        Binding("enter", "enter", show=False, priority=True),
        Binding("escape", "back", show=False),
        Binding("f2", "accept", show=False),
        Binding("f5", "pick_date", show=False),
        Binding("f6", "more", show=False),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
    ]
    AUTO_FOCUS = "#input-family"

    DEFAULT_CSS = """
    PatientScreen #form { padding: 0 1; height: 1fr; scrollbar-size-vertical: 1; }
    PatientScreen #form Horizontal { height: auto; }
    PatientScreen.-tall #form > Horizontal, PatientScreen.-high #form > Horizontal { margin-top: 1; }
    PatientScreen.-low.-keyboard Whose { display: none; }
    PatientScreen.-keyboard #form > Horizontal { margin-top: 0; }
    PatientScreen #sexes { width: 1fr; height: 4; }
    PatientScreen #sexes BigButton { height: 3; }
    PatientScreen .short { width: 0.4fr; }
    PatientScreen #field-referring_physician { width: 1.2fr; }
    PatientScreen #pick-date { width: 16; }
    PatientScreen #more { width: auto; padding: 0 1; }
    PatientScreen #rare { display: none; }
    PatientScreen.-more #rare { display: block; }
    PatientScreen.-more #more-row { display: none; }
    """

    def __init__(
        self,
        purpose: Purpose = NEW,
        prefill: state.Patient | None = None,
        accession: str = "",
        referring_physician: str = "",
        which: str = "",
    ) -> None:
        super().__init__(purpose)
        self._before = prefill or state.Patient()
        self._accession = accession
        self._physician = referring_physician
        self._which = which
        self._sex = self._before.sex
        self._parts = form_values.name_parts(self._before.name)
        if referring_physician or any(self._parts[key] for key in _RARE if key in self._parts):
            self.add_class("-more")

    def compose_body(self) -> Iterable[Widget]:
        name = self._parts
        born = form_values.typed_date(self._before.birth_date, self.console.view().t.language)
        yield Whose(self.purpose, self._which)
        with VerticalScroll(id="form", can_focus=False):
            with Horizontal():
                yield Field("family", N_("Family name"), purpose="name", value=name["family"])
                yield Field("given", N_("Given name"), purpose="name", value=name["given"])
            with Horizontal():
                yield Field("id", N_("Patient ID"), purpose="id", value=self._before.id)
                calendar = BigButton(N_("Calendar"), "screen.pick_date", "F5", id="pick-date")
                label = N_("Birth date (DD/MM/YYYY)")
                yield Field("birth_date", label, purpose="date", value=born, beside=calendar)
            with Horizontal():
                yield Field("accession", N_("Order number (accession)"), purpose="id", value=self._accession)
                with Vertical(id="sexes"):
                    yield Label(N_("Sex"), id="label-sex")
                    with Horizontal():
                        for value, word in (("F", N_("female")), ("M", N_("male")), ("O", N_("diverse"))):
                            chosen = "-on" if value == self._sex else None
                            yield BigButton(word, f"screen.sex('{value}')", id=f"sex-{value}", classes=chosen)
            with Horizontal(id="rare"):
                yield Field("middle", N_("Middle name"), purpose="name", value=name["middle"])
                yield Field("prefix", N_("Title"), value=name["prefix"], classes="short")
                yield Field("suffix", N_("Suffix"), value=name["suffix"], classes="short")
                physician = shown_name(self._physician)
                yield Field("referring_physician", N_("Referred by (name, given)"), purpose="name", value=physician)
            with Horizontal(id="more-row"):
                yield BigButton(N_("More fields …"), "screen.more", "F6", id="more")

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        label = N_("✓ OK, open exam") if self.purpose.exam is None else N_("✓ Assign pictures")
        yield BigButton(label, "screen.accept", "F2", needs=Process.ENGINE, id="ok", classes="-first")

    # ---- fields

    def _field(self, key: str) -> Field:
        return self.query_one(f"#field-{key}", Field)

    def _text(self, key: str) -> str:
        return self._field(key).value

    def _inputs(self) -> list[Input]:
        rare = () if self.has_class("-more") else _RARE
        return [field.query_one(Input) for field in self.query(Field) if field.key not in rare]

    def action_sex(self, value: str) -> None:
        """A second press takes it back: unknown is an honest answer."""
        self._sex = None if self._sex == value else value
        for sex in ("F", "M", "O"):
            self.query_one(f"#sex-{sex}").set_class(sex == self._sex, "-on")

    def action_more(self) -> None:
        """Shows the rarely used fields; they stay."""
        if not self.has_class("-more"):
            self.add_class("-more")
            self.set_focus(self._field("middle").query_one(Input))

    def action_pick_date(self) -> None:
        """The date by touch, beginning at the one that stands there."""
        try:
            value = form_values.birth_date_of(self._text("birth_date"), self._today)
        except SmartBoxError:
            value = None
        self.app.push_screen(BirthDateScreen(value, self._date_picked))

    def _date_picked(self, day: date) -> None:
        field = self._field("birth_date")
        field.value = form_values.typed_date(day.isoformat(), self.console.view().t.language)
        self.set_focus(field.query_one(Input))

    @property
    def _today(self) -> date:
        return self.console.view().now.date()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        """Of the last field: by then it has taken every letter before the Enter."""
        event.stop()
        self.action_accept()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        """What DICOM cannot hold is said at once; nothing is ever cut off behind somebody's back."""
        field = event.input.query_ancestor(Field)
        try:
            self._check_text(field)
            field.bad("")
        except SmartBoxError as exc:
            field.bad(field_error(self.console.view().t, exc)[1])
        if field.key == "birth_date":
            field.note(self._date_in_words(field.value))

    def _date_in_words(self, text: str) -> str:
        view = self.console.view()
        try:
            born = form_values.birth_date_of(text, self._today)
        except SmartBoxError:
            return ""
        return words.born(view.t, state.Patient(birth_date=born.isoformat()), self._today) if born else ""

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """An impossible date is told when its field is left, not while it is typed."""
        if event.widget.id == "input-birth_date":
            try:
                form_values.birth_date_of(self._text("birth_date"), self._today)
            except SmartBoxError as exc:
                self._field("birth_date").bad(field_error(self.console.view().t, exc)[1])

    def action_enter(self) -> None:
        """To the next field; in the last one, and on a button, Enter is theirs."""
        if self.focused not in self._inputs()[:-1]:
            raise SkipAction
        self.action_move(1)

    def action_move(self, step: int) -> None:
        """Up and down through the fields."""
        inputs = self._inputs()
        at = next((index for index, item in enumerate(inputs) if item is self.focused), 0)
        self.set_focus(inputs[(at + step) % len(inputs)])

    # ---- out

    def values(self) -> dict[str, Any]:
        """PATIENT's keys from the fields. Raises bad-value for a birth date that is none."""
        parts = {key: self._text(key) for key in form_values.NAME_PARTS}
        born = form_values.birth_date_of(self._text("birth_date"), self._today)
        values: dict[str, Any] = {
            "id": self._text("id"),
            "name": form_values.name_of(parts, self._before.name),
            "birth_date": born.isoformat() if born else None,
            "sex": self._sex,
        }
        if self._before.age and born is None:
            values["age"] = self._before.age  # an estimate holds until the birth date is known
        return values

    def physician(self) -> str:
        """The referring physician as a PN."""
        text = self._text("referring_physician")
        if self._physician and text == shown_name(self._physician):
            return self._physician
        return form_values.physician_name(text)

    def action_accept(self) -> None:
        """Checks here what can be checked here: the engine is asked once, with values that hold."""
        for field in self.query(Field):
            field.bad("")
        try:
            for field in self.query(Field):
                self._check_text(field)
            values, physician = self.values(), self.physician()
            patient_from(values, self._today)
            accession_from(self._text("accession"))
            physician_from(physician)
        except SmartBoxError as exc:
            self._say_at_field(exc)
            return
        for field in self.query(Field):
            if field.key != "birth_date":
                self.console.completion.remember(field.key, field.value)
        command = self.purpose.command(
            patient=values, accession=self._text("accession"), referring_physician=physician
        )
        self.open(command)

    def _check_text(self, field: Field) -> None:
        if field.key in form_values.NAME_PARTS or field.key == "referring_physician":
            form_values.check_name_part(field.key, field.value)
        else:
            form_values.check_characters(field.key, field.value)
        form_values.check_length(field.key, field.value, _LIMITS.get(field.key, _LONG))

    def show_error(self, message: CommandWasRefused) -> bool:
        return message.error.code == "bad-value" and self._say_at_field(message.error)

    def _say_at_field(self, error: SmartBoxError) -> bool:
        key, why = field_error(self.console.view().t, error)
        fields = {item.key: item for item in self.query(Field)}
        field = fields.get({"name": "family"}.get(key, key))
        if field is None:
            return False
        if field.key in _RARE:
            self.add_class("-more")
        field.bad(why)
        field.query_one(Input).focus()
        if len(why) > field.size.width - 2:
            self.console.say(why)  # it is cut off at a narrow field
        return True

    def on_key(self, event: events.Key) -> None:
        """No other key does anything to the exam while a form is open: a slip of the hand opens nothing."""
        if event.key in ("n", "c", "q", "s") and not isinstance(self.focused, Input):
            event.stop()
            event.prevent_default()
