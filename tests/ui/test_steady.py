"""Lines that come and go while somebody taps: a finger hits what it was aimed at, or nothing; alarms are seen."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from smartbox_tui.ui import aim
from smartbox_tui.ui.screens.choice import ChoiceScreen
from smartbox_tui.ui.screens.emergency import EmergencyScreen
from smartbox_tui.ui.screens.patient import PatientScreen
from smartbox_tui.ui.screens.worklist import WorklistScreen
from smartbox_tui.ui.widgets import alarms
from smartbox_tui.ui.widgets.biglist import BigList
from smartbox_tui.wire import commands, state
from tests.support.fakebox import FakeBox
from tests.ui.rig import SMALL, Rig, busy
from tests.ui.touch_rig import Panel, panel
from tests.ui.touches import people

FULL = state.Alarm(code="disk-full", message="x", since="2026-11-21T12:00:00+01:00")
LOW = state.Alarm(code="disk-low", message="x", since="2026-11-21T12:00:00+01:00")


def nothing(box: FakeBox) -> None:
    """Nobody is there."""


def alarm(rig: Rig, *alarms: state.Alarm) -> None:
    rig.box.alarms = list(alarms)
    rig.box.tell()


def height(rig: Rig) -> int:
    return int(rig.app.screen.query_one("#alarms").region.height)


async def heard(rig: Rig, count: int) -> None:
    """The console knows, and has drawn what it draws."""
    await rig.until(lambda: rig.app.box.status and len(rig.app.box.status.alarms) == count)
    await rig.until(lambda: not rig.app._redraw_due)
    await rig.pilot.pause(0.1)


async def rested(rig: Rig) -> None:
    await rig.until(lambda: not rig.app.finger.at_work())
    await asyncio.sleep(aim.QUIET_S + 0.05)  # nothing has just moved


FORMS: dict[str, tuple[str, str, Any, type[commands.Command] | None]] = {
    "emergency": ("e", "#kinds BigButton", EmergencyScreen, commands.ExamOpen),
    "confirm": ("d", "#options BigButton", ChoiceScreen, commands.DiscardLast),
    "patient": ("n", "#sex-F", PatientScreen, None),
}


async def opened(touched: Panel, form: str) -> tuple[str, type[commands.Command] | None]:
    key, button, kind, command = FORMS[form]
    await touched.rig.press(key)
    await touched.rig.until(lambda: isinstance(touched.rig.app.screen, kind))
    await rested(touched.rig)
    return button, command


@pytest.mark.parametrize("form", FORMS)
async def test_a_button_under_a_finger_stays_and_the_alarm_comes_when_it_has_left(form: str) -> None:
    async with panel(busy if form == "confirm" else nothing, size=SMALL) as touched:
        rig = touched.rig
        button, command = await opened(touched, form)
        there = rig.app.screen.query(button).first()
        before = there.region
        touched.down(before.x + 3, before.y)  # its upper edge: a row lower it would be beside it
        await rig.until(lambda: rig.app.finger.down)
        alarm(rig, FULL)
        await heard(rig, 1)
        assert there.region == before
        assert height(rig) == 0
        touched.up()
        if command is not None:
            await rig.command(command)
        else:
            await rig.until(lambda: there.has_class("-on"))
        await rig.until(lambda: height(rig) > 0)


async def test_an_alarm_waits_for_no_hand_that_lies_on_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "_LONGEST_S", 0.3)
    async with panel(nothing, size=SMALL) as touched:
        rig = touched.rig
        await opened(touched, "emergency")
        touched.down(*touched.middle("#kinds"))
        await rig.until(lambda: rig.app.finger.down)
        alarm(rig, FULL)
        await rig.until(lambda: height(rig) > 0)
        assert rig.app.finger.down
        touched.up()


async def test_with_nobody_at_work_it_comes_at_once_and_another_word_never_waits() -> None:
    async with panel(nothing, size=SMALL) as touched:
        rig = touched.rig
        await opened(touched, "emergency")
        alarm(rig, FULL)
        await heard(rig, 1)
        rows = height(rig)
        assert rows
        bar = rig.app.screen.query_one("#alarms")
        said = str(bar.render())
        touched.down(*touched.middle("#kinds"))
        await rig.until(lambda: rig.app.finger.down)
        alarm(rig, LOW)
        await rig.until(lambda: str(bar.render()) != said)
        assert height(rig) == rows
        touched.up()


@pytest.mark.parametrize("goes", [False, True])
async def test_what_has_just_moved_under_the_finger_is_not_pressed(
    goes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with panel(nothing, size=SMALL) as touched:
        rig = touched.rig
        await opened(touched, "emergency")
        if goes:
            alarm(rig, FULL)
            await rig.until(lambda: height(rig) > 0)
            await rested(rig)
        man = rig.app.screen.query("#kinds BigButton").first()
        before = man.region
        monkeypatch.setattr(aim, "QUIET_S", 60.0)
        rig.app.screen.aim = aim.Aim()  # what moved before is long ago
        alarm(rig, *(() if goes else (FULL,)))
        await rig.until(lambda: man.region != before)
        after = man.region
        now_only = after.bottom - 1 if after.y > before.y else after.y
        assert not before.contains(before.x + 3, now_only)
        touched.tap(before.x + 3, now_only)
        await rig.pilot.pause(0.3)
        assert not any(isinstance(item, commands.ExamOpen) for item in rig.box.commands)
        assert not man.has_class("-pressed")
        # the same button where it was and is
        touched.tap(before.x + 3, (max(before.y, after.y) + min(before.bottom, after.bottom)) // 2)
        await rig.command(commands.ExamOpen)


async def test_what_has_moved_long_ago_is_pressed_where_it_is() -> None:
    async with panel(nothing, size=SMALL) as touched:
        rig = touched.rig
        await opened(touched, "emergency")
        man = rig.app.screen.query("#kinds BigButton").first()
        before = man.region
        alarm(rig, FULL)
        await rig.until(lambda: man.region != before)
        await rested(rig)
        touched.tap(man.region.x + 3, man.region.bottom - 1)
        await rig.command(commands.ExamOpen)


async def test_no_other_row_of_a_list_is_chosen_when_the_list_has_just_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with panel(people, size=SMALL) as touched:
        rig = touched.rig
        await rig.press("n")
        await rig.until(lambda: isinstance(rig.app.screen, WorklistScreen))
        rows = rig.app.screen.query_one(BigList)
        await rig.until(lambda: rows.region.height > 6)
        await rested(rig)
        before, cursor = rows.region, rows.cursor
        monkeypatch.setattr(aim, "QUIET_S", 60.0)
        alarm(rig, FULL)
        await rig.until(lambda: rows.region.y > before.y)
        touched.tap(before.x + 5, rows.region.y + 4)
        await rig.pilot.pause(0.3)
        assert rows.cursor == cursor
        assert isinstance(rig.app.screen, WorklistScreen)


async def test_the_photo_button_takes_a_picture_whatever_has_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    async with panel(busy, size=SMALL) as touched:
        rig = touched.rig
        photo = rig.app.screen.query_one("#photo")
        await rested(rig)
        before = photo.region
        monkeypatch.setattr(aim, "QUIET_S", 60.0)
        alarm(rig, FULL)
        await rig.until(lambda: photo.region.y > before.y)
        both = before.intersection(photo.region)
        assert both.height
        touched.tap(both.x + 5, both.y)
        await rig.command(commands.Still)
