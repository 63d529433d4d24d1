"""The patient form: what DICOM cannot hold, dates that cannot be, the date picker, names in all their parts."""

from __future__ import annotations

from datetime import date
from itertools import combinations

import pytest
from textual.widgets import Input

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui import form_values
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.purpose import Purpose
from smartbox_tui.ui.screens.birth_date import BirthDateScreen
from smartbox_tui.ui.screens.patient import PatientScreen, Whose
from smartbox_tui.ui.widgets.date_picker import DatePad
from smartbox_tui.ui.widgets.field import Label
from smartbox_tui.wire import commands, state
from tests.support.fakebox import FakeBox
from tests.ui.rig import MIDDLE, SMALL, Rig, console
from tests.ui.touch import form, key_at, tap, touch

TODAY = date(2026, 11, 20)
"""The box's day in these tests."""


def value(rig: Rig, field: str) -> str:
    return rig.app.screen.query_one(f"#input-{field}", Input).value


def label(rig: Rig, field: str) -> str:
    shown = rig.app.screen.query_one(f"#label-{field}", Label)
    return str(shown.render())


async def put(rig: Rig, **values: str) -> None:
    for field, text in values.items():
        rig.app.screen.query_one(f"#input-{field}", Input).value = text
    await rig.pilot.pause()


def unassigned(box: FakeBox) -> None:
    """Pictures that wait for a name."""
    box.open_exam(state.Patient(), state="unassigned")
    for _ in range(3):
        box.take()


# ---- pure


@pytest.mark.parametrize(
    ("typed", "iso"),
    [
        ("14.3.1961", "1961-03-14"),
        ("14/03/1961", "1961-03-14"),
        ("14031961", "1961-03-14"),
        ("1961-03-14", "1961-03-14"),
        (" 29.02.2024 ", "2024-02-29"),
        ("20.11.2026", "2026-11-20"),
        ("01.01.1850", "1850-01-01"),
    ],
)
def test_a_date_is_understood(typed: str, iso: str) -> None:
    assert form_values.birth_date_of(typed, TODAY) == date.fromisoformat(iso)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("31.02.1990", "no such day"),
        ("29.02.2023", "no such day"),
        ("00.01.1990", "no such day"),
        ("12.13.1990", "no such day"),
        ("14.03.61", "not a date"),
        ("gestern", "not a date"),
        ("1990", "not a date"),
        ("21.11.2026", "in the future or before 1850"),
        ("31.12.1849", "in the future or before 1850"),
    ],
)
def test_a_date_that_cannot_be_is_refused(typed: str, why: str) -> None:
    with pytest.raises(SmartBoxError, match=why) as refused:
        form_values.birth_date_of(typed, TODAY)
    assert refused.value.code == "bad-value"
    assert typed not in str(refused.value), "patient data stays out of messages"


def test_a_name_keeps_its_parts_and_its_other_scripts() -> None:
    name = "Yamada^Tarou^^Dr.=山田^太郎=やまだ^たろう"
    parts = form_values.name_parts(name)
    assert parts == {"family": "Yamada", "given": "Tarou", "middle": "", "prefix": "Dr.", "suffix": ""}
    assert form_values.name_of(parts, name) == name
    assert form_values.name_of({**parts, "given": "Jirou"}, name) == "Yamada^Jirou^^Dr."
    assert form_values.name_of({"family": "Adams", "suffix": "Jr."}) == "Adams^^^^Jr."
    assert form_values.name_parts("") == dict.fromkeys(form_values.NAME_PARTS, "")


def test_a_physician_is_typed_in_one_field() -> None:
    assert form_values.physician_name("Weber, Anna") == "Weber^Anna"
    assert form_values.physician_name("Weber, Anna, Dr.") == "Weber^Anna^^Dr."
    assert form_values.physician_name("Weber") == "Weber"
    assert form_values.physician_name("") == ""


def test_no_date_on_a_screen_can_be_read_in_two_ways() -> None:
    assert Texts("de").date(date(1961, 3, 4)) == "04.03.1961"
    assert Texts("en").date(date(1961, 3, 4)) == "4 Mar 1961"


# ---- at the field


