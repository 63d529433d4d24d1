"""The outbox of the hooks: what happened and whom it is to be told. Writing functions run inside a write job, so an
event is born in the transaction of what it tells.

A hook's events go out in their order; each stays until it was taken, refused, given up, or is one of too many.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from smartbox_tui.model.delivery import OPEN
from smartbox_tui.model.hooks import EVENTS

MOST_ROWS: Final = 20_000
"""Events that wait for one hook; the oldest beyond are dropped, and counted."""

_STATUS: Final = re.compile(r"\((?:HTTP )?([0-9A-F]{4}H|\d{3})\b")
_ROW: Final = "id, event_id, event, at, data, known, attempts, failures, next_at"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One event for one hook. `known` is what only a hook that may know patients gets, over the body; `next_at`
    seconds since the epoch, None: now; `failures` of the way there, in a row, `attempts` answers that it failed."""

    id: int
    event_id: str
    event: str
    at: str
    data: dict[str, Any]
    known: dict[str, Any]
    attempts: int
    failures: int
    next_at: float | None


def configure(database: Any, wanted: Mapping[str, tuple[list[str], bool]]) -> None:
    """By hook: its events, and whether it may know patients. What waits for a hook that is no more is dropped."""
    database.execute_sql("DELETE FROM hook_want")
    for hook, (events, patient) in wanted.items():
        for event in events:
            database.execute_sql(
                "INSERT INTO hook_want (event, hook, patient) VALUES (?, ?, ?)", (event, hook, patient)
            )
    names = json.dumps(list(wanted))
    for table in ("hook_event", "hook_state"):
        database.execute_sql(f"DELETE FROM {table} WHERE hook NOT IN (SELECT value FROM json_each(?))", (names,))


def wanted(database: Any, event: str) -> list[tuple[str, bool]]:
    """(hook, may know patients) of those that are told of it."""
    return [tuple(row) for row in _rows(database, "SELECT hook, patient FROM hook_want WHERE event = ?", event)]


def tell(
    database: Any, event: str, data: Mapping[str, Any], at: str, born: float, *,
    known: Mapping[str, Any] | None = None, identity: str = "",
) -> int:  # fmt: skip
    """An event for all hooks that are for it; how many. `born` seconds since the epoch; `identity` its id where a
    repeat is to be known as one; `known` as in `Waiting`."""
    assert event in EVENTS, event
    hooks = wanted(database, event)
    identity = identity or str(uuid4())
    for hook, patient in hooks:
        _put(database, hook, identity, event, at, born, data, known if patient else None)
    return len(hooks)


def tell_one(database: Any, hook: str, event: str, data: Mapping[str, Any], at: str, born: float) -> None:
    """An event for one hook, whatever it is for."""
    _put(database, hook, str(uuid4()), event, at, born, data, None)


