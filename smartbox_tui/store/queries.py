"""Reading, on the read-only connection. Pages by keyset; nothing here changes anything."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from peewee import Case, fn

from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.model.variant import MARKS
from smartbox_tui.store.tables import Delivery, DeliveryChange, Exam, Instance, PausedDestination

NOTE = "note"
"""`kind` of a rejection note: an instance that is no picture."""
_NO_PICTURES = (NOTE, MARKS)
"""`kind` of deliveries that are none of a picture."""
_MOMENT = fn.julianday(Instance.captured_at)
_TAKEN = (
    Instance.boot,
    Case(Instance.boot, ((0, _MOMENT),)),
    Instance.trigger_ns,
    Instance.frame_ns,
    Instance.instance_number,
)
"""`model.instance.taken_order` in SQL."""
OPEN_STATES = [State.HELD, State.QUEUED, State.PREPARING, State.SENDING, State.WAITING, State.BLOCKED]


def exam(database: Any, identity: str) -> Any | None:
    return next(iter(Exam.select().where(Exam.id == identity).execute(database)), None)


def exam_by_close(database: Any, command: str) -> Any | None:
    """The exam that this close command closed."""
    return next(iter(Exam.select().where(Exam.close_command == command).execute(database)), None)


def first_of_study(database: Any, study_uid: str) -> Any | None:
    """The oldest exam of a study: study date and time are its, in every later exam of the study, too."""
    query = Exam.select().where(Exam.study_uid == study_uid).order_by(Exam.opened_at).limit(1)
    return next(iter(query.execute(database)), None)


def of_study(database: Any, study_uid: str) -> list[str]:
    """The ids of all exams of a study, those whose pictures were moved into it, too; in no particular order."""
    return [row[0] for row in Exam.select(Exam.id).where(Exam.study_uid == study_uid).tuples().execute(database)]


def has_unsure(database: Any, exam_id: str) -> bool:
    """Whether a picture of the exam has its time from a clock not synchronised."""
    sql = "SELECT 1 FROM instance WHERE exam = ? AND unsure LIMIT 1"
    return database.execute_sql(sql, (exam_id,)).fetchone() is not None


def unsure_boots(database: Any, folder: str) -> frozenset[int]:
    """The numbers of the boots from which pictures in this folder have a time not yet sure."""
    query = Instance.select(Instance.boot).where((Instance.folder == folder) & Instance.unsure)
    return frozenset(row[0] for row in query.distinct().tuples().execute(database))


def exams_with_unsure_dates(database: Any) -> list[str]:
    """Exams, or folders of pictures, whose dates may still follow a clock that is known by now."""
    sql = (
        "SELECT id FROM exam WHERE dates = 'unsure'"
        " UNION SELECT id FROM exam WHERE dates != 'final' AND id IN (SELECT folder FROM instance WHERE unsure)"
    )
    return [row[0] for row in database.execute_sql(sql).fetchall()]


def exams(
    database: Any,
    *,
    date: str | None = None,
    states: Iterable[str] | None = None,
    unassigned: bool = False,
    limit: int = 500,
) -> list[Any]:
    """Newest first; `date` YYYY-MM-DD of the opening in the box's time zone; `unassigned`: without a patient."""
    query = Exam.select().order_by(Exam.opened_at.desc()).limit(limit)
    if date:
        query = query.where(Exam.opened_at.startswith(date))
    if states is not None:
        query = query.where(Exam.state.in_(list(states)))
    if unassigned:
        query = query.where(Exam.patient_id == "")
    return list(query.execute(database))


def delivery_counts(database: Any, exam_ids: list[str]) -> dict[str, dict[str, int]]:
    """How many deliveries of each exam stand in each state, pictures only; an exam without any is left out."""
    found: dict[str, dict[str, int]] = {}
    for at in range(0, len(exam_ids), 500):  # SQLite takes at most some thousand values in a statement
        query = (
            Delivery.select(Delivery.exam, Delivery.state, fn.COUNT(Delivery.id))
            .where(Delivery.exam.in_(exam_ids[at : at + 500]) & Delivery.kind.not_in(_NO_PICTURES))
            .group_by(Delivery.exam, Delivery.state)
            .tuples()
        )
        for exam_id, state, count in query.execute(database):
            found.setdefault(exam_id, {})[state] = count
    return found


