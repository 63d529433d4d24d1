"""What archives were asked to keep, and what they answered. Writing functions run inside a write job and take its
database; whatever comes twice, late or about something else changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.store import queue
from smartbox_tui.store.queue import now_text
from smartbox_tui.store.tables import Commitment, CommitmentItem, Delivery

MADE, ASKED, ANSWERED, OVER = "made", "asked", "answered", "over"
OPEN_ITEM, KEPT, FAILED, VOID = "open", "kept", "failed", "void"
ASKED_FOR: Final = "asked"
NEVER: Final = "never"
"""`promise` of a delivery."""
_FAR_S: Final = 8 * 86400.0
"""A time further away is a clock that was set back: it counts as come."""

_UNASKED: Final = (
    "destination = ? AND state = 'stored' AND promise = ? AND (next_at IS NULL OR next_at <= ? OR next_at > ?)"
    " AND exam NOT IN (SELECT exam FROM reconciling)"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Of one delivery, why it is not kept. `then`: send (again) | ask (again, not before `next_at`) | never."""

    delivery: int
    then: str
    reason: str
    next_at: float | None = None


# ---- reading


def unasked(database: Any, destination: str, now: float, limit: int, promise: str = "") -> list[Any]:
    """What is stored there and nobody has asked about, oldest first; with another `promise` those that have it."""
    sql = f"SELECT * FROM delivery WHERE {_UNASKED} ORDER BY id LIMIT ?"
    return list(Delivery.raw(sql, destination, promise, now, now + _FAR_S, limit).execute(database))


def is_busy(database: Any, destination: str) -> bool:
    """Whether more is about to be stored there: then a question waits for it."""
    sql = "SELECT 1 FROM delivery WHERE destination = ? AND state IN ('queued', 'sending') AND NOT paused LIMIT 1"
    return database.execute_sql(sql, (destination,)).fetchone() is not None


def by_uid(database: Any, uid: str) -> Any | None:
    return next(iter(Commitment.select().where(Commitment.uid == uid).execute(database)), None)


def open_rows(database: Any, commitment: int) -> list[Any]:
    """The deliveries that a question is still about: stored, and under the UID that was asked about."""
    sql = (
        "SELECT d.* FROM commitment_item i JOIN delivery d ON d.id = i.delivery"
        " WHERE i.commitment = ? AND i.state = 'open' AND d.state = 'stored' AND d.sop_uid = i.sop_uid"
        " ORDER BY d.id"
    )
    return list(Delivery.raw(sql, commitment).execute(database))


def uids_of(database: Any, commitment: int) -> frozenset[str]:
    """All UIDs that were asked about."""
    query = CommitmentItem.select(CommitmentItem.sop_uid).where(CommitmentItem.commitment == commitment)
    return frozenset(row[0] for row in query.tuples().execute(database))


def asked_rows(database: Any) -> list[Any]:
    """Stored deliveries that an archive was asked about: a crash may have come between the ledger and the row."""
    sql = (
        "SELECT d.* FROM delivery d WHERE d.state = 'stored' AND EXISTS"
        " (SELECT 1 FROM commitment_item i WHERE i.delivery = d.id AND i.state = 'open') ORDER BY d.id"
    )
    return list(Delivery.raw(sql).execute(database))


@dataclass(frozen=True, slots=True)
class Waiting:
    """Of one destination: deliveries that it was asked about and has not answered, since when, those that it makes
    no promise for, and questions in a row that it let pass."""

    asked: int
    since: str
    never: int
    late: int


def waiting(database: Any, destination: str) -> Waiting:
    sql = (
        "SELECT sum(promise = 'asked'), min(CASE WHEN promise = 'asked' THEN promise_at END),"
        " sum(promise = 'never') FROM delivery WHERE destination = ? AND state = 'stored' AND promise != ''"
    )
    asked, since, never = database.execute_sql(sql, (destination,)).fetchone()
    sql = (
        "SELECT count(*) FROM commitment WHERE destination = ? AND state = 'over' AND reason = ?"
        " AND id > coalesce((SELECT max(id) FROM commitment WHERE destination = ? AND state = 'answered'), 0)"
    )
    (late,) = database.execute_sql(sql, (destination, LATE, destination)).fetchone()
    return Waiting(int(asked or 0), str(since or ""), int(never or 0), int(late))


