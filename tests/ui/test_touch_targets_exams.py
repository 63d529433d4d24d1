"""Gloved fingers on the screens of choosing and looking: large enough, wholly there, none over another; and a real
keyboard gets everywhere."""

from __future__ import annotations

import pytest

from tests.ui.rig import MIDDLE, SMALL, Rig, console
from tests.ui.test_snapshots_exams import FLAT, LARGE, SCREENS
from tests.ui.test_touch_targets import check


@pytest.mark.parametrize(
    ("size", "language"), [(SMALL, "de"), (SMALL, "en"), (FLAT, "de"), (MIDDLE, "en"), (LARGE, "de")]
)
async def test_every_button_is_large_enough_and_can_be_reached(size: tuple[int, int], language: str) -> None:
    for name, (script, steps) in SCREENS.items():
        async with console(script, size=size, language=language) as rig:

            def heard(rig: Rig = rig) -> bool:
                return bool(rig.app.people.entries)

            await rig.until(heard)
            await steps(rig)
            await rig.pilot.pause()
            check(rig.app.screen, name)
