"""The hooks' outbox in a real SQLite file: what is born with what, bounded, in order, with no patient for those who
must not know."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.model import hooks as model
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.store import hooks, queue, records, stepped
from smartbox_tui.store.database import Store

EXAM = ExamFile(
    "6a1f8d3e-0d6a-4a43-9f2e-111111111111", "unassigned", "2.25.1", "2026-11-20T10:00:00+01:00", "capture"
)
NOBODY = RevisionFile(1, {"id": "", "name": ""}, "2026-11-20T10:00:00+01:00")
PATIENT = {"id": "PAT-77", "name": "Prüf^Jördis"}
SOMEBODY = RevisionFile(2, PATIENT, "2026-11-20T10:00:00+01:00", accession_number="A-9")
ALL = model.chosen("*")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "smartbox.db")
    made.write(lambda db: hooks.configure(db, {"all": (ALL, False), "his": (ALL, True)})).result()
    yield made
    made.close()


def picture(number: int) -> dict[str, Any]:
    return {
        "id": f"i{number}", "sop_uid": f"2.25.{number}", "exam": EXAM.id, "series_uid": "2.25.9",
        "series_number": 1, "instance_number": number, "sop_class_uid": "x", "transfer_syntax_uid": "y",
        "kind": "still", "source": "endo", "captured_at": "2026-11-20T10:00:00+01:00", "frames": 1,
        "frames_lost": 0, "duration_s": None, "trigger_ns": 1, "frame_ns": 1, "trigger_to_disk_ms": 1.0,
        "bytes": 10, "file": "f", "revision": 1, "discarded": False,
    }  # fmt: skip


def put(store: Store, exam: ExamFile, revision: RevisionFile) -> None:
    store.write(lambda db: records.put_exam(db, exam, revision)).result()


def take(store: Store, number: int = 1, state: State = State.QUEUED, **more: Any) -> None:
    def job(db: Any) -> None:
        records.put_instance(db, picture(number), is_new=more.pop("is_new", True))
        queue.enqueue(
            db, instance=f"i{number}", sop_uid=f"2.25.{number}", exam=EXAM.id, destination="a", kind="still",
            bytes_=10, state=state, reason="", **more,
        )  # fmt: skip

    store.write(job).result()


def move(store: Store, number: int, *states: State, reason: str = "", code: str = "") -> None:
    for state in states:
        store.write(lambda db, state=state: queue.move(db, number, state, reason, code)).result()  # type: ignore[misc]


def told(store: Store, hook: str = "all") -> list[hooks.Waiting]:
    found: list[hooks.Waiting] = []
    while (event := hooks.next_event(store.reader, hook, found[-1].id if found else 0)) is not None:
        found.append(event)
    return found


def names(store: Store, hook: str = "all") -> list[str]:
    return [item.event for item in told(store, hook)]


def test_an_exams_life_is_told_step_by_step(store: Store) -> None:
    put(store, EXAM, NOBODY)
    put(store, EXAM, NOBODY)  # the same once more is no news
    known = replace(EXAM, state="open", revision=2)
    put(store, known, SOMEBODY)
    put(store, replace(known, state="suspended"), SOMEBODY)
    put(store, known, SOMEBODY)
    put(store, known, replace(SOMEBODY, revision=3, redated=True))  # dates are nobody else
    put(store, known, replace(SOMEBODY, revision=4, generation=1, patient={"id": "T2", "name": "B"}))
    closed = replace(known, state="closed", closed_at="2026-11-20T11:00:00+01:00")
    put(store, closed, replace(SOMEBODY, generation=1))
    put(store, replace(closed, state="appended", parts=1), replace(SOMEBODY, generation=1))
    assert names(store) == [
        "exam.opened", "exam.assigned", "exam.suspended", "exam.resumed", "exam.reassigned", "exam.closed",
        "exam.appended",
    ]  # fmt: skip


def test_an_old_closed_exam_that_is_found_again_is_no_news(store: Store) -> None:
    put(store, replace(EXAM, state="closed"), SOMEBODY)
    take(store, is_new=False)
    assert names(store) == []


def test_only_who_may_know_is_told_the_patient(store: Store) -> None:
    put(store, replace(EXAM, state="open"), SOMEBODY)
    take(store)
    move(store, 1, State.SENDING)
    why = "The archive cannot understand it (C000H: Prüf^Jördis is unknown)"
    move(store, 1, State.BLOCKED, reason=why, code="archive-refused")
    for event in told(store, "all"):
        assert event.known == {}
        assert "Jördis" not in str(event)
        assert "PAT-77" not in str(event)
        assert "A-9" not in str(event)
    blocked = told(store, "all")[-1]
    assert blocked.event == "delivery.blocked"
    assert blocked.data["reason"] == "The archive cannot understand it (C000H)"
    for event in told(store, "his"):
        assert event.known["patient"]["name"] == "Prüf^Jördis"
        assert event.known["accession_number"] == "A-9"
    assert told(store, "his")[-1].known["data"]["reason"] == why
    assert [item.event_id for item in told(store, "his")] == [item.event_id for item in told(store, "all")]


def test_every_event_has_exactly_the_data_that_its_table_names(store: Store) -> None:
    put(store, EXAM, NOBODY)
    put(store, replace(EXAM, state="open"), SOMEBODY)
    put(store, replace(EXAM, state="open"), replace(SOMEBODY, generation=1))
    take(store)
    take(store, 2)
    move(store, 1, State.SENDING, State.STORED, State.COMMITTED)
    store.write(lambda db: records.discard(db, "i2")).result()
    put(store, replace(EXAM, state="closed"), replace(SOMEBODY, generation=1))
    store.write(lambda db: hooks.delivered(db, queue.now_text(), 1.0)).result()
    seen = {item.event: item.data for item in told(store)}
    assert {"instance.captured", "instance.discarded", "delivery.stored", "exam.delivered"} <= seen.keys()
    for event, data in seen.items():
        assert data.keys() == model.EVENTS[event].data.keys(), event


def test_a_failed_transaction_tells_nothing(store: Store) -> None:
    put(store, replace(EXAM, state="open"), SOMEBODY)
    take(store)
    before = names(store)

    def job(db: Any) -> None:
        queue.move(db, 1, State.BLOCKED, "why")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.write(job).result()
    assert names(store) == before


def test_an_exam_is_delivered_when_nothing_of_it_is_open(store: Store) -> None:
    def look() -> int:
        return store.write(lambda db: hooks.delivered(db, queue.now_text(), 1.0)).result()

    put(store, replace(EXAM, state="open"), SOMEBODY)
    take(store, 1)
    take(store, 2)
    take(store, 3)
    move(store, 1, State.SENDING, State.STORED)
    assert hooks.is_watching(store.reader)
    assert look() == 0  # it is open
    put(store, replace(EXAM, state="closed"), SOMEBODY)
    assert look() == 0  # two are still to go
    move(store, 2, State.SENDING, State.STORED)
    assert look() == 0
    store.write(lambda db: queue.change(db, "cancel", [3], None)).result()
    assert look() == 1
    assert not hooks.is_watching(store.reader)
    data = told(store)[-1].data
    assert (data["stored"], data["cancelled"]) == (2, 1)


def test_a_picture_that_is_born_blocked_is_told(store: Store) -> None:
    put(store, replace(EXAM, state="open"), SOMEBODY)
    take(store, state=State.BLOCKED)
    assert names(store)[-1] == "delivery.blocked"


def test_what_a_database_that_was_lost_gets_back_is_not_told_again(store: Store) -> None:
    put(store, replace(EXAM, state="open"), SOMEBODY)
    take(store, state=State.STORED)
    assert "delivery.stored" not in names(store)


def fill(store: Store, count: int, born: float = 1000.0) -> None:
    def job(db: Any) -> None:
        for number in range(count):
            hooks.tell_one(db, "all", "box.started", {"version": str(number)}, "now", born + number)

    store.write(job).result()


def test_too_many_drop_the_oldest_and_count_them(store: Store) -> None:
    fill(store, 10)
    assert not hooks.has_too_much(store.reader, "all", 10, 0.0)
    assert hooks.has_too_much(store.reader, "all", 7, 0.0)
    assert store.write(lambda db: hooks.trim(db, "all", 7, 0.0)).result() == 3
    assert [item.data["version"] for item in told(store)] == [str(number) for number in range(3, 10)]
    assert hooks.has_too_much(store.reader, "all", 7, 1005.0)
    assert store.write(lambda db: hooks.trim(db, "all", 7, 1005.0)).result() == 2
    state = hooks.state(store.reader, "all")
    assert (state["dropped"], state["untold"]) == (5, 5)
    first = told(store)[0].id
    store.write(lambda db: hooks.taken(db, "all", [first], "now", 5)).result()
    state = hooks.state(store.reader, "all")
    assert (state["dropped"], state["untold"], state["delivered"]) == (5, 0, 1)
    assert hooks.state(store.reader, "his")["dropped"] == 0


def test_a_hook_that_is_no_more_leaves_nothing(store: Store) -> None:
    fill(store, 3)
    store.write(lambda db: hooks.trim(db, "all", 1, 0.0)).result()
    store.write(lambda db: hooks.configure(db, {"his": (ALL, True)})).result()
    assert hooks.counts(store.reader) == {}
    assert hooks.state(store.reader, "all")["dropped"] == 0
    store.write(lambda db: hooks.tell(db, "box.started", {"version": "1"}, "now", 1.0)).result()
    assert hooks.counts(store.reader) == {"his": 1}


def test_a_clock_that_is_set_makes_nothing_old(store: Store) -> None:
    now = time.time()
    wrong = now - 40 * 365 * 86400
    fill(store, 1, wrong)  # just now, by the clock that was wrong
    fill(store, 1, wrong - 86400)  # before this boot
    first = told(store)[0].id
    store.write(
        lambda db: hooks.later(
            db, "all", first, ("timeout", "no"), "now", attempts=0, failures=1, next_at=wrong + 5
        )
    ).result()
    store.write(lambda db: stepped.follow(db, now - wrong, now, 600.0)).result()
    rows = store.reader.execute_sql("SELECT born, next_at FROM hook_event ORDER BY id").fetchall()
    assert rows[0] == (pytest.approx(now, abs=0.01), pytest.approx(now + 5, abs=0.01))
    assert rows[1][0] == pytest.approx(wrong - 86400, abs=0.01)


def test_a_hundred_thousand_that_wait_cost_the_next_one_no_look_at_them(store: Store) -> None:
    fill(store, 1000)
    for sql in (
        "SELECT id FROM hook_event WHERE hook = 'all' AND id > 5 ORDER BY id LIMIT 1",
        "SELECT born FROM hook_event WHERE hook = 'all' ORDER BY id LIMIT 1",
    ):
        plan = str(store.reader.execute_sql(f"EXPLAIN QUERY PLAN {sql}").fetchall())
        assert "hook_event_next" in plan
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan
    plan = str(
        store.reader.execute_sql("EXPLAIN QUERY PLAN SELECT hook FROM hook_want WHERE event = 'x'").fetchall()
    )
    assert "SEARCH" in plan
