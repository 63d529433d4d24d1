"""Four taps and a fifth: the calibration screen with a panel that is mirrored, hit badly, or not touched at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.geometry import Size

from hw.panel.calibration import Affine
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings import rules
from smartbox_tui.ui.screens import calibrate
from smartbox_tui.ui.screens.calibrate import CalibrateScreen, crosses
from smartbox_tui.ui.screens.settings_form import SettingsFormScreen
from smartbox_tui.wire import commands
from tests.support.fakebox import FakeBox
from tests.ui.compare import foreign_signs, same_as_committed
from tests.ui.rig import MIDDLE, SMALL, busy
from tests.ui.settings_rig import at, choose, site
from tests.ui.svg import screen_svg
from tests.ui.touch_rig import Panel, panel


@pytest.fixture(autouse=True)
def no_bounce(monkeypatch):
    """Tests tap faster than fingers; one of them puts it back."""
    monkeypatch.setattr(calibrate, "BOUNCE_S", 0.0)


def script(language: str = "en"):
    def prepare(box: FakeBox) -> None:
        box.settings.start(language)
        busy(box)

    return prepare


async def begun(touched: Panel) -> CalibrateScreen:
    """By keyboard: whoever cannot hit a button has it."""
    rig = touched.rig
    await rig.until(lambda: rig.app.known.origins)
    await rig.press("o")
    await rig.pilot.pause(0.1)
    await choose(rig, "panel")
    await at(rig, SettingsFormScreen)
    await rig.press("t")
    screen = await at(rig, CalibrateScreen)
    await rig.until(lambda: touched.thread.raw)
    return screen


def mirrored(x: float, y: float) -> tuple[float, float]:
    """A panel whose axes run the wrong way and reach beyond the picture."""
    return 0.95 - 0.9 * x, 0.05 + 0.88 * y


async def tap_cross(touched: Panel, screen: CalibrateScreen, number: int, off: float = 0.0) -> None:
    x, y = touched.place(*crosses(touched.rig.app.size)[number])
    step = len(screen._taps), screen._found, screen._trouble, screen._saving
    touched.device.down(*mirrored(x, y + off))
    touched.device.up()
    await touched.rig.until(lambda: (len(screen._taps), screen._found, screen._trouble, screen._saving) != step)


async def test_a_mirrored_panel_is_right_after_five_taps_at_once_and_for_ever():
    async with panel(script(), size=SMALL, language="en") as touched:
        rig, screen = touched.rig, await begun(touched)
        for number in range(5):
            await tap_cross(touched, screen, number)
        put = await rig.command(commands.SettingsPut)
        text = put.changes["panel.calibration"]
        assert rules.calibration(text) is None
        found = Affine.parse(text)
        assert found(mirrored(0.3, 0.6)) == pytest.approx((0.3, 0.6), abs=0.02)
        await at(rig, SettingsFormScreen)
        await rig.until(lambda: rig.app.settings.panel.calibration == text)
        assert site(rig).panel.calibration == text
        assert not touched.thread.raw
        region = rig.app.screen.query_one("#back").region
        touched.device.down(*mirrored(*touched.place(region.x + region.width // 2, region.y + 1)))
        touched.device.up()
        await rig.until(lambda: not isinstance(rig.app.screen, SettingsFormScreen))


async def test_by_touch_alone_when_the_panel_is_right_enough():
    async with panel(script(), size=SMALL, language="en") as touched:
        rig = touched.rig
        await rig.until(lambda: rig.app.known.origins)
        await rig.press("o")
        await choose(rig, "panel")
        await at(rig, SettingsFormScreen)
        touched.touch("#test")
        screen = await at(rig, CalibrateScreen)
        await rig.until(lambda: touched.thread.raw)
        assert screen._taps == [], "the touch of the button is no tap on the first cross"


async def test_taps_that_contradict_each_other_are_refused_in_words_and_it_begins_anew():
    async with panel(script(), size=SMALL, language="en") as touched:
        rig, screen = touched.rig, await begun(touched)
        for number, off in enumerate((0.0, 0.0, -0.2, 0.0)):
            await tap_cross(touched, screen, number, off)
        await rig.until(lambda: "The taps contradict each other" in rig.text())
        assert "1 of 4" in rig.text()
        assert rig.app.settings.panel.calibration == ""
        for number in range(5):
            await tap_cross(touched, screen, number)
        await rig.command(commands.SettingsPut)


async def test_all_taps_in_one_place_are_refused():
    async with panel(script(), size=SMALL, language="en") as touched:
        rig, screen = touched.rig, await begun(touched)
        for _ in range(4):
            await tap_cross(touched, screen, 0)
        await rig.until(lambda: "too close together" in rig.text())


async def test_a_fifth_tap_that_does_not_hit_saves_nothing():
    async with panel(script(), size=SMALL, language="en") as touched:
        rig, screen = touched.rig, await begun(touched)
        for number in range(4):
            await tap_cross(touched, screen, number)
        await tap_cross(touched, screen, 4, off=0.2)
        await rig.until(lambda: "did not hit" in rig.text())
        assert not any(isinstance(item, commands.SettingsPut) for item in rig.box.commands)


async def test_a_bouncing_finger_is_one_tap(monkeypatch):
    monkeypatch.setattr(calibrate, "BOUNCE_S", 30.0)
    async with panel(script(), size=SMALL, language="en") as touched:
        screen = await begun(touched)
        await tap_cross(touched, screen, 0)
        for _ in range(3):
            touched.tap(5, 5)
        await touched.rig.pilot.pause(0.3)
        assert len(screen._taps) == 1


async def test_without_a_touch_it_goes_back_by_itself_and_by_key():
    async with panel(script(), size=SMALL, language="en") as touched:
        rig, screen = touched.rig, await begun(touched)
        await tap_cross(touched, screen, 0)
        rig.clock.seconds += 25
        await at(rig, SettingsFormScreen)
        assert any("stays as it was" in said for said in rig.said())
        assert not touched.thread.raw
        await rig.press("t")
        await at(rig, CalibrateScreen)
        await rig.press("escape")
        await at(rig, SettingsFormScreen)
        await rig.until(lambda: not touched.thread.raw)
        assert not any(isinstance(item, commands.SettingsPut) for item in rig.box.commands)


async def test_refused_by_the_engine_it_is_as_it_was():
    async with panel(script(), size=SMALL, language="en") as touched:
        rig, screen = touched.rig, await begun(touched)
        for number in range(4):
            await tap_cross(touched, screen, number)
        rig.box.refuse_next(SmartBoxError("refused", "not now", ""))
        await tap_cross(touched, screen, 4)
        await at(rig, SettingsFormScreen)
        await rig.until(lambda: touched.thread.placement.calibration == Affine())


async def test_keys_still_take_pictures_meanwhile():
    async with panel(script(), size=SMALL, language="en") as touched:
        await begun(touched)
        await touched.rig.press("space")
        await touched.rig.command(commands.Still)


@pytest.mark.parametrize("size", [SMALL, MIDDLE, (160, 50)])
def test_the_crosses_lie_near_the_corners_and_the_fifth_in_the_middle(size):
    found = crosses(Size(*size))
    for (column, row), (left, top) in zip(found[:4], [(1, 1), (0, 1), (0, 0), (1, 0)], strict=True):
        assert (column < size[0] * 0.15) == bool(left)
        assert (row < size[1] * 0.2) == bool(top)
        assert 2 <= column <= size[0] - 3
        assert 1 <= row <= size[1] - 2


@pytest.mark.parametrize(("language", "taps"), [("de", 0), ("en", 2), ("de", 4)])
async def test_it_looks_as_it_did(language: str, taps: int, tmp_path: Path) -> None:
    async with panel(script(language), size=SMALL, language=language) as touched:
        screen = await begun(touched)
        for number in range(taps):
            await tap_cross(touched, screen, number)
        await touched.rig.settled()
        drawn = screen_svg(touched.rig.app)
        assert not foreign_signs(touched.rig.text())
    same_as_committed(drawn, f"calibrate-{taps}", SMALL, language, tmp_path)
