"""What the box holds and may let go of, in the tables. Writing functions run inside a write job and take its
database; nothing here looks at the disk."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from smartbox_tui.model.instance import taken_order
from smartbox_tui.model.keeping import Row
from smartbox_tui.store.queries import NOTE

_PROMISED: Final = "('stored', 'committed')"
_OPEN: Final = "('held', 'queued', 'preparing', 'sending', 'waiting', 'blocked')"


_CLOSED: Final = (
    "exam f JOIN exam e ON e.id = coalesce(f.merged_into, f.id)"
    " WHERE f.state = 'closed' AND e.state = 'closed' AND f.closed_at IS NOT NULL AND e.closed_at IS NOT NULL"
    " AND NOT f.held AND NOT e.held AND e.patient_id != ''"
    " AND NOT EXISTS (SELECT 1 FROM reconciling r WHERE r.exam IN (f.id, e.id))"
)
"""Folders of exams, and the exams that their pictures belong to."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One that is here. `exam` the one it belongs to, `folder` the one whose folder it lies in."""

    id: str
    exam: str
    folder: str
    bytes: int
    discarded: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folder of an exam that is closed: `closed_at` the later of the closing of
    that exam and of the one that they belong to, RFC 3339; `dates`: not empty where a clock that was not sure said
    so."""

    folder: str
    exam: str
    closed_at: str
    dates: str


def shelves(database: Any, folder: str | None = None) -> list[Shelf]:
    """Those that may have something to go, oldest first, or this one: both exams closed, with a patient, not held
    back by hand, nothing of them being reassigned, and a picture that somebody has and nobody waits for."""
    sql = (
        "SELECT f.id, e.id, max(f.closed_at, e.closed_at), CASE WHEN f.dates != '' THEN f.dates ELSE e.dates END"
        f" FROM {_CLOSED}"
        " AND EXISTS (SELECT 1 FROM instance i WHERE i.folder = f.id AND i.released_at = ''"
        f" AND i.kind != '{NOTE}' AND NOT i.discarded"
        f" AND EXISTS (SELECT 1 FROM delivery d WHERE d.instance = i.id AND d.state IN {_PROMISED})"
        f" AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.instance = i.id AND d.state IN {_OPEN}))"
    )
    values: tuple[str, ...] = ()
    if folder is not None:
        sql, values = f"{sql} AND f.id = ?", (folder,)
    found = [Shelf(*row) for row in database.execute_sql(sql, values).fetchall()]
    return sorted(found, key=lambda item: (item.closed_at, item.folder))


def pictures(database: Any, folder: str) -> list[Picture]:
    """What is here of a folder, as the tables say, oldest first."""
    rows = database.execute_sql(
        "SELECT id, exam, folder, bytes, discarded, boot, captured_at, trigger_ns, frame_ns FROM instance"
        f" WHERE folder = ? AND released_at = '' AND kind != '{NOTE}'",
        (folder,),
    ).fetchall()
    rows = sorted(rows, key=lambda row: (*taken_order(*row[5:]), row[0]))
    deliveries: dict[str, list[Row]] = {}
    sql = (
        "SELECT d.instance, d.sop_uid, d.destination, d.state, d.kind, d.changed_at, d.code FROM delivery d"
        " WHERE d.instance IN (SELECT id FROM instance WHERE folder = ? AND released_at = '') ORDER BY d.id"
    )
    for identity, *values in database.execute_sql(sql, (folder,)).fetchall():
        deliveries.setdefault(identity, []).append(Row(*values))
    return [
        Picture(identity, exam, in_folder, size, bool(taken_back), tuple(deliveries.get(identity, ())))
        for identity, exam, in_folder, size, taken_back, *_taken in rows
    ]


def discarded(database: Any) -> list[tuple[str, str]]:
    """(picture, folder) of discarded ones that are here."""
    sql = f"SELECT id, folder FROM instance WHERE discarded AND released_at = '' AND kind != '{NOTE}'"
    return [(row[0], row[1]) for row in database.execute_sql(sql).fetchall()]


# ---- letting go


def mark(database: Any, ids: Iterable[str], at: str) -> None:
    """From now on their rows say that they are released; that their bitstreams go is to follow."""
    for identity in ids:
        database.execute_sql("UPDATE instance SET released_at = ? WHERE id = ?", (at, identity))
        database.execute_sql("INSERT OR IGNORE INTO releasing (instance) VALUES (?)", (identity,))


def unmark(database: Any, ids: Iterable[str]) -> None:
    """They are here after all."""
    for identity in ids:
        database.execute_sql("UPDATE instance SET released_at = '' WHERE id = ?", (identity,))
    done(database, ids)


def done(database: Any, ids: Iterable[str]) -> None:
    """Their bitstreams are gone."""
    database.execute_sql(
        "DELETE FROM releasing WHERE instance IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),)
    )


def left(database: Any) -> list[tuple[str, str]]:
    """(picture, folder) of what a crash left between its row and its bitstream."""
    sql = "SELECT r.instance, i.folder FROM releasing r JOIN instance i ON i.id = r.instance"
    return [(row[0], row[1]) for row in database.execute_sql(sql).fetchall()]


def released_in(database: Any, folders: Iterable[str]) -> int:
    """How many pictures of these folders only archives have; discarded ones do not count."""
    sql = (
        "SELECT count(*) FROM instance WHERE folder IN (SELECT value FROM json_each(?))"
        f" AND released_at != '' AND NOT discarded AND kind != '{NOTE}'"
    )
    return int(database.execute_sql(sql, (json.dumps(list(folders)),)).fetchone()[0])


# ---- times that are not sure


def first_seen(database: Any, identity: str, now: float) -> float:
    """When a clock that is trusted first met it, noted now if it was never; seconds since the epoch."""
    database.execute_sql("INSERT OR IGNORE INTO first_seen (id, at) VALUES (?, ?)", (identity, now))
    row = database.execute_sql("SELECT at FROM first_seen WHERE id = ?", (identity,)).fetchone()
    return float(row[0])


def forget_seen(database: Any, ids: Iterable[str]) -> None:
    database.execute_sql(
        "DELETE FROM first_seen WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),)
    )


# ---- figures


def figures(database: Any) -> tuple[int, int]:
    """Bytes of pictures that are here: (promised by somebody, with nothing open, and of an exam that is closed;
    not promised by anybody, or with something open). Discarded ones are neither."""
    sql = (
        "WITH d AS (SELECT instance, max(state IN "
        + _OPEN
        + ") AS opened, max(state IN "
        + _PROMISED
        + ") AS promised"
        " FROM delivery GROUP BY instance), c AS (SELECT f.id FROM " + _CLOSED + ")"
        " SELECT coalesce(sum(CASE WHEN d.promised AND NOT d.opened AND i.folder IN c THEN i.bytes END), 0),"
        " coalesce(sum(CASE WHEN d.opened OR d.promised IS NOT 1 THEN i.bytes END), 0)"
        f" FROM instance i LEFT JOIN d ON d.instance = i.id"
        f" WHERE i.released_at = '' AND NOT i.discarded AND i.kind != '{NOTE}'"
    )
    row = database.execute_sql(sql).fetchone()
    return int(row[0]), int(row[1])


# ---- forgetting an exam of which nothing is left


def forgettable(database: Any) -> list[Shelf]:
    """Exams that are closed and of which the tables hold nothing that is still here or still open: neither in their
    folders, nor of theirs in other folders."""
    sql = (
        "SELECT e.id, e.id, e.closed_at, e.dates FROM exam e WHERE e.state = 'closed' AND e.closed_at IS NOT NULL"
        " AND NOT e.held AND NOT EXISTS (SELECT 1 FROM reconciling r WHERE r.exam = e.id)"
        " AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.folder = e.id"
        f" AND i.released_at = '' AND i.kind != '{NOTE}')"
        " AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.exam = e.id AND i.folder != e.id)"
        " AND NOT EXISTS (SELECT 1 FROM delivery d JOIN instance i ON i.id = d.instance"
        f" WHERE i.folder = e.id AND d.state IN {_OPEN})"
        " AND NOT EXISTS (SELECT 1 FROM performed_message m WHERE m.exam = e.id"
        " AND m.state IN ('waiting', 'blocked'))"
        " ORDER BY e.closed_at"
    )
    return [Shelf(*row) for row in database.execute_sql(sql).fetchall()]


def forget(database: Any, exam: str) -> int:
    """The rows of an exam whose folder is gone; what was done with it stays in the audit. Returns its pictures."""
    ids = [row[0] for row in database.execute_sql("SELECT id FROM instance WHERE folder = ?", (exam,)).fetchall()]
    listed = json.dumps(ids)
    of_ids = "IN (SELECT value FROM json_each(?))"
    deliveries = f"SELECT id FROM delivery WHERE instance {of_ids}"
    database.execute_sql(f"DELETE FROM commitment_item WHERE delivery IN ({deliveries})", (listed,))
    database.execute_sql(f"DELETE FROM delivery_change WHERE delivery IN ({deliveries})", (listed,))
    database.execute_sql(f"DELETE FROM delivery WHERE instance {of_ids}", (listed,))
    database.execute_sql(f"DELETE FROM releasing WHERE instance {of_ids}", (listed,))
    database.execute_sql("DELETE FROM instance WHERE folder = ?", (exam,))
    database.execute_sql("DELETE FROM performed_message WHERE exam = ?", (exam,))
    forget_seen(database, [exam, *ids])
    database.execute_sql("DELETE FROM exam WHERE id = ?", (exam,))
    return len(ids)
