"""The outbox in a real SQLite file: what goes when, what a try leaves, what a hand changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.store import performed as outbox
from smartbox_tui.store import records
from smartbox_tui.store.database import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "smartbox.db")
    yield made
    made.close()


def put(store: Store, step: str, verb: str, peer: str = "mpps", **values: Any) -> bool:
    message = {"step": step, "exam": "e", "peer": peer, "verb": verb, "dataset": f'{{"{verb}": 1}}', **values}
    return store.write(lambda db: outbox.put(db, **message)).result()


def take(store: Store, peer: str = "mpps", now: float = 100.0) -> Any:
    def job(db: Any) -> Any:
        row = outbox.next_message(db, peer, now)
        if row is not None:
            outbox.begin_try(db, row.id)
        return row

    return store.write(job).result()


def end(store: Store, row: Any, state: str, reason: str = "", code: str = "", **values: Any) -> bool:
    return store.write(lambda db: outbox.end_try(db, row, state, reason, code, **values)).result()


def test_one_message_of_a_kind_for_each_step_and_server(store: Store) -> None:
    assert put(store, "s1", "create")
    assert not put(store, "s1", "create", dataset='{"other": 1}')
    assert put(store, "s1", "create", peer="b")
    assert [row.dataset for row in outbox.of_step(store.reader, "s1")] == ['{"create": 1}'] * 2


def test_the_end_goes_after_the_beginning_and_no_other_step_waits_for_it(store: Store) -> None:
    put(store, "s1", "create")
    put(store, "s1", "set")
    put(store, "s2", "create")
    first = take(store)
    assert (first.step, first.verb) == ("s1", "create")
    end(store, first, outbox.WAITING, "away", "no-route", next_at=200.0)
    second = take(store)
    assert (second.step, second.verb) == ("s2", "create")
    end(store, second, outbox.SENT)
    assert take(store) is None  # the end of s1 waits for its beginning
    assert take(store, now=200.0).verb == "create"


def test_another_server_has_its_own_order(store: Store) -> None:
    put(store, "s1", "create", peer="a")
    put(store, "s1", "create", peer="b")
    put(store, "s1", "set", peer="b")
    end(store, take(store, "b"), outbox.SENT)
    assert take(store, "b").verb == "set"
    assert take(store, "a").verb == "create"


def test_a_try_that_was_cut_off_is_known_as_perhaps_arrived(store: Store) -> None:
    put(store, "s1", "create")
    assert not take(store).uncertain  # as it was before the try
    assert outbox.of_step(store.reader, "s1")[0].uncertain  # we are killed here
    assert take(store).uncertain


def test_a_message_exchanged_while_it_was_sent_is_still_to_go(store: Store) -> None:
    put(store, "s1", "create")
    end(store, take(store), outbox.SENT)
    put(store, "s1", "set")
    row = take(store)
    store.write(lambda db: outbox.exchange(db, row.id, '{"new": 1}')).result()
    assert not end(store, row, outbox.SENT)
    again = take(store)
    assert (again.dataset, bool(again.uncertain)) == ('{"new": 1}', True)


def test_a_server_without_memory_gets_the_beginning_again(store: Store) -> None:
    put(store, "s1", "create")
    end(store, take(store), outbox.SENT)
    put(store, "s1", "set")
    row = take(store)
    assert store.write(lambda db: outbox.begin_again(db, "s1", "mpps")).result()
    end(store, row, outbox.WAITING, uncertain=False)
    assert take(store).verb == "create"


def test_the_network_is_back_for_what_waited_for_it(store: Store) -> None:
    put(store, "s1", "create")
    put(store, "s2", "create")
    end(store, take(store), outbox.WAITING, "away", "no-route", failures=1, next_at=900.0)
    end(store, take(store), outbox.WAITING, "later", "archive-refused", failures=0, next_at=900.0)
    store.write(lambda db: outbox.network_back(db, "mpps")).result()
    row = take(store)
    assert row.step == "s1"
    end(store, row, outbox.SENT)
    assert take(store) is None
    assert take(store, now=900.0).step == "s2"


def test_by_hand_a_blocked_message_is_tried_again_or_dropped_with_its_end(store: Store) -> None:
    put(store, "s1", "create")
    put(store, "s1", "set")
    end(store, take(store), outbox.BLOCKED, "refused", "archive-refused", attempts=5)
    assert outbox.counts(store.reader) == {("mpps", "blocked"): 1, ("mpps", "waiting"): 1}
    (create, _) = outbox.of_step(store.reader, "s1")
    assert store.write(lambda db: outbox.change(db, "retry", [create.id], None)).result() == 1
    assert take(store).attempts == 0
    assert store.write(lambda db: outbox.change(db, "cancel", [create.id], None)).result() == 2
    assert {row.state for row in outbox.of_step(store.reader, "s1")} == {"dropped"}
    assert store.write(lambda db: outbox.change(db, "cancel", None, None)).result() == 0


def test_what_could_not_be_made_is_never_sent(store: Store) -> None:
    put(store, "s1", "create", dataset=outbox.NOTHING, reason="no", code="invalid-object")
    assert take(store) is None
    assert store.write(lambda db: outbox.change(db, "retry", None, None)).result() == 0
    assert take(store) is None


def test_lists_name_state_server_and_exam(store: Store) -> None:
    for step in ("s1", "s2"):
        put(store, step, "create")
    end(store, take(store), outbox.SENT)
    assert [row.step for row in outbox.messages(store.reader)] == ["s1", "s2"]
    assert [row.step for row in outbox.messages(store.reader, state="sent")] == ["s1"]
    assert outbox.messages(store.reader, peer="b") == []
    assert outbox.verbs_of(store.reader, "s1") == {"create"}


def test_what_was_said_long_ago_is_forgotten_step_by_step(store: Store) -> None:
    for exam, state in (("closed", "closed"), ("open", "open")):
        file = ExamFile(exam, state, "2.25.1", "2026-11-20T10:00:00+01:00", "engine")
        revision = RevisionFile(1, {"id": "T1"}, "2026-11-20T10:00:00+01:00")
        store.write(lambda db, file=file, revision=revision: records.put_exam(db, file, revision)).result()  # type: ignore[misc]
    for step, exam in (("s1", "closed"), ("s2", "closed"), ("s3", "open")):
        put(store, step, "create", exam=exam)
        end(store, take(store), outbox.SENT)
    put(store, "s2", "set", exam="closed")  # its end is still to be said
    store.write(lambda db: outbox.forget(db, "2000-01-01")).result()
    assert len(outbox.messages(store.reader)) == 4
    store.write(lambda db: outbox.forget(db, "2999-01-01")).result()
    assert [(row.step, row.verb) for row in outbox.messages(store.reader)] == [
        ("s2", "create"), ("s3", "create"), ("s2", "set"),
    ]  # fmt: skip
