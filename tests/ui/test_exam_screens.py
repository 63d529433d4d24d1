"""Opening and closing an exam: patient form, emergency, an exam that is still open, one found after a reboot."""

from __future__ import annotations

import pytest
from textual.events import Key
from textual.widgets import Input

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.ui.screens.capture import CaptureScreen
from smartbox_tui.ui.screens.patient import PatientScreen
from smartbox_tui.wire import commands, state
from tests.support.fakebox import PATIENT, START, FakeBox
from tests.ui.rig import MIDDLE, SMALL, Rig, busy, console, with_exam


def at_the_picture(rig: Rig) -> bool:
    return isinstance(rig.app.screen, CaptureScreen)


async def fill(rig: Rig, **values: str) -> None:
    """A whole form at once: typing has a test of its own, and takes its time."""
    form = {"family": "Weiß", "given": "Änne", "id": "77", "birth_date": "1.2.1950", **values}
    for field, text in form.items():
        rig.app.screen.query_one(f"#input-{field}", Input).value = text
    await rig.pilot.pause()


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
async def test_a_patient_is_typed_and_the_exam_opens(size: tuple[int, int]) -> None:
    async with console(size=size) as rig:
        await rig.press("n")
        for text in ("Weiß", "Änne", "77", "1.2.1950"):
            await rig.type(text)
            await rig.press("enter")
        await rig.type("A-4711")
        await rig.pilot.click("#sex-F")
        await rig.press("f2")
        command = await rig.command(commands.ExamOpen)
        assert command == commands.ExamOpen(
            id=command.id,
            patient={"id": "77", "name": "Weiß^Änne", "birth_date": "1950-02-01", "sex": "F"},
            accession="A-4711",
        )
        await rig.until(lambda: at_the_picture(rig))
        assert "Weiß, Änne" in rig.text()


async def test_a_scanner_types_faster_than_the_screen_follows() -> None:
    async with console() as rig:
        await rig.press("n")
        for sign in "Weiß\rÄnne\r77\r01.02.1950\rA-1\r":
            rig.app.post_message(Key("enter", None) if sign == "\r" else Key(sign, sign))
        command = await rig.command(commands.ExamOpen)
        patient = {"id": "77", "name": "Weiß^Änne", "birth_date": "1950-02-01", "sex": None}
        assert (command.patient, command.accession) == (patient, "A-1")  # type: ignore[attr-defined]


async def test_letters_in_a_field_do_not_work_the_box() -> None:
    async with console() as rig:
        await rig.press("n")
        await rig.type("pencils mrs")
        assert rig.box.commands == []
        assert rig.app.screen.query_one("#input-family").value == "pencils mrs"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("field", "values", "told"),
    [
        ("family", {"family": ""}, "Ein Patient braucht einen Namen."),
        ("id", {"id": ""}, "Ein Patient braucht eine ID."),
        ("birth_date", {"birth_date": "31.02.2000"}, "Diesen Tag gibt es nicht."),
        ("birth_date", {"birth_date": "14.03.61"}, "Kein Datum: TT.MM.JJJJ."),
        ("birth_date", {"birth_date": "01.01.2090"}, "In der Zukunft oder vor 1850."),
        ("given", {"given": "A^B"}, "Das Zeichen ^ ist hier nicht erlaubt."),
    ],
)
async def test_an_error_stands_at_its_field(field: str, values: dict[str, str], told: str) -> None:
    if field == "family":
        values["given"] = ""
    async with console(size=SMALL) as rig:
        await rig.press("n")
        await fill(rig, **values)
        await rig.press("f2")
        await rig.until(lambda: told in rig.text())
        assert rig.app.focused is rig.app.screen.query_one(f"#input-{field}")
        assert rig.box.commands == [], "the engine is not asked with values that cannot hold"


async def test_what_only_the_engine_knows_is_said_at_the_field_too() -> None:
    async with console() as rig:
        await rig.press("n")
        await fill(rig)
        rig.box.refuse_next(SmartBoxError("bad-value", "id: not one of this hospital's", "x"))
        await rig.press("f2")
        await rig.until(lambda: "not one of this hospital's" in rig.text())
        assert isinstance(rig.app.screen, PatientScreen)


