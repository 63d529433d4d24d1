"""Which letters are bold where bold is another colour."""

from __future__ import annotations

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from smartbox_tui.ui.ink import DarkInk
from tests.ui.rig import Rig, console


def _styles(rig: Rig, text: str) -> set[tuple[bool, str]]:
    """Bold or not, and the colour, of a text on the screen."""
    strips = rig.app.screen._compositor.render_strips()
    found = (segment for strip in strips for segment in strip if text in segment.text)
    return {
        (bool(segment.style.bold), segment.style.color.name)
        for segment in found
        if segment.style is not None and segment.style.color is not None
    }


async def test_black_on_amber_is_black_on_the_linux_console() -> None:
    async with console(term="linux", language="en") as rig:
        assert _styles(rig, "NO PATIENT") == {(False, "#000000")}
        assert _styles(rig, "EMERGENCY") == {(True, "#ffffff")}


async def test_elsewhere_it_is_bold() -> None:
    async with console(language="en") as rig:
        assert [bold for bold, _colour in _styles(rig, "NO PATIENT")] == [True]


@pytest.mark.parametrize(
    ("colour", "bold"), [("#0000aa", False), ("#aa0000", False), ("#aaaaaa", True), ("#55ff55", True)]
)
def test_what_is_light_stays_bold(colour: str, bold: bool) -> None:
    line = [Segment("a", Style(color=colour, bgcolor="#000000", bold=True))]
    (done,) = DarkInk().apply(line, Color(0, 0, 0))
    assert done.style is not None
    assert bool(done.style.bold) is bold
    assert done.style.bgcolor is not None
