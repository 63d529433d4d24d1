"""The delivery queue: claim, lease, finish. Every function runs inside a write job and takes its database.

A row changes state only through `move`, which holds the pair against the table and keeps reason and time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from smartbox_tui.model import delivery as states
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.store import hooks
from smartbox_tui.store.queries import next_to_prepare
from smartbox_tui.store.tables import Delivery, PausedDestination

LEASE_S: Final = 120.0
"""A worker renews at every progress report; a lease that ran out means the worker is gone."""
_TOLD: Final = frozenset({State.STORED, State.COMMITTED, State.BLOCKED})
"""States that hooks are told of, in the transaction that makes them."""


def now_text() -> str:
    return datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")


def enqueue(
    database: Any,
    *,
    instance: str,
    sop_uid: str,
    exam: str,
    destination: str,
    kind: str,
    bytes_: int,
    state: State,
    reason: str,
    code: str = "",
    priority: int = 0,
    uncertain: bool = False,
    variant: str = "",
    prepare: str = "",
) -> bool:
    """Makes the delivery; False when this rendition has one for this destination already (nothing changes)."""
    at = now_text()
    row = {
        "instance": instance, "sop_uid": sop_uid, "exam": exam, "destination": destination, "kind": kind,
        "state": state.value, "reason": reason, "code": code, "attempts": 0, "failures": 0, "bytes": bytes_,
        "bytes_sent": bytes_ if state in states.PROMISED else 0,
        "worker": "", "priority": priority, "paused": False, "uncertain": uncertain, "created_at": at,
        "changed_at": at, "variant": variant, "prepare": prepare,
    }  # fmt: skip
    query = Delivery.insert(row).on_conflict_ignore()
    if not query.as_rowcount().execute(database):
        return False
    made = Delivery.select(Delivery.id).where((Delivery.sop_uid == sop_uid) & (Delivery.destination == destination))
    (identity,) = made.tuples().execute(database)[0]
    _remember(database, identity, "", state, reason, code, at)
    if state is State.BLOCKED:
        hooks.of_delivery(database, state.value, {**row, "id": identity}, at, clock())
    return True


def follow(database: Any, row: Any, values: dict[str, Any]) -> Any | None:
    """Makes the delivery (keywords of `enqueue`) that comes after `row`, of its exam, in its place in the queue and
    paused when it is. Returns it; None when it is there already."""
    if not enqueue(database, **{**values, "exam": row.exam, "priority": row.priority}):
        return None
    where = "sop_uid = ? AND destination = ?"
    sql = f"UPDATE delivery SET paused = ? WHERE {where} RETURNING *"
    return _row(database, sql, row.paused, values["sop_uid"], values["destination"])


def _remember(database: Any, identity: int, old: str, new: State, reason: str, code: str, at: str) -> None:
    database.execute_sql(
        "INSERT INTO delivery_change (delivery, at, old, new, reason, code) VALUES (?, ?, ?, ?, ?, ?)",
        (identity, at, old, new.value, reason, code),
    )


def move(database: Any, identity: int, new: State, reason: str, code: str = "", **changes: Any) -> Any | None:
    """Moves a row to a state; returns the row after it, None when it is gone. Raises IllegalTransition.

    Written as SQL, like `claim`: a delivery passes here three times, and building the same statements anew
    by the object mapper took more time than sending a still.
    """
    found = database.execute_sql("SELECT state FROM delivery WHERE id = ?", (identity,)).fetchone()
    if found is None:
        return None
    states.check(State(found[0]), new)
    at = now_text()
    values: dict[str, Any] = {"state": new.value, "reason": reason, "code": code, "changed_at": at}
    if new is not State.SENDING:
        values |= {"lease_until": None, "worker": ""}
    if new is not State.WAITING:
        values["next_at"] = None
    values |= changes
    columns = ", ".join(f"{name} = ?" for name in values)
    row = _row(database, f"UPDATE delivery SET {columns} WHERE id = ? RETURNING *", *values.values(), identity)
    _remember(database, identity, found[0], new, reason, code, at)
    if row is not None and new in _TOLD:
        hooks.of_delivery(database, new.value, row.__data__, at, clock())
    if row is not None and new in (State.STORED, State.CANCELLED):
        hooks.watch_exam(database, row.exam)
    return row


def _row(database: Any, sql: str, *parameters: Any) -> Any | None:
    """The one row that a statement with RETURNING gives, as a Delivery."""
    rows = list(Delivery.raw(sql, *parameters).execute(database))
    return rows[0] if rows else None


def get(database: Any, identity: int) -> Any | None:
    rows = Delivery.select().where(Delivery.id == identity).execute(database)
    return next(iter(rows), None)


_SENDABLE: Final = (
    "destination = ? AND state = 'queued' AND paused = 0 AND prepare = ''"  # as the index delivery_claim has it
    " AND exam NOT IN (SELECT exam FROM reconciling)"
)
_FIRST: Final = "ORDER BY priority DESC, id LIMIT 1"


def next_queued(database: Any, destination: str, without: Sequence[int] = (), *, after: int = 0) -> Any | None:
    """The row that `claim` would take now, but for those that other workers are busy with, and with `after` of them
    before it; for the reader, too."""
    where = f"{_SENDABLE} AND id NOT IN ({', '.join('?' * len(without))})" if without else _SENDABLE
    return _row(database, f"SELECT * FROM delivery WHERE {where} {_FIRST} OFFSET ?", destination, *without, after)


def claim(
    database: Any, destination: str, worker: str, now: float, lease_s: float = LEASE_S, *, only: Any | None = None
) -> Any | None:
    """Takes the next queued row of this destination: highest priority, then oldest. None: nothing to do.

    `only`: this row (of `next_queued`), if it still may be sent and still is the same rendition.
    """
    where, values = _SENDABLE, [destination]
    if only is not None:
        where += " AND id = ? AND sop_uid = ? AND variant = ?"
        values += [only.id, only.sop_uid, only.variant]
    row = _row(
        database,
        "UPDATE delivery SET state = 'sending', reason = '', code = '', changed_at = ?, worker = ?,"
        " lease_until = ?, bytes_sent = 0, next_at = NULL"
        f" WHERE id = (SELECT id FROM delivery WHERE {where} {_FIRST}) RETURNING *",
        at := now_text(),
        worker,
        now + lease_s,
        *values,
    )
    if row is not None:
        states.check(State.QUEUED, State.SENDING)
        _remember(database, row.id, State.QUEUED.value, State.SENDING, "", "", at)
    return row


def claim_preparing(
    database: Any, worker: str, now: float, reason: Callable[[str, str], str], *, slow: bool
) -> Any | None:
    """Takes `queries.next_to_prepare`; `reason` says it in words, from its variant and what it needs. None: nothing
    to do."""
    row = next_to_prepare(database, slow=slow)
    if row is None:
        return None
    why = reason(row.variant, row.prepare)
    moved = move(database, row.id, State.PREPARING, why)
    Delivery.update(worker=worker, lease_until=now + LEASE_S).where(Delivery.id == row.id).execute(database)
    if moved is not None:
        moved.worker = worker
    return moved


def need(
    database: Any, row: Any, prepare: str, reason: str, *, variant: str | None = None, sop_uid: str | None = None
) -> Any | None:
    """A queued row that was never sent waits for what must be made first, perhaps as another rendition under that
    one's UID. None: it has changed meanwhile, or the destination has a row of that UID."""
    variant, sop_uid = (row.variant, row.sop_uid) if variant is None else (variant, sop_uid or row.sop_uid)
    taken = "SELECT 1 FROM delivery WHERE sop_uid = ? AND destination = ? AND id != ?"
    if database.execute_sql(taken, (sop_uid, row.destination, row.id)).fetchone() is not None:
        return None
    at = now_text()
    changed = _row(
        database,
        "UPDATE delivery SET prepare = ?, reason = ?, code = '', changed_at = ?, variant = ?, sop_uid = ?"
        " WHERE id = ? AND state = 'queued' AND sop_uid = ? AND variant = ? RETURNING *",
        prepare, reason, at, variant, sop_uid, row.id, row.sop_uid, row.variant,
    )  # fmt: skip
    if changed is not None:
        _remember(database, row.id, State.QUEUED.value, State.QUEUED, reason, "", at)
    return changed


