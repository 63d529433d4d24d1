"""The queue in a real SQLite file: claims, leases, what a restart brings back, what may follow what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model import delivery as states
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.store import migrations, queries, queue, records
from smartbox_tui.store.database import Store

EXAM = "6a1f8d3e-0d6a-4a43-9f2e-111111111111"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "smartbox.db")
    exam = ExamFile(EXAM, "open", "2.25.1", "2026-11-20T10:00:00+01:00", "engine")
    revision = RevisionFile(1, {"id": "T1", "name": "Test^Eins"}, "2026-11-20T10:00:00+01:00")
    made.write(lambda db: records.put_exam(db, exam, revision)).result()
    yield made
    made.close()


def add(store: Store, number: int, destination: str = "a", state: State = State.QUEUED, priority: int = 0) -> None:
    def job(db: Any) -> None:
        records.put_instance(
            db,
            {
                "id": f"i{number}", "sop_uid": f"2.25.{number}", "exam": EXAM, "series_uid": "2.25.9",
                "series_number": 1, "instance_number": number, "sop_class_uid": "x", "transfer_syntax_uid": "y",
                "kind": "still", "source": "endo", "captured_at": f"2026-11-20T10:00:{number:02d}+01:00",
                "frames": 1,
                "frames_lost": 0, "duration_s": None, "trigger_ns": 1, "frame_ns": 1, "trigger_to_disk_ms": 1.0,
                "bytes": 10, "file": "f", "revision": 1, "discarded": False,
            },
        )  # fmt: skip
        queue.enqueue(
            db, instance=f"i{number}", sop_uid=f"2.25.{number}", exam=EXAM, destination=destination, kind="still",
            bytes_=10, state=state, reason="", priority=priority,
        )  # fmt: skip

    store.write(job).result()


def test_enqueue_twice_makes_one_row(store: Store) -> None:
    add(store, 1)
    add(store, 1)
    assert len(queries.deliveries(store.reader)) == 1


def test_what_follows_a_row_has_its_place_and_pause_and_is_there_once(store: Store) -> None:
    add(store, 1, priority=7)
    marks = {"instance": "i1", "exam": "before", "destination": "a", "bytes_": 1, "state": State.QUEUED}
    marks |= {"reason": "", "sop_uid": "1.3", "kind": "marks", "variant": "document=marks"}

    def job(db: Any) -> tuple[Any, Any]:
        queue.pause_exam(db, EXAM, paused=True)
        clip = queue.get(db, 1)
        return queue.follow(db, clip, marks), queue.follow(db, clip, marks)

    born, again = store.write(job).result()
    assert (born.exam, born.priority, bool(born.paused), born.state) == (EXAM, 7, True, "queued")
    assert again is None
    assert len(queries.deliveries(store.reader)) == 2
    assert queries.delivery_counts(store.reader, [EXAM]) == {EXAM: {"queued": 1}}, "it is no picture"


def test_claim_takes_priority_then_age_and_never_twice(store: Store) -> None:
    for number, priority in ((1, 0), (2, 5), (3, 0)):
        add(store, number, priority=priority)
    taken = [store.write(lambda db: queue.claim(db, "a", "w", 100.0)).result() for _ in range(4)]
    assert [row and row.sop_uid for row in taken] == ["2.25.2", "2.25.1", "2.25.3", None]
    assert all(row.state == "sending" for row in taken[:3])


def test_claim_leaves_other_destinations_and_paused_rows_alone(store: Store) -> None:
    add(store, 1, destination="b")
    add(store, 2)
    (row,) = queries.deliveries(store.reader, destination="a")
    store.write(lambda db: queue.change(db, "pause", [row.id], None)).result()
    assert store.write(lambda db: queue.claim(db, "a", "w", 0.0)).result() is None
    store.write(lambda db: queue.change(db, "resume", [row.id], None)).result()
    assert store.write(lambda db: queue.claim(db, "a", "w", 0.0)).result() is not None


def test_a_restart_returns_what_was_in_flight_and_marks_it_uncertain(store: Store) -> None:
    add(store, 1)
    store.write(lambda db: queue.claim(db, "a", "w", 100.0)).result()
    store.write(lambda db: queue.recover(db, "the engine was restarted")).result()
    (row,) = queries.deliveries(store.reader)
    assert (row.state, row.uncertain, row.worker, row.lease_until) == ("queued", True, "", None)
    assert [(item.old, item.new) for item in queries.history(store.reader, row.id)] == [
        ("", "queued"), ("queued", "sending"), ("sending", "queued"),
    ]  # fmt: skip


def test_only_a_lease_that_ran_out_is_taken_back(store: Store) -> None:
    add(store, 1)
    row = store.write(lambda db: queue.claim(db, "a", "w", 100.0, lease_s=10)).result()
    assert store.write(lambda db: queue.recover(db, "lease", before=105.0)).result() == []
    assert store.write(lambda db: queue.renew(db, row.id, "w", 5, 105.0)).result()
    assert store.write(lambda db: queue.recover(db, "lease", before=120.0)).result() == []
    assert store.write(lambda db: queue.recover(db, "lease", before=999.0)).result() == [row.id]
    assert not store.write(lambda db: queue.renew(db, row.id, "w", 5, 105.0)).result()


def test_waiting_rows_wake_when_due_or_when_the_destination_is_back(store: Store) -> None:
    add(store, 1)
    add(store, 2)
    for _ in range(2):
        row = store.write(lambda db: queue.claim(db, "a", "w", 0.0)).result()
        store.write(
            lambda db, row=row: queue.move(db, row.id, State.WAITING, "away", "no-route", next_at=500.0, failures=1)
        ).result()
    assert store.write(lambda db: queue.wake(db, 999.0)).result() == []  # only their destination's return helps
    assert len(store.write(lambda db: queue.destination_back(db, "a")).result()) == 2


def test_what_is_queued_for_a_destination_that_went_away_waits_with_the_reason(store: Store) -> None:
    add(store, 1)
    add(store, 2, destination="b")
    moved = store.write(lambda db: queue.destination_away(db, "a", "away", "no-route", 500.0)).result()
    assert len(moved) == 1
    (row,) = queries.deliveries(store.reader, destination="a")
    assert (row.state, row.reason, row.code, row.next_at) == ("waiting", "away", "no-route", 500.0)
    assert [item.new for item in queries.history(store.reader, row.id)] == ["queued", "waiting"]
    store.write(lambda db: queue.destination_away(db, "a", "away", "no-route", 900.0)).result()
    assert queries.delivery(store.reader, row.id).next_at == 900.0
    assert store.write(lambda db: queue.destination_back(db, "a")).result() == moved
    assert {row.state for row in queries.deliveries(store.reader)} == {"queued"}


def test_a_wait_that_a_wrong_clock_put_far_away_ends(store: Store) -> None:
    add(store, 1)
    row = store.write(lambda db: queue.claim(db, "a", "w", 0.0)).result()
    store.write(lambda db: queue.move(db, row.id, State.WAITING, "", next_at=9e9)).result()
    assert store.write(lambda db: queue.wake(db, 1000.0)).result() == [row.id]


def test_discarding_cancels_what_is_not_on_its_way(store: Store) -> None:
    add(store, 1, state=State.HELD)
    store.write(lambda db: records.discard(db, "i1")).result()
    (row,) = queries.deliveries(store.reader)
    assert (row.state, row.code) == ("cancelled", "discarded")
    assert queries.instance_count(store.reader, EXAM) == 0


@pytest.mark.parametrize("old", list(State))
@pytest.mark.parametrize("new", list(State))
def test_every_pair_is_allowed_by_the_table_or_raises(old: State, new: State) -> None:
    if (old, new) in states.TRANSITIONS:
        states.check(old, new)
    else:
        with pytest.raises(states.IllegalTransition):
            states.check(old, new)


def test_counts_name_every_state(store: Store) -> None:
    assert queries.counts(store.reader)["oldest_open_s"] is None
    add(store, 1, state=State.HELD)
    counted = queries.counts(store.reader)
    assert counted["held"] == 1
    assert set(counted) == {state.value for state in State} | {"oldest_open_s"}
    assert counted["oldest_open_s"] >= 0


def test_a_full_disk_is_told_and_the_next_job_works(store: Store) -> None:
    def fill(db: Any) -> None:
        pages = db.execute_sql("PRAGMA page_count").fetchone()[0]
        db.execute_sql(f"PRAGMA max_page_count = {pages}")
        for number in range(2000):
            db.execute_sql("INSERT INTO paused_destination VALUES (?)", (f"{number:0500d}",))

    with pytest.raises(SmartBoxError) as caught:
        store.write(fill).result()
    assert caught.value.code == "disk-full"
    store.write(lambda db: db.execute_sql("PRAGMA max_page_count = 1000000")).result()
    assert queries.paused_destinations(store.reader) == frozenset()  # nothing of it stayed
    add(store, 1)
    assert len(queries.deliveries(store.reader)) == 1


def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(Exception, match="readonly"):
        store.reader.execute_sql("DELETE FROM exam")


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    Store(tmp_path / "x.db").close()
    import sqlite3

    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute(f"PRAGMA user_version = {migrations.VERSION + 1}")
    with pytest.raises(SmartBoxError, match="schema version"):
        Store(tmp_path / "x.db")


def test_a_damaged_database_names_the_way_back(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(SmartBoxError) as caught:
        Store(tmp_path / "x.db")
    assert "rebuild" in caught.value.hint
