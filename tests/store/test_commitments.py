"""Questions about commitment in the tables: whatever answers come, in any order, each promise counts once."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.store import commitments, queries, queue, records, stepped
from smartbox_tui.store.commitments import Refusal
from smartbox_tui.store.database import Store

AT = "2026-11-21T10:00:00+01:00"
ROWS = 3


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "box.db")
    yield made
    made.close()


def fill(store: Store, name: str = "archive") -> list[int]:
    """Stored deliveries of a new exam; returns their ids."""
    exam = f"exam-{time.monotonic_ns()}"

    def job(database: Any) -> list[int]:
        records.put_exam(
            database, ExamFile(exam, "closed", "1.2", AT, "engine", closed_at=AT), RevisionFile(1, {"id": "P"}, AT)
        )
        ids = []
        for number in range(ROWS):
            uid = f"2.25.{time.monotonic_ns()}"
            values: dict[str, Any] = {
                "id": f"{exam}-{number}", "sop_uid": uid, "exam": exam, "folder": exam, "series_uid": "1.3",
                "series_number": 1, "instance_number": number + 1, "sop_class_uid": "1.2.840.10008.5.1.4.1.1.7",
                "transfer_syntax_uid": "1.2.840.10008.1.2.4.50", "kind": "still", "source": "s",
                "captured_at": AT, "frames": 1, "frames_lost": 0, "duration_s": None, "trigger_ns": 0,
                "frame_ns": number, "trigger_to_disk_ms": None, "bytes": 1, "file": "x", "revision": 1,
                "discarded": False, "boot": 1, "unsure": False,
            }  # fmt: skip
            records.put_instance(database, values)
            queue.enqueue(
                database, instance=values["id"], sop_uid=uid, exam=exam, destination=name, kind="still", bytes_=1,
                state=State.QUEUED, reason="",
            )  # fmt: skip
        for _ in range(ROWS):
            row = found(queue.claim(database, name, "w", 0.0))
            queue.move(database, row.id, State.STORED, "", attempts=1)
            ids.append(row.id)
        return ids

    return store.write(job).result()


def found(row: Any | None) -> Any:
    assert row is not None
    return row


def states(store: Store, ids: list[int]) -> list[str]:
    return [found(queries.delivery(store.reader, identity)).state for identity in ids]


def ask(store: Store, uid: str, ids: list[int], due: float = 1e12) -> int:
    rows = store.write(lambda db: commitments.begin(db, uid, "archive", ids, due)).result()
    store.write(lambda db: commitments.asked(db, uid, due)).result()
    return len(rows)


def test_what_is_asked_is_not_asked_again_and_comes_back_when_its_time_is_over(store: Store) -> None:
    ids = fill(store)
    now = time.time()
    assert len(commitments.unasked(store.reader, "archive", now, 10)) == ROWS
    assert len(commitments.unasked(store.reader, "archive", now, 2)) == 2
    assert ask(store, "1", ids, now + 10) == ROWS
    assert commitments.unasked(store.reader, "archive", now, 10) == []
    assert ask(store, "2", ids) == 0  # nothing is left to ask
    assert commitments.waiting(store.reader, "archive").asked == ROWS
    assert store.write(lambda db: commitments.expire(db, "archive", now)).result() == []
    assert sorted(store.write(lambda db: commitments.expire(db, "archive", now + 11)).result()) == ids
    assert commitments.waiting(store.reader, "archive").late == 1
    assert ask(store, "3", ids) == ROWS
    question = found(commitments.by_uid(store.reader, "3"))
    assert question.attempts == 1
    late = found(commitments.by_uid(store.reader, "1"))  # its answer still counts
    assert [row.id for row in commitments.open_rows(store.reader, late.id)] == ids


def test_a_refused_question_has_no_answer_and_waits(store: Store) -> None:
    ids = fill(store)
    ask(store, "1", ids)
    now = time.time()
    store.write(lambda db: commitments.withdraw(db, "1", "no", refused=True, next_at=now + 60)).result()
    assert commitments.unasked(store.reader, "archive", now, 10) == []
    assert len(commitments.unasked(store.reader, "archive", now + 61, 10)) == ROWS
    assert commitments.open_rows(store.reader, found(commitments.by_uid(store.reader, "1")).id) == []
    # a clock that is set takes the pause along
    store.write(lambda db: stepped.follow(db, 3600.0, now + 3600, 1e9)).result()
    assert commitments.unasked(store.reader, "archive", now + 61, 10) == []
    assert len(commitments.unasked(store.reader, "archive", now + 3661, 10)) == ROWS


def test_a_question_whose_asking_a_crash_interrupted(store: Store) -> None:
    ids = fill(store)
    store.write(lambda db: commitments.begin(db, "1", "archive", ids, 1e12)).result()
    assert sorted(store.write(commitments.recover).result()) == ids
    assert commitments.waiting(store.reader, "archive").late == 0  # nobody's fault
    assert len(commitments.unasked(store.reader, "archive", time.time(), 10)) == ROWS
    assert len(commitments.open_rows(store.reader, found(commitments.by_uid(store.reader, "1")).id)) == ROWS


def test_what_is_superseded_or_reconciled_is_left_out(store: Store) -> None:
    ids = fill(store)
    store.write(lambda db: queue.move(db, ids[0], State.SUPERSEDED, "the exam was reassigned")).result()
    assert [row.id for row in commitments.unasked(store.reader, "archive", time.time(), 9)] == ids[1:]
    exam = found(queries.delivery(store.reader, ids[0])).exam
    store.write(lambda db: db.execute_sql("INSERT INTO reconciling (exam) VALUES (?)", (exam,))).result()
    assert commitments.unasked(store.reader, "archive", time.time(), 9) == []


def test_sent_again_so_often_and_no_more(store: Store) -> None:
    (first, *_) = fill(store)
    uid = found(queries.delivery(store.reader, first)).sop_uid

    def refuse(db: Any) -> Any:
        return commitments.refuse(db, uid, Refusal(first, "send", "gone (0112H)"), 3)

    def stored(db: Any) -> None:
        db.execute_sql("UPDATE delivery SET priority = 9 WHERE id = ?", (first,))
        row = found(queue.claim(db, "archive", "w", 0.0))
        queue.move(db, row.id, State.STORED, "")

    for turn in (1, 2):
        (row,) = store.write(refuse).result()
        assert (row.state, row.promise_failures, row.uncertain, row.attempts) == ("queued", turn, True, 0)
        assert store.write(refuse).result() == []  # twice is once
        store.write(stored).result()
    (row,) = store.write(refuse).result()
    assert (row.state, row.reason) == ("blocked", "gone (0112H)")
    store.write(lambda db: queue.change(db, "retry", [first], None)).result()
    store.write(stored).result()
    (row,) = store.write(refuse).result()
    assert (row.state, row.promise_failures) == ("queued", 1)  # a person has decided: it begins anew


def test_old_questions_are_forgotten_and_open_ones_are_not(store: Store) -> None:
    ids = fill(store)
    ask(store, "1", ids[:1])
    ask(store, "2", ids[1:])
    store.write(lambda db: commitments.keep(db, [(ids[0], found(queries.delivery(db, ids[0])).sop_uid)])).result()
    store.write(lambda db: commitments.answered(db, found(commitments.by_uid(db, "1")).id)).result()
    assert store.write(lambda db: commitments.forget(db, "2999")).result() == 1
    assert commitments.by_uid(store.reader, "1") is None
    assert commitments.by_uid(store.reader, "2") is not None


ANSWERS = st.lists(
    st.tuples(
        st.sampled_from(["keep", "send", "ask", "never", "expire", "ask-again", "withdraw"]),
        st.integers(0, ROWS - 1),
        st.integers(0, 3),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(ANSWERS)
def test_at_most_one_effective_transition(answers: list[tuple[str, int, int]]) -> None:
    """Each stored period of a row ends once; what is committed stays so; the history holds only legal pairs."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "box.db")
        try:
            _answered(store, answers)
        finally:
            store.close()