def made(database: Any, row: Any, bytes_: int) -> Any | None:
    """What the row needed is there, of this size; one that was being prepared is queued. Returns the row; None when
    it has become another rendition, or another need, meanwhile."""
    changed = _row(
        database,
        "UPDATE delivery SET prepare = '', bytes = ? WHERE id = ? AND variant = ? AND prepare = ? RETURNING *",
        bytes_, row.id, row.variant, row.prepare,
    )  # fmt: skip
    if changed is not None and changed.state == State.PREPARING.value:
        return move(database, row.id, State.QUEUED, "")
    return changed


def give_back(database: Any, worker: str, reason: str) -> list[int]:
    """Queues what this worker was preparing."""
    return _move_all(database, State.PREPARING, State.QUEUED, "worker = ?", (worker,), reason=reason)


def renew(database: Any, identity: int, worker: str, bytes_sent: int, now: float) -> bool:
    """Keeps the lease alive and notes the progress; False when the row is no longer this worker's."""
    query = Delivery.update(lease_until=now + LEASE_S, bytes_sent=bytes_sent).where(
        (Delivery.id == identity) & (Delivery.worker == worker) & (Delivery.state == State.SENDING.value)
    )
    return bool(query.execute(database))


def recover(database: Any, reason: str, *, before: float | None = None) -> list[int]:
    """Returns to the queue what was in flight: everything at a start, later what has a lease that ran out.

    The rows are uncertain from then on: the object may have arrived whole just before.
    """
    where = Delivery.state == State.SENDING.value
    if before is not None:
        where &= Delivery.lease_until < before
    found = [row[0] for row in Delivery.select(Delivery.id).where(where).tuples().execute(database)]
    for identity in found:
        move(database, identity, State.QUEUED, reason, uncertain=True)
    preparing = Delivery.select(Delivery.id).where(Delivery.state == State.PREPARING.value)
    if before is None:
        for (identity,) in list(preparing.tuples().execute(database)):
            move(database, identity, State.QUEUED, reason)
            found.append(identity)
    return found