# ---- asking


LATE: Final = "no answer in time"


def begin(database: Any, uid: str, destination: str, deliveries: Sequence[int], due_at: float) -> list[Any]:
    """Notes a question before it is asked; returns the deliveries that it is about: those that are still stored,
    and that nobody else has asked about."""
    rows = list(
        Delivery.raw(
            "SELECT * FROM delivery WHERE id IN (SELECT value FROM json_each(?)) AND destination = ?"
            " AND state = 'stored' AND promise = '' ORDER BY id",
            json.dumps(list(deliveries)), destination,
        ).execute(database)
    )  # fmt: skip
    if not rows:
        return []
    at = now_text()
    ids = json.dumps([row.id for row in rows])
    (before,) = database.execute_sql(
        "SELECT count(DISTINCT commitment) FROM commitment_item WHERE delivery IN (SELECT value FROM json_each(?))",
        (ids,),
    ).fetchone()
    values = {"uid": uid, "destination": destination, "state": MADE, "reason": "", "attempts": before,
              "asked_at": at, "due_at": due_at, "changed_at": at}  # fmt: skip
    identity = int(Commitment.insert(values).execute(database))
    for row in rows:
        CommitmentItem.insert(
            commitment=identity, delivery=row.id, sop_uid=row.sop_uid, state=OPEN_ITEM
        ).execute(database)  # fmt: skip
    database.execute_sql(
        "UPDATE delivery SET promise = 'asked', promise_at = ?, next_at = NULL"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (at, ids),
    )
    return [queue.get(database, row.id) for row in rows]


def asked(database: Any, uid: str, due_at: float) -> None:
    """The archive has taken the question."""
    Commitment.update(state=ASKED, due_at=due_at, changed_at=now_text()).where(
        (Commitment.uid == uid) & (Commitment.state == MADE)
    ).execute(database)


def withdraw(database: Any, uid: str, reason: str, *, refused: bool, next_at: float | None = None) -> list[int]:
    """The question was not taken, or perhaps not: what it was about is to be asked again, not before `next_at`.
    `refused`: no answer to it will come; else one that comes counts. Returns the deliveries."""
    found = by_uid(database, uid)
    if found is None or found.state not in (MADE, ASKED):
        return []
    return _over(database, [found.id], reason, refused=refused, next_at=next_at)


def expire(database: Any, destination: str, now: float) -> list[int]:
    """Questions that nobody answered in time. An answer that comes all the same counts. Returns the deliveries,
    which are to be asked again."""
    sql = "SELECT id FROM commitment WHERE destination = ? AND state IN ('made', 'asked') AND due_at <= ?"
    ids = [row[0] for row in database.execute_sql(sql, (destination, now)).fetchall()]
    return _over(database, ids, LATE, refused=False) if ids else []


def recover(database: Any) -> list[int]:
    """At the start: of a question that was only made nobody knows whether it was asked; as `expire`."""
    ids = [row[0] for row in database.execute_sql("SELECT id FROM commitment WHERE state = 'made'").fetchall()]
    return _over(database, ids, "the engine was restarted", refused=False) if ids else []


def _over(
    database: Any, ids: Sequence[int], reason: str, *, refused: bool, next_at: float | None = None
) -> list[int]:
    listed = json.dumps(list(ids))
    database.execute_sql(
        "UPDATE commitment SET state = 'over', reason = ?, changed_at = ?"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (reason, now_text(), listed),
    )
    rows = database.execute_sql(
        "UPDATE delivery SET promise = '', promise_at = '', next_at = ?"
        " WHERE state = 'stored' AND promise = 'asked' AND id IN"
        " (SELECT i.delivery FROM commitment_item i JOIN json_each(?) c ON c.value = i.commitment"
        " WHERE i.state = 'open' AND i.sop_uid = delivery.sop_uid) RETURNING id",
        (next_at, listed),
    )
    found = [row[0] for row in rows.fetchall()]
    if refused:
        database.execute_sql(
            "UPDATE commitment_item SET state = 'void' WHERE state = 'open'"
            " AND commitment IN (SELECT value FROM json_each(?))",
            (listed,),
        )
    return found


# ---- answers


