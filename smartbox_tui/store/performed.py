"""The outbox of performed procedure steps. Writing functions run inside a write job and take its database.

A message is waiting, sent, blocked (a server refused it) or dropped. The end of a step is not sent before its
beginning was; which try may have arrived is known even when the plug was pulled in it, because that is written
before the try.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from smartbox_tui.store.queue import now_text
from smartbox_tui.store.tables import PerformedMessage as Message

CREATE: Final = "create"
SET: Final = "set"
WAITING: Final = "waiting"
SENT: Final = "sent"
BLOCKED: Final = "blocked"
DROPPED: Final = "dropped"
STATES: Final = (WAITING, SENT, BLOCKED, DROPPED)
ACTIONS: Final = ("retry", "cancel")
NOTHING: Final = "{}"
"""The data set of a message that could not be made: it is never sent."""


def put(
    database: Any, *, step: str, exam: str, peer: str, verb: str, dataset: str, reason: str = "", code: str = "",
    uncertain: bool = False,
) -> bool:  # fmt: skip
    """A message to be sent, blocked from the start where there is a `code`; False when this step has that one for
    this server already (nothing changes)."""
    at = now_text()
    row = {
        "step": step, "exam": exam, "peer": peer, "verb": verb, "dataset": dataset,
        "state": BLOCKED if code else WAITING, "reason": reason, "code": code, "attempts": 0, "failures": 0,
        "uncertain": uncertain, "created_at": at, "changed_at": at,
    }  # fmt: skip
    return bool(Message.insert(row).on_conflict_ignore().as_rowcount().execute(database))


def next_message(database: Any, peer: str, now: float) -> Any | None:
    """The oldest that may go to this server at `now` (seconds since the epoch)."""
    sql = (
        "SELECT * FROM performed_message AS m WHERE peer = ? AND state = 'waiting'"
        " AND (next_at IS NULL OR next_at <= ?) AND dataset <> '{}'"
        " AND (verb = 'create' OR EXISTS (SELECT 1 FROM performed_message AS b"
        " WHERE b.step = m.step AND b.peer = m.peer AND b.verb = 'create' AND b.state = 'sent'))"
        " ORDER BY id LIMIT 1"
    )
    return next(iter(Message.raw(sql, peer, now).execute(database)), None)


def begin_try(database: Any, identity: int) -> Any | None:
    """Before a message leaves: from now on it may have arrived. The row, None when it is no longer to be sent."""
    changed = _update(database, identity, WAITING, uncertain=True)
    return message(database, identity) if changed else None


def end_try(database: Any, row: Any, state: str, reason: str, code: str, **changes: Any) -> bool:
    """What became of the try of `row`; False where the message was exchanged meanwhile: that one is still to go."""
    values = {"state": state, "reason": reason, "code": code, "changed_at": now_text(), **changes}
    query = Message.update(values).where(
        (Message.id == row.id) & (Message.state == WAITING) & (Message.dataset == row.dataset)
    )
    return bool(query.execute(database))


def _update(database: Any, identity: int, state: str, **values: Any) -> bool:
    query = Message.update(values).where((Message.id == identity) & (Message.state == state))
    return bool(query.execute(database))


def begin_again(database: Any, step: str, peer: str) -> bool:
    """The server does not know the step: its beginning is to be sent again before its end."""
    query = Message.update(
        state=WAITING, reason="the server has forgotten the step", code="", next_at=None, uncertain=False,
        changed_at=now_text(),
    ).where(
        (Message.step == step) & (Message.peer == peer) & (Message.verb == CREATE) & (Message.state == SENT)
    )  # fmt: skip
    return bool(query.execute(database))


def network_back(database: Any, peer: str) -> None:
    """The server answers: what waited for the network does so no longer."""
    query = Message.update(next_at=None, failures=0).where(
        (Message.peer == peer) & (Message.state == WAITING) & (Message.failures > 0)
    )
    query.execute(database)


def exchange(database: Any, identity: int, dataset: str) -> None:
    """Another content for a message that is not known to have arrived; it is to be sent."""
    values = {"dataset": dataset, "state": WAITING, "reason": "", "code": "", "attempts": 0, "next_at": None}
    Message.update({**values, "changed_at": now_text()}).where(Message.id == identity).execute(database)


def drop(database: Any, ids: Iterable[int], reason: str) -> None:
    values = {"state": DROPPED, "reason": reason, "code": "", "next_at": None, "changed_at": now_text()}
    Message.update(values).where(Message.id.in_(list(ids))).execute(database)


def forget(database: Any, before: str) -> None:
    """Steps of closed exams that were said completely before that time."""
    database.execute_sql(
        "DELETE FROM performed_message WHERE state IN ('sent', 'dropped') AND changed_at < ?"
        " AND step NOT IN (SELECT step FROM performed_message WHERE state IN ('waiting', 'blocked'))"
        " AND exam IN (SELECT id FROM exam WHERE state = 'closed')",
        (before,),
    )


def change(database: Any, action: str, ids: list[int] | None, peer: str | None) -> int:
    """`retry`: blocked and waiting messages are tried now. `cancel`: they are dropped, and the end of a step with
    its beginning. For these ids (None: all), of this server (None: all); how many changed."""
    states = [WAITING, BLOCKED]
    query = Message.select(Message.id, Message.step, Message.peer, Message.verb).where(Message.state.in_(states))
    if ids is not None:
        query = query.where(Message.id.in_(ids))
    if peer is not None:
        query = query.where(Message.peer == peer)
    found = list(query.tuples().execute(database))
    wanted = {row[0] for row in found}
    if action == "retry":
        values = {"state": WAITING, "next_at": None, "attempts": 0, "changed_at": now_text()}
        can = Message.id.in_(wanted) & (Message.dataset != NOTHING)
        return int(Message.update(values).where(can).execute(database))
    for _, step, server, verb in found:
        if verb == CREATE:
            wanted |= {row.id for row in of_step(database, step) if row.peer == server and row.state in states}
    drop(database, wanted, "cancelled by hand")
    return len(wanted)


# ---- reading


def message(database: Any, identity: int) -> Any | None:
    return next(iter(Message.select().where(Message.id == identity).execute(database)), None)


def of_step(database: Any, step: str) -> list[Any]:
    return list(Message.select().where(Message.step == step).order_by(Message.id).execute(database))


def verbs_of(database: Any, step: str) -> frozenset[str]:
    return frozenset(
        row[0] for row in Message.select(Message.verb).where(Message.step == step).tuples().execute(database)
    )


def messages(
    database: Any, *, state: str | None = None, peer: str | None = None, exam: str | None = None, limit: int = 1000
) -> list[Any]:
    """The newest so many, oldest of them first."""
    query = Message.select().order_by(Message.id.desc()).limit(limit)
    for column, value in ((Message.state, state), (Message.peer, peer), (Message.exam, exam)):
        if value:
            query = query.where(column == value)
    return list(query.execute(database))[::-1]


def counts(database: Any) -> dict[tuple[str, str], int]:
    """Open messages by (server, waiting | blocked)."""
    sql = "SELECT peer, state, count(*) FROM performed_message WHERE state IN ('waiting', 'blocked') GROUP BY 1, 2"
    return {(peer, state): count for peer, state, count in database.execute_sql(sql).fetchall()}


def exams_to_check(database: Any, since: str) -> list[tuple[str, str, int, int]]:
    """(id, state, parts, generation) of patients' exams that are not closed, or closed after `since`."""
    sql = (
        "SELECT id, state, parts, generation FROM exam WHERE patient_id <> ''"
        " AND (state <> 'closed' OR closed_at >= ?) ORDER BY opened_at"
    )
    return [tuple(row) for row in database.execute_sql(sql, (since,)).fetchall()]
