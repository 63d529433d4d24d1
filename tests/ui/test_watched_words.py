"""Watched folders on the screens: their words, their alarms, and that no live picture is expected of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from smartbox_tui.ui import words
from smartbox_tui.ui.alarms import alarm_lines
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.state import BoxState, Presence
from smartbox_tui.wire import state
from tests.support.fakebox import SOURCE

STATUS = state.Status(
    version="0",
    exam=None,
    sources=[],
    queue={},
    storage=state.Storage(free_bytes=1 << 40, hours_left=100.0),
    destinations=[],
    clock="trusted",
    alarms=[],
)
FOLDER = replace(SOURCE, id="cam", name="Ward camera", kind="folder", width=0, height=0, fps=0.0)


def test_the_picture_on_the_screen_is_never_a_folders() -> None:
    assert BoxState(sources=(FOLDER, SOURCE)).source == SOURCE
    assert BoxState(sources=(FOLDER,)).source is None


@pytest.mark.parametrize(
    ("language", "signal", "said"),
    [("en", "ok", "is watched"), ("de", "ok", "wird überwacht"), ("de", "gone", "Ordner nicht da")],
)
def test_a_folder_has_no_size_and_no_rate(language: str, signal: str, said: str) -> None:
    assert words.signal(Texts(language), replace(FOLDER, signal=signal == "ok", signal_state=signal)) == said


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        ("watched-quarantine-Ward camera", "3 files in the …", "Ward camera: 3 Dateien nicht übernehmbar."),
        ("watched-away-Ward camera", "Ward camera: …", "Ward camera: Der Ordner ist nicht benutzbar."),
        ("watched-late-Ward camera", "Ward camera: …", "Ward camera: Ein Code kam zu spät."),
    ],
)
def test_alarms_of_a_folder_in_german(code: str, message: str, said: str) -> None:
    alarm = state.Alarm(code=code, message=message, since="2026-11-20T21:45:00+01:00")
    box = BoxState(engine=Presence.HERE, capture=Presence.HERE, status=replace(STATUS, alarms=[alarm]))
    (line,) = alarm_lines(Texts("de"), box)
    assert line.what == said
    assert line.hint
