"""A wall clock that was set while the engine ran, or is waited for: what the tables say of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from smartbox_tui.model import delivery as states
from smartbox_tui.store import hooks
from smartbox_tui.store.tables import Delivery

CLOCK: Final = "clock"
"""The code of a queued delivery that waits for the clock, and of the alarm."""

_OPEN: Final = ", ".join(f"'{state.value}'" for state in sorted(states.OPEN))


def follow(database: Any, by_s: float, now: float, uptime_s: float) -> int:
    """Inside a write job, after the clock was set forward by `by_s` seconds (negative: back) and says `now`.

    Pauses keep their length. The age of what was queued since this boot does, too, where the new clock makes its
    beginning one before the boot or in the future: that was the old clock's. Returns how many rows changed.
    """
    changed = 0
    hooks.moved_clock(database, by_s, now, uptime_s)
    for table, state in (("delivery", "waiting"), ("delivery", "stored"), ("performed_message", "waiting")):
        sql = f"UPDATE {table} SET next_at = next_at + ? WHERE state = '{state}' AND next_at IS NOT NULL"
        changed += _count(database, sql, (by_s,))
    changed += _count(
        database, "UPDATE commitment SET due_at = due_at + ? WHERE state IN ('made', 'asked')", (by_s,)
    )
    rows = database.execute_sql(
        f"SELECT d.id, d.created_at FROM delivery d JOIN instance i ON i.id = d.instance WHERE d.state IN ({_OPEN})"
        " AND i.boot = (SELECT max(boot) FROM instance)"
    ).fetchall()
    for identity, text in rows:
        made = datetime.fromisoformat(text)
        if not now - uptime_s - 1 <= made.timestamp() <= now + 1:
            moved = (made + timedelta(seconds=by_s)).isoformat(timespec="milliseconds")
            Delivery.update(created_at=moved).where(Delivery.id == identity).execute(database)
            changed += 1
    return changed


def waits(database: Any, reason: str) -> list[int]:
    """Inside a write job: what is queued says that it waits for the clock, with an empty `reason` no longer.
    Returns the rows that changed."""
    if reason:
        sql = "UPDATE delivery SET reason = ?, code = ? WHERE state = 'queued' AND code = '' RETURNING id"
        values: tuple[str, ...] = (reason, CLOCK)
    else:
        sql = "UPDATE delivery SET reason = '', code = '' WHERE state = 'queued' AND code = ? RETURNING id"
        values = (CLOCK,)
    return [row[0] for row in database.execute_sql(sql, values).fetchall()]


def _count(database: Any, sql: str, values: tuple[Any, ...]) -> int:
    return int(database.execute_sql(sql, values).rowcount)
