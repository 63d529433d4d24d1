"""Backups in the queue: rows that wait for a primary and have none for its backup yet, and rows that have become
needless because the other one of the two has the picture. Documents about a picture follow it by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.model.routing import BORN, HAS, KEEPS, NEEDLESS
from smartbox_tui.store import queue
from smartbox_tui.store.queries import NOTE
from smartbox_tui.store.tables import Delivery

_WAITS: Final = "p.state IN ('queued', 'preparing', 'waiting') AND NOT p.paused AND p.kind != ?"
_PICTURE: Final = "variant NOT LIKE '%document=%'"
_OPEN: Final = "('held', 'queued', 'preparing', 'waiting', 'blocked')"


@dataclass(frozen=True, slots=True)
class Pair:
    """`instead`: what the backup has, the primary does not get. `asked`: those of the two that are asked whether
    they keep what they have stored: of them only `committed` is a word."""

    primary: str
    backup: str
    instead: bool = False
    asked: frozenset[str] = frozenset()

    def promised(self, name: str) -> str:
        """The states, in SQL, in which this one of the two has a picture."""
        return "('committed')" if name in self.asked else "('stored', 'committed')"


def waiting(
    database: Any, primary: str, backup: str, after: tuple[int, int] | None, limit: int
) -> list[tuple[int, int, str]]:
    """(priority, id, instance) of rows that wait for a primary, and of whose picture the backup has no row that is
    still about it, highest priority first, then oldest; `after`: priority and id of the last of the page before."""
    where, values = "1", []
    if after is not None:
        where, values = "(p.priority < ? OR (p.priority = ? AND p.id > ?))", [after[0], after[0], after[1]]
    sql = (
        "SELECT p.priority, p.id, p.instance FROM delivery p JOIN instance i ON i.id = p.instance"
        f" WHERE p.destination = ? AND {_WAITS} AND p.{_PICTURE} AND NOT i.discarded"
        " AND p.exam NOT IN (SELECT exam FROM reconciling) AND NOT EXISTS (SELECT 1 FROM delivery b WHERE"
        f" b.instance = p.instance AND b.destination = ? AND b.state != 'superseded' AND b.{_PICTURE})"
        f" AND {where} ORDER BY p.priority DESC, p.id LIMIT ?"
    )
    rows = database.execute_sql(sql, (primary, NOTE, backup, *values, limit)).fetchall()
    return [(row[0], row[1], row[2]) for row in rows]


def stand_in(database: Any, row: int, sop_uid: str, birth: dict[str, Any]) -> Any | None:
    """Makes the backup's delivery (keywords of `queue.enqueue`) of the picture that waits as `row` under this UID.
    None: it does not wait any more, or the backup has it already."""
    sql = (
        "SELECT p.priority, p.exam FROM delivery p JOIN instance i ON i.id = p.instance"
        f" WHERE p.id = ? AND {_WAITS} AND NOT i.discarded AND i.sop_uid = ?"
        " AND p.exam NOT IN (SELECT exam FROM reconciling)"
    )
    found = database.execute_sql(sql, (row, NOTE, sop_uid)).fetchone()
    if found is None or not queue.enqueue(database, **{**birth, "priority": found[0], "exam": found[1]}):
        return None
    where = (Delivery.sop_uid == birth["sop_uid"]) & (Delivery.destination == birth["destination"])
    return next(iter(Delivery.select().where(where).execute(database)), None)


def has_it(database: Any, pair: Pair, instance: str | None = None) -> list[int]:
    """The primary has these pictures: what was to stand in and has not been sent is not needed. Returns rows."""
    where, values = _of(instance, "b")
    sql = (
        "SELECT b.id FROM delivery b WHERE b.destination = ?"
        f" AND b.state IN {_OPEN} AND NOT b.uncertain AND {where} AND EXISTS (SELECT 1 FROM delivery p"
        f" WHERE p.instance = b.instance AND p.destination = ?"
        f" AND p.state IN {pair.promised(pair.primary)} AND p.{_PICTURE})"
        " AND NOT EXISTS (SELECT 1 FROM delivery_change c WHERE c.delivery = b.id AND c.new = 'sending')"
        f" AND EXISTS (SELECT 1 FROM delivery_change c WHERE c.delivery = b.id AND c.code = '{BORN}')"
    )
    return _cancel(database, sql, (pair.backup, *values, pair.primary), f"{pair.primary}{HAS}")


def keeps_it(database: Any, pair: Pair, instance: str | None = None) -> list[int]:
    """The backup has these pictures in the primary's stead: what waits for that one is not needed. Returns rows."""
    where, values = _of(instance, "p")
    sql = (
        f"SELECT p.id FROM delivery p WHERE p.destination = ? AND p.state IN {_OPEN} AND p.kind != ?"
        f" AND p.{_PICTURE} AND {where}"
        " AND EXISTS (SELECT 1 FROM delivery b WHERE b.instance = p.instance AND b.destination = ?"
        f" AND b.state IN {pair.promised(pair.backup)} AND b.{_PICTURE})"
    )
    return _cancel(database, sql, (pair.primary, NOTE, *values, pair.backup), f"{pair.backup}{KEEPS}")


def settle(database: Any, pair: Pair, instance: str | None = None) -> list[int]:
    """Ends the rows, of one picture or of all, that the other destination's promise has made needless."""
    done = has_it(database, pair, instance)
    return done + keeps_it(database, pair, instance) if pair.instead else done


def _of(instance: str | None, table: str) -> tuple[str, list[str]]:
    return (f"{table}.instance = ?", [instance]) if instance is not None else ("1", [])


def _cancel(database: Any, sql: str, values: tuple[Any, ...], reason: str) -> list[int]:
    found = [row[0] for row in database.execute_sql(f"{sql} LIMIT 1000", values).fetchall()]
    for identity in found:
        queue.move(database, identity, State.CANCELLED, reason, NEEDLESS)
    return found