@pytest.mark.parametrize(
    ("language", "field", "text", "told"),
    [
        ("de", "family", "A" * 65, "Länger als 64 Zeichen."),
        ("en", "family", "A" * 65, "Longer than 64 characters."),
        ("de", "given", "A^B", "Das Zeichen ^ ist hier nicht erlaubt."),
        ("en", "given", "A=B", "The sign = is not allowed here."),
        ("de", "id", "A\\B", "Das Zeichen \\ ist nicht erlaubt."),
        ("en", "id", "1" * 65, "Longer than 64 characters."),
        ("de", "accession", "A" * 17, "Länger als 16 Zeichen."),
        ("en", "accession", "A\\1", "A backslash is not allowed."),
    ],
)
async def test_what_dicom_cannot_hold_is_said_while_it_is_typed(
    language: str, field: str, text: str, told: str
) -> None:
    async with console(size=SMALL, language=language) as rig:
        await form(rig)
        await put(rig, family="Weiß", given="Änne", id="7")
        await put(rig, **{field: text})
        assert told in label(rig, field)
        assert value(rig, field) == text, "nothing is cut off behind anybody's back"
        await rig.press("f2")
        await rig.pilot.pause(0.1)
        assert rig.box.commands == []
        assert rig.app.focused is rig.app.screen.query_one(f"#input-{field}")
        await put(rig, **{field: "Ok"})
        assert told not in label(rig, field)


async def test_a_name_that_is_too_long_as_a_whole_is_refused() -> None:
    async with console(size=SMALL) as rig:
        await form(rig)
        await put(rig, family="A" * 40, given="B" * 30, id="7")
        await rig.press("f2")
        await rig.until(lambda: "Länger als 64 Zeichen." in label(rig, "family"))
        assert rig.box.commands == []


async def test_the_date_is_read_back_in_words_and_refused_when_left() -> None:
    async with console(size=MIDDLE, language="en") as rig:
        await form(rig)
        assert "DD/MM/YYYY" in label(rig, "birth_date")
        await put(rig, birth_date="04/03/1961")
        assert "4 Mar 1961 (65)" in label(rig, "birth_date")
        await put(rig, birth_date="31/02/1961")
        rig.app.screen.query_one("#input-birth_date").focus()
        await rig.pilot.pause()
        assert "no such day" not in label(rig, "birth_date"), "not while it is typed"
        await rig.press("enter")
        await rig.until(lambda: "There is no such day." in label(rig, "birth_date"))


async def test_every_part_of_a_name_and_the_physician_reach_the_exam_by_keys_alone() -> None:
    async with console(size=SMALL) as rig:
        await form(rig)
        for text in ("Weber", "Eva", "12", "01.02.1950"):
            await rig.type(text)
            await rig.press("enter")
        await rig.type("A7")
        await rig.press("f6")
        for text in ("Maria", "Prof.", "MSc"):
            await rig.type(text)
            await rig.press("enter")
        await rig.type("Klein, Paul")
        await rig.press("enter")
        command = await rig.command(commands.ExamOpen)
        assert command == commands.ExamOpen(
            id=command.id,
            patient={"id": "12", "name": "Weber^Eva^Maria^Prof.^MSc", "birth_date": "1950-02-01", "sex": None},
            accession="A7",
            referring_physician="Klein^Paul",
        )


async def test_arrows_skip_the_fields_that_are_folded_away() -> None:
    async with console(size=SMALL) as rig:
        await form(rig)
        await rig.press("up")
        assert rig.app.focused is rig.app.screen.query_one("#input-accession")
        await rig.press("f6")
        await rig.until(lambda: rig.app.focused is rig.app.screen.query_one("#input-middle"))


async def test_a_prefilled_form_gives_back_what_it_was_given() -> None:
    patient = state.Patient(id="4711", name="Müller^Jörg^^Dr.=山田", birth_date="1961-03-14", sex="M")
    async with console(size=SMALL) as rig:
        await form(rig, PatientScreen(prefill=patient, accession="A1", referring_physician="Weber^Anna^^Dr."))
        assert "14.03.1961 (65)" in label(rig, "birth_date")
        assert value(rig, "birth_date") == "14.03.1961"
        assert rig.app.screen.query_one("#input-prefix").region.area, "what is filled is not folded away"
        await rig.press("f2")
        command = await rig.command(commands.ExamOpen)
        assert command == commands.ExamOpen(
            id=command.id,
            patient={"id": "4711", "name": "Müller^Jörg^^Dr.=山田", "birth_date": "1961-03-14", "sex": "M"},
            accession="A1",
            referring_physician="Weber^Anna^^Dr.",
        )


async def test_an_estimated_age_holds_until_the_birth_date_is_known() -> None:
    child = state.Patient(id="N1", name="NOTFALL^Kind", age="008Y")
    async with console(size=SMALL) as rig:
        screen = await form(rig, PatientScreen(prefill=child))
        assert screen.values()["age"] == "008Y"
        await put(rig, birth_date="01.02.2019")
        assert "age" not in screen.values()


