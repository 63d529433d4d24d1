"""The console on the box's own screen: where its picture's pixels are among the screens, sound, flash, darkness."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual import events

from hw.panel import sound
from smartbox_tui.settings.schema import Panel as PanelSettings
from smartbox_tui.ui.pixel_places import Area, cut
from smartbox_tui.ui.screens.capture import CaptureScreen
from smartbox_tui.ui.state import BoxState, Taken
from smartbox_tui.ui.widgets.preview import Preview, was_taken
from smartbox_tui.wire import commands, state
from smartbox_tui.wire import events as wire_events
from tests.ui.panel_rig import FakePanel
from tests.ui.rig import SMALL, Rig, busy, console, with_exam


@asynccontextmanager
async def at_panel(
    folder: Path, script=with_exam, settings: PanelSettings | None = None
) -> AsyncIterator[tuple[Rig, FakePanel]]:
    fake = FakePanel(folder, SMALL)
    async with console(
        script, size=SMALL, term="linux", panel=lambda runtime: fake.panel(runtime, settings)
    ) as rig:
        yield rig, fake
    assert fake.screen.opened == 0
    assert (fake.light / "bl_power").read_text() == "0"


def preview_area(rig: Rig) -> Area:
    return Area(*rig.app.screen_stack[1].query_one(Preview).region)


def colours(picture: Any) -> int:
    """How many different ones."""
    return len(np.unique(picture.astype(np.uint32) @ np.array([1, 1 << 8, 1 << 16], np.uint32)))


def front(rig: Rig) -> object:
    return rig.app.screen_stack[-1]


async def test_the_picture_lies_in_its_widget_and_nowhere_else(tmp_path: Path) -> None:
    async with at_panel(tmp_path) as (rig, fake):
        area = preview_area(rig)
        await rig.until(lambda: fake.is_picture(area))
        for rest in cut(Area(0, 0, *SMALL), [area]):
            assert fake.is_text(rest)
        # the picture itself, no blocks: far more colours than a console has
        await rig.until(lambda: colours(fake.shown(area)) > 200)
        # and the cells under it are blank
        strips = rig.app.screen_stack[1].query_one(Preview)._strips
        assert not any("▀" in str(strip._render_cache) for strip in strips)


async def test_other_screens_have_no_picture_and_it_comes_back(tmp_path: Path) -> None:
    async with at_panel(tmp_path) as (rig, fake):
        area = preview_area(rig)
        await rig.until(lambda: fake.is_picture(area))
        for key in ("s", "q", "n"):
            await rig.press(key)
            await rig.until(lambda: not isinstance(front(rig), CaptureScreen))
            await rig.pilot.pause()
            fake.text(area)
            await asyncio.sleep(0.3)
            assert fake.is_text(area), key
            await rig.press("escape")
            await rig.until(lambda: isinstance(front(rig), CaptureScreen))
            await rig.until(lambda: fake.is_picture(area))


async def test_a_notice_that_lies_over_the_picture_is_seen(tmp_path: Path) -> None:
    from textual.widgets._toast import Toast

    async with at_panel(tmp_path) as (rig, fake):
        area = preview_area(rig)
        await rig.until(lambda: fake.is_picture(area))
        rig.app.notify("A sentence long enough to lie over the picture " * 4, timeout=60)
        await rig.until(lambda: rig.app.screen.query(Toast))
        await rig.pilot.pause(0.3)
        toast = Area(*rig.app.screen.query_one(Toast).region)
        covered = area.common(toast)
        assert covered, "the notice must lie over the picture, or this says nothing"
        fake.text(covered)
        await asyncio.sleep(0.4)
        assert fake.is_text(covered)
        assert all(fake.is_picture(each) for each in cut(area, [toast]))


async def test_no_signal_is_said_in_letters_over_the_dimmed_picture(tmp_path: Path) -> None:
    async with at_panel(tmp_path) as (rig, fake):
        area = preview_area(rig)
        await rig.until(lambda: fake.is_picture(area))
        await rig.until(lambda: fake.shown(area).max() > 200)
        rig.box.signal("no-signal")
        preview = rig.app.screen.query_one(Preview)
        said = rig.app.t("No signal").upper()
        await rig.until(lambda: any(said in strip.text for strip in preview._strips))
        row = next(y for y, strip in enumerate(preview._strips) if said in strip.text)
        words = Area(area.x + preview._strips[row].text.index(said), area.y + row, len(said), 1)
        fake.text(area)
        await rig.until(lambda: 40 < fake.shown(area._replace(height=5)).max() < 70)
        assert fake.is_text(words)


async def test_what_was_taken_is_shown_with_its_label_and_heard(tmp_path: Path) -> None:
    async with at_panel(tmp_path) as (rig, fake):
        area = preview_area(rig)
        await rig.until(lambda: fake.is_picture(area))
        before = rig.app.box.stills
        rig.box.take()
        await rig.until(lambda: rig.app.box.stills > before)
        await rig.until(lambda: (fake.shown(area) == (0x4F, 0xC3, 0xD0)).all(axis=2).sum() > 100)
        assert "Foto" in "".join(strip.text for strip in rig.app.screen.query_one(Preview)._strips)
        assert [request for request, _ in fake.terminal.sounds] == [sound.KDMKTONE]


async def test_the_frame_flashes_when_a_picture_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_panel(tmp_path) as (rig, _fake):
        flashed = []
        monkeypatch.setattr(rig.app.pixels, "flash", lambda: flashed.append(True))
        rig.box.take()
        await rig.until(lambda: flashed)
        assert len(flashed) == 1


def test_only_a_picture_is_told_a_mark_or_a_clips_end_is_none() -> None:
    nothing = BoxState()
    for kind, told in (("still", True), ("burst", True), ("clip", False), ("mark", False)):
        after = BoxState(taken=Taken(kind, 1, 5.0))
        assert was_taken(nothing, after) is told
        assert not was_taken(after, dataclasses.replace(after, marks=1))
        assert not was_taken(after, nothing)


async def test_without_the_settings_nothing_sounds_and_nothing_flashes(tmp_path: Path) -> None:
    quiet = PanelSettings(beep=False, flash=False)
    async with at_panel(tmp_path, settings=quiet) as (rig, fake):
        rig.app.settings = dataclasses.replace(rig.app.settings, panel=quiet)
        rig.app.redraw()
        flashed = []
        rig.app.pixels.flash = lambda: flashed.append(True)
        rig.box.take()
        await rig.until(lambda: rig.app.box.stills)
        await rig.pilot.pause(0.1)
        assert not fake.terminal.sounds
        assert not flashed


async def test_blocks_where_the_framebuffer_cannot_be_used(tmp_path: Path) -> None:
    fake = FakePanel(tmp_path, SMALL)
    fake.screen.fail_open = 13
    async with console(with_exam, size=SMALL, term="linux", panel=fake.panel) as rig:
        assert rig.app.pixels is None
        await rig.until(lambda: "▀" in rig.text())


async def test_blocks_where_the_text_console_is_turned(tmp_path: Path) -> None:
    fake = FakePanel(tmp_path, SMALL)
    folder = fake.sysfs / "class" / "graphics" / "fbcon"
    folder.mkdir(parents=True)
    (folder / "rotate").write_text("1\n")
    async with console(with_exam, size=SMALL, term="linux", panel=fake.panel) as rig:
        assert rig.app.pixels is None


async def test_blocks_when_they_are_asked_for_or_the_framebuffer_goes_away(tmp_path: Path) -> None:
    async with at_panel(tmp_path, settings=PanelSettings(live="blocks")) as (rig, fake):
        await rig.until(lambda: "▀" in rig.text())
        assert fake.is_text(Area(0, 0, *SMALL))
    second = tmp_path / "second"
    second.mkdir()
    async with at_panel(second) as (rig, fake):
        area = preview_area(rig)
        await rig.until(lambda: fake.is_picture(area))
        fake.screen.gone = True
        await rig.until(lambda: "▀" in rig.text())


async def test_capture_is_asked_for_pictures_as_large_as_they_are_shown(tmp_path: Path) -> None:
    async with at_panel(tmp_path) as (rig, _fake):
        asked = []
        rig.app.link.ask_preview = lambda *wish: asked.append(wish)
        area = preview_area(rig)
        await rig.until(lambda: asked)
        assert asked[-1] == ("endo", area.width * 8, area.height * 16)
        await rig.press("s")
        await rig.until(lambda: not isinstance(front(rig), CaptureScreen))
        await rig.pilot.pause()
        asked.clear()
        rig.app._ask_for_pixels()
        assert not asked


# ---- darkness


def mouse(kind: type[events.MouseEvent], at: tuple[int, int], button: int = 1) -> events.MouseEvent:
    x, y = at
    return kind(None, x, y, 0, 0, button, False, False, False, x, y)


async def touch(rig: Rig, at: tuple[int, int]) -> None:
    """As the touch driver sends it."""
    rig.app.post_message(mouse(events.MouseMove, at, 0))
    rig.app.post_message(mouse(events.MouseDown, at))
    await rig.pilot.pause(0.05)
    rig.app.post_message(mouse(events.MouseUp, at))
    await rig.pilot.pause(0.05)


async def go_dark(rig: Rig, fake: FakePanel) -> None:
    panel = rig.app.panel
    panel.sleep._stirred_s = -1e9
    panel.look(1e6)
    panel.sleep._stirred_s = 0.0
    assert panel.dark
    await rig.until(lambda: fake.screen.blanked == 4)
    assert (fake.light / "bl_power").read_text() == "4"


NAPS = PanelSettings(blank_min=5)


async def test_the_first_touch_on_a_dark_screen_only_lights_it(tmp_path: Path) -> None:
    async with at_panel(tmp_path, settings=NAPS) as (rig, fake):
        photo = rig.app.screen.query_one("#photo").region
        at = (photo.x + 3, photo.y + 1)
        await go_dark(rig, fake)
        await touch(rig, at)
        assert not rig.app.panel.dark
        await rig.until(lambda: fake.screen.blanked == 0)
        await rig.pilot.pause(0.2)
        assert not rig.box.commands
        await touch(rig, at)
        await rig.command(commands.Still)


async def test_a_key_that_takes_pictures_does_so_in_the_dark_any_other_only_lights(tmp_path: Path) -> None:
    async with at_panel(tmp_path, settings=NAPS) as (rig, fake):
        await go_dark(rig, fake)
        await rig.press("s")
        assert not rig.app.panel.dark
        assert isinstance(front(rig), CaptureScreen)
        await go_dark(rig, fake)
        await rig.press("space")
        assert not rig.app.panel.dark
        await rig.command(commands.Still)


@pytest.mark.parametrize("what", ["picture", "recording", "alarm", "pedal"])
async def test_what_happens_in_the_box_lights_the_screen(tmp_path: Path, what: str) -> None:
    async with at_panel(tmp_path, settings=NAPS) as (rig, fake):
        area = preview_area(rig)
        await rig.until(lambda: fake.is_picture(area))
        await go_dark(rig, fake)
        fake.text(area)
        await asyncio.sleep(0.4)
        assert fake.is_text(area)  # nothing is drawn in the dark
        if what == "picture":
            rig.box.take()
        elif what == "recording":
            rig.box.record(0)
        elif what == "alarm":
            rig.box.alarms = [state.Alarm(code="disk-full", message="x", since="2026-11-21T12:00:00+01:00")]
            rig.box.tell()
        else:
            rig.box.capture.publish(wire_events.PedalUsed(pedal="left", gesture="stuck"))
        await rig.until(lambda: not rig.app.panel.dark)
        await rig.until(lambda: fake.is_picture(area))


async def test_it_does_not_go_dark_while_it_records(tmp_path: Path) -> None:
    async with at_panel(tmp_path, busy, settings=NAPS) as (rig, _fake):
        await rig.until(lambda: rig.app.box.recording is not None)
        rig.app.panel.look(1e9)
        assert not rig.app.panel.dark


async def test_brightness_follows_its_setting(tmp_path: Path) -> None:
    async with at_panel(tmp_path, settings=PanelSettings(brightness=50)) as (rig, fake):
        await rig.until(lambda: (fake.light / "brightness").read_text() == "128")
        rig.app.settings = dataclasses.replace(rig.app.settings, panel=PanelSettings(brightness=5))
        rig.app.adjust_panel()
        await rig.until(lambda: (fake.light / "brightness").read_text() == "13")


async def test_a_console_that_died_in_the_dark_is_followed_by_light(tmp_path: Path) -> None:
    fake = FakePanel(tmp_path, SMALL)
    fake.screen.blanked = 4
    (fake.light / "bl_power").write_text("4")
    async with console(with_exam, size=SMALL, term="linux", panel=fake.panel) as rig:
        await rig.until(lambda: fake.screen.blanked == 0)
        await rig.until(lambda: (fake.light / "bl_power").read_text() == "0")