def _put(
    database: Any, hook: str, identity: str, event: str, at: str, born: float, data: Mapping[str, Any],
    known: Mapping[str, Any] | None,
) -> None:  # fmt: skip
    database.execute_sql(
        "INSERT INTO hook_event (hook, event_id, event, at, born, data, known, attempts, failures, next_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, NULL)",
        (hook, identity, event, at, born, _json(data), _json(known) if known else ""),
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# ---- what happens to exams, pictures and deliveries


def of_delivery(database: Any, state: str, row: Mapping[str, Any], at: str, born: float) -> None:
    """A delivery has become stored, committed or blocked; `row` its columns by name."""
    event = f"delivery.{state}"
    if not wanted(database, event):
        return
    study, known = _exam(database, row["exam"])
    reason = str(row["reason"])
    data = {
        "delivery": row["id"], "exam": row["exam"], "study_instance_uid": study,
        "sop_instance_uid": row["sop_uid"], "instance": row["instance"], "kind": row["kind"],
        "destination": row["destination"], "state": state, "code": row["code"],
        "reason": without_comment(reason) if row["code"] == "archive-refused" or state != "blocked" else reason,
        "attempts": row["attempts"], "bytes": row["bytes"],
    }  # fmt: skip
    tell(database, event, data, at, born, known={**known, "data": {"reason": reason}})


def without_comment(reason: str) -> str:
    """An archive's answer without what it wrote itself: nobody knows whether that names a patient."""
    status = _STATUS.search(reason)
    sentence = reason.partition(" (")[0]
    return f"{sentence} ({status[1]})" if status else sentence


def of_instance(database: Any, event: str, row: Mapping[str, Any], at: str, born: float) -> None:
    """A picture was captured or discarded; `row` its columns by name."""
    if not wanted(database, event):
        return
    study, known = _exam(database, row["exam"])
    names = {"series_instance_uid": "series_uid", "sop_instance_uid": "sop_uid"}
    keys = [key for key in EVENTS[event].data if key not in ("exam", "study_instance_uid")]
    data = {"exam": row["exam"], "study_instance_uid": study, **{key: row[names.get(key, key)] for key in keys}}
    tell(database, event, data, at, born, known=known)


def of_exam(database: Any, event: str, row: Mapping[str, Any], at: str, born: float, **more: Any) -> None:
    """`row`: the exam's columns as they are from now on."""
    tell(database, event, {**_exam_data(row), **more}, at, born, known=_known(row["patient"], row["accession"]))


def exam_before(database: Any, exam: str) -> tuple[str, str, int, str | None] | None:
    """(state, patient's ID, generation, merged into) of an exam before its row is replaced."""
    sql = "SELECT state, patient_id, generation, merged_into FROM exam WHERE id = ?"
    return next((tuple(row) for row in _rows(database, sql, exam)), None)


def exam_put(
    database: Any, before: tuple[str, str, int, str | None] | None, row: Mapping[str, Any], at: str, born: float, *,
    redated: bool,
) -> None:  # fmt: skip
    """What an exam's row says that it did not say `before`; nothing of a closed one that was not there: that is
    an old one, found again. `redated`: only its dates were put right."""
    state = row["state"]
    if before is None:
        if state != "closed":
            of_exam(database, "exam.opened", row, at, born)
        return
    was, patient_id, generation, into = before
    if row["patient_id"] and not patient_id:
        of_exam(database, "exam.assigned", row, at, born)
    elif (row["generation"], row["merged_into"]) != (generation, into) and not redated:
        more = {"generation": row["generation"], "into": row["merged_into"]}
        of_exam(database, "exam.reassigned", row, at, born, **more)
    if state == was:
        return
    if state == "closed":
        of_exam(database, "exam.closed", row, at, born, instances=pictures_of(database, row["id"]))
        watch_exam(database, row["id"])
    elif state in ("suspended", "appended") and was != "suspended":
        of_exam(database, f"exam.{state}", row, at, born)
    elif was == "suspended":
        of_exam(database, "exam.resumed", row, at, born)


def _exam_data(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "exam": row["id"], "study_instance_uid": row["study_uid"], "state": row["state"],
        "emergency": bool(row["emergency"]),
    }  # fmt: skip


def _exam(database: Any, exam: str) -> tuple[str, dict[str, Any]]:
    """Study Instance UID of an exam, and what is known of its patient."""
    rows = _rows(database, "SELECT study_uid, patient, accession FROM exam WHERE id = ?", exam)
    if not rows:
        return "", {}
    study, patient, accession = rows[0]
    return study, _known(patient, accession)


def _known(patient: str, accession: str) -> dict[str, Any]:
    return {"patient": json.loads(patient), "accession_number": accession}


def pictures_of(database: Any, exam: str) -> int:
    sql = "SELECT count(*) FROM instance WHERE exam = ? AND kind != 'note' AND NOT discarded"
    return int(_rows(database, sql, exam)[0][0])


# ---- exams of which nothing is open any more


def watch_exam(database: Any, exam: str) -> None:
    """Something of this exam may have been the last: `delivered` looks when what belongs together is written."""
    if wanted(database, "exam.delivered"):
        database.execute_sql("INSERT OR IGNORE INTO hook_watch (exam) VALUES (?)", (exam,))


def watch_exams_of(database: Any, deliveries: list[int]) -> None:
    if deliveries and wanted(database, "exam.delivered"):
        database.execute_sql(
            "INSERT OR IGNORE INTO hook_watch (exam) SELECT DISTINCT exam FROM delivery"
            " WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(deliveries),),
        )


def is_watching(database: Any) -> bool:
    return bool(_rows(database, "SELECT 1 FROM hook_watch LIMIT 1"))


def delivered(database: Any, at: str, born: float) -> int:
    """Tells of the closed exams among those watched of which nothing is open and something is stored; how many."""
    exams = [row[0] for row in _rows(database, "SELECT exam FROM hook_watch LIMIT 100")]
    marks = ", ".join(f"'{state.value}'" for state in OPEN)
    told = 0
    for exam in exams:
        database.execute_sql("DELETE FROM hook_watch WHERE exam = ?", (exam,))
        columns = ("id", "study_uid", "state", "emergency", "patient", "accession")
        rows = _rows(database, f"SELECT {', '.join(columns)} FROM exam WHERE id = ? AND state = 'closed'", exam)
        # newest first: of a long exam the ones that are still to go come at once
        open_ = f"SELECT 1 FROM delivery WHERE exam = ? AND state IN ({marks}) ORDER BY id DESC LIMIT 1"
        if not rows or _rows(database, open_, exam):
            continue
        counts = dict(_rows(database, "SELECT state, count(*) FROM delivery WHERE exam = ? GROUP BY 1", exam))
        stored = counts.get("stored", 0) + counts.get("committed", 0)
        if stored:
            row = dict(zip(columns, rows[0], strict=True))
            of_exam(database, "exam.delivered", row, at, born, stored=stored, cancelled=counts.get("cancelled", 0))
            told += 1
    return told


# ---- sending


def next_event(database: Any, hook: str, after: int = 0) -> Waiting | None:
    """The oldest that is to be told, of those after `after`."""
    sql = f"SELECT {_ROW} FROM hook_event WHERE hook = ? AND id > ? ORDER BY id LIMIT 1"
    rows = _rows(database, sql, hook, after)
    if not rows:
        return None
    identity, event_id, event, at, data, known, attempts, failures, next_at = rows[0]
    found = json.loads(known) if known else {}
    return Waiting(identity, event_id, event, at, json.loads(data), found, attempts, failures, next_at)


def taken(database: Any, hook: str, ids: list[int], at: str, told: int) -> None:
    """The receiver has these; `told`: the dropped ones that it was told of."""
    _remove(database, ids)
    _count(database, hook)
    database.execute_sql(
        "UPDATE hook_state SET delivered = delivered + ?, delivered_at = ?, error = '', code = '',"
        " untold = max(0, untold - ?) WHERE hook = ?",
        (len(ids), at, told, hook),
    )


def later(
    database: Any, hook: str, identity: int, error: tuple[str, str], at: str, *,
    attempts: int, failures: int, next_at: float,
) -> None:  # fmt: skip
    """It was not taken, and is tried again; `error` is (code, sentence)."""
    database.execute_sql(
        "UPDATE hook_event SET attempts = ?, failures = ?, next_at = ? WHERE id = ?",
        (attempts, failures, next_at, identity),
    )
    _error(database, hook, error, at)


def given_up(database: Any, hook: str, identity: int, error: tuple[str, str], at: str) -> None:
    """The receiver does not want it: it is counted and forgotten, and the next one comes."""
    _remove(database, [identity])
    _error(database, hook, error, at)
    database.execute_sql("UPDATE hook_state SET refused = refused + 1 WHERE hook = ?", (hook,))


def has_too_much(database: Any, hook: str, most: int, born_before: float) -> bool:
    """Whether `trim` has something to do; for the reader."""
    beyond = "SELECT 1 FROM hook_event WHERE hook = ? ORDER BY id LIMIT 1 OFFSET ?"
    oldest = _rows(database, "SELECT born FROM hook_event WHERE hook = ? ORDER BY id LIMIT 1", hook)
    return bool((oldest and oldest[0][0] < born_before) or _rows(database, beyond, hook, most))


def trim(database: Any, hook: str, most: int, born_before: float) -> int:
    """Drops what is too much or too old, the oldest first; how many. They are told with the next event."""
    edge = "SELECT id FROM hook_event WHERE hook = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
    found = database.execute_sql(
        f"DELETE FROM hook_event WHERE hook = ? AND (id <= coalesce(({edge}), 0) OR born < ?)",
        (hook, hook, most, born_before),
    )
    if count := int(found.rowcount):
        _count(database, hook)
        database.execute_sql(
            "UPDATE hook_state SET dropped = dropped + ?, untold = untold + ? WHERE hook = ?", (count, count, hook)
        )
    return count


def retry_now(database: Any, hook: str) -> None:
    """Whatever waits for its time is tried at once."""
    database.execute_sql("UPDATE hook_event SET next_at = NULL WHERE hook = ? AND next_at IS NOT NULL", (hook,))


def moved_clock(database: Any, by_s: float, now: float, uptime_s: float) -> None:
    """The wall clock was set by `by_s`: pauses keep their length, and what was born since the start its age."""
    database.execute_sql("UPDATE hook_event SET next_at = next_at + ? WHERE next_at IS NOT NULL", (by_s,))
    old = now - by_s
    sql = "UPDATE hook_event SET born = born + ? WHERE born BETWEEN ? AND ?"
    database.execute_sql(sql, (by_s, old - uptime_s - 1, old + 1))


def _remove(database: Any, ids: list[int]) -> None:
    database.execute_sql("DELETE FROM hook_event WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))


def _count(database: Any, hook: str) -> None:
    database.execute_sql(
        "INSERT OR IGNORE INTO hook_state (hook, delivered, refused, dropped, untold, delivered_at, error, code,"
        " error_at) VALUES (?, 0, 0, 0, 0, NULL, '', '', NULL)",
        (hook,),
    )


def _error(database: Any, hook: str, error: tuple[str, str], at: str) -> None:
    _count(database, hook)
    database.execute_sql(
        "UPDATE hook_state SET code = ?, error = ?, error_at = ? WHERE hook = ?", (*error, at, hook)
    )


# ---- reading


def counts(database: Any) -> dict[str, int]:
    """Events that wait, by hook."""
    return dict(_rows(database, "SELECT hook, count(*) FROM hook_event GROUP BY hook"))


def state(database: Any, hook: str) -> dict[str, Any]:
    """What became of a hook's events so far: delivered, refused, dropped, untold, delivered_at, error, code,
    error_at."""
    names = ("delivered", "refused", "dropped", "untold", "delivered_at", "error", "code", "error_at")
    rows = _rows(database, f"SELECT {', '.join(names)} FROM hook_state WHERE hook = ?", hook)
    values = rows[0] if rows else (0, 0, 0, 0, None, "", "", None)
    return dict(zip(names, values, strict=True))


def _rows(database: Any, sql: str, *values: Any) -> list[Any]:
    return list(database.execute_sql(sql, values).fetchall())
