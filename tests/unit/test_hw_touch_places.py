"""From the panel to the screen: rotation, calibration, cells; and what a finger does there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.base import TouchEvent, TouchKind
from hw.panel.calibration import (
    Affine,
    Grid,
    TapsContradict,
    TapsTogether,
    fitted,
    hits,
    turned,
)
from hw.panel.gestures import FLICK_ROWS_S, LONG_NS, SLOP_ROWS, Gesture, Gestures, Kind

CROSSES = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]
MS = 1_000_000


@pytest.mark.parametrize(
    ("degrees", "place"), [(0, (0.2, 0.1)), (90, (0.9, 0.2)), (180, (0.8, 0.9)), (270, (0.1, 0.8))]
)
def test_a_panel_that_is_turned(degrees, place):
    assert turned((0.2, 0.1), degrees) == pytest.approx(place)
    back = turned(turned((0.2, 0.1), degrees), (360 - degrees) % 360)
    assert back == pytest.approx((0.2, 0.1))


def test_four_taps_make_any_panel_right():
    """Mirrored, axes swapped, off at the edges."""

    def panel(x, y):
        return 0.95 - 0.8 * y, 0.04 + 0.9 * x

    found = fitted([panel(*cross) for cross in CROSSES], CROSSES)
    for place in [(0.5, 0.5), (0.02, 0.98), (1.0, 0.0)]:
        assert found(panel(*place)) == pytest.approx(place, abs=1e-6)
    assert Affine.parse(found.text)(panel(0.3, 0.7)) == pytest.approx((0.3, 0.7), abs=1e-3)


@given(st.lists(st.tuples(st.floats(-0.012, 0.012), st.floats(-0.012, 0.012)), min_size=4, max_size=4))
def test_a_gloved_aim_is_good_enough(off):
    taps = [(x + dx, y + dy) for (x, y), (dx, dy) in zip(CROSSES, off, strict=True)]
    found = fitted(taps, CROSSES)
    assert hits(found((0.5, 0.5)), (0.5, 0.5))


@pytest.mark.parametrize("wrong", range(4))
def test_one_tap_beside_its_cross_is_refused(wrong):
    taps = list(CROSSES)
    taps[wrong] = (taps[wrong][0], taps[wrong][1] + (0.15 if taps[wrong][1] < 0.5 else -0.15))
    with pytest.raises(TapsContradict):
        fitted(taps, CROSSES)


def test_two_taps_in_the_wrong_order_are_refused():
    with pytest.raises(TapsContradict):
        fitted([CROSSES[1], CROSSES[0], CROSSES[2], CROSSES[3]], CROSSES)


@pytest.mark.parametrize(
    "taps",
    [
        [(0.5, 0.5)] * 4,
        [(0.5, 0.5), (0.51, 0.5), (0.51, 0.51), (0.5, 0.51)],
        [(0.1 * n, 0.1 * n) for n in range(4)],
    ],
)
def test_taps_in_one_place_or_line_are_refused(taps):
    with pytest.raises(TapsTogether):
        fitted(taps, CROSSES)


@pytest.mark.parametrize("text", ["1,0,0,0,1", "a,b,c,d,e,f", "1 0 0 0 1 0"])
def test_a_calibration_is_six_numbers(text):
    with pytest.raises(ValueError, match=r"."):
        Affine.parse(text)
    assert Affine.parse("") == Affine()


def test_cells_are_where_the_pixels_are():
    """1920 × 1080 in letters of 16 × 32: 33 rows, and 24 pixels below them that belong to none."""
    grid = Grid.on(120, 33, (1920, 1080))
    assert grid.width == 1.0
    assert grid.height == pytest.approx(1056 / 1080)
    column, row = grid.cell((24 * 16 / 1920, 32 * 32 / 1080))
    assert (column, row) == (pytest.approx(24), pytest.approx(32))
    assert int(grid.cell((0.5, 1079 / 1080))[1]) == 32, "what lies below the last row belongs to it"
    assert grid.cell(grid.middle(7, 31)) == pytest.approx((7.5, 31.5))


@pytest.mark.parametrize(
    ("cells", "pixels", "covered"),
    [
        ((100, 37), (800, 600), (1.0, 592 / 600)),
        ((170, 48), (1366, 768), (1360 / 1366, 1.0)),
        ((80, 25), (640, 400), (1.0, 1.0)),
        ((85, 25), (1024, 830), (1020 / 1024, 800 / 830)),
        ((0, 0), (800, 600), (1.0, 1.0)),
    ],
)
def test_the_edge_that_no_cell_covers(cells, pixels, covered):
    grid = Grid.on(*cells, pixels)
    assert (grid.width, grid.height) == pytest.approx(covered)


@given(st.floats(-1, 2), st.floats(-1, 2))
def test_no_touch_lies_beside_the_screen(x, y):
    column, row = Grid(80, 24).cell((x, y))
    assert 0 <= int(column) < 80
    assert 0 <= int(row) < 24


# ---- gestures


class Finger:
    def __init__(self) -> None:
        self.gestures = Gestures()

    def __call__(self, kind: str, x: float, y: float, at_ms: float, *, cancelled: bool = False) -> list[Gesture]:
        event = TouchEvent(TouchKind(kind), 0.0, 0.0, int(at_ms * MS), cancelled)
        return self.gestures.touch(TouchKind(kind), (x, y), event)


def kinds(*lists: list[Gesture]) -> list[Kind]:
    return [one.kind for each in lists for one in each]


def test_a_tap_is_where_and_when_the_finger_came_down():
    finger = Finger()
    (down,) = finger("down", 10.5, 5.5, 0)
    rolled = finger("move", 12.0, 6.2, 60)
    (tap,) = finger("up", 12.0, 6.2, 150)
    assert (down.kind, rolled, tap.kind) == (Kind.DOWN, [], Kind.TAP)
    assert (down.x, down.y, down.timestamp_ns) == (10.5, 5.5, 0)
    assert (tap.x, tap.y) == (10.5, 5.5), "rolled to the side in the glove: still that place"


def test_beyond_the_slop_it_drags_and_is_no_tap_even_when_it_comes_back():
    finger = Finger()
    finger("down", 10, 10, 0)
    (drag,) = finger("move", 10, 10 + SLOP_ROWS + 0.1, 30)
    (back,) = finger("move", 10, 10, 60)
    (drop,) = finger("up", 10, 10, 400)
    assert (drag.kind, drag.first, back.kind, back.first) == (Kind.DRAG, True, Kind.DRAG, False)
    assert (drop.kind, drop.speed) == (Kind.DROP, 0.0)


def test_a_cell_is_twice_as_high_as_wide():
    finger = Finger()
    finger("down", 10, 10, 0)
    assert finger("move", 10 + SLOP_ROWS * 2 - 0.1, 10, 10) == []
    assert kinds(finger("move", 10 + SLOP_ROWS * 2 + 0.1, 10, 20)) == [Kind.DRAG]


def test_a_thrown_list_has_the_speed_of_the_finger():
    finger = Finger()
    finger("down", 10, 20, 0)
    for step in range(1, 9):
        finger("move", 10, 20 - step, step * 20)
    (drop,) = finger("up", 10, 12, 165)
    assert drop.speed == pytest.approx(-50, rel=0.2)
    assert abs(drop.speed) > FLICK_ROWS_S


def test_a_finger_that_stopped_before_it_left_throws_nothing():
    finger = Finger()
    finger("down", 10, 20, 0)
    for step in range(1, 9):
        finger("move", 10, 20 - step, step * 20)
    (drop,) = finger("up", 10, 12, 700)
    assert drop.speed == 0.0


def test_a_long_press_is_told_once_and_ends_as_a_tap():
    finger = Finger()
    finger("down", 10, 10, 0)
    gestures = finger.gestures
    assert gestures.due_ns == LONG_NS
    assert gestures.rest(LONG_NS - 1) is None
    long = gestures.rest(LONG_NS + 5)
    assert long is not None
    assert (long.kind, long.timestamp_ns) == (Kind.LONG, LONG_NS)
    assert gestures.rest(LONG_NS * 2) is None
    assert gestures.due_ns is None
    assert kinds(finger("up", 10, 10, 900)) == [Kind.TAP]


def test_a_drag_never_becomes_a_long_press():
    finger = Finger()
    finger("down", 10, 10, 0)
    finger("move", 10, 15, 100)
    assert finger.gestures.due_ns is None


def test_a_panel_that_loses_the_finger_for_a_moment_makes_no_second_press_of_it():
    finger = Finger()
    taps = kinds(finger("down", 10, 10, 0), finger("up", 10, 10, 80))
    bounced = kinds(finger("down", 10.5, 10.2, 100), finger("up", 10.5, 10.2, 180))
    again = kinds(finger("down", 10.5, 10.2, 200), finger("up", 10.5, 10.2, 240))
    assert (taps, bounced, again) == ([Kind.DOWN, Kind.TAP], [], [])
    assert kinds(finger("down", 30, 10, 260)) == [Kind.DOWN], "elsewhere it is another finger"
    finger("up", 30, 10, 300)
    assert kinds(finger("down", 30, 10, 390)) == [Kind.DOWN], "a fast second tap is one"


def test_a_touch_that_nobody_ended_is_no_tap():
    finger = Finger()
    finger("down", 10, 10, 0)
    assert kinds(finger("up", 10, 10, 100, cancelled=True)) == [Kind.CANCEL]
    finger("down", 10, 10, 200)
    assert kinds(finger("down", 30, 10, 300)) == [Kind.CANCEL, Kind.DOWN], "an UP was missing"
    assert kinds(finger("up", 30, 10, 350), finger("up", 30, 10, 360)) == [Kind.TAP]


@given(st.lists(st.tuples(st.sampled_from(["down", "move", "up"]), st.floats(0, 80), st.floats(0, 24))))
def test_whatever_comes_each_down_has_exactly_one_end(events):
    finger, seen = Finger(), list[Kind]()
    for at, (kind, x, y) in enumerate(events):
        seen += kinds(finger(kind, x, y, at * 30))
    open_ = False
    for kind in seen:
        if kind is Kind.DOWN:
            assert not open_
            open_ = True
        elif kind in (Kind.TAP, Kind.DROP, Kind.CANCEL):
            assert open_
            open_ = False
        else:
            assert open_