def wake(database: Any, now: float, longest_s: float = 86400.0) -> list[int]:
    """Queues the rows that wait for a time which has come, but not those that wait for their destination.

    A time further away than `longest_s` is a clock that was set back: it counts as come.
    """
    return _move_all(
        database,
        State.WAITING,
        State.QUEUED,
        "failures = 0 AND (next_at IS NULL OR next_at <= ? OR next_at > ?)",
        (now, now + longest_s),
    )


def destination_away(database: Any, destination: str, reason: str, code: str, next_at: float) -> list[int]:
    """Everything queued for a destination that cannot be reached waits, and says why; what waits already is put
    off to the next probe. What must be made first is made meanwhile. Returns the rows that were queued."""
    database.execute_sql(
        "UPDATE delivery SET next_at = ? WHERE destination = ? AND state = 'waiting' AND failures > 0",
        (next_at, destination),
    )
    return _move_all(
        database, State.QUEUED, State.WAITING, "destination = ? AND NOT paused", (destination,),
        reason=reason, code=code, next_at=next_at, failures=1,
    )  # fmt: skip


def destination_back(database: Any, destination: str) -> list[int]:
    """Everything that waits for the network of this destination is queued again; returns it."""
    return _move_all(
        database, State.WAITING, State.QUEUED, "destination = ? AND failures > 0", (destination,), next_at=None
    )


def _move_all(
    database: Any,
    old: State,
    new: State,
    where: str,
    parameters: tuple[Any, ...],
    *,
    reason: str = "",
    code: str = "",
    **changes: Any,
) -> list[int]:
    """`move` for many rows in two statements, whatever their number."""
    states.check(old, new)
    at = now_text()
    found = f"state = '{old.value}' AND {where}"
    database.execute_sql(
        "INSERT INTO delivery_change (delivery, at, old, new, reason, code)"
        f" SELECT id, ?, ?, ?, ?, ? FROM delivery WHERE {found}",
        (at, old.value, new.value, reason, code, *parameters),
    )
    values = {"state": new.value, "reason": reason, "code": code, "changed_at": at, **changes}
    columns = ", ".join(f"{name} = ?" for name in values)
    rows = database.execute_sql(
        f"UPDATE delivery SET {columns} WHERE {found} RETURNING id", (*values.values(), *parameters)
    )
    changed = [row[0] for row in rows.fetchall()]
    if new is State.CANCELLED:
        hooks.watch_exams_of(database, changed)
    return changed


