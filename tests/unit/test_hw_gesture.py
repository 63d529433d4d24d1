"""Gestures of a pedal: what a foot means, decided from edges and time alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.base import PedalEdge
from hw.pedal.gesture import STUCK_NS, Gesture, GestureKind, GestureRecognizer, PedalFree, PedalStuck, Told

MS = 1_000_000
SHORT, LONG, DOUBLE = GestureKind.SHORT, GestureKind.LONG, GestureKind.DOUBLE


def run(recognizer: GestureRecognizer, edges_ms: list[float], *, until_ms: float) -> list[Told]:
    """Edges alternate down, up, down …; the deadlines are kept like a good caller keeps them."""
    told = []
    for i, at in enumerate(edges_ms):
        told += keep_deadlines(recognizer, round(at * MS))
        told += recognizer.feed(PedalEdge(i % 2 == 0, round(at * MS)))
    return told + keep_deadlines(recognizer, round(until_ms * MS))


def keep_deadlines(recognizer: GestureRecognizer, until_ns: int) -> list[Told]:
    told = []
    while (deadline := recognizer.deadline_ns) is not None and deadline <= until_ns:
        told += recognizer.tick(deadline)
        assert recognizer.deadline_ns != deadline, "a kept deadline goes away"
    return told


def kinds(told: list[Told]) -> list[tuple[GestureKind, float, float]]:
    return [(g.kind, g.press_ns / MS, g.known_ns / MS) for g in told if isinstance(g, Gesture)]


@pytest.mark.parametrize(
    ("long", "double", "edges", "expected"),
    [
        (False, False, [100, 200], [(SHORT, 100, 100)]),
        (True, False, [100, 200], [(SHORT, 100, 200)]),
        (True, False, [100, 699.9], [(SHORT, 100, 699.9)]),
        (True, False, [100, 900], [(LONG, 100, 700)]),
        (True, False, [100], [(LONG, 100, 700)]),
        (False, True, [100, 200], [(SHORT, 100, 500)]),
        (False, True, [100, 5000], [(SHORT, 100, 5300)]),
        (True, True, [100, 200, 499, 550], [(DOUBLE, 100, 499)]),
        (True, True, [100, 200, 499, 3000], [(DOUBLE, 100, 499)]),
        (True, True, [100, 200, 501, 550], [(SHORT, 100, 500), (SHORT, 501, 850)]),
        (True, True, [100, 150, 250, 300, 400, 450], [(DOUBLE, 100, 250), (SHORT, 400, 750)]),
        (True, True, [100, 900, 950, 1000], [(LONG, 100, 700), (SHORT, 950, 1300)]),
    ],
)
def test_a_press_is_known_as_early_as_its_pedal_allows(long, double, edges, expected):
    assert kinds(run(GestureRecognizer(long=long, double=double), edges, until_ms=9000)) == expected


def test_a_bouncing_contact_is_one_press():
    edges = [100, 103, 105, 109, 112, 300, 302, 307, 311]
    told = run(GestureRecognizer(long=True, double=False), [*edges, 312], until_ms=2000)
    assert kinds(told) == [(SHORT, 100, 300)]


def test_a_press_shorter_than_the_debounce_time_is_a_press():
    """A serial pedal's byte is a press and a release at the same moment."""
    assert kinds(run(GestureRecognizer(long=True, double=False), [100, 100], until_ms=900)) == [(SHORT, 100, 100)]


def test_a_stuck_pedal_is_said_once_and_its_press_keeps_its_gesture():
    told = run(GestureRecognizer(long=True, double=False), [100], until_ms=60_000)
    assert told == [Gesture(LONG, 100 * MS, 700 * MS), PedalStuck(100 * MS)]
    told = run(GestureRecognizer(long=False, double=True), [100, 40_000, 50_000], until_ms=120_000)
    assert [type(t) for t in told] == [PedalStuck, PedalFree, Gesture, PedalStuck]


def test_a_stuck_pedal_recovers_by_itself_when_it_comes_up():
    recognizer = GestureRecognizer(long=False, double=False)
    told = run(recognizer, [100, 45_000], until_ms=45_001)
    assert told == [Gesture(SHORT, 100 * MS, 100 * MS), PedalStuck(100 * MS), PedalFree(45_000 * MS)]
    assert run(recognizer, [46_000, 46_100], until_ms=47_000) == [Gesture(SHORT, 46_000 * MS, 46_000 * MS)]


def test_one_that_is_found_down_means_nothing_but_may_be_stuck():
    recognizer = GestureRecognizer(long=True, double=True)
    recognizer.begin(100 * MS, down=True)
    assert recognizer.press_ns is None
    assert recognizer.tick(100 * MS + STUCK_NS) == [PedalStuck(100 * MS)]
    assert recognizer.feed(PedalEdge(False, 40_000 * MS)) == [PedalFree(40_000 * MS)]
    assert kinds(run(recognizer, [41_000, 41_100], until_ms=42_000)) == [(SHORT, 41_000, 41_400)]
    recognizer.begin(50_000 * MS, down=False)
    assert recognizer.deadline_ns is None


