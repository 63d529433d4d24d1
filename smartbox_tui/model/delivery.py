"""Delivery states as a table (DESIGN section 2): one row is one rendition for one destination."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class DeliveryState(StrEnum):
    HELD = "held"
    QUEUED = "queued"
    PREPARING = "preparing"
    SENDING = "sending"
    WAITING = "waiting"
    BLOCKED = "blocked"
    STORED = "stored"
    COMMITTED = "committed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


_TABLE: Final = {
    "held": "queued blocked cancelled superseded",
    "queued": "preparing sending waiting blocked cancelled superseded",
    "preparing": "queued waiting blocked cancelled superseded",
    "sending": "stored waiting blocked queued cancelled",
    "waiting": "queued cancelled superseded",
    "blocked": "queued cancelled superseded",
    "stored": "committed queued superseded",
    "committed": "superseded",
    "cancelled": "",
    "superseded": "",
}

TRANSITIONS: Final[frozenset[tuple[DeliveryState, DeliveryState]]] = frozenset(
    (DeliveryState(old), DeliveryState(new)) for old, news in _TABLE.items() for new in news.split()
)

OPEN: Final = frozenset(
    {
        DeliveryState.HELD,
        DeliveryState.QUEUED,
        DeliveryState.PREPARING,
        DeliveryState.SENDING,
        DeliveryState.WAITING,
        DeliveryState.BLOCKED,
    }
)
"""States in which the archive has not promised anything yet and may still."""

MAKING: Final = "is made ready: "
PIXELS: Final = "pixels"
"""How the reason of a row begins that something is made for first, then what: a container, a codec, or pixels."""

OFFERED: Final = " Offered: "
TAKES: Final = ". It takes: "
NOTHING: Final = "nothing that the box makes"
"""Of the reason that an archive takes none of what a picture can be sent as: what stands before the names of what
was offered, and of what it takes instead, which end with a full stop."""

PROMISED: Final = frozenset({DeliveryState.STORED, DeliveryState.COMMITTED})


class IllegalTransition(ValueError):
    """A state change that the table does not hold: a defect of ours."""


def check(old: DeliveryState, new: DeliveryState) -> None:
    """Raises IllegalTransition for a pair that is not in the table."""
    if (old, new) not in TRANSITIONS:
        raise IllegalTransition(f"a delivery cannot go from {old} to {new}")
