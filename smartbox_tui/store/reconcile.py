"""Reassigning in the tables: who was seen outside, and the one transaction that makes the spool's word the rows'.

Every writing function runs inside a write job and takes its database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.model.variant import Variant, sop_uid_of
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


@dataclass(frozen=True, slots=True)
class Seen:
    """One rendition that a destination saw, or may have: the picture's row, and what was sent of it."""

    instance: Any
    variant: Variant
    sop_uid: str


def seen_outside(database: Any, folder: str) -> dict[str, list[Seen]]:
    """By destination: the renditions, under UIDs still in use, of pictures in this folder that ever entered
    `sending`, or may have (what was adopted again after the database was lost). A cancelled try counts: it
    entered."""
    sql = (
        "SELECT DISTINCT d.destination, d.sop_uid, d.variant, i.id FROM delivery d"
        " JOIN instance i ON i.id = d.instance WHERE i.folder = ? AND i.kind != ? AND (d.uncertain"
        " OR d.attempts > 0 OR d.state IN ('sending', 'stored', 'committed')"
        " OR EXISTS (SELECT 1 FROM delivery_change c WHERE c.delivery = d.id AND c.new = 'sending'))"
    )
    rows = {row.id: row for row in Instance.select().where(Instance.folder == folder).execute(database)}
    found: dict[str, list[Seen]] = {}
    for destination, uid, text, identity in database.execute_sql(sql, (folder, NOTE)).fetchall():
        seen = Seen(rows[identity], Variant.parse(text), uid)
        if uid == sop_uid_of(seen.instance.sop_uid, seen.variant):
            found.setdefault(destination, []).append(seen)
    return found


@dataclass(frozen=True, slots=True)
class Birth:
    """How a picture's delivery to one destination begins for the reassigned exam: state, reason and its code, and
    what the destination gets (`variant`, `prepare` as in the row). `fits`: its route wants the picture; else it
    gets it only where it has, or was to have, what this corrects."""

    destination: str
    state: State
    reason: str
    code: str
    variant: str = ""
    prepare: str = ""
    fits: bool = True


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
    births: tuple[Birth, ...]
    captured_at: str
    unsure: bool


def apply(database: Any, changes: Iterable[Change], priority: int, reason: str) -> list[int]:
    """Makes the rows say what the spool says; done twice it does nothing. Returns the deliveries that changed.

    A picture that got a new UID: its old rows, of all renditions, are superseded (those that are over stay as they
    are), new rows are born. A picture that kept its UID was never sent: its rows stay, each the rendition it is,
    and what was held or blocked begins anew.
    """
    changed: list[int] = []
    for item in changes:
        row = next(iter(Instance.select().where(Instance.id == item.id).execute(database)), None)
        if row is None:
            continue
        Instance.update(
            sop_uid=item.sop_uid, series_uid=item.series_uid, series_number=item.series_number,
            instance_number=item.instance_number, revision=item.revision, exam=item.exam,
            captured_at=item.captured_at, unsure=item.unsure,
        ).where(Instance.id == item.id).execute(database)  # fmt: skip
        standing: dict[str, Any] = {}
        had: set[str] = set()
        for old in list(Delivery.select().where(Delivery.instance == item.id).execute(database)):
            variant = Variant.parse(old.variant)
            if State(old.state) is not State.CANCELLED:
                had.add(old.destination)
            if old.sop_uid == sop_uid_of(item.sop_uid, variant):
                if not variant.document:
                    standing[old.destination] = old
            elif State(old.state) not in _OVER:
                queue.move(database, old.id, State.SUPERSEDED, reason, "reassigned", paused=False)
                changed.append(old.id)
        Delivery.update(exam=item.exam).where(Delivery.instance == item.id).execute(database)
        if row.discarded:
            continue
        for birth in item.births:
            if not birth.fits and birth.destination not in had:
                continue
            changed += _begin(database, row, item, birth, standing.get(birth.destination), priority)
    return changed


def _begin(database: Any, row: Any, item: Change, birth: Birth, standing: Any | None, priority: int) -> list[int]:
    """`standing`: the delivery that the destination has of the picture as it is called now, whichever rendition;
    it gets no second one."""
    if standing is None:
        uid = sop_uid_of(item.sop_uid, Variant.parse(birth.variant))
        queue.enqueue(
            database, instance=row.id, sop_uid=uid, exam=item.exam, destination=birth.destination, kind=row.kind,
            bytes_=row.bytes, state=birth.state, reason=birth.reason, code=birth.code, priority=priority,
            variant=birth.variant, prepare=birth.prepare,
        )  # fmt: skip
        where = (Delivery.sop_uid == uid) & (Delivery.destination == birth.destination)
        return [next(iter(Delivery.select().where(where).execute(database))).id]
    Delivery.update(priority=priority).where(Delivery.id == standing.id).execute(database)
    if birth.state is State.QUEUED and State(standing.state) in (State.HELD, State.BLOCKED):
        queue.move(database, standing.id, State.QUEUED, "", "", attempts=0, failures=0)
    return [standing.id]


def put_note(database: Any, values: dict[str, Any], destination: str, state: State, reason: str) -> bool:
    """A rejection note as an instance that is no picture, with its one delivery; False when it is there already."""
    Instance.insert(values).on_conflict_ignore().execute(database)
    return queue.enqueue(
        database, instance=values["id"], sop_uid=values["sop_uid"], exam=values["exam"], destination=destination,
        kind=NOTE, bytes_=values["bytes"], state=state, reason=reason, priority=1,
    )  # fmt: skip
