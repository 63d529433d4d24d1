"""When the panel goes dark, and the light itself."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hw.fake.framebuffer import FakeFramebuffer
from hw.panel.display import Display
from hw.panel.framebuffer import Framebuffer
from smartbox_tui.ui.sleep import Sleep
from smartbox_tui.ui.state import BoxState, Presence, Taken


def test_it_is_dark_after_the_time_and_never_without_one():
    sleep = Sleep(300, 1000)
    assert not sleep.due(1299)
    assert sleep.due(1300)
    sleep.stir(1299)
    assert not sleep.due(1300)
    sleep.stir(5)  # a late event does not turn the clock back
    assert not sleep.due(1598)
    assert not Sleep(0, 0).due(1e9)


def test_what_keeps_it_lit_and_what_does_not():
    nothing = BoxState(capture=Presence.HERE, engine=Presence.HERE)
    for after, reason in (
        (BoxState(capture=Presence.HERE, engine=Presence.HERE, taken=Taken("mark", 1, 0.0)), True),
        (BoxState(capture=Presence.AWAY, engine=Presence.HERE), True),
        (BoxState(capture=Presence.HERE, engine=Presence.AWAY), True),
        (BoxState(capture=Presence.HERE, engine=Presence.HERE, marks=3), False),
    ):
        sleep = Sleep(300, 0)
        assert sleep.heard(nothing, after, 400) is reason
        assert sleep.due(401) is not reason
        assert not sleep.heard(after, after, 500)


def light(folder: Path, kind: str, most: str = "100") -> Path:
    path = folder / "class" / "backlight" / f"of-{kind}"
    path.mkdir(parents=True)
    for name, value in (("max_brightness", most), ("brightness", "7"), ("bl_power", "0"), ("type", kind)):
        (path / name).write_text(value + "\n")
    return path


@pytest.fixture
def display(tmp_path):
    display = Display(Framebuffer(calls=FakeFramebuffer(tmp_path, (320, 200))), tmp_path)
    display.open()
    yield display
    display.close()


def test_of_several_names_of_one_light_the_right_one_is_dimmed(tmp_path, display):
    raw, firmware = light(tmp_path, "raw", "9999"), light(tmp_path, "firmware", "15")
    display.brightness(50)
    assert ((firmware / "brightness").read_text(), (raw / "brightness").read_text()) == ("8", "7\n")
    display.brightness(0)
    assert (firmware / "brightness").read_text() == "1"  # dimmed is not dark
    display.dark(True)
    assert {(each / "bl_power").read_text() for each in (raw, firmware)} == {"4"}
    display.dark(False)
    assert {(each / "bl_power").read_text() for each in (raw, firmware)} == {"0"}


def test_what_the_panel_lacks_is_told_once_and_done_without(tmp_path, display, caplog):
    caplog.set_level(logging.WARNING)
    display.brightness(50)
    display.dark(True)
    assert not caplog.records
    broken = light(tmp_path, "raw", "many")
    display.brightness(50)
    (broken / "bl_power").unlink()
    (broken / "bl_power").mkdir()
    for _ in range(3):
        display.dark(True)
    assert len(caplog.records) == 1


def test_no_framebuffer_is_no_error(tmp_path, caplog):
    fake = FakeFramebuffer(tmp_path, (320, 200))
    fake.fail_open = 2
    display = Display(Framebuffer(calls=fake), tmp_path)
    display.open()
    display.dark(True)
    display.close()
    assert len(caplog.records) == 1


def test_one_that_cannot_switch_its_signal_off_is_told_once(tmp_path, caplog):
    fake = FakeFramebuffer(tmp_path, (320, 200))
    fake.cannot_blank = True
    display = Display(Framebuffer(calls=fake), tmp_path)
    display.open()
    display.dark(True)
    display.dark(True)
    display.close()
    assert len(caplog.records) == 1
