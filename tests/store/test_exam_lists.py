"""Lists of exams: those without a patient however many there are, and what became of each one's deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.store import queries, queue, records
from smartbox_tui.store.database import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "smartbox.db")
    yield made
    made.close()


def exam(store: Store, number: int, patient: str) -> str:
    identity = f"6a1f8d3e-0d6a-4a43-9f2e-{number:012d}"
    at = f"2026-11-20T10:{number % 60:02d}:00+01:00"
    file = ExamFile(identity, "closed", f"2.25.{number}", at, "engine")
    revision = RevisionFile(1, {"id": patient, "name": "Test^Eins"} if patient else {}, at)
    store.write(lambda db: records.put_exam(db, file, revision)).result()
    return identity


def test_an_exam_without_a_patient_is_found_behind_any_number_of_others(store: Store) -> None:
    forgotten = exam(store, 0, "")
    for number in range(1, 12):
        exam(store, number, f"T{number}")
    assert forgotten not in [row.id for row in queries.exams(store.reader, limit=5)]
    assert [row.id for row in queries.exams(store.reader, unassigned=True, limit=5)] == [forgotten]


def test_deliveries_are_counted_for_each_exam_without_notes(store: Store) -> None:
    one, other, none = exam(store, 1, "T1"), exam(store, 2, "T2"), exam(store, 3, "T3")

    def put(db: Any) -> None:
        rows = [(one, State.QUEUED, "still"), (one, State.QUEUED, "clip"), (one, State.BLOCKED, "still"),
                (one, State.QUEUED, "note"), (other, State.HELD, "still")]  # fmt: skip
        for number, (owner, state, kind) in enumerate(rows):
            records.put_instance(
                db,
                {
                    "id": f"i{number}", "sop_uid": f"2.25.7{number}", "exam": owner, "series_uid": "2.25.9",
                    "series_number": 1, "instance_number": number, "sop_class_uid": "x", "transfer_syntax_uid": "y",
                    "kind": kind, "source": "endo", "captured_at": f"2026-11-20T10:00:{number:02d}+01:00",
                    "frames": 1, "frames_lost": 0, "duration_s": None, "trigger_ns": 1, "frame_ns": 1,
                    "trigger_to_disk_ms": 1.0, "bytes": 10, "file": "f", "revision": 1, "discarded": False,
                },
            )  # fmt: skip
            queue.enqueue(
                db, instance=f"i{number}", sop_uid=f"2.25.7{number}", exam=owner, destination="a", kind=kind,
                bytes_=10, state=state, reason="", priority=0,
            )  # fmt: skip

    store.write(put).result()
    counts = queries.delivery_counts(store.reader, [one, other, none])
    assert counts == {one: {"queued": 2, "blocked": 1}, other: {"held": 1}}
    assert queries.delivery_counts(store.reader, []) == {}
