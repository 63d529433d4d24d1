"""When the box may let go of a picture: what each state of its deliveries says (DESIGN section 2). Pure.

A row of the queue is a promise for its destination, nothing, or in the way:

state        what it says of the picture
held         in the way: nobody has it yet
queued       in the way; so is what was stored and is sent again because its commitment failed
preparing    in the way
sending      in the way, also with an uncertain outcome
waiting      in the way, however long the archive is away
blocked      in the way: somebody has to decide, and may retry
stored       a promise, where `release` = stored; before the days are over only of a destination that is not asked
             for more (commitment or read-back). Of a folder always: it is read again before it counts as stored
committed    a promise
cancelled    nothing: this destination does not get it. What a person cancelled is in the way before the days are
             over, when only room is wanted; what a backup made needless, or its primary, is not
superseded   nothing where the same destination has a promise about the picture as it is called now; else in the
             way: it has the picture under another patient

A picture may go when nothing is in the way and at least one destination has promised it: never with no row at all,
or with cancelled ones alone. The document about a clip's marks promises nothing of the clip, and is in the way
while it is open: it may have to be made of it. Discarded pictures need no promise; they may go when nothing of them
is on its way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from smartbox_tui.model.delivery import OPEN, DeliveryState
from smartbox_tui.model.routing import NEEDLESS
from smartbox_tui.model.variant import MARKS

STORED: Final = "stored"
COMMITTED: Final = "committed"
"""The words of `retention.release`."""


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery of one picture: `uid` of what is sent, `kind` as in the queue, `changed_at` RFC 3339."""

    uid: str
    destination: str
    state: str
    kind: str
    changed_at: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """`release` the promise that it takes, stored | committed; `asked` the destinations that are asked for more
    than having stored it, `folders` those of kind folder; `early`: the days are not over, only room is wanted."""

    release: str = STORED
    asked: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    early: bool = False

    def is_promise(self, row: Row) -> bool:
        if row.kind == MARKS:
            return False
        if row.state == DeliveryState.COMMITTED:
            return True
        if row.state != DeliveryState.STORED:
            return False
        if row.destination in self.folders:
            return True
        return self.release == STORED and not (self.early and row.destination in self.asked)


def why_not(rows: Iterable[Row], policy: Policy) -> str:
    """Why a picture that nobody discarded stays; empty when it may go. A word: open, promise, cancelled,
    superseded, nobody."""
    rows = list(rows)
    if any(DeliveryState(row.state) in OPEN for row in rows):
        return "open"
    pictures = [row for row in rows if row.kind != MARKS]
    promised = {row.destination for row in pictures if policy.is_promise(row)}
    for row in pictures:
        if row.destination in promised:
            continue
        if row.state == DeliveryState.STORED:
            return "promise"
        if row.state == DeliveryState.SUPERSEDED:
            return "superseded"
        if row.state == DeliveryState.CANCELLED and policy.early and row.code != NEEDLESS:
            return "cancelled"
    return "" if promised else "nobody"


def discarded_may_go(rows: Iterable[Row]) -> bool:
    """Of a discarded picture: nothing of it is on its way."""
    return not any(DeliveryState(row.state) in OPEN for row in rows)


def holders(rows: Iterable[Row]) -> tuple[tuple[str, str, str], ...]:
    """(destination, stored | committed, since when) of all that have the picture."""
    found = {
        row.destination: (row.destination, row.state, row.changed_at)
        for row in rows
        if row.kind != MARKS and row.state in (DeliveryState.STORED, DeliveryState.COMMITTED)
    }
    return tuple(found[name] for name in sorted(found))
