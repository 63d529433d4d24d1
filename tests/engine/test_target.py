"""What the workers of one destination share: who takes which row, one probe at a time, and nothing left waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.engine.delivery import target as targets
from smartbox_tui.engine.delivery.rows import Rows
from smartbox_tui.engine.delivery.target import Seat, Target
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.settings.destination import Destination, Retry
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.store import queries, queue, records
from smartbox_tui.store.database import Store

AT = "2026-11-20T10:00:00+01:00"
AWAY = SmartBoxError("no-route", "away", "")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "smartbox.db")
    exam = ExamFile("e", "closed", "2.25.1", AT, "engine")
    made.write(lambda db: records.put_exam(db, exam, RevisionFile(1, {"id": "T", "name": "T"}, AT))).result()
    yield made
    made.close()


def add(store: Store, *priorities: int) -> None:
    def job(database: Any) -> None:
        for at, priority in enumerate(priorities, 1):
            records.put_instance(
                database,
                {
                    "id": f"i{at}", "sop_uid": f"2.25.{at}", "exam": "e", "series_uid": "2", "series_number": 1,
                    "instance_number": at, "sop_class_uid": "x", "transfer_syntax_uid": "y", "kind": "still",
                    "source": "endo", "captured_at": AT, "frames": 1, "frames_lost": 0, "duration_s": None,
                    "trigger_ns": 1, "frame_ns": 1, "trigger_to_disk_ms": 1.0, "bytes": 1, "file": "f",
                    "revision": 1, "discarded": False,
                },
            )  # fmt: skip
            queue.enqueue(
                database, instance=f"i{at}", sop_uid=f"2.25.{at}", exam="e", destination="a", kind="still",
                bytes_=1, state=State.QUEUED, reason="", priority=priority,
            )  # fmt: skip

    store.write(job).result()


@pytest.fixture
def target(store: Store, tmp_path: Path) -> Target:
    destination = Destination(name="a", host="localhost", aet="A", retry=Retry(first_s=3600))
    rows = Rows(tmp_path, store, Settings, lambda row, sent: None)
    return Target(destination, store, rows, may_send=lambda: "", status_changed=lambda: None)


def states(store: Store) -> list[str]:
    return [row.state for row in queries.deliveries(store.reader)]


def opened(target: Target) -> Seat:
    seat = target.seat()
    seat.is_open = True
    return seat


def test_no_two_workers_have_the_same_row_and_the_first_ones_go_first(store: Store, target: Target) -> None:
    add(store, 0, 5, 0, 5)
    seats = [opened(target) for _ in range(5)]
    taken = [target.take(seat) for seat in seats]
    assert [row and row.id for row in taken] == [2, 4, 1, 3, None]
    target.leave(seats[0])
    again = target.take(seats[4])
    assert again is not None
    assert again.id == 2


def test_without_a_connection_one_worker_begins_and_the_others_wait(store: Store, target: Target) -> None:
    add(store, 0, 0, 0)
    first, second = target.seat(), target.seat()
    assert target.take(first) is not None
    assert target.take(second) is None, "nobody knows yet whether the archive takes one"
    assert target.one_more(second) is None
    first.is_open = True
    assert target.take(second) is None, "a row of its own only with a connection"
    row = target.one_more(second)
    assert row is not None
    assert row.id != first.row
    assert second.row is None, "the row is anybody's while the connection is opened"


def test_one_further_connection_at_a_time_and_only_for_more_work_than_idle_ones_can_do(
    store: Store, target: Target
) -> None:
    add(store, 0, 0)
    idle, second, third = opened(target), target.seat(), target.seat()
    row = target.one_more(second)
    assert row is not None
    assert row.id == 2, "the first row is the idle one's"
    assert target.one_more(third) is None
    target.opened()
    assert target.take(idle) is not None
    assert target.one_more(third) is not None
    target.opened()
    second.is_open = True
    assert target.take(second) is not None
    assert target.one_more(third) is None, "nothing is left"


def test_an_archive_that_is_full_is_left_alone_for_a_while_and_is_not_away(
    store: Store, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, 0, 0)
    first, second = opened(target), target.seat()
    target.take(first)
    assert target.one_more(second) is not None
    assert target.is_crowded(second, SmartBoxError("refused", "local limit exceeded", ""))
    target.opened()
    assert target.one_more(second) is None
    assert target.away_for == 0
    target.probe_now()  # by hand
    assert target.one_more(second) is not None
    target.opened()
    monkeypatch.setattr(targets, "CROWDED_S", 0.0)
    assert target.is_crowded(second, AWAY)
    assert target.one_more(second) is not None
    first.is_open = False
    assert not target.is_crowded(second, AWAY), "with nothing else connected it is away"


def test_what_fails_on_one_connection_waits_until_another_one_hears_something(store: Store, target: Target) -> None:
    add(store, 0, 0)
    seat = opened(target)
    row = target.take(seat)
    assert row is not None
    claimed = store.write(lambda db: queue.claim(db, "a", "w", 1.0, only=row)).result()
    target.failed(
        AWAY, lambda db, at: queue.move(db, claimed.id, State.WAITING, "away", "no-route", failures=1, next_at=at)
    )
    assert states(store) == ["waiting", "waiting"]
    assert target.health.state == "unreachable"
    assert target.away_for > 0
    target.heard()
    assert states(store) == ["queued", "queued"], "the row that failed, too"
    assert target.health.state == "ok"
    assert target.away_for == 0


def test_a_connection_that_fails_while_another_one_works_stops_nothing_else(store: Store, target: Target) -> None:
    add(store, 0, 0, 0)
    one, other = opened(target), opened(target)
    row = target.take(one)
    assert target.take(other) is not None
    claimed = store.write(lambda db: queue.claim(db, "a", "w", 1.0, only=row)).result()
    target.heard()
    one.is_open = False
    target.lost(one, claimed, AWAY, uncertain=True)
    assert states(store) == ["waiting", "queued", "queued"]
    assert target.health.state == "ok"
    (waits, *_) = queries.deliveries(store.reader)
    assert (bool(waits.uncertain), waits.failures, waits.attempts) == (True, 0, 0)
    assert store.write(lambda db: queue.wake(db, waits.next_at + 1)).result() == [1], "its own time comes"
    claimed = store.write(lambda db: queue.claim(db, "a", "w", 1.0)).result()
    other.is_open = False
    target.lost(one, claimed, AWAY, uncertain=False)
    assert states(store) == ["waiting"] * 3, "the last connection has failed, too"


def test_failing_and_hearing_at_the_same_time_leave_nothing_waiting_behind_an_archive_that_is_there(
    store: Store, target: Target
) -> None:
    add(store, *range(40))

    def failing() -> None:
        for _ in range(30):
            target.failed(AWAY)

    def hearing() -> None:
        for _ in range(30):
            target.heard()

    threads = [threading.Thread(target=job) for job in (failing, hearing, failing, hearing)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    there = target.health.state == "ok"
    store.write(lambda db: None).result()
    assert set(states(store)) == {"queued" if there else "waiting"}
    target.heard()
    assert set(states(store)) == {"queued"}


def test_two_failures_of_one_outage_count_once(target: Target) -> None:
    target.failed(AWAY)
    target.failed(AWAY)
    assert target._breaker.failures == 1
    target.probe_now()
    target.failed(AWAY)
    assert target._breaker.failures == 2


def test_one_probe_at_a_time(target: Target) -> None:
    target.failed(AWAY)
    target.probe_now()
    asked: list[bool] = []
    within = threading.Event()
    go = threading.Event()

    def probe() -> None:
        asked.append(True)
        within.set()
        go.wait(10)

    first = threading.Thread(target=lambda: target.is_there(probe))
    first.start()
    assert within.wait(10)
    assert not target.is_there(probe)
    go.set()
    first.join()
    assert asked == [True]
    assert target.is_there(probe)


def test_a_probe_that_is_answered_while_objects_are_not_is_still_an_outage(store: Store, target: Target) -> None:
    target.failed(AWAY)
    target.probe_now()
    add(store, 0)
    assert target.is_there(lambda: None)
    assert target.away_for == 0, "it is there now"
    since = target._lost_at
    assert since is not None
    target.failed(AWAY)
    assert target._lost_at == since, "the same outage goes on"
    target.heard()
    assert target._lost_at is None


def test_what_is_paused_by_hand_is_not_away(target: Target) -> None:
    target.failed(AWAY)
    assert target.away_for > 0
    target.pause(True)
    assert target.is_stopped
    assert target.away_for == 0
