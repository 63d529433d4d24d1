"""What is asked once: not before its time, not twice, never two at a time."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from msgspec.structs import replace

from smartbox_tui.settings.schema import ExamRules, Recording, Settings
from smartbox_tui.ui.asks import ARRIVAL_S, UNDO_S, Ask, Asks, Undo
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.state import BoxState
from smartbox_tui.wire import state
from tests.support.fakebox import SOURCE, START
from tests.support.fakepeople import item
from tests.ui.test_state import CAPTURE, ENGINE, HELD, RECORDING, after, picture

T = Texts("en")
OPEN: BoxState = after(ENGINE, CAPTURE)


def asked(asks: Asks, box: BoxState = OPEN, minutes: float = 0, settings: Settings | None = None) -> Ask | None:
    seconds = minutes * 60
    return asks.current(T, box, settings or Settings(), START + timedelta(minutes=minutes), seconds)


def test_an_exam_is_asked_about_after_its_time_and_once() -> None:
    asks = Asks()
    assert asked(asks, minutes=89) is None
    ask = asked(asks, minutes=91)
    assert ask is not None
    assert (ask.what, ask.yes) == ("Is the exam over? Müller, Jörg", "Close exam")
    asks.answer(ask.key)
    assert asked(asks, minutes=300) is None


def test_the_time_counts_from_the_last_picture() -> None:
    late = replace(picture(1), captured_at=(START + timedelta(minutes=80)).isoformat())
    box = after(ENGINE, replace(CAPTURE, instances=[late]))
    assert asked(Asks(), box, 120) is None
    assert asked(Asks(), box, 171) is not None


def test_zero_minutes_is_never() -> None:
    never = dataclasses.replace(Settings(), exam=ExamRules(open_warn_min=0), recording=Recording(warn_min=0))
    assert asked(Asks(), OPEN, 5000, never) is None


def test_the_next_exam_is_asked_about_again() -> None:
    asks = Asks()
    ask = asked(asks, minutes=91)
    assert ask is not None
    asks.answer(ask.key)
    other = after(ENGINE, replace(CAPTURE, exam=replace(HELD, id="exam-2")))
    assert asked(asks, other, 91) is not None


def test_a_long_recording_is_asked_about_and_the_exam_is_not() -> None:
    box = after(ENGINE, replace(CAPTURE, sources=[replace(SOURCE, recording=replace(RECORDING, seconds=3601.0))]))
    asks = Asks()
    ask = asked(asks, box, 200)
    assert ask is not None
    assert (ask.yes, ask.action) == ("Stop", "app.stop_recording")
    asks.answer(ask.key)
    assert asked(asks, box, 300) is None


def test_arrivals_are_said_once_each_and_not_for_ever() -> None:
    asks = Asks()
    asks.arrived([item(2)], 0)
    ask = asked(asks)
    assert ask is not None
    assert ask.what == "New on the list: Łukaszewska, Zofia"
    asks.arrived([item(2), item(4)], 1)
    ask = asked(asks)
    assert ask is not None
    assert ask.what == "2 new entries on the list"
    assert ask.detail.startswith("EMERGENCY · Weiß, Gerda"), "the urgent one is named"
    assert ask.grave
    asks.answer(ask.key)
    asks.arrived([item(2), item(4)], 2)
    assert asked(asks) is None, "the same ones again are no news"
    asks.arrived([item(3)], 0)
    assert asked(asks, minutes=ARRIVAL_S / 60 + 0.1) is None


def test_the_way_back_is_offered_for_some_minutes() -> None:
    asks = Asks()
    asks.offer_undo(Undo("undo:1", "Müller, Jörg", "Weiß, Gerda"), 0)
    ask = asked(asks)
    assert ask is not None
    assert (ask.what, ask.detail, ask.yes) == ("Reassigned to Weiß, Gerda", "Before: Müller, Jörg", "Undo")
    assert asked(asks, minutes=UNDO_S / 60 + 0.1) is None


def test_without_an_exam_nothing_is_asked() -> None:
    box = after(ENGINE, state.CaptureSnapshot(sources=[SOURCE], exam=None, instances=[]))
    assert asked(Asks(), box, 5000) is None


def test_the_way_back_goes_with_the_next_patient() -> None:
    asks = Asks()
    asks.offer_undo(Undo("undo:1", "Müller, Jörg", "Weiß, Gerda"), 0)
    asks.forget_undo()
    assert asked(asks) is None
