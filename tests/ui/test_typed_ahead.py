"""Keys in one burst, from a fast hand or a wedge: they choose from what was typed, never from before."""

from __future__ import annotations

import pytest
from textual import events

from smartbox_tui.ui.screens.exam import ExamScreen
from smartbox_tui.ui.screens.exams import ExamsScreen
from smartbox_tui.ui.screens.settings import SettingsEntriesScreen, SettingsScreen
from smartbox_tui.ui.screens.worklist import WorklistScreen
from smartbox_tui.ui.widgets.biglist import BigList
from tests.ui.rig import Rig, console
from tests.ui.settings_rig import at, settings
from tests.ui.test_exams_screen import history
from tests.ui.test_worklist_screen import listed, opened


def burst(rig: Rig, *keys: str) -> None:
    """All before the first of them is handled."""
    for key in keys:
        rig.app.post_message(events.Key(key, key if len(key) == 1 else None))


@pytest.mark.parametrize("name", ["demir", "weiss"])
async def test_enter_right_behind_a_name_selects_whom_the_name_finds(name: str) -> None:
    async with console(listed) as rig:
        screen = await opened(rig)
        burst(rig, *name, "enter")
        await rig.until(lambda: screen._chosen is not None)
        chosen = screen._chosen
        assert chosen is not None
        assert screen._filter.value == name
        assert chosen is screen.shown[0]
        assert chosen.item.patient.name.lower().startswith(name[:3])


@pytest.mark.parametrize(("steps", "place"), [(["down"], 1), (["down"] * 9 + ["up"], -2), (["pagedown"], -1)])
async def test_arrows_right_behind_a_name_go_through_whom_the_name_finds(steps: list[str], place: int) -> None:
    async with console(listed) as rig:
        screen = await opened(rig)
        burst(rig, *"mul", *steps, "enter")
        await rig.until(lambda: screen._chosen is not None)
        chosen = screen._chosen
        assert chosen is not None
        assert screen._filter.value == "mul"
        assert len(screen.shown) > 1
        assert chosen is screen.shown[place]


async def test_a_name_behind_an_arrow_is_looked_for_from_the_top() -> None:
    async with console(listed) as rig:
        screen = await opened(rig)
        burst(rig, "down", "down", *"weiss", "enter")
        await rig.until(lambda: screen._chosen is not None)
        assert screen._chosen is screen.shown[0]
        assert screen._filter.value == "weiss"


async def test_escape_right_behind_a_name_takes_the_name_back_and_nothing_else() -> None:
    async with console(listed) as rig:
        screen = await opened(rig)
        everybody = len(screen.shown)
        burst(rig, *"weiss", "escape", *"demir")
        await rig.until(lambda: screen._filter.value == "demir" and len(screen.shown) == 1)
        burst(rig, "escape")
        await rig.until(lambda: len(screen.shown) == everybody)
        assert rig.app.screen is screen
        burst(rig, "escape")
        await rig.until(lambda: not isinstance(rig.app.screen, WorklistScreen))


async def test_no_letter_is_lost_when_a_button_had_the_focus() -> None:
    async with console(listed) as rig:
        screen = await opened(rig)
        screen.query_one("#sort").focus()
        burst(rig, *"demir", "enter")
        await rig.until(lambda: screen._filter.value == "demir" and len(screen.shown) == 1)


async def test_what_stood_on_another_tab_is_not_opened() -> None:
    async with console(history) as rig:
        burst(rig, "x")
        await rig.until(lambda: isinstance(rig.app.screen, ExamsScreen))
        burst(rig, "1")
        await rig.until(lambda: "Łukaszewska, Zofia" in rig.text())
        burst(rig, "3", "down", "enter")
        await rig.until(lambda: "wartet auf einen Namen" in rig.text())
        await rig.pilot.pause()
        screen = rig.app.screen
        if isinstance(screen, ExamScreen):  # the answer was there before Enter
            assert screen._exam.id == "exam-nobody"
        else:
            assert isinstance(screen, ExamsScreen)


async def test_an_arrow_behind_enter_is_not_before_it() -> None:
    async with settings() as rig:
        lines = rig.app.screen.query_one(BigList)
        assert isinstance(rig.app.screen, SettingsScreen)
        assert lines._key(lines.pointed) == "destinations"
        burst(rig, "enter", "down")
        screen = await at(rig, SettingsEntriesScreen)
        assert screen._section.name == "destinations"