@given(
    st.lists(st.integers(0, 700 * MS), max_size=7),
    st.integers(0, 400 * MS),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_a_gesture_under_way_when_the_device_comes_back_is_not_lost(steps, after, long, double, down):
    recognizer = GestureRecognizer(long=long, double=double)
    told, now, level, presses = [], 1000 * MS, False, 0
    for step in steps:
        now += step + 25 * MS
        level = not level
        presses += level
        told += recognizer.feed(PedalEdge(level, now))
    told += recognizer.begin(now + after, down=down)
    assert recognizer.press_ns is None
    assert sum(2 if each.kind is DOUBLE else 1 for each in told if isinstance(each, Gesture)) == presses


def test_each_kind_of_contact_has_a_debouncing_time_of_its_own():
    edges = [100, 110, 130, 200]
    assert len(kinds(run(GestureRecognizer(long=False, double=False), edges, until_ms=300))) == 2
    slow = GestureRecognizer(long=False, double=False, debounce_ns=40 * MS)
    assert kinds(run(slow, edges, until_ms=300)) == [(SHORT, 100, 100)]


def test_the_moment_to_keep_is_known_while_the_gesture_is_not():
    recognizer = GestureRecognizer(long=True, double=True)
    assert recognizer.press_ns is None
    recognizer.feed(PedalEdge(True, 100 * MS))
    assert recognizer.press_ns == 100 * MS
    recognizer.feed(PedalEdge(False, 200 * MS))
    assert recognizer.press_ns == 100 * MS
    recognizer.tick(500 * MS)
    assert recognizer.press_ns is None
    assert recognizer.deadline_ns is None


def test_edges_read_late_mean_the_same():
    """After a stall the edges' own times decide, not when they were read."""
    recognizer = GestureRecognizer(long=True, double=True)
    recognizer.tick(5000 * MS)
    told = recognizer.feed(PedalEdge(True, 100 * MS)) + recognizer.feed(PedalEdge(False, 200 * MS))
    assert kinds(told + recognizer.tick(5000 * MS)) == [(SHORT, 100, 500)]


def test_the_release_that_nobody_saw_pressed_means_nothing():
    recognizer = GestureRecognizer(long=True, double=True)
    assert recognizer.feed(PedalEdge(False, 100 * MS)) == []
    assert recognizer.deadline_ns is None


gaps = st.one_of(st.integers(20 * MS, 40 * MS), st.integers(20 * MS, 1000 * MS), st.integers(20 * MS, 45_000 * MS))


@given(st.lists(st.tuples(gaps, gaps), max_size=20), st.booleans(), st.booleans(), st.booleans())
def test_every_press_belongs_to_exactly_one_gesture(presses, long, double, lazy):
    """`lazy`: the caller misses every deadline and only feeds edges."""
    recognizer = GestureRecognizer(long=long, double=double)
    told, now, downs, ups = [], 0, [], []
    for before, held in presses:
        downs.append(now + before)
        ups.append(now + before + held)
        for down, at in ((True, downs[-1]), (False, ups[-1])):
            told += [] if lazy else keep_deadlines(recognizer, at)
            told += recognizer.feed(PedalEdge(down, at))
        now = ups[-1]
    told += recognizer.tick(now + 500 * MS)

    gestures = [t for t in told if isinstance(t, Gesture)]
    expected = list(downs)
    for gesture in gestures:
        index = expected.index(gesture.press_ns)
        assert index == 0, "gestures come in the order of their presses"
        used = 2 if gesture.kind is DOUBLE else 1
        if used == 2:
            assert double
            assert expected[1] - ups[downs.index(gesture.press_ns)] < 300 * MS
        held_ns = ups[downs.index(gesture.press_ns)] - gesture.press_ns
        assert (gesture.kind is LONG) == (long and held_ns >= 600 * MS)
        assert gesture.known_ns <= ups[downs.index(gesture.press_ns)] + 500 * MS
        del expected[:used]
    assert expected == []
    stuck = [t.press_ns for t in told if isinstance(t, PedalStuck)]
    assert stuck == [d for d, u in zip(downs, ups, strict=True) if u - d >= STUCK_NS]
    assert recognizer.deadline_ns is None


@given(st.lists(st.integers(0, 2000 * MS), max_size=60), st.booleans(), st.booleans())
def test_no_contact_however_bad_upsets_the_rules(steps, long, double):
    recognizer = GestureRecognizer(long=long, double=double)
    told, now, down = [], 0, False
    for step in steps:
        now += step
        down = not down
        told += recognizer.feed(PedalEdge(down, now))
    if down:
        told += recognizer.feed(PedalEdge(False, now))
    told += recognizer.tick(now + 500 * MS)
    presses = [g.press_ns for g in told if isinstance(g, Gesture)]
    assert len(set(presses)) == len(presses)
    assert presses == sorted(presses)
    assert bool(presses) == bool(steps)
    assert recognizer.press_ns is None
    assert recognizer.deadline_ns is None
