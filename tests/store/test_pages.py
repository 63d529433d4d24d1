"""The queue by pages: the order in which it is worked off, at any place; changes of many rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.model.delivery import OPEN
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.store import pages, queries, queue, records
from smartbox_tui.store.database import Store

EXAM = "6a1f8d3e-0d6a-4a43-9f2e-222222222222"
STATES = ("queued", "waiting", "stored", "blocked", "held", "cancelled", "committed", "preparing")


def insert(database: Any, rows: list[tuple[int, str, str, int]]) -> None:
    """(number, destination, state, priority) as instances with a delivery each."""
    at = "2026-11-20T10:00:00+01:00"
    database.connection().executemany(
        "INSERT INTO instance (id, sop_uid, exam, series_uid, series_number, instance_number, sop_class_uid,"
        " transfer_syntax_uid, kind, source, captured_at, frames, frames_lost, trigger_ns, frame_ns, bytes, file,"
        " revision, discarded, folder) VALUES (?, ?, ?, 's', 1, 1, 'x', 'y', 'still', 'endo', ?, 1, 0, 1, 1, 10,"
        " 'f', 1, 0, ?)",
        [(f"i{number}", f"2.25.{number}", EXAM, at, EXAM) for number, *_rest in rows],
    )
    database.connection().executemany(
        "INSERT INTO delivery (id, instance, sop_uid, exam, destination, kind, state, reason, code, attempts,"
        " failures, bytes, bytes_sent, worker, priority, paused, uncertain, created_at, changed_at)"
        " VALUES (?, ?, ?, ?, ?, 'still', ?, '', '', 1, 0, 10, 0, '', ?, 0, 0, ?, ?)",
        [(n, f"i{n}", f"2.25.{n}", EXAM, name, state, priority, at, at) for n, name, state, priority in rows],
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "smartbox.db")
    exam = ExamFile(EXAM, "closed", "2.25.1", "2026-11-20T10:00:00+01:00", "engine")
    revision = RevisionFile(1, {"id": "T1", "name": "Test^Eins"}, "2026-11-20T10:00:00+01:00")
    made.write(lambda db: records.put_exam(db, exam, revision)).result()
    rows = [(n, "abc"[n % 3], STATES[n % len(STATES)], n // 8 % 2 * 5) for n in range(1, 2501)]
    made.write(lambda db: insert(db, rows)).result()
    yield made
    made.close()


def everything(store: Store, states: tuple[str, ...], destination: str | None) -> list[Any]:
    """The whole list, in pages of 70."""
    known = pages.counts(store.reader)
    found: list[Any] = []
    while some := pages.page(store.reader, known, states, destination, len(found), 70):
        found += some
    return found


@pytest.mark.parametrize("destination", [None, "b"])
@pytest.mark.parametrize("states", [pages.ORDER, ("blocked",), ("stored", "committed"), ("queued", "waiting")])
def test_pages_put_together_are_the_whole_queue_in_the_order_of_sending(
    store: Store, states: tuple[str, ...], destination: str | None
) -> None:
    found = everything(store, states, destination)
    rows = [row for row in queries.deliveries(store.reader, limit=9999) if row.state in states]
    rows = [row for row in rows if destination in (None, row.destination)]

    def key(row: Any) -> tuple[int, int, int]:
        at = pages.ORDER.index(row.state)
        return (at, -row.priority, row.id) if State(row.state) in OPEN else (at, 0, -row.id)

    assert [row.id for row in found] == [row.id for row in sorted(rows, key=key)]
    assert len(found) > 100


def test_the_queued_of_a_page_are_in_the_order_in_which_they_are_claimed(store: Store) -> None:
    shown = [row.id for row in everything(store, ("queued",), "b")][:20]
    claimed = [store.write(lambda db: queue.claim(db, "b", "w", 0.0)).result() for _ in range(20)]
    assert shown == [row and row.id for row in claimed]


def test_the_counts_are_those_of_the_rows_and_known_to_be_old_after_a_change(store: Store) -> None:
    known, version = pages.counts(store.reader), pages.version(store.reader)
    assert sum(sum(of.values()) for of in known.values()) == 2500
    assert pages.version(store.reader) == version
    store.write(lambda db: queue.change(db, "cancel", [8], None)).result()
    assert pages.version(store.reader) != version


def test_a_page_beyond_the_end_is_empty_and_one_at_the_end_is_short(store: Store) -> None:
    known = pages.counts(store.reader)
    assert pages.page(store.reader, known, pages.ORDER, None, 2500, 50) == []
    assert len(pages.page(store.reader, known, pages.ORDER, None, 2490, 50)) == 10
    assert pages.page(store.reader, known, pages.ORDER, "nobody", 0, 50) == []


def test_whose_they_are(store: Store) -> None:
    assert pages.patients(store.reader, [EXAM, EXAM, "none"]) == {
        EXAM: {"id": "T1", "name": "Test^Eins", "emergency": None}
    }


@pytest.mark.parametrize(
    ("action", "touched"),
    [
        ("retry", {"blocked", "waiting"}),
        ("cancel", {"queued", "waiting", "blocked", "held", "preparing"}),
        ("prioritise", {"queued", "waiting", "blocked", "held", "preparing"}),
        ("pause", {"queued", "waiting", "blocked", "held", "preparing"}),
    ],
)
def test_chunk_by_chunk_every_row_is_changed_once_with_its_history(
    store: Store, action: str, touched: set[str]
) -> None:
    wanted = {row.id for row in queries.deliveries(store.reader, limit=9999) if row.state in touched}
    changed: list[int] = []
    after, chunks, top = 0, 0, queue.top_priority(store.reader)
    while ids := pages.open_ids(store.reader, None, after, 300):
        job = partial(queue.change, action=action, ids=ids, destination=None, top=top)
        changed += store.write(job).result()
        after, chunks = ids[-1], chunks + 1
    assert chunks > 2
    assert len(changed) == len(set(changed))
    assert set(changed) == wanted
    row = queries.delivery(store.reader, changed[0])
    assert row is not None
    history = queries.history(store.reader, changed[0])
    if action == "retry":
        assert (row.state, row.attempts, row.next_at) == ("queued", 0, None)
        assert [(item.new, item.reason) for item in history] == [("queued", queue.RETRIED)]
    elif action == "cancel":
        assert (row.state, row.code) == ("cancelled", "cancelled")
        assert [(item.new, item.reason) for item in history] == [("cancelled", queue.CANCELLED)]
    else:
        assert (row.priority, row.paused) == ((6, False) if action == "prioritise" else (row.priority, True))
        assert history == [], "no state has changed"


def test_the_pages_are_read_along_an_index(store: Store) -> None:
    reader: Any = store.reader
    for where, order in (("state = 'queued'", "priority DESC, id"), ("state = 'stored'", "id DESC")):
        for more in ("", " AND destination = 'b'"):
            sql = (
                f"EXPLAIN QUERY PLAN SELECT id FROM delivery WHERE {where}{more} ORDER BY {order} LIMIT 50 OFFSET 9"
            )
            plan = json.dumps([row[3] for row in reader.execute_sql(sql).fetchall()])
            assert "COVERING INDEX" in plan, plan
            assert "TEMP B-TREE" not in plan, plan