def keep(database: Any, rows: Iterable[tuple[int, str]], detail: str = "") -> list[Any]:
    """(delivery, SOP Instance UID) that are kept: what is still stored under that UID is committed, everything else
    stays as it is. `detail` is said beside what was said when it was stored."""
    done = []
    for identity, uid in rows:
        row = queue.get(database, identity)
        if row is None or row.state != State.STORED.value or row.sop_uid != uid:
            continue
        reason = f"{row.reason}; {detail}" if row.reason and detail else row.reason or detail
        done.append(
            queue.move(
                database, identity, State.COMMITTED, reason, row.code,
                promise="", promise_at="", promise_failures=0,
            )
        )  # fmt: skip
        _items(database, identity, uid, KEPT)
    return done


def refuse(database: Any, uid: str, refusal: Refusal, attempts: int) -> list[Any]:
    """A delivery that is not kept, if it is still stored under that UID: it is sent again, asked about again, or
    never; after `attempts` times in a row it is blocked."""
    row = queue.get(database, refusal.delivery)
    if row is None or row.state != State.STORED.value or row.sop_uid != uid:
        return []
    _items(database, row.id, uid, FAILED)
    if refusal.then == "never":
        return [_stays(database, row, promise=NEVER, reason=refusal.reason)]
    failures = row.promise_failures + 1
    if refusal.then == "ask" and failures < attempts:
        return [_stays(database, row, promise_failures=failures, next_at=refusal.next_at)]
    # the archive had said that it has it: a duplicate is ours
    moved = queue.move(
        database, row.id, State.QUEUED, refusal.reason, "archive-refused",
        promise="", promise_at="", promise_failures=failures, attempts=0, failures=0, uncertain=True, bytes_sent=0,
    )  # fmt: skip
    if failures >= attempts:
        moved = queue.move(database, row.id, State.BLOCKED, refusal.reason, "archive-refused")
    return [moved]


def block(database: Any, identity: int, uid: str, reason: str, code: str) -> list[Any]:
    """What the archive gives back is not what it was sent: never sent again by itself, and never called stored."""
    row = queue.get(database, identity)
    if row is None or row.state != State.STORED.value or row.sop_uid != uid:
        return []
    _items(database, identity, uid, FAILED)
    queue.move(database, identity, State.QUEUED, reason, code, promise="", promise_at="", uncertain=True)
    return [queue.move(database, identity, State.BLOCKED, reason, code)]


def _stays(database: Any, row: Any, **changes: Any) -> Any:
    values = {"promise": "", "promise_at": "", **changes}
    Delivery.update(values).where(Delivery.id == row.id).execute(database)
    return queue.get(database, row.id)


def _items(database: Any, delivery: int, uid: str, state: str) -> None:
    """All questions about a delivery are answered by one answer; those that have nothing open are over."""
    CommitmentItem.update(state=state).where(
        (CommitmentItem.delivery == delivery)
        & (CommitmentItem.sop_uid == uid)
        & (CommitmentItem.state == OPEN_ITEM)
    ).execute(database)


def answered(database: Any, commitment: int) -> None:
    """The archive has answered a question; what it left out is asked again when its time has come."""
    database.execute_sql(
        "UPDATE commitment SET state = 'answered', changed_at = ? WHERE id = ? AND NOT EXISTS"
        " (SELECT 1 FROM commitment_item i JOIN delivery d ON d.id = i.delivery WHERE i.commitment = commitment.id"
        " AND i.state = 'open' AND d.state = 'stored' AND d.sop_uid = i.sop_uid)",
        (now_text(), commitment),
    )


def forgive(database: Any, destination: str) -> int:
    """The settings or somebody's word have changed: what the archive made no promise for is asked about again."""
    sql = (
        "UPDATE delivery SET promise = '', next_at = NULL WHERE destination = ? AND state = 'stored'"
        " AND promise = 'never'"
    )
    return int(database.execute_sql(sql, (destination,)).rowcount)


def forget(database: Any, before: str) -> int:
    """Questions that are over since before that time, RFC 3339."""
    where = "SELECT id FROM commitment WHERE state IN ('answered', 'over') AND changed_at < ?"
    database.execute_sql(f"DELETE FROM commitment_item WHERE commitment IN ({where})", (before,))
    sql = "DELETE FROM commitment WHERE state IN ('answered', 'over') AND changed_at < ?"
    return int(database.execute_sql(sql, (before,)).rowcount)
