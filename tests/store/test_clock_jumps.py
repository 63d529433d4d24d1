"""Order and age in the tables, whatever the wall clock did: set back, set forward, an hour that comes twice."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.model.instance import taken_order
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.store import migrations, queries, queue, records, stepped
from smartbox_tui.store import performed as outbox
from smartbox_tui.store.database import Store, open_writer
from smartbox_tui.store.tables import Delivery

EXAM = "6a1f8d3e-0d6a-4a43-9f2e-111111111111"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "smartbox.db")
    put_exam(made, EXAM)
    yield made
    made.close()


def put_exam(store: Store, identity: str, **values: Any) -> None:
    exam = ExamFile(identity, "open", f"2.25.{identity[-3:]}", "2026-11-20T10:00:00+01:00", "engine", **values)
    revision = RevisionFile(1, {"id": "T1", "name": "Test^Eins"}, "2026-11-20T10:00:00+01:00")
    store.write(lambda db: records.put_exam(db, exam, revision)).result()


def put(
    store: Store,
    number: int,
    *,
    boot: int,
    frame_ns: int,
    at: str,
    exam: str = EXAM,
    unsure: bool = False,
    trigger_ns: int | None = None,
) -> None:
    values = {
        "id": f"{exam[-3:]}-{number}", "sop_uid": f"2.25.{exam[-3:]}{number}", "exam": exam, "folder": exam,
        "series_uid": "2.25.9", "series_number": 1, "instance_number": 1, "sop_class_uid": "x",
        "transfer_syntax_uid": "y", "kind": "still", "source": "endo", "captured_at": at, "frames": 1,
        "frames_lost": 0, "duration_s": None, "frame_ns": frame_ns,
        "trigger_ns": frame_ns if trigger_ns is None else trigger_ns,
        "trigger_to_disk_ms": 1.0, "bytes": 10, "file": "f", "revision": 1, "discarded": False, "boot": boot,
        "unsure": unsure,
    }  # fmt: skip
    store.write(lambda db: records.put_instance(db, values)).result()


def test_pictures_come_by_boot_then_by_monotonic_time(store: Store) -> None:
    wanted = [
        (1, 9_000, "2031-01-01T00:00:00.000+00:00"),  # a clock years ahead
        (1, 9_500, "2020-01-01T00:00:00.000+00:00"),  # set back
        (2, 10, "1970-01-01T00:01:00.000+00:00"),  # after a reboot, without a battery
        (2, 20, "2026-11-20T10:00:00.000+01:00"),
        (2, 30, "2026-11-20T09:59:00.000+01:00"),
    ]
    shuffled = list(enumerate(wanted))
    random.Random(7).shuffle(shuffled)
    for index, (boot, frame_ns, at) in shuffled:
        put(store, index, boot=boot, frame_ns=frame_ns, at=at)
    for rows in (queries.instances_of(store.reader, EXAM), queries.instances_in(store.reader, EXAM)):
        assert [row.id[-1] for row in rows] == ["0", "1", "2", "3", "4"]
    assert queries.last_picture_at(store.reader, EXAM) == wanted[-1][2]


def test_the_tables_and_everybody_else_have_one_order(store: Store) -> None:
    """SQL and `taken_order` over pictures of all kinds: presses before first frames, boots known or not."""
    dice = random.Random(11)
    made = []
    for number in range(60):
        boot, press, frame = dice.choice((0, 1, 2)), dice.randrange(8), dice.randrange(8)
        at = f"2026-11-20T1{dice.randrange(3)}:00:00.{number:03d}+0{dice.randrange(3)}:00"
        put(store, number, boot=boot, frame_ns=frame, at=at, trigger_ns=press)
        made.append(taken_order(boot, at, press, frame))
    rows = queries.instances_of(store.reader, EXAM)
    told = [taken_order(row.boot, row.captured_at, row.trigger_ns, row.frame_ns) for row in rows]
    assert told == sorted(made)


def test_the_hour_that_comes_twice_keeps_its_order(store: Store) -> None:
    """Of a boot that is not known the wall time decides; as text the later one of these would come first."""
    put(store, 1, boot=0, frame_ns=500, at="2026-10-25T02:59:00.000+02:00")
    put(store, 2, boot=0, frame_ns=1, at="2026-10-25T02:01:00.000+01:00")
    put(store, 3, boot=1, frame_ns=1, at="1999-01-01T00:00:00.000+01:00")
    assert [row.id[-1] for row in queries.instances_of(store.reader, EXAM)] == ["1", "2", "3"]


def test_a_database_from_before_keeps_its_order(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    database = open_writer(path)
    for statement in (line for step in migrations.STEPS[:3] for line in step):
        database.execute_sql(statement)
    database.execute_sql("PRAGMA user_version = 3")
    database.execute_sql(
        "INSERT INTO exam (id, state, study_uid, accession, opened_at, opened_by, released, revision, patient,"
        " patient_id, close_command, parts) VALUES (?, 'open', '2.25.1', '', '', 'engine', 0, 1, '{}', '', '', 0)",
        (EXAM,),
    )
    for number in (2, 1):
        database.execute_sql(
            "INSERT INTO instance (id, sop_uid, exam, series_uid, series_number, instance_number, sop_class_uid,"
            " transfer_syntax_uid, kind, source, captured_at, frames, frames_lost, trigger_ns, frame_ns, bytes,"
            " file, revision, discarded)"
            " VALUES (?, ?, ?, 's', 1, ?, 'c', 't', 'still', 'endo', ?, 1, 0, 1, ?, 1, 'f', 1, 0)",
            (f"p{number}", f"2.25.{number}", EXAM, number, f"2026-11-20T10:00:0{number}+01:00", 10 - number),
        )
    database.close()
    store = Store(path)
    try:
        assert store.migrated == migrations.VERSION - 3
        rows = queries.instances_of(store.reader, EXAM)
        assert [(row.id, row.boot, row.unsure) for row in rows] == [("p1", 0, False), ("p2", 0, False)]
        assert queries.exam(store.reader, EXAM).dates == ""
    finally:
        store.close()


def test_exams_whose_dates_may_follow_are_found(store: Store) -> None:
    moment = {"opened_at": {"boot_id": "b", "boottime_ns": 5}}
    names = [f"6a1f8d3e-0d6a-4a43-9f2e-{number:012d}" for number in range(1, 5)]
    put_exam(store, names[0], unsure=moment)
    put_exam(store, names[1])
    put(store, 1, boot=3, frame_ns=1, at="2026-11-20T10:00:00+01:00", exam=names[1], unsure=True)
    put_exam(store, names[2], unsure=moment, extra={"dates_final": True})
    put(store, 2, boot=3, frame_ns=1, at="2026-11-20T10:00:00+01:00", exam=names[2], unsure=True)
    put_exam(store, names[3])
    assert sorted(queries.exams_with_unsure_dates(store.reader)) == names[:2]
    assert queries.unsure_boots(store.reader, names[1]) == {3}
    assert [queries.exam(store.reader, name).dates for name in names] == ["unsure", "", "final", ""]


def wait(store: Store, number: int, next_at: float) -> None:
    put(store, number, boot=1, frame_ns=number, at="2026-11-20T10:00:00+01:00")

    def job(db: Any) -> None:
        queue.enqueue(
            db, instance=f"111-{number}", sop_uid=f"2.25.111{number}", exam=EXAM, destination="a", kind="still",
            bytes_=1, state=State.QUEUED, reason="",
        )  # fmt: skip
        row = queue.claim(db, "a", "w", queue.ticks())
        queue.move(db, row.id, State.WAITING, "away", next_at=next_at)

    store.write(job).result()


@pytest.mark.parametrize("by_s", [6 * 365 * 86400.0, -6 * 365 * 86400.0, -7200.0])
def test_pauses_and_ages_stand_a_clock_that_is_set(store: Store, by_s: float) -> None:
    now = time.time()
    wait(store, 1, now + 300)
    store.write(
        lambda db: outbox.put(db, step="s", exam=EXAM, peer="p", verb="create", dataset='{"a": 1}')
    ).result()
    store.write(lambda db: db.execute_sql("UPDATE performed_message SET next_at = ?", (now + 60,))).result()
    store.write(lambda db: stepped.follow(db, by_s, now + by_s, 3600.0)).result()
    (row,) = queries.deliveries(store.reader)
    assert row.next_at == pytest.approx(now + by_s + 300)
    age_s = now + by_s - datetime.fromisoformat(row.created_at).timestamp()
    assert abs(age_s) < 5
    (message,) = outbox.messages(store.reader)
    assert message.next_at == pytest.approx(now + by_s + 60)
    assert store.write(lambda db: queue.wake(db, now + by_s)).result() == []
    assert store.write(lambda db: queue.wake(db, now + by_s + 301)).result() == [row.id]


def test_an_age_that_fits_the_new_clock_is_left_alone(store: Store) -> None:
    """Set forward by ten minutes in a boot of a day: what was queued an hour ago may well have been."""
    wait(store, 1, 0.0)
    made = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="milliseconds")
    store.write(lambda db: Delivery.update(created_at=made).execute(db)).result()
    store.write(lambda db: stepped.follow(db, 600.0, time.time() + 600, 86400.0)).result()
    assert queries.deliveries(store.reader)[0].created_at == made


def test_a_lease_does_not_know_the_wall_clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    wait(store, 1, 0.0)
    store.write(lambda db: queue.wake(db, 1.0)).result()
    row = store.write(lambda db: queue.claim(db, "a", "w", queue.ticks())).result()
    monkeypatch.setattr(time, "time", lambda: 9e9)
    assert store.write(lambda db: queue.recover(db, "lease", before=queue.ticks())).result() == []
    later = queue.ticks() + queue.LEASE_S + 1
    assert store.write(lambda db: queue.recover(db, "lease", before=later)).result() == [row.id]
