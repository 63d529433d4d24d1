"""Screens of choosing, reassigning and looking as pictures, at all four sizes. `UPDATE_SNAPSHOTS=1` writes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from smartbox_tui.ui.screens.exam import ExamScreen
from smartbox_tui.ui.screens.pictures import PicturesScreen
from smartbox_tui.ui.screens.worklist import WorklistScreen
from smartbox_tui.wire import state
from tests.support import fakepeople
from tests.support.fakebox import FakeBox, delivery
from tests.ui.compare import foreign_signs, same_as_committed
from tests.ui.rig import MIDDLE, SMALL, Rig, busy, console
from tests.ui.svg import screen_svg

FLAT, LARGE = (100, 30), (160, 50)


def full(box: FakeBox) -> None:
    """An exam under way, a worklist, exams of before."""
    busy(box)
    box.items, box.worklist = fakepeople.worklist(), fakepeople.service(box.now() - timedelta(minutes=2))
    box.performed = [state.ServiceState(name="mpps", state="ok")]
    zofia = box.items[2].patient
    box.closed_exam("exam-sent", zofia, 5, procedure="Bronchoskopie", worklist="item-2", accession_number="A-1182")
    box.closed_exam("exam-nobody", state.Patient(), 2, released=False)
    for at, picture in enumerate(box.taken["exam-sent"]):
        row = delivery(100 + at, "stored", exam="exam-sent", sop_instance_uid=picture.sop_instance_uid)
        box.deliveries[row.id] = row


def unassigned(box: FakeBox) -> None:
    """Pictures without a name, the worklist three hours old."""
    full(box)
    box.exam, box.sources[0] = None, replace(box.sources[0], recording=None)
    box.take()
    box.take()
    box.age_s = 10_800.0
    box.worklist = fakepeople.service(box.now() - timedelta(hours=3), state="unreachable", code="no-route")


async def worklist(rig: Rig) -> None:
    await rig.until(lambda: rig.app.people.entries)
    await rig.press("n")
    await rig.until(lambda: isinstance(rig.app.screen, WorklistScreen) and rig.app.screen.shown)


async def chosen(rig: Rig) -> None:
    await worklist(rig)
    await rig.press("down", "enter")
    await rig.until(lambda: rig.app.screen.has_class("-chosen"))


async def exams(rig: Rig) -> None:
    await rig.press("x", "1")
    await rig.until(lambda: "Łukaszewska" in rig.text())


async def exam(rig: Rig) -> None:
    await exams(rig)
    await rig.press("down", "enter")
    await rig.until(lambda: isinstance(rig.app.screen, ExamScreen) and rig.app.screen._pictures)


async def picture(rig: Rig) -> None:
    await exam(rig)
    await rig.press("enter")
    await rig.until(lambda: isinstance(rig.app.screen, PicturesScreen))


async def reassign(rig: Rig) -> None:
    await exam(rig)
    await rig.press("w", "1")
    await rig.until(lambda: isinstance(rig.app.screen, WorklistScreen) and rig.app.screen.shown)
    await rig.press("down", "enter")
    await asyncio.sleep(0.2)
    await rig.press("enter")


async def reason(rig: Rig) -> None:
    await rig.press("c", "i")


async def asked(rig: Rig) -> None:
    rig.app.asks.arrived([fakepeople.item(4)], rig.clock.seconds)
    rig.app.redraw()


Steps = Callable[[Rig], Awaitable[None]]
SCREENS: dict[str, tuple[Callable[[FakeBox], None], Steps]] = {
    "worklist": (full, worklist),
    "worklist-chosen": (full, chosen),
    "worklist-away": (unassigned, worklist),
    "unassigned": (unassigned, asked),
    "exams": (full, exams),
    "exam": (full, exam),
    "picture": (full, picture),
    "reassign": (full, reassign),
    "reason": (full, reason),
}
CASES = [
    ("worklist", "de", SMALL),
    ("worklist", "en", MIDDLE),
    ("worklist-chosen", "en", SMALL),
    ("worklist-chosen", "de", LARGE),
    ("worklist-away", "de", FLAT),
    ("unassigned", "de", SMALL),
    ("unassigned", "en", MIDDLE),
    ("exams", "de", MIDDLE),
    ("exams", "en", SMALL),
    ("exam", "de", SMALL),
    ("exam", "en", FLAT),
    ("exam", "de", LARGE),
    ("picture", "en", SMALL),
    ("picture", "de", FLAT),
    ("reassign", "de", SMALL),
    ("reassign", "en", MIDDLE),
    ("reason", "de", SMALL),
    ("reason", "en", SMALL),
]


@pytest.mark.parametrize(("name", "language", "size"), CASES)
async def test_the_screen_looks_as_it_did(name: str, language: str, size: tuple[int, int], tmp_path: Path) -> None:
    script, steps = SCREENS[name]
    async with console(script, size=size, language=language) as rig:
        await rig.until(lambda: rig.app.people.entries)
        await steps(rig)
        await rig.settled()
        drawn = screen_svg(rig.app)
    same_as_committed(drawn, name, size, language, tmp_path)


@pytest.mark.parametrize("language", ["de", "en"])
async def test_the_linux_console_draws_only_what_its_font_has(language: str) -> None:
    for name, (script, steps) in SCREENS.items():
        async with console(script, size=SMALL, language=language, term="linux") as rig:
            await rig.until(lambda: rig.app.people.entries)
            await steps(rig)
            await rig.pilot.pause()
            assert not foreign_signs(rig.text()), name
