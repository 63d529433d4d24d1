"""A picture that does not show the moment of its press: the screen says so, and is silent of those that do."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.moment import off_s, off_words
from smartbox_tui.wire import events
from tests.support.fakebox import FakeBox
from tests.ui.rig import console, with_exam
from tests.ui.test_state import picture

NS = 1_000_000_000


def taken(off_s: float, **more: Any) -> Any:
    at = {"trigger_ns": 100 * NS, "frame_ns": int((100 + off_s) * NS)}
    return replace(picture(1), **{**at, **more})


@pytest.mark.parametrize(
    ("off", "words"),
    [
        (10.0, "10 s nach dem Auslösen"),
        (1.44, "1,4 s nach dem Auslösen"),
        (-0.7, "0,7 s vor dem Auslösen"),
    ],
)
def test_how_far_off_it_is_in_words(off: float, words: str) -> None:
    found = off_s(taken(off))
    assert found == pytest.approx(off)
    assert off_words(Texts("de"), found) == words


@pytest.mark.parametrize("off", [0.0, 0.033, 0.5, -0.25])
def test_a_frame_that_is_near_is_the_moment(off: float) -> None:
    assert off_s(taken(off)) == 0.0


def test_what_knows_of_no_press_is_never_off() -> None:
    assert off_s(taken(-10.0, kind="clip")) == 0.0, "its pre-roll"
    assert off_s(taken(0.0, trigger_ns=0)) == 0.0, "a camera's file"


def show(box: FakeBox, off: float) -> None:
    """A still is taken whose frame is that far off."""
    assert box.exam is not None
    still = replace(box.pictures[-1] if box.pictures else box.take("still"), id=f"off-{off}")
    still = replace(still, trigger_ns=100 * NS, frame_ns=int((100 + off) * NS))
    box.capture.publish(events.StillTaken(exam=box.exam.id, instance=still))


async def test_a_still_that_came_late_is_not_shown_as_if_nothing_had_happened() -> None:
    async with console(with_exam) as rig:
        show(rig.box, 0.02)
        show(rig.box, 10.2)
        await rig.until(rig.said)
        (said,) = rig.said()
        assert "10 s nach dem Auslösen" in said
        assert "Die Box ist überlastet" in said
        await rig.until(lambda: "! Foto 3 · 10 s nach dem Auslösen" in rig.text())
        show(rig.box, -1.5)
        await rig.until(lambda: len(rig.said()) == 2)
        assert "1,5 s vor dem Auslösen" in rig.said()[-1]
