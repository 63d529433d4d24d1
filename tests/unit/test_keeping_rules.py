"""When a picture may go: every state of a delivery, alone and beside a promise."""

from __future__ import annotations

import pytest

from smartbox_tui.model import keeping
from smartbox_tui.model.delivery import OPEN
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.model.keeping import Policy, Row
from smartbox_tui.model.routing import NEEDLESS
from smartbox_tui.model.variant import MARKS

STORED, COMMITTED = Policy("stored"), Policy("committed")
EARLY = Policy("stored", early=True)


def rows(**states: State) -> list[Row]:
    return [Row("1.2", name, state.value, "still") for name, state in states.items()]


@pytest.mark.parametrize("policy", [STORED, COMMITTED, EARLY])
@pytest.mark.parametrize("state", sorted(OPEN))
def test_what_is_open_keeps_it_whatever_others_have(policy: Policy, state: State) -> None:
    assert keeping.why_not(rows(a=state), policy) == "open"
    assert keeping.why_not(rows(a=State.COMMITTED, b=state), policy) == "open"


def test_every_state_has_its_say() -> None:
    said = {state: keeping.why_not(rows(a=state), STORED) for state in State}
    assert said == dict.fromkeys(OPEN, "open") | {
        State.STORED: "",
        State.COMMITTED: "",
        State.CANCELLED: "nobody",
        State.SUPERSEDED: "superseded",
    }


def test_a_picture_that_nobody_is_to_have_stays() -> None:
    for policy in (STORED, COMMITTED, EARLY):
        assert keeping.why_not([], policy) == "nobody"


def test_committed_takes_the_commitment_of_all() -> None:
    assert keeping.why_not(rows(a=State.STORED), COMMITTED) == "promise"
    assert keeping.why_not(rows(a=State.COMMITTED, b=State.STORED), COMMITTED) == "promise"
    assert keeping.why_not(rows(a=State.COMMITTED, b=State.COMMITTED), COMMITTED) == ""
    assert keeping.why_not(rows(a=State.COMMITTED, b=State.CANCELLED), COMMITTED) == ""


def test_a_folder_has_been_read_again() -> None:
    policy = Policy("committed", folders=frozenset({"usb"}))
    assert keeping.why_not(rows(usb=State.STORED), policy) == ""
    assert keeping.why_not(rows(usb=State.STORED, a=State.STORED), policy) == "promise"


def test_before_its_days_are_over_it_takes_all_that_was_asked_for() -> None:
    early = Policy("stored", asked=frozenset({"a"}), early=True)
    assert keeping.why_not(rows(a=State.STORED), early) == "promise"
    assert keeping.why_not(rows(a=State.COMMITTED, b=State.STORED), early) == ""
    assert keeping.why_not(rows(a=State.STORED), Policy("stored", asked=frozenset({"a"}))) == ""


def test_a_cancelled_one_promises_nothing_and_keeps_it_only_while_its_days_last() -> None:
    both = rows(a=State.STORED, b=State.CANCELLED)
    assert keeping.why_not(both, STORED) == ""
    assert keeping.why_not(both, EARLY) == "cancelled"
    assert keeping.why_not(rows(a=State.CANCELLED, b=State.CANCELLED), STORED) == "nobody"


def test_a_backup_that_was_not_needed_keeps_nothing() -> None:
    backup = Row("1.2", "b", "cancelled", "still", code=NEEDLESS)
    assert keeping.why_not([*rows(a=State.STORED), backup], EARLY) == ""
    assert keeping.why_not([backup], EARLY) == "nobody"


def test_what_was_corrected_needs_a_successor_at_the_same_archive() -> None:
    old, new = Row("1.1", "a", "superseded", "still"), Row("1.2", "a", "stored", "still")
    assert keeping.why_not([old, new], EARLY) == ""
    assert keeping.why_not([old, Row("1.2", "b", "stored", "still")], STORED) == "superseded"
    assert keeping.why_not([old, Row("1.2", "a", "cancelled", "still")], STORED) == "superseded"


def test_the_document_of_the_marks_is_no_promise_of_the_clip() -> None:
    marks = Row("1.3", "a", "stored", MARKS)
    assert keeping.why_not([marks], STORED) == "nobody"
    assert keeping.why_not([*rows(a=State.STORED), Row("1.3", "a", "blocked", MARKS)], STORED) == "open"
    assert keeping.why_not([*rows(a=State.STORED), Row("1.3", "a", "cancelled", MARKS)], EARLY) == ""


def test_who_has_it() -> None:
    found = keeping.holders(
        [
            Row("1.2", "b", "stored", "still", "2026-01-02T00:00:00+01:00"),
            Row("1.2", "a", "committed", "still", "2026-01-01T00:00:00+01:00"),
            Row("1.2", "c", "cancelled", "still"),
            Row("1.3", "d", "stored", MARKS),
        ]
    )
    assert [(name, state) for name, state, _ in found] == [("a", "committed"), ("b", "stored")]