def patient_ids_like(database: Any, prefix: str) -> frozenset[str]:
    """Patient IDs in use that begin so: an emergency's ID must be a new one."""
    query = Exam.select(Exam.patient_id).where(Exam.patient_id.startswith(prefix)).tuples()
    return frozenset(row[0] for row in query.execute(database))


def unassigned_exams(database: Any) -> int:
    """Exams with pictures that wait for a patient."""
    sql = (
        "SELECT COUNT(*) FROM exam e WHERE e.patient_id = '' AND EXISTS"
        " (SELECT 1 FROM instance i WHERE i.exam = e.id AND NOT i.discarded AND i.kind != ?)"
    )
    return int(database.execute_sql(sql, (NOTE,)).fetchone()[0])


def instance(database: Any, identity: str) -> Any | None:
    """By UUID or SOP Instance UID."""
    column = "sop_uid" if "." in identity else "id"
    return next(iter(Instance.raw(f"SELECT * FROM instance WHERE {column} = ?", identity).execute(database)), None)


def instances_of(database: Any, exam_id: str) -> list[Any]:
    """The exam's pictures, whichever folder they lie in, oldest first."""
    query = Instance.select().where((Instance.exam == exam_id) & (Instance.kind != NOTE)).order_by(*_TAKEN)
    return list(query.execute(database))


def instances_in(database: Any, folder: str) -> list[Any]:
    """What lies in one exam's folder, notes too."""
    return list(Instance.select().where(Instance.folder == folder).order_by(*_TAKEN).execute(database))


def instance_ids_in(database: Any, folder: str) -> frozenset[str]:
    query = Instance.select(Instance.id).where(Instance.folder == folder).tuples()
    return frozenset(row[0] for row in query.execute(database))


def instance_count(database: Any, exam_id: str) -> int:
    """Of pictures that are neither discarded nor a note."""
    return int(
        Instance.select(fn.COUNT(Instance.id))
        .where((Instance.exam == exam_id) & ~Instance.discarded & (Instance.kind != NOTE))
        .tuples()
        .execute(database)[0][0]
    )


def last_picture_at(database: Any, exam_id: str) -> str | None:
    pictures = (Instance.exam == exam_id) & (Instance.kind != NOTE)
    query = Instance.select(Instance.captured_at).where(pictures).order_by(*(item.desc() for item in _TAKEN))
    return next((row[0] for row in query.limit(1).tuples().execute(database)), None)


def delivery(database: Any, identity: int) -> Any | None:
    return next(iter(Delivery.select().where(Delivery.id == identity).execute(database)), None)


