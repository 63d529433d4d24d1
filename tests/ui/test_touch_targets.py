"""Gloved fingers: at least three rows by ten columns, wholly on the screen, none over another."""

from __future__ import annotations

from itertools import combinations

import pytest
from textual.screen import Screen

from smartbox_tui.ui.widgets.big_button import BigButton
from tests.ui.rig import MIDDLE, SMALL, busy, console

KEYS: dict[str, tuple[str, ...]] = {
    "capture": (),
    "patient": ("n",),
    "emergency": ("e",),
    "child": ("e", "3"),
    "queue": ("q",),
    "status": ("s",),
    "discard": ("d",),
    "close": ("c",),
}


def check(screen: Screen[object], name: str) -> None:
    """Fails for a button that a finger cannot hit or read."""
    buttons = [button for button in screen.query(BigButton) if button.region.area or button.display]
    shown = [button for button in buttons if all(node.display for node in button.ancestors_with_self)]
    assert shown, name
    for button in shown:
        # what is left of it after its containers have cut it
        region, told = screen.find_widget(button).visible_region, f"{name}: {button.id or button._drawn[0]}"
        assert region.width >= 10, told
        assert region.height >= 3, told
        assert screen.region.contains_region(region), told
        label = button._drawn[0].cell_length
        assert label <= button.content_size.width, f"{told} is cut"
    for one, other in combinations(shown, 2):
        assert not one.region.overlaps(other.region), f"{name}: {one.id} lies over {other.id}"
    assert screen.query_one("#emergency").region.area, f"{name}: the emergency is one touch away"


@pytest.mark.parametrize(
    ("size", "language"), [(SMALL, "de"), (SMALL, "en"), (MIDDLE, "de"), (MIDDLE, "en"), ((160, 50), "de")]
)
async def test_every_button_is_large_enough_and_can_be_reached(size: tuple[int, int], language: str) -> None:
    async with console(busy, size=size, language=language) as rig:
        for name, keys in KEYS.items():
            for key in keys:
                await rig.press(key)
            await rig.pilot.pause()
            check(rig.app.screen, name)
            if keys:
                await rig.press("escape")
