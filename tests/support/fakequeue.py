"""Rows of the fake engine's queue."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from aiohttp import web

from smartbox_tui.wire import serve, state

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


ORDER = ("blocked", "sending", "preparing", "queued", "waiting", "held", "stored", "committed", "cancelled",
         "superseded")  # fmt: skip


class QueuePages:
    """The engine's queue area (engine/queue_api.py) over the fake's deliveries; `asked` what was asked for."""

    deliveries: dict[int, state.Delivery]
    exams: dict[str, state.Exam]
    taken: dict[str, list[state.Instance]]

    def __init__(self) -> None:
        self.changes: dict[int, list[dict[str, str]]] = {}
        self.asked: list[str] = []
        self.slow = asyncio.Event()
        """Cleared, pages of the queue wait for it."""
        self.slow.set()

    def queue_routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/queue/page", self._page), web.get("/v1/deliveries/{id}", self._delivery)]

    async def _page(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        await self.slow.wait()
        query = request.query
        states, name = query["state"].split(","), query.get("destination")
        rows = [item for item in self.deliveries.values() if item.state in states]
        rows = sorted((item for item in rows if name in (None, item.destination)), key=_order)
        offset, limit = int(query["offset"]), int(query["limit"])
        counts: dict[str, dict[str, int]] = {}
        for item in self.deliveries.values():
            of = counts.setdefault(item.destination, {})
            of[item.state] = of.get(item.state, 0) + 1
        shown = rows[offset : offset + limit]
        return serve.reply(
            {
                "deliveries": shown,
                "patients": _patients(self.exams, {item.exam for item in shown}),
                "offset": offset,
                "total": len(rows),
                "counts": counts,
            }
        )

    async def _delivery(self, request: web.Request) -> web.StreamResponse:
        item = self.deliveries[int(request.match_info["id"])]
        mine = [other for other in self.deliveries.values() if other.sop_instance_uid == item.sop_instance_uid]
        pictures = [each for each in self.taken.get(item.exam, []) if each.id and each.id == item.instance]
        return serve.reply(
            {
                "delivery": item,
                "changes": self.changes.get(item.id, history(item)),
                "instance": pictures[0] if pictures else None,
                "exam": self.exams.get(item.exam),
                "deliveries": mine,
            }
        )


def _order(item: state.Delivery) -> tuple[int, int, int]:
    at = ORDER.index(item.state)
    return (at, -item.priority, item.id) if at < 6 else (at, 0, -item.id)


def _patients(exams: dict[str, state.Exam], wanted: Iterable[str]) -> dict[str, Any]:
    found = {name: exams[name] for name in wanted if name in exams}
    return {
        name: {**msgspec.to_builtins(exam.patient), "emergency": exam.emergency} for name, exam in found.items()
    }


def history(item: state.Delivery) -> list[dict[str, str]]:
    """A plausible one: held until the exam was closed, sent once in vain, and how it stands now."""
    made = datetime.fromisoformat(item.created_at)

    def change(after_s: float, old: str, new: str, reason: str = "", code: str = "") -> dict[str, str]:
        at = (made + timedelta(seconds=after_s)).isoformat()
        return {"at": at, "old": old, "new": new, "reason": reason, "code": code}

    found = [change(0, "", "held", "the exam is open", "exam-open"), change(40, "held", "queued")]
    if item.state != "queued":
        found += [
            change(41, "queued", "sending"),
            change(42, "sending", "waiting", "PACS at 10.0.0.5:104 cannot be reached: timed out.", "no-route"),
            change(72, "waiting", "queued"),
            change(73, "queued", "sending"),
            change(74, "sending", item.state, item.reason, item.code),
        ]
    return found