async def test_an_open_exam_is_closed_first_when_the_operator_says_so() -> None:
    async with console(with_exam) as rig:
        await rig.press("n")
        await fill(rig)
        await rig.press("f2")
        await rig.until(lambda: "Eine andere Untersuchung ist noch offen." in rig.text())
        await rig.press("enter")
        await rig.until(lambda: at_the_picture(rig) and "Weiß, Änne" in rig.text())
        kinds = [type(item) for item in rig.box.commands]
        assert kinds == [commands.ExamOpen, commands.ExamClose, commands.ExamOpen]
        first, _close, second = rig.box.commands
        assert first.id != second.id, "another press, another exam"


async def test_a_second_ok_before_the_answer_opens_nothing_more() -> None:
    async with console() as rig:
        await rig.press("n")
        await fill(rig)
        for _press in range(2):
            rig.app.post_message(Key("f2", None))
        await rig.until(lambda: at_the_picture(rig))
        assert len(rig.box.commands) == 1


async def test_back_leaves_the_open_exam_as_it_is() -> None:
    async with console(with_exam) as rig:
        await rig.press("n")
        await fill(rig)
        await rig.press("f2")
        await rig.until(lambda: "noch offen" in rig.text())
        await rig.press("escape", "escape")
        assert at_the_picture(rig)
        assert "Müller, Jörg" in rig.text()


@pytest.mark.parametrize(("key", "kind", "word"), [("1", "male", "MANN"), ("2", "female", "FRAU")])
async def test_an_emergency_is_two_presses(key: str, kind: str, word: str) -> None:
    async with console(size=SMALL) as rig:
        await rig.press("e", key)
        command = await rig.command(commands.ExamOpen)
        assert (command.emergency, command.age) == (kind, None)  # type: ignore[attr-defined]
        await rig.until(lambda: at_the_picture(rig) and f"NOTFALL, {word}" in rig.text())
        assert rig.app.screen.query_one("#banner").has_class("-emergency")


@pytest.mark.parametrize(("press", "age"), [("8 Jahre", "8Y"), ("neugeboren", "0M"), (None, None)])
async def test_a_child_s_age_is_asked_and_can_be_left_out(press: str | None, age: str | None) -> None:
    async with console(size=SMALL) as rig:
        await rig.pilot.click("#emergency")
        await rig.press("3")
        await rig.until(lambda: "Wie alt ungefähr?" in rig.text())
        if press is None:
            await rig.pilot.click("#skip")
        else:
            lines = rig.text().splitlines()
            row = next(at for at, line in enumerate(lines) if press in line)
            await rig.pilot.click(offset=(lines[row].index(press) + 1, row))
        command = await rig.command(commands.ExamOpen)
        assert (command.emergency, command.age) == ("child", age)  # type: ignore[attr-defined]


async def test_closing_in_a_recording_asks_once() -> None:
    async with console(busy) as rig:
        await rig.press("c")
        await rig.until(lambda: "Sie wird gestoppt" in rig.text())
        assert rig.box.commands == []
        await rig.press("escape")
        assert rig.box.commands == []
        await rig.press("c")
        await rig.until(lambda: "Sie wird gestoppt" in rig.text())
        await rig.press("enter")
        await rig.command(commands.ExamClose)
        await rig.until(lambda: "KEIN PATIENT" in rig.text())


def suspended(box: FakeBox) -> None:
    box.suspended = state.Exam(
        id="exam-9",
        state="suspended",
        study_instance_uid="2.25.9",
        opened_at=START.isoformat(),
        patient=PATIENT,
    )


async def test_after_a_reboot_the_first_screen_asks_whether_to_go_on() -> None:
    async with console(suspended) as rig:
        await rig.until(lambda: "Weiter mit Müller, Jörg?" in rig.text())
        assert "14.03.1961" in rig.text()
        await rig.press("1")
        command = await rig.command(commands.ExamResume)
        assert command.exam == "exam-9"  # type: ignore[attr-defined]
        await rig.until(lambda: at_the_picture(rig) and "Müller, Jörg" in rig.text())


async def test_the_question_after_a_reboot_waits_behind_the_patient_button() -> None:
    async with console(suspended) as rig:
        await rig.until(lambda: "Weiter mit" in rig.text())
        await rig.press("escape")
        assert at_the_picture(rig)
        await rig.press("n")
        await rig.until(lambda: "Weiter mit" in rig.text())


async def test_another_patient_after_a_reboot_is_the_patient_form() -> None:
    async with console(suspended) as rig:
        await rig.until(lambda: "Weiter mit" in rig.text())
        await rig.press("2")
        await rig.until(lambda: isinstance(rig.app.screen, PatientScreen))
        assert rig.box.commands == []
