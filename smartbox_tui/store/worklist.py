"""The worklist as it was heard. The writing functions run inside a write job and take its database.

A refresh of ten thousand entries of which ten are new writes ten rows: the statements compare before they write.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from smartbox_tui.model.matching import matches, name_matches
from smartbox_tui.model.worklist import WorklistKeys
from smartbox_tui.store import facts

_LAST_LIST: Final = "worklist-list"
_CHUNK: Final = 500  # SQLite's own limit for parameters is higher

_PUT: Final = """
    INSERT INTO worklist_item (id, patient_id, accession, scheduled_at, item, source, heard_at, listed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET patient_id = excluded.patient_id, accession = excluded.accession,
        scheduled_at = excluded.scheduled_at, item = excluded.item, source = excluded.source,
        heard_at = excluded.heard_at, listed = max(listed, excluded.listed)
    WHERE listed < excluded.listed OR heard_at < ? OR item <> excluded.item OR source <> excluded.source"""

_ROWS: Final = """
    SELECT id, item, heard_at, listed, (SELECT exam.id FROM exam WHERE exam.worklist = worklist_item.id
        AND exam.merged_into IS NULL ORDER BY exam.opened_at DESC LIMIT 1)
    FROM worklist_item"""
_ORDER: Final = " ORDER BY scheduled_at = '', scheduled_at, id"


@dataclass(frozen=True, slots=True)
class Heard:
    """One entry to keep. `item` and `source` as the table has them."""

    id: str
    patient_id: str
    accession: str
    scheduled_at: str
    item: str
    source: str


@dataclass(frozen=True, slots=True)
class Row:
    """One entry that is kept. `exam` the newest that was opened from it."""

    id: str
    item: str
    heard_at: str
    listed: bool
    exam: str | None


@dataclass(frozen=True, slots=True)
class Named:
    id: str
    accession: str
    listed: bool


@dataclass(frozen=True, slots=True)
class LastList:
    """The last complete answer to a refresh: when, how many, and what was asked (`date_from` ... `date_to`
    YYYY-MM-DD, `asked` the other keys and the server). `truncated`: it had more."""

    at: str
    count: int
    truncated: bool
    date_from: str
    date_to: str
    asked: str


def last_list(database: Any) -> LastList | None:
    value = facts.get(database, _LAST_LIST)
    return None if value is None else LastList(**value)


def replace_list(
    database: Any, heard: Sequence[Heard], last: LastList, *, stale: str, purge: str
) -> frozenset[str] | None:
    """These are the list now, whatever was in it before is not; returns the ids that were not in it before, None
    where there was no list before.

    stale   rows heard before that get the new time although nothing else of them has changed
    purge   what was heard before that is forgotten, but for open exams and the list itself
    """
    before = last_list(database)
    cursor = database.connection()
    listed = {row[0] for row in cursor.execute("SELECT id FROM worklist_item WHERE listed = 1")}
    cursor.executemany(_PUT, [(*_values(item), last.at, 1, stale) for item in heard])
    ids = {item.id for item in heard}
    gone = "UPDATE worklist_item SET listed = 0 WHERE id = ?"
    cursor.executemany(gone, [(item,) for item in listed - ids])
    database.execute_sql(
        "DELETE FROM worklist_item WHERE listed = 0 AND heard_at < ?"
        " AND id NOT IN (SELECT worklist FROM exam WHERE state <> 'closed')",
        (purge,),
    )
    facts.put(database, _LAST_LIST, {name: getattr(last, name) for name in LastList.__slots__})
    return None if before is None else frozenset(ids - listed)


def put(database: Any, heard: Iterable[Heard], at: str) -> None:
    """Entries of a query by hand, or of an answer that broke off: kept, and no part of the list by that."""
    database.connection().executemany(_PUT, [(*_values(item), at, 0, at) for item in heard])


def _values(item: Heard) -> tuple[str, ...]:
    return (item.id, item.patient_id, item.accession, item.scheduled_at, item.item, item.source)


def listed(database: Any) -> list[Row]:
    """The last complete list, by time; entries without one last."""
    return _rows(database, f"{_ROWS} WHERE listed = 1{_ORDER}", ())


def listed_count(database: Any) -> int:
    return int(database.execute_sql("SELECT count(*) FROM worklist_item WHERE listed = 1").fetchone()[0])


def rows_of(database: Any, ids: Iterable[str]) -> list[Row]:
    """Those of these ids that are known, in no particular order."""
    wanted = list(ids)
    found: list[Row] = []
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        found += _rows(database, f"{_ROWS} WHERE id IN ({', '.join('?' * len(part))})", part)
    return found


def entry(database: Any, identity: str) -> tuple[str, str] | None:
    """(item, source) of an entry."""
    sql = "SELECT item, source FROM worklist_item WHERE id = ?"
    found = database.execute_sql(sql, (identity,)).fetchone()
    return None if found is None else (found[0], found[1])


def named(database: Any, wanted: str) -> list[Named]:
    """Entries that have it, exactly, as accession number or patient ID; listed or not."""
    sql = "SELECT id, accession, listed FROM worklist_item WHERE accession = ? OR patient_id = ? LIMIT 100"
    found = database.execute_sql(sql, (wanted, wanted)).fetchall()
    return [Named(identity, accession, bool(is_listed)) for identity, accession, is_listed in found]


def search(database: Any, keys: WorklistKeys) -> list[Row]:
    """All that is known, listed or not, and matches; by time. Case and accents make no difference; an entry
    without a time is one of every day."""
    sql, values = f"{_ROWS} WHERE 1", list[str]()
    if keys.date_from is not None:
        sql, values = f"{sql} AND (scheduled_at >= ? OR scheduled_at = '')", [*values, keys.date_from.isoformat()]
    if keys.date_to is not None:
        sql, values = f"{sql} AND scheduled_at < ?", [*values, f"{keys.date_to.isoformat()}U"]  # T and the time
    rows = _rows(database, sql + _ORDER, values)
    if not (keys.name or keys.patient_id or keys.accession or keys.modality or keys.station_aet):
        return rows
    return [row for row in rows if _matches(json.loads(row.item), keys)]


def _matches(item: dict[str, Any], keys: WorklistKeys) -> bool:
    patient = item["patient"]
    return (
        matches(keys.patient_id, patient.get("id", ""))
        and matches(keys.accession, item.get("accession_number", ""))
        and matches(keys.modality, item.get("modality", ""))
        and any(matches(keys.station_aet, title) for title in item.get("station", "").split("\\"))
        and name_matches(keys.name, patient.get("name", ""))
    )


def _rows(database: Any, sql: str, values: Iterable[Any]) -> list[Row]:
    return [
        Row(identity, item, heard_at, bool(is_listed), exam)
        for identity, item, heard_at, is_listed, exam in database.execute_sql(sql, tuple(values)).fetchall()
    ]
