"""The queue for the screens: a page at any place, counts by destination, one delivery with all its history."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from smartbox_tui.engine import view
from smartbox_tui.engine.area import Handlers
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.delivery import DeliveryState
from smartbox_tui.store import pages, queries
from smartbox_tui.store.database import Store
from smartbox_tui.wire.serve import reply

PAGE_ROWS: Final = 500
"""At most so many rows in one answer."""
_LARGEST: Final = 2**62


class QueueArea:
    """`GET /v1/queue/page`, `GET /v1/deliveries/{id}`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counted: tuple[int, dict[str, dict[str, int]]] | None = None

    def handlers(self) -> Handlers:
        return {}

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/queue/page", self.page), web.get("/v1/deliveries/{id}", self.delivery)]

    async def page(self, request: web.Request) -> web.Response:
        """`state` (several: a,b), `destination`, `offset`, `limit`: {"deliveries", "patients": {exam: PATIENT},
        "offset", "total", "counts": {destination: {state: count}}}. Raises bad-value."""
        query = request.query
        states = [item for item in query.get("state", "").split(",") if item] or list(pages.ORDER)
        for state in states:
            checked_state(state)
        destination = query.get("destination") or None
        offset = whole(query.get("offset", "0"), "offset")
        limit = min(PAGE_ROWS, whole(query.get("limit", "50"), "limit"))
        known = self._counts()
        rows = pages.page(self._store.reader, known, states, destination, offset, limit)
        return reply(
            {
                "deliveries": [view.delivery(row) for row in rows],
                "patients": pages.patients(self._store.reader, (row.exam for row in rows)),
                "offset": offset,
                "total": sum(pages.total(known, state, destination) for state in set(states)),
                "counts": known,
            }
        )

    def _counts(self) -> dict[str, dict[str, int]]:
        """Counted anew only when somebody has written since: leafing through a queue at rest costs nothing."""
        now = pages.version(self._store.reader)
        if self._counted is None or self._counted[0] != now:
            self._counted = (now, pages.counts(self._store.reader))
        return self._counted[1]

    async def delivery(self, request: web.Request) -> web.Response:
        """{"delivery", "changes", "instance", "exam", "deliveries"}: the last are all
        of the same picture, whichever rendition. Raises not-found."""
        reader = self._store.reader
        row = queries.delivery(reader, whole(request.match_info["id"], "id"))
        if row is None:
            raise SmartBoxError("not-found", "There is no such delivery.", "See `ctl queue list`.")
        instance, exam = queries.instance(reader, row.instance), queries.exam(reader, row.exam)
        others = queries.deliveries(reader, instance_id=row.instance)
        value: dict[str, Any] = {
            "delivery": view.delivery(row),
            "changes": view.changes(queries.history(reader, row.id)),
            "instance": view.instance(instance) if instance is not None else None,
            "exam": view.exam(reader, exam) if exam is not None else None,
            "deliveries": [view.delivery(item) for item in others],
        }
        return reply(value)


def whole(text: str, name: str) -> int:
    """A number from a query. Raises bad-value."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > _LARGEST:
        raise SmartBoxError("bad-value", f"{name} must be a whole number.", f"For instance ?{name}=100.")
    return int(text)


def checked_state(state: str) -> str:
    """A delivery's state. Raises bad-value for another word."""
    if state not in list(DeliveryState):
        raise SmartBoxError(
            "bad-value", f"'{state}' is not a delivery state.", f"One of {', '.join(DeliveryState)}."
        )
    return state
