"""Rows of the fake engine's queue."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from smartbox_tui.wire import state

START = datetime.fromisoformat("2026-11-20T21:45:00+01:00")


def delivery(number: int, condition: str, **values: Any) -> state.Delivery:
    """One row of the queue."""
    made = (START - timedelta(seconds=20 * (12 - number))).isoformat()
    base = {
        "id": number,
        "sop_instance_uid": f"2.25.{number}",
        "exam": "exam-1",
        "destination": "archive",
        "state": condition,
        "bytes": 500_000,
        "kind": "still",
        "created_at": made,
        "changed_at": made,
    }
    return state.Delivery(**{**base, **values})


def assorted() -> list[state.Delivery]:
    """Deliveries in all the states that an operator asks about."""
    soon = (START + timedelta(minutes=2)).isoformat()
    blocked = {"code": "archive-refused", "reason": "Patient ID does not match an order (A700)", "attempts": 2}
    return [
        delivery(11, "blocked", **blocked),
        delivery(10, "sending", bytes=84_000_000, bytes_sent=52_000_000, kind="clip", attempts=1),
        delivery(9, "waiting", code="no-route", reason="no route to 10.0.0.5", next_attempt_at=soon, attempts=3),
        delivery(8, "queued"),
        delivery(7, "held", reason="exam not released"),
        delivery(6, "preparing", kind="clip", bytes=12_000_000),
        delivery(5, "stored", bytes_sent=500_000, attempts=1),
        delivery(4, "committed", bytes_sent=500_000, attempts=1),
        delivery(3, "cancelled"),
        delivery(2, "stored", destination="backup", bytes_sent=500_000, attempts=1),
    ]