def release(database: Any, exam: str, destinations: Iterable[str]) -> list[int]:
    """Queues the held rows of an exam for these destinations; returns them."""
    names = list(destinations)
    marks = ", ".join("?" for _ in names)
    where = f"exam = ? AND destination IN ({marks})"
    return _move_all(database, State.HELD, State.QUEUED, where, (exam, *names))


ACTIONS: Final = ("retry", "cancel", "prioritise", "pause", "resume")
RETRIED: Final = "retried by hand"
CANCELLED: Final = "cancelled by hand"


def change(
    database: Any, action: str, ids: list[int] | None, destination: str | None, *, top: int | None = None
) -> list[int]:
    """retry, cancel, prioritise, pause, resume of rows; None for both: all rows. Returns those it changed.

    Rows whose state does not allow the action are passed over: `--all` must not fail on the first stored one.
    A few statements whatever their number: the caller makes the chunks. `top`: the priority to go before, where
    several chunks are to go to the front together.
    """
    where, values = "1", []
    if ids is not None:
        where, values = "id IN (SELECT value FROM json_each(?))", [json.dumps(ids)]
    if destination is not None:
        where, values = f"{where} AND destination = ?", [*values, destination]
    over: dict[str, Any] = {"next_at": None, "lease_until": None, "worker": ""}
    changed: list[int] = []
    if action == "retry":
        for state in (State.BLOCKED, State.WAITING):
            changed += _move_all(
                database, state, State.QUEUED, where, tuple(values), reason=RETRIED, attempts=0, failures=0,
                promise_failures=0, **over,
            )  # fmt: skip
    elif action == "cancel":
        for state in sorted(states.OPEN - {State.SENDING}):
            changed += _move_all(
                database, state, State.CANCELLED, where, tuple(values), reason=CANCELLED, code="cancelled", **over
            )
    elif action == "prioritise":
        before = top_priority(database) if top is None else top
        changed = _set(database, "priority = ?", before + 1, where, values)
    else:
        pause = action == "pause"
        changed = _set(database, "paused = ?", pause, f"{where} AND paused = {int(not pause)}", values)
    return sorted(changed)


def top_priority(database: Any) -> int:
    """The highest of what is queued."""
    return int(database.execute_sql("SELECT MAX(priority) FROM delivery WHERE state = 'queued'").fetchone()[0] or 0)


def _set(database: Any, what: str, value: Any, where: str, values: list[Any]) -> list[int]:
    marks = ", ".join(f"'{state.value}'" for state in states.OPEN)
    sql = f"UPDATE delivery SET {what} WHERE {where} AND state IN ({marks}) RETURNING id"
    return [row[0] for row in database.execute_sql(sql, (value, *values)).fetchall()]


def pause_destination(database: Any, name: str, paused: bool) -> None:
    if paused:
        PausedDestination.insert(name=name).on_conflict_ignore().execute(database)
    else:
        PausedDestination.delete().where(PausedDestination.name == name).execute(database)


def pause_exam(database: Any, exam: str, *, paused: bool) -> list[int]:
    """Pauses, or lets go on, all open rows of an exam in one statement; returns those that changed."""
    marks = ", ".join(f"'{state.value}'" for state in states.OPEN)
    rows = database.execute_sql(
        f"UPDATE delivery SET paused = ? WHERE exam = ? AND paused = ? AND state IN ({marks}) RETURNING id",
        (paused, exam, not paused),
    )
    return [row[0] for row in rows.fetchall()]


def clock() -> float:
    """Seconds since the epoch: pauses outlive a restart, so they cannot be monotonic. See store.stepped."""
    return time.time()


def ticks() -> float:
    """Seconds of CLOCK_MONOTONIC, for leases: they end with the engine, and a clock that is set must neither end
    one nor keep it for ever."""
    return time.monotonic()
