"""Whole jobs from the first press to the last: by touch alone, by keyboard alone, by pedal alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from smartbox_tui.ui.screens.capture import CaptureScreen
from smartbox_tui.ui.screens.exam import ExamScreen
from smartbox_tui.ui.state import current_exam
from smartbox_tui.wire import commands, events, state
from tests.ui.rig import MIDDLE, SMALL, Rig, console
from tests.ui.touches import JOBS, Job, done, people

DOCS = Path(__file__).parents[2] / "docs" / "touches.md"


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
async def test_by_touch_alone_in_as_many_touches_as_the_documentation_says(job: Job, size: tuple[int, int]) -> None:
    touches, _seconds, _exams = await done(job, size)
    assert touches == job.touches
    assert f"| {job.what} | {job.touches} |" in DOCS.read_text(encoding="utf-8")


def name_of(rig: Rig) -> str:
    exam = current_exam(rig.app.box)
    return exam.patient.name if exam is not None and isinstance(rig.app.screen, CaptureScreen) else ""


async def test_by_keyboard_alone() -> None:
    """Worklist, pictures, a wrong patient put right, the end: no touch, no mouse."""
    async with console(people, size=SMALL) as rig:
        await rig.until(lambda: rig.app.people.entries)
        await rig.press("n")
        await rig.type("weiss")
        await rig.press("enter")
        await asyncio.sleep(0.2)
        await rig.press("enter")
        await rig.until(lambda: name_of(rig) == "Weiß^Gerda")
        await rig.press("space")
        await rig.until(lambda: rig.app.box.stills == 1)
        await rig.press("r")
        await rig.until(lambda: rig.app.box.recording is not None)
        await rig.press("m", "r")
        await rig.until(lambda: rig.app.box.clips == 1)
        await rig.press("x", "1")
        await rig.until(lambda: "2 Bilder" in rig.text())
        await rig.press("enter")
        await rig.until(lambda: isinstance(rig.app.screen, ExamScreen))
        await rig.press("w", "1")
        await rig.until(lambda: "Wessen Bilder sind das?  Weiß, Gerda" in rig.text())
        await rig.type("demir")
        await rig.press("enter")
        await asyncio.sleep(0.2)
        await rig.press("enter")
        await rig.until(lambda: "VON" in rig.text())
        await rig.press("enter")
        await rig.until(lambda: name_of(rig) == "Demir^Ayşe")
        assert (rig.app.box.stills, rig.app.box.clips) == (1, 1), "the pictures went along"
        await rig.press("f4", "c")
        await rig.until(lambda: current_exam(rig.app.box) is None)
        given = [type(item) for item in rig.box.commands if not isinstance(item, commands.WorklistQuery)]
        assert given == [
            commands.ExamOpen,
            commands.Still,
            commands.RecordStart,
            commands.RecordMark,
            commands.RecordStop,
            commands.ExamReassign,
            commands.ExamClose,
        ]


async def test_by_pedal_alone() -> None:
    """An emergency, a photo, a recording with a mark: the console is told of each and shows it, whatever screen is
    in front and whatever is being asked."""
    async with console(people, size=SMALL) as rig:
        await rig.press("x")
        box = rig.box
        exam = box.open_exam(state.Patient(), state="unassigned")
        box.capture.publish(events.EmergencyAsked(pedal="left", exam=exam.id))
        box.take()
        await rig.until(lambda: "KEIN PATIENT" in rig.text() and rig.app.box.stills == 1)
        made = state.Patient(id="N20261120214500ENDO1", name="NOTFALL^UNBEKANNT")
        box.tell_exam(
            state.Exam(
                id=exam.id,
                state="open",
                study_instance_uid=exam.study_instance_uid,
                opened_at=exam.opened_at,
                patient=made,
                emergency="unknown",
            ),
            True,
        )
        await rig.until(lambda: "NOTFALL, NOCH UNBEKANNT" in rig.text())
        box.take()
        await rig.until(lambda: "✓ Foto 2" in rig.text())
        box.record()
        await rig.until(lambda: "AUFNAHME 00:00:00" in rig.text())
        box.capture.publish(events.PedalUsed(pedal="left", gesture="double"))
        box.capture.publish(events.MarkSet(source="endo", at_s=3.0, text=""))
        await rig.until(lambda: "✓ Marke 1" in rig.text())
        box.stop()
        await rig.until(lambda: "✓ Clip 1" in rig.text())
        assert (rig.app.box.stills, rig.app.box.clips) == (2, 1)
        assert [item for item in box.commands if not isinstance(item, commands.WorklistQuery)] == []


async def test_the_demo_s_pedal_key_is_one_press_of_the_pedal() -> None:
    async with console(people) as rig:
        await rig.press("p")
        await rig.command(commands.PedalPress)
        await rig.until(lambda: rig.app.box.stills == 1)
        assert len([item for item in rig.box.commands if isinstance(item, commands.PedalPress)]) == 1
