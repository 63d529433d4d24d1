"""The patient form, the keyboard and the date picker as pictures, and what the Linux console makes of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.widgets import Input

from smartbox_tui.ui.app import ConsoleApp
from smartbox_tui.ui.purpose import Purpose
from smartbox_tui.ui.screens.birth_date import BirthDateScreen
from smartbox_tui.ui.screens.patient import PatientScreen
from smartbox_tui.ui.widgets.date_picker import DatePad
from smartbox_tui.wire import state
from tests.support.fakebox import FakeBox
from tests.ui.compare import foreign_signs, same_as_committed
from tests.ui.rig import MIDDLE, SMALL, Rig, busy, console
from tests.ui.svg import screen_svg
from tests.ui.touch import down, form, is_open, key, key_at, keyboard, keys, tap, touch

PEOPLE = [
    state.WorklistItem(id=str(at), patient=state.Patient(id=f"47{at}", name=name))
    for at, name in enumerate(("Müller^Jörg", "MUELLER^JOERG", "Mühlbauer^Zoë", "Mulder^Ann"))
]


def nobody(box: FakeBox) -> None:
    """Pictures that wait for a name."""
    box.open_exam(state.Patient(), state="unassigned")
    for _ in range(3):
        box.take()


async def opened(rig: Rig, field: str) -> None:
    """The empty form, its keyboard open for a field."""
    await form(rig)
    await touch(rig, f"#input-{field}")
    await rig.until(lambda: is_open(rig) and keyboard(rig).places())


async def empty_form(rig: Rig) -> None:
    await form(rig)


async def filled_form(rig: Rig) -> None:
    patient = state.Patient(id="4711-22", name="Müller^Jörg^Maria^Dr.", birth_date="1961-03-14", sex="M")
    await form(rig, PatientScreen(prefill=patient, accession="A-1180", referring_physician="Weber^Anna"))
    rig.app.screen.query_one("#input-accession", Input).value = "A-1180-0000000000000000"


async def assigning(rig: Rig) -> None:
    await form(rig, PatientScreen(Purpose(exam="exam-1")))


async def letters(rig: Rig) -> None:
    await opened(rig, "family")
    await keys(rig, "Mu")
    await rig.until(lambda: keyboard(rig).place_of("suggest:Mulder"))


async def accents(rig: Rig) -> None:
    await opened(rig, "given")
    await down(rig, *key_at(rig, "e"))
    await rig.until(lambda: keyboard(rig).place_of("accent:É"))


async def signs(rig: Rig) -> None:
    await opened(rig, "family")
    await key(rig, "DIGITS")
    await rig.pilot.pause(0.3)


async def number(rig: Rig) -> None:
    await opened(rig, "id")


async def birth_date(rig: Rig) -> None:
    await opened(rig, "birth_date")
    await keys(rig, "04031961")


async def host(rig: Rig) -> None:
    await form(rig)
    rig.app.screen.query_one("#input-family").purpose = "host"  # type: ignore[attr-defined]
    await touch(rig, "#input-family")
    await rig.until(lambda: is_open(rig) and keyboard(rig).places())


async def decades(rig: Rig) -> None:
    await form(rig)
    await touch(rig, "#pick-date")
    await rig.until(lambda: isinstance(rig.app.screen, BirthDateScreen) and pad(rig).places())


async def days(rig: Rig) -> None:
    await decades(rig)
    for name in ("1960", "1961", "3"):
        stage = pad(rig).stage
        await tap(rig, *key_at(rig, name, pad(rig)))
        await rig.until(lambda: pad(rig).stage != stage)  # noqa: B023


def pad(rig: Rig) -> DatePad:
    return rig.app.screen.query_one(DatePad)


Step = Callable[[Rig], Awaitable[None]]
BOTH = [(size, language) for size in (SMALL, MIDDLE) for language in ("de", "en")]
PICTURES: list[tuple[str, Step, list[tuple[tuple[int, int], str]]]] = [
    ("form", empty_form, BOTH[3:]),  # the others are among the main screens
    ("form-filled", filled_form, BOTH),
    ("form-assigning", assigning, BOTH),
    ("keyboard", letters, BOTH),
    ("keyboard-accents", accents, BOTH[:2]),
    ("keyboard-signs", signs, BOTH[:1]),
    ("keyboard-id", number, BOTH[:1]),
    ("keyboard-date", birth_date, BOTH),
    ("keyboard-host", host, BOTH[1:2]),
    ("birth-date", decades, BOTH[:1]),
    ("birth-date-day", days, [BOTH[0], BOTH[3]]),
]


async def shown(rig: Rig, step: Step) -> None:
    """The step done, nothing that blinks or fades left."""
    await step(rig)
    for entry in rig.app.screen.query(Input):
        entry.cursor_blink = False
    rig.app.clear_notifications()
    await rig.until(lambda: not rig.said())
    await rig.pilot.pause(0.3)


@pytest.mark.parametrize(
    ("name", "step", "size", "language"),
    [(name, step, size, language) for name, step, cases in PICTURES for size, language in cases],
)
async def test_it_looks_as_it_did(
    name: str, step: Step, size: tuple[int, int], language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConsoleApp, "known_people", lambda _app: PEOPLE)
    async with console(nobody if step is assigning else busy, size=size, language=language) as rig:
        await shown(rig, step)
        drawn = screen_svg(rig.app)
    same_as_committed(drawn, name, size, language, tmp_path)


@pytest.mark.parametrize("language", ["de", "en"])
async def test_the_linux_console_can_draw_all_of_it(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of its font, and its sixteen colours."""
    standard = {
        "#000000", "#aa0000", "#00aa00", "#aa5500", "#0000aa", "#aa00aa", "#00aaaa", "#aaaaaa",
        "#555555", "#ff5555", "#55ff55", "#ffff55", "#5555ff", "#ff55ff", "#55ffff", "#ffffff",
    }  # fmt: skip
    monkeypatch.setattr(ConsoleApp, "known_people", lambda _app: PEOPLE)
    for name, step, _cases in PICTURES:
        async with console(nobody, size=SMALL, language=language, term="linux") as rig:
            await shown(rig, step)
            assert not foreign_signs(rig.text()), name
            for strip in rig.app.screen._compositor.render_strips():
                for text, style, _control in strip:
                    for colour in (style.color, style.bgcolor) if style is not None and text.strip() else ():
                        if colour is not None and not colour.is_default:
                            assert colour.get_truecolor().hex in standard, (name, text, style)
