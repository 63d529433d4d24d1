"""The live picture as pixels, in a framebuffer that is a file: where it is, where it is not, what it costs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hw.fake.framebuffer import BGR888, RGB565, XBGR, XRGB
from smartbox_tui.ui.live_pixels import Place, Subject
from smartbox_tui.ui.pixel_places import Area, cut, fit
from smartbox_tui.wire.preview import PreviewPicture, PreviewWriter
from tests.ui.panel_rig import COLOURS, FILE, WIDGET, PixelRig, drawing, until

FORMATS = {"xrgb": XRGB, "xbgr": XBGR, "rgb565": RGB565, "bgr888": BGR888}


@pytest.fixture
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[PixelRig]:
    with drawing(tmp_path, request) as rig:
        yield rig


@pytest.mark.parametrize("rig", [(each,) for each in FORMATS.values()], indirect=True, ids=FORMATS)
def test_the_picture_fills_its_cells_in_its_shape_and_nothing_else(rig: PixelRig) -> None:
    rig.place()
    rig.pixels.show(Subject(FILE))
    rig.picture((200, 100, 48))
    until(lambda: rig.fake.is_picture(WIDGET))
    until(lambda: rig.pixels.drawn)
    shown = rig.fake.screen.shown().astype(int)
    like = (np.abs(shown - (200, 100, 48)) <= 8).all(axis=2)
    rows, columns = np.nonzero(like.any(axis=1))[0], np.nonzero(like.any(axis=0))[0]
    # 60 x 18 cells are 480 x 288 pixels: 16:9 fits as 480 x 270
    assert (columns[0], columns[-1] + 1) == (16, 496)
    assert (rows[0], rows[-1] + 1) == (48 + 9, 48 + 279)
    assert like[57:327, 16:496].all()
    bars = shown[48:57, 16:496]
    assert (np.abs(bars - COLOURS.bar) <= 8).all()
    for area in cut(Area(0, 0, *rig.fake.cells), [WIDGET]):
        assert rig.fake.is_text(area)


def test_text_that_came_over_it_is_drawn_over_again(rig: PixelRig) -> None:
    rig.place()
    rig.pixels.show(Subject(FILE))
    rig.picture((200, 100, 48))
    until(lambda: rig.fake.is_picture(WIDGET))
    rig.fake.text(Area(0, 0, *rig.fake.cells))
    until(lambda: rig.fake.is_picture(WIDGET))  # no new picture is needed for it
    assert rig.fake.is_text(Area(0, 0, 80, 3))


def test_what_lies_over_it_stays_and_is_free_again_later(rig: PixelRig) -> None:
    hole = Area(20, 8, 10, 3)
    rig.place(hole)
    rig.fake.text(hole)
    rig.pixels.show(Subject(FILE))
    for shade in range(10):
        rig.picture((shade, 100, 48))
        time.sleep(0.02)
    rig.settle()
    assert rig.fake.is_text(hole)
    assert all(rig.fake.is_picture(each) for each in cut(WIDGET, [hole]))
    rig.place()
    until(lambda: rig.fake.is_picture(WIDGET))


def test_nothing_is_drawn_at_the_old_place_once_it_was_taken_away(rig: PixelRig) -> None:
    rig.place()
    rig.pixels.show(Subject(FILE))
    for shade in range(30):
        rig.picture((shade, 1, 1))
        time.sleep(0.005)
        rig.pixels.put(Place())
        rig.fake.text(WIDGET)
        time.sleep(0.01)
        assert rig.fake.is_text(WIDGET)
        rig.place()


def test_another_terminal_in_front_is_left_alone(rig: PixelRig) -> None:
    rig.place()
    rig.pixels.show(Subject(FILE))
    rig.picture((200, 100, 48))
    until(lambda: rig.fake.is_picture(WIDGET))
    for name, value in (("front", 2), ("mode", 1)):
        before = getattr(rig.fake.terminal, name)
        setattr(rig.fake.terminal, name, value)
        rig.settle()
        rig.fake.text(WIDGET)
        rig.picture((1, 2, 3))
        rig.settle()
        assert rig.fake.is_text(WIDGET)
        setattr(rig.fake.terminal, name, before)
        until(lambda: rig.fake.is_picture(WIDGET))


def test_no_picture_yet_is_a_dark_field_and_a_lost_one_stays_dimmed(rig: PixelRig) -> None:
    rig.place()
    rig.pixels.show(Subject(FILE))
    until(lambda: rig.fake.is_picture(WIDGET))
    assert rig.fake.mean(WIDGET) == np.mean(COLOURS.bar)
    rig.picture((200, 100, 48))
    until(lambda: (rig.fake.shown(WIDGET)[100, 100] == (200, 100, 48)).all())
    words = Area(20, 10, 20, 4)
    rig.fake.text(words)
    rig.pixels.show(Subject(FILE, dimmed=True, words=(words,)))
    until(lambda: (rig.fake.shown(WIDGET)[100, 100] == (50, 25, 12)).all())
    rig.fake.text(words)
    rig.settle()
    assert rig.fake.is_text(words)
    rig.picture((100, 100, 100))
    until(lambda: (rig.fake.shown(WIDGET)[100, 100] == (25, 25, 25)).all())
    rig.pixels.show(Subject(FILE))
    rig.picture((100, 100, 100))
    until(lambda: (rig.fake.shown(WIDGET)[100, 100] == (100, 100, 100)).all())


def test_the_picture_just_taken_lies_over_it_in_its_frame(rig: PixelRig) -> None:
    rig.place()
    taken = PreviewPicture(32, 18, bytes((0, 255, 0)) * 32 * 18, 1, 77)
    label, inset = Area(40, 17, 20, 1), Area(40, 8, 20, 9)
    rig.pixels.show(Subject(FILE, words=(label,), inset=(taken, inset), inset_at_ns=77))
    rig.picture((200, 100, 48))
    until(lambda: (rig.fake.shown(inset) == (0, 255, 0)).all(axis=2).any())
    rig.fake.text(label)
    rig.picture((200, 100, 48))
    rig.settle()
    shown = rig.fake.shown(inset)
    green = (shown == (0, 255, 0)).all(axis=2)
    rows, columns = np.nonzero(green.any(axis=1))[0], np.nonzero(green.any(axis=0))[0]
    assert (columns[-1] - columns[0] + 1) / (rows[-1] - rows[0] + 1) == pytest.approx(16 / 9, abs=0.05)
    assert (shown == COLOURS.frame).all(axis=2).any()
    assert rig.fake.is_text(label)
    rig.pixels.show(Subject(FILE))
    until(lambda: not (rig.fake.shown(inset) == (0, 255, 0)).all(axis=2).any())


def test_the_flash_is_a_frame_that_goes_by_itself(rig: PixelRig) -> None:
    rig.place()
    rig.pixels.show(Subject(FILE))
    rig.picture((200, 100, 48))
    until(lambda: rig.fake.is_picture(WIDGET))
    rig.pixels.flash()
    until(lambda: (rig.fake.shown(WIDGET)[0, 0] == COLOURS.flash).all())
    assert (rig.fake.shown(WIDGET)[-1] == COLOURS.flash).all()
    until(lambda: not (rig.fake.shown(WIDGET) == COLOURS.flash).all(axis=2).any())


def test_a_new_file_and_another_size_are_followed(rig: PixelRig, tmp_path: Path) -> None:
    rig.place()
    rig.pixels.show(Subject(FILE))
    rig.picture((200, 100, 48))
    until(lambda: (rig.fake.shown(WIDGET)[100, 100] == (200, 100, 48)).all())
    rig.writer = PreviewWriter(tmp_path / FILE, 64, 64)
    rig.picture((1, 2, 3))
    until(lambda: (rig.fake.shown(WIDGET)[100, 240] == (1, 2, 3)).all())
    until(lambda: (rig.fake.shown(WIDGET)[100, 10] == COLOURS.bar).all())
    rig.pixels.show(Subject("preview-other"))
    until(lambda: rig.fake.mean(WIDGET) == np.mean(COLOURS.bar))


def test_a_framebuffer_that_goes_away_makes_blocks_and_comes_back(
    rig: PixelRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartbox_tui.ui.live_pixels._RETRY_S", 0.2)
    rig.place()
    rig.pixels.show(Subject(FILE))
    rig.picture((200, 100, 48))
    until(lambda: rig.fake.is_picture(WIDGET))
    rig.fake.screen.gone = True
    rig.picture((1, 2, 3))
    until(lambda: not rig.pixels.usable)
    rig.fake.screen.gone = False
    until(lambda: rig.pixels.usable)
    rig.fake.text(WIDGET)
    rig.picture((1, 2, 3))
    until(lambda: rig.fake.is_picture(WIDGET))


def test_another_mode_of_the_screen_is_followed(rig: PixelRig) -> None:
    rig.place()
    rig.pixels.show(Subject(FILE))
    rig.picture((200, 100, 48))
    until(lambda: rig.fake.is_picture(WIDGET))
    rig.fake.screen.set_mode((1280, 768))
    rig.fake.terminal.font = (16, 32)
    rig.picture((200, 100, 48))
    until(lambda: (rig.fake.screen.shown()[3 * 32 + 280, 2 * 16 + 400] == (200, 100, 48)).all())


def test_it_takes_a_part_of_a_core_at_most(rig: PixelRig, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []

    def slow(*_: object) -> None:
        drawn.append(time.monotonic())
        time.sleep(0.05)

    monkeypatch.setattr(rig.pixels, "_draw", slow)
    rig.place()
    rig.pixels.show(Subject(FILE))
    began = time.monotonic()
    while time.monotonic() - began < 1.0:
        rig.picture((1, 2, 3))
        time.sleep(0.01)
    # 50 ms of work, 100 of rest; fewer on a machine that stalls
    assert 1 <= len(drawn) <= 8


@pytest.mark.parametrize(("size", "area", "expected"), [
    ((1920, 1080), Area(0, 0, 960, 700), Area(0, 80, 960, 540)),
    ((720, 576), Area(10, 10, 1000, 400), Area(260, 10, 500, 400)),
    ((100, 100), Area(0, 0, 0, 10), Area(0, 0, 0, 0)),
])  # fmt: skip
def test_a_picture_is_fitted_in_its_shape(size: tuple[int, int], area: Area, expected: Area) -> None:
    assert fit(*size, area) == expected


def test_what_is_cut_out_is_gone_and_the_rest_is_there_once() -> None:
    area, holes = Area(0, 0, 20, 10), [Area(5, 2, 4, 4), Area(8, 4, 30, 3), Area(-5, -5, 7, 7)]
    field = np.zeros((10, 20), int)
    for piece in cut(area, holes):
        field[piece.rows, piece.columns] += 1
    assert field.max() == 1
    for y in range(10):
        for x in range(20):
            inside = any(hole.x <= x < hole.right and hole.y <= y < hole.bottom for hole in holes)
            assert field[y, x] == (not inside)