@pytest.mark.parametrize(("language", "button"), [("de", "Zuordnen"), ("en", "Assign")])
async def test_assigning_says_whose_pictures_and_assigns_them(language: str, button: str) -> None:
    async with console(unassigned, size=SMALL, language=language) as rig:
        exam = rig.app.box.held or rig.app.box.exam
        assert exam is not None
        await form(rig, PatientScreen(Purpose(exam=exam.id)))
        await rig.until(lambda: button in rig.text())
        whose = rig.app.screen.query_one(Whose)
        assert "3 " in str(whose.render()), "how many they are stands above the form"
        assert whose.region.area
        await put(rig, family="Weiß", given="Änne", id="77", accession="A1")
        await rig.press("f2")
        command = await rig.command(commands.ExamReassign)
        assert isinstance(command, commands.ExamReassign)
        assert (command.exam, command.accession) == (exam.id, "A1")
        assert command.patient == {"id": "77", "name": "Weiß^Änne", "birth_date": None, "sex": None}


async def test_accepted_entries_are_proposed_again_and_never_written() -> None:
    async with console(size=SMALL) as rig:
        await form(rig)
        await put(rig, family="Wacholder", id="78")
        assert rig.app.completion.suggest("name", "family", "wa") == []
        await rig.press("f2")
        await rig.command(commands.ExamOpen)
        assert rig.app.completion.suggest("name", "family", "wa") == ["Wacholder"]


# ---- the date picker


def pad(rig: Rig) -> DatePad:
    return rig.app.screen.query_one(DatePad)


async def choose(rig: Rig, name: str) -> None:
    stage = pad(rig).stage
    await tap(rig, *key_at(rig, name, pad(rig)))
    await rig.until(lambda: not isinstance(rig.app.screen, BirthDateScreen) or pad(rig).stage != stage)


def every_cell_is_large(rig: Rig) -> None:
    places = pad(rig).places()
    for place in places:
        assert place.region.height >= 3, place
        assert place.region.width >= 10, place
        assert pad(rig).size.region.contains_region(place.region), place
    for one, other in combinations(places, 2):
        assert not one.region.overlaps(other.region)
    assert rig.app.screen.query_one("#emergency").region.area


@pytest.mark.parametrize("size", [SMALL, (100, 30), MIDDLE, (160, 50)])
async def test_a_birth_date_in_four_touches(size: tuple[int, int]) -> None:
    async with console(size=size) as rig:
        await form(rig)
        await touch(rig, "#pick-date")
        await rig.until(lambda: isinstance(rig.app.screen, BirthDateScreen) and pad(rig).places())
        for name in ("2020", "2020", "8"):
            every_cell_is_large(rig)
            await choose(rig, name)
        every_cell_is_large(rig)
        names = [place.key.name for place in pad(rig).places()]
        assert names == [str(day) for day in range(1, 32)], "a month that needs six weeks"
        await choose(rig, "31")
        await rig.until(lambda: isinstance(rig.app.screen, PatientScreen))
        assert value(rig, "birth_date") == "31.08.2020"


async def test_weeks_begin_on_monday_and_nothing_in_the_future_can_be_chosen() -> None:
    async with console(size=MIDDLE, language="en") as rig:
        await form(rig)
        await rig.press("f5")
        await rig.until(lambda: isinstance(rig.app.screen, BirthDateScreen) and pad(rig).places())
        for name in ("2020", "2026", "11"):
            await choose(rig, name)
        looks = {place.key.name: place.key.look for place in pad(rig).places()}
        assert (looks["20"], looks["21"]) == ("key", "off")
        first = pad(rig).place_of("2")
        assert first is not None
        assert first.region.x == 0
        assert first.key.label == "Mon 2"
        await tap(rig, *key_at(rig, "21", pad(rig)))
        await rig.pilot.pause(0.1)
        assert isinstance(rig.app.screen, BirthDateScreen)
        await rig.press("escape")
        assert pad(rig).stage == "month"
        assert pad(rig).place_of("12").key.look == "off"  # type: ignore[union-attr]


async def test_the_picker_by_keys_begins_at_the_date_that_stands_there() -> None:
    async with console(size=SMALL) as rig:
        await form(rig)
        await put(rig, birth_date="14.03.1961")
        await rig.press("f5")
        await rig.until(lambda: isinstance(rig.app.screen, BirthDateScreen) and pad(rig).places())
        await rig.press("enter", "right", "enter", "enter", "down", "left", "enter")
        await rig.until(lambda: isinstance(rig.app.screen, PatientScreen))
        assert value(rig, "birth_date") == "20.03.1962"
        assert rig.app.focused is rig.app.screen.query_one("#input-birth_date")


async def test_back_from_the_picker_leaves_the_date_as_it_was() -> None:
    async with console(size=SMALL) as rig:
        await form(rig)
        await put(rig, birth_date="14.03.1961", family="Weiß")
        await rig.press("f5")
        await rig.until(lambda: isinstance(rig.app.screen, BirthDateScreen) and pad(rig).places())
        await rig.press("enter", "escape", "escape")
        await rig.until(lambda: isinstance(rig.app.screen, PatientScreen))
        assert (value(rig, "birth_date"), value(rig, "family")) == ("14.03.1961", "Weiß")
