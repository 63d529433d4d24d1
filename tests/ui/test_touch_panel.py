"""The box's own panel: fingers on a made-up device, through the real thread, to the real screens."""

from __future__ import annotations

import asyncio
import errno
import logging
import time

import pytest
from msgspec.structs import replace
from textual.widgets import Input

from hw.fake.touch import FakePanel
from hw.fake.vt import FakeTerminal
from hw.panel.contacts import Protocol
from hw.panel.vt import VirtualTerminal
from smartbox_tui.ui.link import new_id
from smartbox_tui.ui.screens.capture import CaptureScreen
from smartbox_tui.ui.screens.pictures import PicturesScreen
from smartbox_tui.ui.screens.settings import SettingsScreen
from smartbox_tui.ui.screens.status import StatusScreen
from smartbox_tui.ui.screens.worklist import WorklistScreen
from smartbox_tui.ui.touching import own_panel
from smartbox_tui.ui.widgets.biglist import BigList
from smartbox_tui.wire import commands
from tests.support import fakepeople
from tests.ui.rig import SMALL, busy, with_exam
from tests.ui.touch import form, is_open, key_at
from tests.ui.touch_rig import panel
from tests.ui.touches import people


def stills(box) -> list[commands.Still]:
    return [item for item in box.commands if isinstance(item, commands.Still)]


@pytest.mark.parametrize("protocol", Protocol)
async def test_the_photo_button_is_a_pedal_the_picture_is_of_the_touch(protocol):
    async with panel(with_exam, device=FakePanel(protocol)) as touched:
        at = time.monotonic_ns()
        touched.device.down(*touched.place(*touched.middle("#photo")), at_ns=at)
        still = await touched.rig.command(commands.Still)
        assert abs(still.at_ns - at) < 2_000, "the kernel's time of the touch, to the microsecond"
        await asyncio.sleep(0.8)
        touched.up()
        await touched.rig.pilot.pause(0.2)
        assert len(stills(touched.rig.box)) == 1, "one touch is one picture, however long it lasts"


async def test_fast_touches_are_as_many_pictures():
    async with panel(with_exam) as touched:
        place, begin = touched.place(*touched.middle("#photo")), time.monotonic_ns()
        for count in range(5):
            # all of them waiting when the app comes to it
            touched.device.down(*place, at_ns=begin + count * 200_000_000)
            touched.device.up(at_ns=begin + count * 200_000_000 + 90_000_000)
        await touched.rig.until(lambda: len(stills(touched.rig.box)) == 5)
        times = [still.at_ns for still in stills(touched.rig.box)]
        assert times == sorted(set(times))


async def test_a_button_looks_pressed_while_the_finger_is_down_and_acts_when_it_leaves():
    async with panel(with_exam) as touched:
        rig = touched.rig
        button = rig.app.screen.query_one("#status")
        touched.down(*touched.middle("#status"))
        await rig.until(lambda: button.has_class("-pressed"))
        await rig.pilot.pause(0.3)
        assert button.has_class("-pressed")
        assert isinstance(rig.app.screen, CaptureScreen)
        touched.up()
        await rig.until(lambda: isinstance(rig.app.screen, StatusScreen))
        await rig.until(lambda: not button.has_class("-pressed"))


async def test_a_finger_that_slides_off_a_button_presses_nothing():
    async with panel(with_exam) as touched:
        rig = touched.rig
        button = rig.app.screen.query_one("#record")
        x, y = touched.middle("#record")
        touched.down(x, y)
        await rig.until(lambda: button.has_class("-pressed"))
        touched.move(x - 40, y)
        await rig.until(lambda: not button.has_class("-pressed"))
        touched.move(x, y)
        touched.up()
        touched.touch("#mark")
        await rig.command(commands.RecordMark)
        assert not any(isinstance(item, commands.RecordStart) for item in rig.box.commands)


async def test_a_gloved_finger_that_rolls_over_the_edge_of_a_button_still_presses_it():
    async with panel(with_exam) as touched:
        rig = touched.rig
        region = rig.app.screen.query_one("#record").region
        touched.down(region.right - 1, region.y + 1)
        touched.move(region.right + 1, region.y + 1)
        touched.up()
        await rig.command(commands.RecordStart)


async def test_pulled_with_the_finger_on_a_button_nothing_is_pressed_and_it_is_said():
    async with panel(with_exam) as touched:
        rig = touched.rig
        button = rig.app.screen.query_one("#record")
        touched.down(*touched.middle("#record"))
        await rig.until(lambda: button.has_class("-pressed"))
        touched.device.unplug()
        await touched.seen("gone")
        await rig.until(lambda: not button.has_class("-pressed"))
        assert "Das Touchpanel wurde abgezogen" in rig.text()
        rig.app.speak("en")
        await rig.pilot.pause()
        assert "The touch panel was unplugged" in rig.text()
        assert not any(isinstance(item, commands.RecordStart) for item in rig.box.commands)
        touched.device.replug()
        await touched.seen("")
        touched.touch("#photo")
        await rig.command(commands.Still)


