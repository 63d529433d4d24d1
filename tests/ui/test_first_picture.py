"""A screen is right when it is painted for the first time: nothing of it moves under the finger, and there is no
moment without the patient's name."""

from __future__ import annotations

from typing import Any

import pytest
from textual.screen import Screen

from smartbox_tui.ui.app import ConsoleApp
from smartbox_tui.wire import state
from tests.support.fakebox import START, FakeBox
from tests.ui.rig import MIDDLE, SMALL, Rig, busy, console

SIZES = [SMALL, MIDDLE, (160, 50)]
WHOLE, FRAME = "whole", "frame"
SCREENS = {"n": WHOLE, "e": WHOLE, "c": WHOLE, "s": FRAME, "q": FRAME, "x": FRAME}
"""By the key that leads there. The lists are fetched: their bodies may say so first. On the smallest screen a form
may get its scroll bar after that."""


def alarmed(box: FakeBox) -> None:
    busy(box)
    box.alarms = [state.Alarm(code=code, message="…", since=START.isoformat()) for code in ("clock", "disk-urgent")]


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """What stood on the screen after each painting: the screen's kind, its lines."""
    seen: list[tuple[str, list[str]]] = []
    display = ConsoleApp._display

    def kept(app: ConsoleApp, screen: Screen[Any], renderable: Any) -> None:
        display(app, screen, renderable)
        if screen is app.screen:
            seen.append((type(screen).__name__, [strip.text for strip in screen._compositor.render_strips()]))

    monkeypatch.setattr(ConsoleApp, "_display", kept)
    return seen


def fixed(rig: Rig, lines: list[str], how: str) -> list[str]:
    """The lines that nothing has to be fetched for."""
    body = rig.app.screen.query_one("#body").region
    return lines if how == WHOLE else lines[: body.y] + lines[body.bottom :]


@pytest.mark.parametrize("size", SIZES)
async def test_the_first_picture_is_the_last_one(
    size: tuple[int, int], painted: list[tuple[str, list[str]]]
) -> None:
    async with console(alarmed, size=size) as rig:
        await rig.settled()
        for key, how in SCREENS.items():
            painted.clear()
            await rig.press(key)
            await rig.settled()
            kind, first = painted[0]
            how = FRAME if size == SMALL else how
            assert kind == type(rig.app.screen).__name__ != "CaptureScreen", key
            assert any("Müller, Jörg" in line for line in first[:2]), f"{kind}: no moment without a name"
            assert fixed(rig, first, how) == fixed(rig, painted[-1][1], how), f"{kind}: something moved"
            await rig.press("escape")
            await rig.settled()
