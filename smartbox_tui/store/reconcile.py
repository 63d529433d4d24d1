"""Reassigning in the tables: who was seen outside, and the one transaction that makes the spool's word the rows'.

Every writing function runs inside a write job and takes its database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.store import queue
from smartbox_tui.store.queries import NOTE
from smartbox_tui.store.tables import Delivery, Instance, Reconciling

_OVER: Final = frozenset({State.CANCELLED, State.SUPERSEDED})


def block(database: Any, exams: Iterable[str]) -> None:
    """From now on nobody claims a delivery of these exams."""
    for exam in exams:
        Reconciling.insert(exam=exam).on_conflict_ignore().execute(database)


def unblock(database: Any, exams: Iterable[str]) -> None:
    Reconciling.delete().where(Reconciling.exam.in_(list(exams))).execute(database)


def blocked(database: Any) -> list[str]:
    """What a crash left blocked."""
    return [row[0] for row in Reconciling.select(Reconciling.exam).tuples().execute(database)]


def folders_of(database: Any, exam: str) -> list[str]:
    """The exam folders whose pictures belong to this exam, beside its own."""
    query = (
        Instance.select(Instance.folder)
        .distinct()
        .where((Instance.exam == exam) & (Instance.folder != exam))
        .tuples()
    )
    return sorted(row[0] for row in query.execute(database))


def sending(database: Any, exams: Iterable[str]) -> list[Any]:
    """Rows of these exams that are on their way."""
    query = Delivery.select().where((Delivery.state == State.SENDING.value) & Delivery.exam.in_(list(exams)))
    return list(query.execute(database))


def seen_outside(database: Any, folder: str) -> dict[str, frozenset[str]]:
    """By destination: the SOP Instance UIDs, still in use, of pictures in this folder that ever entered `sending`,
    or may have (what was adopted again after the database was lost). A cancelled try counts: it entered."""
    sql = (
        "SELECT DISTINCT d.destination, d.sop_uid FROM delivery d JOIN instance i ON i.id = d.instance"
        " AND i.sop_uid = d.sop_uid WHERE i.folder = ? AND i.kind != ? AND (d.uncertain OR d.attempts > 0"
        " OR d.state IN ('sending', 'stored', 'committed')"
        " OR EXISTS (SELECT 1 FROM delivery_change c WHERE c.delivery = d.id AND c.new = 'sending'))"
    )
    found: dict[str, set[str]] = {}
    for destination, uid in database.execute_sql(sql, (folder, NOTE)).fetchall():
        found.setdefault(destination, set()).add(uid)
    return {destination: frozenset(uids) for destination, uids in found.items()}


@dataclass(frozen=True, slots=True)
class Birth:
    """How a delivery to one destination begins for the reassigned exam: state, reason and its code."""

    destination: str
    state: State
    reason: str
    code: str


@dataclass(frozen=True, slots=True)
class Change:
    """What the newest revision of a folder makes of one picture's row."""

    id: str
    sop_uid: str
    series_uid: str
    series_number: int
    instance_number: int
    revision: int
    exam: str


def apply(
    database: Any, changes: Iterable[Change], births: Iterable[Birth], priority: int, reason: str
) -> list[int]:
    """Makes the rows say what the spool says; done twice it does nothing. Returns the deliveries that changed.

    A picture that got a new UID: its old rows are superseded (those that are over stay as they are), new rows are
    born. A picture that kept its UID was never sent: its rows stay, and what was held or blocked begins anew.
    """
    born = list(births)
    changed: list[int] = []
    for item in changes:
        row = next(iter(Instance.select().where(Instance.id == item.id).execute(database)), None)
        if row is None:
            continue
        Instance.update(
            sop_uid=item.sop_uid, series_uid=item.series_uid, series_number=item.series_number,
            instance_number=item.instance_number, revision=item.revision, exam=item.exam,
        ).where(Instance.id == item.id).execute(database)  # fmt: skip
        rows = list(Delivery.select().where(Delivery.instance == item.id).execute(database))
        for old in rows:
            if old.sop_uid != item.sop_uid and State(old.state) not in _OVER:
                queue.move(database, old.id, State.SUPERSEDED, reason, "reassigned", paused=False)
                changed.append(old.id)
        Delivery.update(exam=item.exam).where(Delivery.instance == item.id).execute(database)
        if row.discarded:
            continue
        for birth in born:
            changed += _begin(database, row, item, birth, priority)
    return changed


def _begin(database: Any, row: Any, item: Change, birth: Birth, priority: int) -> list[int]:
    made = queue.enqueue(
        database, instance=row.id, sop_uid=item.sop_uid, exam=item.exam, destination=birth.destination,
        kind=row.kind, bytes_=row.bytes, state=birth.state, reason=birth.reason, code=birth.code, priority=priority,
    )  # fmt: skip
    where = (Delivery.sop_uid == item.sop_uid) & (Delivery.destination == birth.destination)
    now = next(iter(Delivery.select().where(where).execute(database)))
    if not made:
        Delivery.update(priority=priority).where(where).execute(database)
        if birth.state is State.QUEUED and State(now.state) in (State.HELD, State.BLOCKED):
            queue.move(database, now.id, State.QUEUED, "", "", attempts=0, failures=0)
    return [now.id]


def put_note(database: Any, values: dict[str, Any], destination: str, state: State, reason: str) -> bool:
    """A rejection note as an instance that is no picture, with its one delivery; False when it is there already."""
    Instance.insert(values).on_conflict_ignore().execute(database)
    return queue.enqueue(
        database, instance=values["id"], sop_uid=values["sop_uid"], exam=values["exam"], destination=destination,
        kind=NOTE, bytes_=values["bytes"], state=state, reason=reason, priority=1,
    )  # fmt: skip