@pytest.mark.parametrize(
    ("state", "change", "words"),
    [
        ("busy", {"other_grab": True}, "Another program has the touch panel"),
        ("refused", {"fail_open": errno.EACCES}, "may not be opened"),
        ("none", {"properties": {6}}, "No touch panel was found"),
    ],
)
async def test_trouble_is_on_the_screen_and_in_the_log_and_over_by_itself(state, change, words, caplog):
    device = FakePanel()
    good = {name: getattr(device, name) for name in change}
    for name, value in change.items():
        setattr(device, name, value)
    with caplog.at_level(logging.INFO):
        async with panel(with_exam, device=device, waits=False, language="en") as touched:
            rig = touched.rig
            await touched.seen(state)
            await rig.press("s")
            await rig.until(lambda: words in rig.text())
            assert "touch panel does not work" in caplog.text
            for name, value in good.items():
                setattr(device, name, value)
            await touched.seen("")
            await rig.until(lambda: words not in rig.text())


async def test_the_keyboard_types_under_the_finger():
    async with panel(people) as touched:
        rig = touched.rig
        await form(rig)
        touched.touch("#input-family")
        await rig.until(lambda: is_open(rig))
        for name in ("w", "e"):
            touched.tap(*key_at(rig, name))
            await rig.pilot.pause(0.1)
        await rig.until(lambda: rig.app.screen.query_one("#input-family", Input).value == "We")


async def test_a_form_that_is_pulled_at_a_field_opens_no_keyboard():
    async with panel(people, size=SMALL) as touched:
        rig = touched.rig
        await form(rig)
        x, y = touched.middle("#input-family")
        touched.down(x, y)
        for step in range(1, 6):
            touched.move(x, y + step)
        touched.up()
        await rig.pilot.pause(0.3)
        assert not is_open(rig)
        touched.tap(x, y)
        await rig.until(lambda: is_open(rig))


async def test_a_list_follows_the_finger_and_chooses_nothing():
    async with panel(many, size=SMALL) as touched:
        rig = touched.rig
        touched.touch("#patient")
        rows = await worklist(rig)
        x, y = rows.region.x + 20, rows.region.bottom - 2
        touched.down(x, y)
        for step in range(1, 8):
            touched.move(x, y - step)
        await rig.until(lambda: rows.scroll_y == 5)  # what it slipped before it was a drag is not taken back
        await asyncio.sleep(0.2)  # it stops before it leaves: nothing flies on
        touched.up()
        await rig.pilot.pause(0.8)
        assert rows.scroll_y == 5
        assert not rig.app.screen.has_class("-chosen")


async def test_a_thrown_list_flies_on_and_a_touch_stops_it_without_choosing():
    async with panel(many, size=SMALL) as touched:
        rig = touched.rig
        touched.touch("#patient")
        rows = await worklist(rig)
        x, y = rows.region.x + 20, rows.region.bottom - 2
        begin = time.monotonic_ns()
        touched.device.down(*touched.place(x, y), at_ns=begin)
        for step in range(1, 9):
            touched.device.move(*touched.place(x, y - step), at_ns=begin + step * 10_000_000)
        touched.device.up(at_ns=begin + 85_000_000)
        await rig.until(lambda: rows.scroll_y > 10)
        touched.tap(x, y - 4)
        await rig.pilot.pause(0.2)
        stopped = rows.scroll_y
        await rig.pilot.pause(0.8)
        assert rows.scroll_y == stopped
        assert not rig.app.screen.has_class("-chosen")
        touched.tap(x, y - 4)
        await rig.until(lambda: rig.app.screen.has_class("-chosen"))


async def test_a_form_scrolls_under_the_finger_and_its_buttons_are_not_pressed():
    async with panel(busy, size=SMALL) as touched:
        rig = touched.rig
        touched.touch("#status")
        await rig.until(lambda: isinstance(rig.app.screen, StatusScreen))
        scroll = rig.app.screen.query_one("#status-scroll")
        await rig.until(lambda: scroll.max_scroll_y > 2)
        x, y = scroll.region.x + 10, scroll.region.bottom - 2
        touched.down(x, y)
        touched.move(x, y - 2)
        touched.move(x, y - 4)
        await rig.until(lambda: scroll.scroll_y == 2)
        touched.move(x, y + 4)
        await rig.until(lambda: scroll.scroll_y == 0)
        touched.up()


