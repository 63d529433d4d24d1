"""The keyboard on the screen in the real program on a real terminal: touches as a terminal reports them."""

from __future__ import annotations

import asyncio
import shlex
import shutil

import pytest

from smartbox_tui.wire import commands
from tests.support.fakebox import FakeBox
from tests.support.tmux import Pane
from tests.ui.test_terminal import box, command_line, environment, until

FIELD = "│ {} "


def _typed(fake: FakeBox) -> None:
    """A patient, each touch once the one before is to be seen."""
    with Pane(shlex.join(command_line(fake.runtime)), (80, 24), environment()) as pane:
        pane.shows("NOTFALL")
        pane.keys("n")
        pane.shows("Nachname")
        pane.tap(10, 4)  # the field
        pane.shows("Leertaste", "▐ Q  ▌")
        text = ""
        for key in "Qwwwq":
            pane.tap_on(f"▐ {key}  ▌")
            text += key
            pane.shows(FIELD.format(text), "▐ q  ▌")
        pane.tap_on("↵")
        pane.shows("▐ Q  ▌")  # the next field begins with a capital
        pane.tap_on("↵")
        pane.shows("   7   ", "ABC")
        for text in ("7", "77"):
            pane.tap_on("   7   ")
            pane.shows(FIELD.format(text))
        pane.tap_on("↵")
        pane.shows("   .   ")  # the date's pad
        pane.tap_on("↵")
        pane.shows("ABC", "Auftragsnummer", without=("Patienten-ID",))
        pane.tap_on("↵")
        pane.shows("Qwwwq", "F O T O")
        pane.keys("F10")
        assert "Traceback" not in pane.shows("LEFT 0")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
async def test_a_patient_is_typed_by_touch_on_a_real_terminal() -> None:
    async with box() as fake:
        fake.exam, fake.pictures = None, []
        await asyncio.to_thread(_typed, fake)
        await until(lambda: any(isinstance(item, commands.ExamOpen) for item in fake.commands), "the exam")
        command = next(item for item in fake.commands if isinstance(item, commands.ExamOpen))
        assert command.patient == {"id": "77", "name": "Qwwwq", "birth_date": None, "sex": None}