def deliveries(
    database: Any,
    *,
    state: str | None = None,
    destination: str | None = None,
    exam_id: str | None = None,
    instance_id: str | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[Any]:
    """In the order they were made, from the one after `after`."""
    query = Delivery.select().where(Delivery.id > after).order_by(Delivery.id).limit(limit)
    if state:
        query = query.where(Delivery.state == state)
    if destination:
        query = query.where(Delivery.destination == destination)
    if exam_id:
        query = query.where(Delivery.exam == exam_id)
    if instance_id:
        query = query.where(Delivery.instance == instance_id)
    return list(query.execute(database))


def deliveries_for_screen(database: Any, limit: int = 200) -> list[Any]:
    """The open ones first, oldest first, then the newest of the others."""
    open_ = [state.value for state in OPEN_STATES]
    rows = list(
        Delivery.select().where(Delivery.state.in_(open_)).order_by(Delivery.id).limit(limit).execute(database)
    )
    rest = limit - len(rows)
    if rest > 0:
        others = Delivery.select().where(Delivery.state.not_in(open_)).order_by(Delivery.id.desc()).limit(rest)
        rows += list(others.execute(database))
    return rows


def history(database: Any, identity: int) -> list[Any]:
    query = DeliveryChange.select().where(DeliveryChange.delivery == identity).order_by(DeliveryChange.id)
    return list(query.execute(database))


def counts(database: Any) -> dict[str, Any]:
    """CONTRACT's `queue`: a count per state (all states), `oldest_open_s` (None when nothing is open)."""
    result: dict[str, Any] = dict.fromkeys((state.value for state in State), 0)
    query = Delivery.select(Delivery.state, fn.COUNT(Delivery.id)).group_by(Delivery.state).tuples()
    for state, count in query.execute(database):
        result[state] = count
    first = Delivery.select(fn.MIN(Delivery.id)).where(Delivery.state.in_([state.value for state in OPEN_STATES]))
    oldest = first.tuples().execute(database)[0][0]
    result["oldest_open_s"] = None
    if oldest is not None:
        (made,) = Delivery.select(Delivery.created_at).where(Delivery.id == oldest).tuples().execute(database)[0]
        result["oldest_open_s"] = max(0.0, round(time.time() - datetime.fromisoformat(made).timestamp(), 1))
    return result


def open_by_destination(database: Any) -> dict[str, int]:
    query = (
        Delivery.select(Delivery.destination, fn.COUNT(Delivery.id))
        .where(Delivery.state.in_([state.value for state in OPEN_STATES]))
        .group_by(Delivery.destination)
        .tuples()
    )
    return dict(query.execute(database))


def paused_destinations(database: Any) -> frozenset[str]:
    return frozenset(row[0] for row in PausedDestination.select(PausedDestination.name).tuples().execute(database))


def kinds_of_destination(database: Any, destination: str) -> list[tuple[str, str, str, str]]:
    """(kind, SOP class, transfer syntax, variant) of what is open for this destination, the first two of the
    picture as captured: what to negotiate."""
    query = (
        Instance.select(Instance.kind, Instance.sop_class_uid, Instance.transfer_syntax_uid, Delivery.variant)
        .distinct()
        .join(Delivery, on=(Delivery.instance == Instance.id))
        .where((Delivery.destination == destination) & Delivery.state.in_([state.value for state in OPEN_STATES]))
        .limit(64)
        .tuples()
    )
    return [(row[0], row[1], row[2], row[3]) for row in query.execute(database)]


def instance_total(database: Any) -> int:
    return int(Instance.select(fn.COUNT(Instance.id)).tuples().execute(database)[0][0])


def has_queued(database: Any, destination: str) -> bool:
    sql = (
        "SELECT 1 FROM delivery WHERE destination = ? AND state = 'queued' AND NOT paused AND prepare = ''"
        " AND exam NOT IN (SELECT exam FROM reconciling) LIMIT 1"
    )
    return database.execute_sql(sql, (destination,)).fetchone() is not None


def has_open(database: Any, destination: str) -> bool:
    """Whether anything waits to be sent there."""
    sql = (
        "SELECT 1 FROM delivery WHERE destination = ? AND state IN ('queued', 'sending', 'waiting')"
        " AND NOT paused LIMIT 1"
    )
    return database.execute_sql(sql, (destination,)).fetchone() is not None


_TO_PREPARE = "state IN ('held', 'queued', 'preparing', 'waiting', 'blocked') AND prepare != ''"


def next_to_prepare(database: Any, *, slow: bool) -> Any | None:
    """The queued row that something must be made for first: highest priority, then oldest. `slow`: of those that
    are encoded anew, else of the others."""
    lane = "LIKE" if slow else "NOT LIKE"
    sql = (
        "SELECT * FROM delivery WHERE state = 'queued' AND prepare != '' AND NOT paused"
        f" AND variant {lane} '%codec=%' AND exam NOT IN (SELECT exam FROM reconciling)"
        " ORDER BY priority DESC, id LIMIT 1"
    )
    return next(iter(Delivery.raw(sql).execute(database)), None)


def to_prepare(database: Any, instance_id: str) -> list[Any]:
    """The picture's open deliveries that something must be made for."""
    sql = f"SELECT * FROM delivery WHERE instance = ? AND {_TO_PREPARE} ORDER BY id"
    return list(Delivery.raw(sql, instance_id).execute(database))


def moving_variants(database: Any, instance_id: str) -> list[str]:
    """The variants of the picture's deliveries that are on their way, or are next."""
    sql = (
        "SELECT DISTINCT variant FROM delivery WHERE instance = ?"
        " AND state IN ('queued', 'preparing', 'sending') AND NOT paused"
    )
    return [row[0] for row in database.execute_sql(sql, (instance_id,)).fetchall()]


def open_variants(database: Any, instance_id: str) -> list[str]:
    """The variants of the picture's open deliveries."""
    query = (
        Delivery.select(Delivery.variant)
        .distinct()
        .where((Delivery.instance == instance_id) & Delivery.state.in_([state.value for state in OPEN_STATES]))
        .tuples()
    )
    return [row[0] for row in query.execute(database)]