async def test_a_long_press_opens_a_picture_before_the_finger_leaves():
    async with panel(busy) as touched:
        rig = touched.rig
        await rig.until(lambda: rig.app.screen.query_one("Thumbs").region.area)
        region = rig.app.screen.query_one("Thumbs").region
        touched.down(region.x + 2, region.y + 1)
        await rig.until(lambda: isinstance(rig.app.screen, PicturesScreen))
        front = len(rig.app.screen_stack)
        touched.up()
        await rig.pilot.pause(0.3)
        assert len(rig.app.screen_stack) == front, "the finger's leaving presses nothing on the new screen"


async def test_a_long_press_on_a_line_opens_it_and_the_next_screen_is_not_deaf():
    async with panel(lambda box: box.settings.start("en"), language="en") as touched:
        rig = touched.rig
        await rig.press("o")
        await rig.until(lambda: isinstance(rig.app.screen, SettingsScreen) and rig.app.screen.query(BigList))
        rows = rig.app.screen.query_one(BigList)
        await rig.until(lambda: rows.size)
        touched.down(rows.region.x + 20, rows.region.y + rows.region.height - 4)
        await rig.until(lambda: not isinstance(rig.app.screen, SettingsScreen))
        touched.up()
        await rig.until(lambda: rig.app.screen.query("#back") and rig.app.screen.query_one("#back").region.area)
        touched.touch("#back")
        await rig.until(lambda: isinstance(rig.app.screen, SettingsScreen))


async def test_what_lies_on_the_panel_is_said_and_presses_nothing(monkeypatch):
    monkeypatch.setattr("hw.panel.contacts.STUCK_NS", 300_000_000)
    async with panel(with_exam, device=FakePanel(Protocol.SINGLE)) as touched:
        rig = touched.rig
        touched.down(*touched.middle("#record"))
        await touched.seen("stuck")
        assert "Auf dem Touchpanel liegt etwas" in rig.text()
        touched.up()
        touched.touch("#photo")
        await rig.command(commands.Still)
        await touched.seen("")
        assert not any(isinstance(item, commands.RecordStart) for item in rig.box.commands)


async def test_a_turned_panel_is_right_as_soon_as_the_settings_say_so():
    async with panel(with_exam) as touched:
        rig = touched.rig
        await rig.until(lambda: rig.app.known.origins)
        change(rig, **{"panel.rotation": 180})
        await rig.until(lambda: touched.thread.placement.rotation == 180)
        x, y = touched.place(*touched.middle("#photo"))
        touched.device.down(1 - x, 1 - y)
        await rig.command(commands.Still)


async def test_touch_can_be_switched_off_in_the_settings():
    async with panel(with_exam) as touched:
        rig = touched.rig
        change(rig, **{"panel.touch": "none"})
        await rig.until(lambda: not touched.device.grabbed)
        assert rig.app.box.touch == ""
        change(rig, **{"panel.touch": "auto"})
        await rig.until(lambda: touched.device.grabbed)


async def test_the_app_ends_at_once_though_the_driver_hangs():
    device = FakePanel()
    async with panel(with_exam, device=device) as touched:
        device.read = lambda fd, size: time.sleep(5) or b""
        touched.down(1, 1)
        await asyncio.sleep(0.05)
        begin = time.monotonic()
        await asyncio.to_thread(touched.thread.end)
        assert time.monotonic() - begin < 4


async def test_while_another_terminal_is_in_front_a_finger_presses_nothing():
    async with panel(with_exam) as touched:
        touched.thread._in_front = lambda: False
        touched.touch("#photo")
        await touched.rig.pilot.pause(0.3)
        assert not touched.rig.box.commands
        touched.thread._in_front = lambda: True
        touched.touch("#photo")
        await touched.rig.command(commands.Still)
        assert len(stills(touched.rig.box)) == 1


def test_only_the_boxs_own_screen_has_touch(monkeypatch):
    terminal = VirtualTerminal(0, 1, FakeTerminal())
    monkeypatch.setattr("hw.panel.vt.own_terminal", lambda: terminal)
    assert own_panel({}) is not None
    assert own_panel({"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}) is None
    monkeypatch.setattr("hw.panel.vt.own_terminal", lambda: None)
    assert own_panel({}) is None


def change(rig, **changes) -> None:
    """By another console, say."""
    rig.app.order(commands.SettingsPut(id=new_id(), changes=changes))


def many(box) -> None:
    """A worklist that is longer than the screen."""
    known = fakepeople.worklist()
    box.items = [replace(item, id=f"{item.id}-{copy}") for copy in range(5) for item in known]
    box.worklist = fakepeople.service(box.now())


async def worklist(rig) -> BigList:
    await rig.until(lambda: isinstance(rig.app.screen, WorklistScreen))
    await rig.until(lambda: rig.app.screen.query_one(BigList).max_scroll_y > 20)
    return rig.app.screen.query_one(BigList)