def _answered(store: Store, answers: list[tuple[str, int, int]]) -> None:
    ids = fill(store)
    uids = [found(queries.delivery(store.reader, identity)).sop_uid for identity in ids]
    asked = 0
    prefix = str(ids[0])
    for what, at, number in answers:
        if what == "ask-again":
            ask(store, f"{prefix}.{asked}", ids)
            asked += 1
        elif what == "expire":
            store.write(lambda db: commitments.expire(db, "archive", 2e12)).result()
        elif what == "withdraw":
            store.write(lambda db, n=number: commitments.withdraw(db, f"{prefix}.{n}", "", refused=False)).result()  # type: ignore[misc]
        elif what == "keep":
            before = states(store, ids)[at]
            done = store.write(lambda db, i=at: commitments.keep(db, [(ids[i], uids[i])])).result()  # type: ignore[misc]
            assert bool(done) is (before == "stored")
            assert store.write(lambda db, i=at: commitments.keep(db, [(ids[i], uids[i])])).result() == []  # type: ignore[misc]
        else:
            before = states(store, ids)[at]
            refusal = Refusal(ids[at], what, "no", None)
            done = store.write(lambda db, r=refusal, i=at: commitments.refuse(db, uids[i], r, 3)).result()  # type: ignore[misc]
            assert bool(done) is (before == "stored")
    for identity in ids:
        changes = [(item.old, item.new) for item in queries.history(store.reader, identity)]
        assert sum(new in ("committed", "queued") for old, new in changes if old == "stored") <= 1
        assert all(old != "committed" for old, _ in changes)
