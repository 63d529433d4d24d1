"""Pictures that were taken as pixels, in a framebuffer that is a file: where they are, and that they go."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hw.fake.framebuffer import BGR888, RGB565, XBGR, XRGB
from smartbox_tui.ui import live_pixels
from smartbox_tui.ui.live_pixels import Place, Subject
from smartbox_tui.ui.pixel_places import Area, cut
from smartbox_tui.ui.still_pixels import Still, resized
from tests.ui.panel_rig import COLOURS, FILE, WIDGET, PixelRig, drawing, until

FORMATS = {"xrgb": XRGB, "xbgr": XBGR, "rgb565": RGB565, "bgr888": BGR888}
EVERYWHERE = Area(0, 0, 80, 24)
FIRST, SECOND = Area(4, 2, 20, 6), Area(30, 2, 20, 6)
RED, GREEN = (200, 100, 48), (16, 200, 96)


def still(area: Area = FIRST, colour: tuple[int, int, int] = RED, *holes: Area, size=(64, 36)) -> Still:
    picture = np.empty((size[1], size[0], 3), np.uint8)
    picture[:] = colour
    return Still(str(colour), area, tuple(cut(area, holes)), picture)


@pytest.fixture
def rig(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[PixelRig]:
    monkeypatch.setattr(live_pixels, "_STILLS_AGAIN_S", 1e9)  # whoever waits for it says so
    with drawing(tmp_path, request) as rig:
        yield rig


def has(rig: PixelRig, area: Area, colour: tuple[int, int, int]) -> bool:
    """Whether that colour is in the middle of the area."""
    shown = rig.fake.shown(area).astype(int)
    return bool((np.abs(shown[shown.shape[0] // 2, shown.shape[1] // 2] - colour) <= 8).all())


@pytest.mark.parametrize("rig", [(each,) for each in FORMATS.values()], indirect=True, ids=FORMATS)
def test_each_fills_its_cells_in_its_shape_and_nothing_else(rig: PixelRig) -> None:
    rig.stills(still(), still(SECOND, GREEN, size=(36, 36)))
    until(lambda: rig.fake.is_picture(FIRST) and rig.fake.is_picture(SECOND))
    first, second = (rig.fake.shown(area).astype(int) for area in (FIRST, SECOND))
    # 20 x 6 cells are 160 x 96 pixels: 16:9 fits as 160 x 90, a square as 96 x 96
    assert (np.abs(first[3:93] - RED) <= 8).all()
    assert (np.abs(first[:3] - COLOURS.bar) <= 8).all()
    assert (np.abs(first[93:] - COLOURS.bar) <= 8).all()
    assert (np.abs(second[:, 32:128] - GREEN) <= 8).all()
    assert (np.abs(second[:, :32] - COLOURS.bar) <= 8).all()
    for rest in cut(EVERYWHERE, [FIRST, SECOND]):
        assert rig.fake.is_text(rest)


def test_text_that_came_over_them_is_drawn_over_when_it_was_written(rig: PixelRig) -> None:
    rig.stills(still())
    until(lambda: rig.fake.is_picture(FIRST))
    rig.fake.text(EVERYWHERE)
    rig.pixels.written()
    until(lambda: rig.fake.is_picture(FIRST))
    assert all(rig.fake.is_text(rest) for rest in cut(EVERYWHERE, [FIRST]))


def test_text_that_nobody_told_of_does_not_stay(rig: PixelRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_pixels, "_STILLS_AGAIN_S", 0.3)
    rig.stills(still())
    until(lambda: rig.fake.is_picture(FIRST))
    rig.fake.text(EVERYWHERE)
    until(lambda: rig.fake.is_picture(FIRST))


def test_nothing_is_drawn_while_nothing_happens(rig: PixelRig, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    before = rig.pixels._draw_stills
    monkeypatch.setattr(rig.pixels, "_draw_stills", lambda *args: (drawn.append(1), before(*args)))
    rig.stills(still())
    until(lambda: rig.fake.is_picture(FIRST))
    rig.settle()
    count = len(drawn)
    assert 1 <= count <= 2  # once while it was being scaled
    rig.stills(still())  # the same again
    rig.settle()
    assert len(drawn) == count
    rig.stills()
    rig.pixels.written()
    rig.settle()
    assert len(drawn) == count


def test_what_lies_over_it_stays_and_is_free_again_later(rig: PixelRig) -> None:
    hole = Area(10, 4, 30, 2)
    rig.stills(still())
    until(lambda: rig.fake.is_picture(FIRST))
    rig.stills(still(FIRST, RED, hole))
    assert rig.dark(FIRST.common(hole))  # at once: text comes there now
    rig.fake.text(hole)
    rig.pixels.written()
    rig.settle()
    assert rig.fake.is_text(hole)
    assert all(rig.fake.is_picture(each) for each in cut(FIRST, [hole]))
    rig.stills(still())
    until(lambda: rig.fake.is_picture(FIRST))


def test_what_has_no_place_any_more_is_gone_before_anything_else_happens(rig: PixelRig) -> None:
    rig.stills(still(), still(SECOND, GREEN))
    until(lambda: has(rig, FIRST, RED) and has(rig, SECOND, GREEN))
    rig.stills(still(SECOND, GREEN))
    assert rig.dark(FIRST)
    assert has(rig, SECOND, GREEN)
    rig.stills()
    assert rig.dark(SECOND)
    assert all(rig.fake.is_text(rest) for rest in cut(EVERYWHERE, [FIRST, SECOND]))
    rig.settle()
    assert rig.dark(FIRST)


def test_one_that_moves_leaves_nothing_behind(rig: PixelRig) -> None:
    rig.stills(still())
    until(lambda: rig.fake.is_picture(FIRST))
    lower = FIRST._replace(y=FIRST.y + 1)
    rig.stills(still(lower))
    assert rig.dark(FIRST._replace(height=1))
    until(lambda: rig.fake.is_picture(lower) and has(rig, lower, RED))
    assert rig.dark(FIRST._replace(height=1))


def test_the_half_that_is_scrolled_away_is_not_drawn(rig: PixelRig) -> None:
    rig.stills(dataclasses.replace(still(), free=(FIRST._replace(y=5, height=3),)))
    until(lambda: rig.fake.is_picture(FIRST._replace(y=5, height=3)))
    assert rig.fake.is_text(FIRST._replace(height=3))
    shown = rig.fake.shown(FIRST._replace(y=5, height=3)).astype(int)
    assert (shown[: 93 - 48] == RED).all()  # the lower half of the picture, not all of it made smaller
    assert (shown[93 - 48 :] == COLOURS.bar).all()


def test_another_in_its_place_is_that_one(rig: PixelRig) -> None:
    rig.stills(still())
    until(lambda: has(rig, FIRST, RED))
    rig.stills(still(colour=GREEN))
    until(lambda: has(rig, FIRST, GREEN))


def test_nothing_is_drawn_at_the_old_place_once_it_was_taken_away(rig: PixelRig) -> None:
    for shade in range(30):
        rig.stills(still(colour=(shade + 100, 1, 1)))
        rig.pixels.written()
        time.sleep(0.005)
        rig.stills()
        rig.fake.text(EVERYWHERE)
        time.sleep(0.01)
        assert rig.fake.is_text(EVERYWHERE)


def test_another_terminal_in_front_is_left_alone(rig: PixelRig) -> None:
    rig.stills(still())
    until(lambda: rig.fake.is_picture(FIRST))
    rig.fake.terminal.front = 2
    rig.fake.text(EVERYWHERE)
    rig.pixels.written()
    rig.settle()
    rig.stills(still(SECOND))  # the console goes on, unseen
    rig.settle()
    assert rig.fake.is_text(EVERYWHERE)
    rig.fake.terminal.front = 1
    until(lambda: rig.fake.is_picture(SECOND))
    assert rig.fake.is_text(FIRST)


def test_in_the_dark_nothing_is_drawn_but_what_goes_is_gone(rig: PixelRig) -> None:
    rig.stills(still())
    until(lambda: rig.fake.is_picture(FIRST))
    rig.pixels.darken(True)
    rig.stills(still(SECOND, GREEN))
    assert rig.dark(FIRST)
    rig.settle()
    assert rig.fake.is_text(SECOND)
    rig.pixels.darken(False)
    until(lambda: has(rig, SECOND, GREEN))


def test_nothing_stays_on_the_glass_when_the_console_ends(tmp_path: Path) -> None:
    rig = PixelRig(tmp_path)
    rig.pixels.start()
    rig.pixels.put(Place(rig.fake.cells, WIDGET._replace(y=10, height=10), (), (still(),)))
    until(lambda: rig.fake.is_picture(FIRST))
    rig.pixels.end()
    rig.writer.close()
    assert rig.dark(FIRST)
    assert all(rig.fake.is_text(rest) for rest in cut(EVERYWHERE, [FIRST]))


def test_live_picture_and_stills_are_there_together(rig: PixelRig) -> None:
    live = Area(0, 10, 40, 12)
    rig.pixels.put(Place(rig.fake.cells, live, (live,), (still(), still(SECOND, GREEN))))
    rig.pixels.show(Subject(FILE))
    rig.picture((1, 2, 250))
    until(lambda: has(rig, FIRST, RED) and has(rig, SECOND, GREEN) and has(rig, live, (1, 2, 250)))
    rig.stills(still(SECOND, GREEN))
    assert rig.dark(live)
    assert rig.dark(FIRST)


def test_a_framebuffer_that_goes_away_makes_blocks_and_comes_back(
    rig: PixelRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_pixels, "_RETRY_S", 0.2)
    rig.stills(still())
    until(lambda: rig.fake.is_picture(FIRST))
    rig.fake.screen.gone = True
    rig.pixels.written()
    until(lambda: not rig.pixels.usable)
    rig.stills(still(SECOND, GREEN))
    rig.fake.screen.gone = False
    until(lambda: rig.pixels.usable)
    until(lambda: has(rig, SECOND, GREEN))


def test_one_that_cannot_be_scaled_costs_the_pixels_and_not_the_screen(
    rig: PixelRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_pixels, "_RETRY_S", 1e9)
    rig.stills(still(), dataclasses.replace(still(SECOND), name="broken", picture=np.zeros((4, 4, 1), np.uint8)))
    until(lambda: not rig.pixels.usable)
    rig.stills()
    assert rig.fake.is_text(SECOND)


def test_a_picture_is_scaled_without_leaving_out_a_line() -> None:
    picture = np.random.default_rng(7).integers(0, 256, (12, 20, 3), np.uint8)
    halved = picture.reshape(6, 2, 10, 2, 3).mean(axis=(1, 3))
    assert np.abs(resized(picture, 10, 6) - halved).max() <= 1
    assert (resized(picture, 20, 12) == picture).all()
    for width, height in ((7, 5), (20, 5), (33, 40), (1, 1)):
        assert resized(picture, width, height).shape == (height, width, 3)
    # three into two: between the first and the second, and between the second and the third
    assert resized(np.array([[[0] * 3, [80] * 3, [240] * 3]], np.uint8), 2, 1)[0, :, 0].tolist() == [20, 200]
    for line in range(9):  # a bright line of one pixel is seen, wherever it lies
        dark = np.zeros((9, 9, 3), np.uint8)
        dark[line] = 255
        assert resized(dark, 6, 6).max() >= 60
    white = np.full((1080, 1440, 3), 255, np.uint8)
    assert (resized(white, 1000, 700) == 255).all()
    assert (resized(white, 1500, 1100) == 255).all()
