"""`python -m tests.ui.touches FILE`: the commonest jobs done by fingers alone on a fake box, touches counted, the
machine's time taken; written as a table for the documentation."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from smartbox_tui.ui.screens.capture import CaptureScreen
from smartbox_tui.ui.screens.exam import ExamScreen
from smartbox_tui.ui.state import current_exam
from smartbox_tui.wire import state
from tests.support import fakepeople
from tests.support.fakebox import FakeBox
from tests.ui import catalogs
from tests.ui.rig import MIDDLE, Rig, console
from tests.ui.touch import tap


class Hand:
    """A gloved finger: it touches what can be seen, nothing else, and counts."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.touches = 0

    async def on(self, widget: str) -> None:
        """In the middle of it."""
        region = self.rig.app.screen.query_one(widget).region
        assert region.area, f"{widget} is not on the screen"
        self.touches += 1
        await tap(self.rig, region.x + region.width // 2, region.y + region.height // 2)

    async def at(self, text: str) -> None:
        """On these words, when they have come."""
        await self.rig.until(lambda: text in self.rig.text())
        lines = self.rig.text().splitlines()
        row = next(at for at, line in enumerate(lines) if text in line)
        self.touches += 1
        await tap(self.rig, lines[row].index(text) + 1, row)

    async def exam_of(self, name: str) -> None:
        """Until the exam is open for that name, at the picture."""

        def there() -> bool:
            exam = current_exam(self.rig.app.box)
            return exam is not None and name in exam.patient.name and isinstance(self.rig.app.screen, CaptureScreen)

        await self.rig.until(there)


def people(box: FakeBox) -> None:
    """A worklist, and an exam of an hour ago that is somebody else's."""
    box.items, box.worklist = fakepeople.worklist(), fakepeople.service(box.now())
    box.closed_exam("exam-wrong", box.items[2].patient, 4, worklist="item-2", procedure="Bronchoskopie")


async def from_worklist(hand: Hand) -> None:
    await hand.on("#patient")
    await hand.at("Demir, Ayşe")
    await hand.rig.until(lambda: hand.rig.app.screen.has_class("-chosen"))
    await hand.on("#open")
    await hand.exam_of("Demir")


async def emergency(hand: Hand) -> None:
    await hand.on("#emergency")
    await hand.at("FRAU")
    await hand.exam_of("NOTFALL")


async def pictures_first(hand: Hand) -> None:
    hand.rig.box.take()  # the pedal's
    await hand.rig.until(lambda: hand.rig.app.screen.query_one("#assign").region.area)
    await hand.on("#assign")
    await hand.at("Weiß, Gerda")
    await hand.rig.until(lambda: hand.rig.app.screen.has_class("-chosen"))
    await hand.on("#open")
    await hand.exam_of("Weiß")


async def a_whole_exam(hand: Hand) -> None:
    await from_worklist(hand)
    rig = hand.rig
    await hand.on("#photo")
    await rig.until(lambda: rig.app.box.stills == 1)
    await hand.on("#record")
    await rig.until(lambda: rig.app.box.recording is not None)
    await hand.on("#record")
    await rig.until(lambda: rig.app.box.clips == 1 and rig.app.box.recording is None)
    await hand.on("#close")
    await rig.until(lambda: current_exam(rig.app.box) is None)


async def wrong_patient(hand: Hand) -> None:
    rig = hand.rig
    await hand.on("#exams")
    await hand.at("Łukaszewska, Zofia")
    await rig.until(lambda: isinstance(rig.app.screen, ExamScreen))
    await hand.on("#reassign")
    await hand.at("Von der Arbeitsliste")
    await hand.at("Demir, Ayşe")
    await rig.until(lambda: rig.app.screen.has_class("-chosen"))
    await hand.on("#open")
    await hand.at("Ja, umordnen")
    await rig.until(lambda: rig.box.exams["exam-wrong"].patient.name == "Demir^Ayşe")


class Job(NamedTuple):
    """`touches` is what the documentation promises."""

    name: str
    what: str
    do: Callable[[Hand], Awaitable[None]]
    touches: int


JOBS = (
    Job("from_worklist", "A patient of the worklist: exam open", from_worklist, 3),
    Job("emergency", "Emergency: exam open", emergency, 2),
    Job("pictures_first", "Pictures taken by pedal before anybody was chosen: given a name", pictures_first, 3),
    Job("a_whole_exam", "A whole exam: patient, photo, recording on and off, close", a_whole_exam, 7),
    Job("wrong_patient", "Wrong patient: an exam given to the right one, confirmed", wrong_patient, 7),
)


async def done(job: Job, size: tuple[int, int] = MIDDLE) -> tuple[int, float, list[state.Exam]]:
    """(touches, seconds from the first touch to the end, the exams then)."""
    async with console(people, size=size) as rig:
        await rig.until(lambda: rig.app.people.entries)
        hand = Hand(rig)
        begun = time.perf_counter()
        await job.do(hand)
        return hand.touches, time.perf_counter() - begun, list(rig.box.exams.values())


TEXT = """# Touches

What the five commonest jobs cost on the panel, by finger alone. The touches are counted by a test that does each
job on the real console with a fake box (`tests/ui/test_workflows.py`); it fails when one more is needed.

| job | touches | machine, s |
|---|---|---|
{rows}

**What the seconds are:** the time the console and a fake engine need from the first touch to the end of the job,
one touch right after the other, measured by `python -m tests.ui.touches` on a desk machine with other work to do.
No person looks, reads or aims in that time, no real engine writes files, no network is asked. They say that the
machine is not what one waits for; they do not say how long a nurse takes.

Emergency and pictures by pedal need no touch at all; a code from the scanner saves the first two touches of the
first job: code, then the large button.
"""


async def table() -> str:
    rows = []
    for job in JOBS:
        touches, seconds, _exams = await done(job)
        rows.append(f"| {job.what} | {touches} | {seconds:.1f} |")
    return TEXT.format(rows="\n".join(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    catalogs.compile_all()
    parser.parse_args().file.write_text(asyncio.run(table()), encoding="utf-8")
