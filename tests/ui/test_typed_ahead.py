"""Keys in one burst, from a fast hand or a wedge: Enter chooses from what was typed, never from before."""

from __future__ import annotations

import pytest
from textual import events

from tests.ui.rig import console
from tests.ui.test_worklist_screen import listed, opened


@pytest.mark.parametrize("name", ["demir", "weiss"])
async def test_enter_right_behind_a_name_selects_whom_the_name_finds(name: str) -> None:
    async with console(listed) as rig:
        screen = await opened(rig)
        for key in [*name, "enter"]:  # all before the first of them is handled
            rig.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await rig.until(lambda: screen._chosen is not None)
        chosen = screen._chosen
        assert chosen is not None
        assert screen._filter.value == name
        assert chosen is screen.shown[0]
        assert chosen.item.patient.name.lower().startswith(name[:3])
