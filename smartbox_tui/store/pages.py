"""The queue in the order in which it is worked off, a page of it at any place. On the read-only connection."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from smartbox_tui.model.delivery import OPEN, DeliveryState
from smartbox_tui.store.tables import Delivery

ORDER: Final = ("blocked", "sending", "preparing", "queued", "waiting", "held", "stored", "committed",
                "cancelled", "superseded")  # fmt: skip
"""What needs a hand, then as it goes out: by priority and age within a state; what is over, newest first."""

Counts = Mapping[str, Mapping[str, int]]


def counts(database: Any) -> dict[str, dict[str, int]]:
    """{destination: {state: count}}, from an index alone; states without a row are left out."""
    sql = "SELECT destination, state, COUNT(*) FROM delivery GROUP BY destination, state"
    found: dict[str, dict[str, int]] = {}
    for destination, state, count in database.execute_sql(sql).fetchall():
        found.setdefault(destination, {})[state] = count
    return found


def version(database: Any) -> int:
    """Another number whenever somebody has written since the last call on this connection (PRAGMA data_version)."""
    return int(database.execute_sql("PRAGMA data_version").fetchone()[0])


def total(known: Counts, state: str, destination: str | None) -> int:
    """How many rows of a state there are, of one destination or of all."""
    names = known if destination is None else (destination,)
    return sum(known.get(name, {}).get(state, 0) for name in names)


def page(
    database: Any, known: Counts, states: Iterable[str], destination: str | None, offset: int, limit: int
) -> list[Any]:
    """At most `limit` rows of these states in ORDER, from the `offset`th. `known` are the counts of this moment:
    they say in which states the page lies, so that only those are read, along their index."""
    wanted = frozenset(states)
    ids: list[int] = []
    for state in ORDER:
        count = total(known, state, destination) if state in wanted else 0
        if offset >= count:
            offset -= count
            continue
        ids += _ids(database, state, destination, offset, limit - len(ids))
        offset = 0
        if len(ids) >= limit:
            break
    if not ids:
        return []
    sql = "SELECT * FROM delivery WHERE id IN (SELECT value FROM json_each(?))"
    rows = {row.id: row for row in Delivery.raw(sql, json.dumps(ids)).execute(database)}
    return [rows[identity] for identity in ids if identity in rows]


def _ids(database: Any, state: str, destination: str | None, offset: int, limit: int) -> list[int]:
    order = "priority DESC, id" if DeliveryState(state) in OPEN else "id DESC"
    where, values = "state = ?", [state]
    if destination is not None:
        where += " AND destination = ?"
        values.append(destination)
    sql = f"SELECT id FROM delivery WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
    return [row[0] for row in database.execute_sql(sql, (*values, limit, offset)).fetchall()]


def open_ids(database: Any, destination: str | None, after: int, limit: int) -> list[int]:
    """The ids of the next open rows, by keyset: for a change of many, chunk by chunk."""
    marks = ", ".join(f"'{state.value}'" for state in OPEN)
    where, values = f"id > ? AND state IN ({marks})", [after]
    sql = f"SELECT id FROM delivery WHERE {where}"
    if destination is not None:
        sql += " AND destination = ?"
        return [row[0] for row in database.execute_sql(f"{sql} ORDER BY id LIMIT ?", (*values, destination, limit))]
    return [row[0] for row in database.execute_sql(f"{sql} ORDER BY id LIMIT ?", (*values, limit))]


def patients(database: Any, exams: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Whose exams these are: {exam: PATIENT with `emergency`}."""
    sql = "SELECT id, patient, emergency FROM exam WHERE id IN (SELECT value FROM json_each(?))"
    rows = database.execute_sql(sql, (json.dumps(sorted(set(exams))),)).fetchall()
    return {identity: {**json.loads(patient), "emergency": emergency} for identity, patient, emergency in rows}
