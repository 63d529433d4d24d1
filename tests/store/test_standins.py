"""A primary and its backup in the queue: which rows wait for a stand-in, and which have become needless."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.store import queries, queue, records, standins
from smartbox_tui.store.database import Store
from smartbox_tui.store.standins import Pair

AT = "2026-11-20T10:00:00+01:00"
PAIR = Pair("p", "b")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "smartbox.db")
    exam = ExamFile("e", "closed", "2.25.1", AT, "engine")
    made.write(lambda db: records.put_exam(db, exam, RevisionFile(1, {"id": "T", "name": "T"}, AT))).result()
    yield made
    made.close()


def birth(at: int, destination: str, state: State = State.QUEUED, **values: Any) -> dict[str, Any]:
    return {
        "instance": f"i{at}", "sop_uid": f"2.25.{at}", "exam": "e", "destination": destination, "kind": "still",
        "bytes_": 1, "state": state, "reason": "", **values,
    }  # fmt: skip


def add(store: Store, at: int, *births: dict[str, Any]) -> None:
    def job(database: Any) -> None:
        values = {
            "id": f"i{at}", "sop_uid": f"2.25.{at}", "exam": "e", "series_uid": "2", "series_number": 1,
            "instance_number": at, "sop_class_uid": "x", "transfer_syntax_uid": "y", "kind": "still",
            "source": "endo", "captured_at": AT, "frames": 1, "frames_lost": 0, "duration_s": None, "trigger_ns": 1,
            "frame_ns": 1, "trigger_to_disk_ms": 1.0, "bytes": 1, "file": "f", "revision": 1, "discarded": False,
        }  # fmt: skip
        records.put_instance(database, values)
        for item in births:
            queue.enqueue(database, **item)

    store.write(job).result()


def waiting(store: Store, after: tuple[int, int] | None = None, limit: int = 10) -> list[str]:
    return [item[2] for item in standins.waiting(store.reader, "p", "b", after, limit)]


def state_of(store: Store, at: int, destination: str) -> tuple[str, str]:
    (row,) = queries.deliveries(store.reader, instance_id=f"i{at}", destination=destination)
    return row.state, row.reason


def settle(store: Store, pair: Pair = PAIR) -> list[int]:
    return store.write(lambda db: standins.settle(db, pair)).result()


def test_only_what_may_go_out_and_has_no_row_of_the_backup_waits_for_it(store: Store) -> None:
    states = (State.QUEUED, State.WAITING, State.HELD, State.BLOCKED, State.STORED, State.CANCELLED)
    for at, state in enumerate(states, 1):
        add(store, at, birth(at, "p", state))
    add(store, 7, birth(7, "p", priority=1))
    add(store, 8, birth(8, "p"), birth(8, "b", State.CANCELLED))
    add(store, 9, birth(9, "p"))
    store.write(lambda db: queue.change(db, "pause", [10], None)).result()
    add(store, 10, birth(10, "p"), birth(10, "b", State.SUPERSEDED, sop_uid="2.25.99"))
    assert waiting(store) == ["i7", "i1", "i2", "i10"]
    first = standins.waiting(store.reader, "p", "b", None, 2)
    assert waiting(store, first[-1][:2]) == ["i2", "i10"]


def test_a_row_is_born_once_and_only_while_the_picture_waits_under_that_uid(store: Store) -> None:
    add(store, 1, birth(1, "p", priority=4))
    made = birth(1, "b", code=standins.BORN)
    assert store.write(lambda db: standins.stand_in(db, 1, "2.25.77", made)).result() is None, "corrected meanwhile"
    row = store.write(lambda db: standins.stand_in(db, 1, "2.25.1", made)).result()
    assert row is not None
    assert (row.destination, row.priority, row.exam) == ("b", 4, "e")
    assert store.write(lambda db: standins.stand_in(db, 1, "2.25.1", made)).result() is None
    add(store, 2, birth(2, "p", State.STORED))
    assert store.write(lambda db: standins.stand_in(db, 3, "2.25.2", birth(2, "b"))).result() is None


@pytest.mark.parametrize("asked", [False, True])
def test_what_the_primary_has_needs_no_backup_unless_it_was_on_its_way(store: Store, asked: bool) -> None:
    pair = Pair("p", "b", asked=frozenset({"p"} if asked else ()))
    for at, state in enumerate((State.STORED, State.COMMITTED, State.WAITING), 1):
        add(store, at, birth(at, "p", state), birth(at, "b", code=standins.BORN))
    add(store, 4, birth(4, "p", State.COMMITTED), birth(4, "b"))  # not a stand-in: of its own right
    add(store, 5, birth(5, "p", State.COMMITTED), birth(5, "b", code=standins.BORN, priority=9))
    store.write(lambda db: queue.claim(db, "b", "w", 1.0)).result()
    store.write(lambda db: queue.move(db, 10, State.QUEUED, "")).result()  # it may have arrived
    settle(store, pair)
    found = [state_of(store, at, "b")[0] for at in range(1, 6)]
    assert found == ["queued" if asked else "cancelled", "cancelled", "queued", "queued", "queued"]
    assert state_of(store, 2, "b") == ("cancelled", "p has it")
    assert settle(store, pair) == []


@pytest.mark.parametrize("asked", [False, True])
def test_instead_what_the_backup_has_does_not_go_to_the_primary(store: Store, asked: bool) -> None:
    pair = Pair("p", "b", True, frozenset({"b"} if asked else ()))
    add(store, 1, birth(1, "p", State.WAITING), birth(1, "b", State.STORED))
    add(store, 2, birth(2, "p", State.WAITING), birth(2, "b", State.COMMITTED))
    add(store, 3, birth(3, "p", State.WAITING), birth(3, "b"))
    assert settle(store) == [], "only where the settings say so"
    settle(store, pair)
    found = [state_of(store, at, "p")[0] for at in range(1, 4)]
    assert found == ["waiting" if asked else "cancelled", "cancelled", "waiting"]
    assert state_of(store, 2, "p") == ("cancelled", "b keeps it in its stead")
