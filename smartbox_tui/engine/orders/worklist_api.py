"""The worklist's part of the engine's API."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from smartbox_tui.engine.area import Handlers
from smartbox_tui.engine.orders import worklist as lists
from smartbox_tui.engine.orders.worklist import Worklist
from smartbox_tui.engine.orders.worklist_query import Answer, Queries
from smartbox_tui.store import worklist as kept
from smartbox_tui.wire import commands
from smartbox_tui.wire.serve import reply


class WorklistArea:
    """Implements `server.Area`."""

    def __init__(self, worklist: Worklist, queries: Queries) -> None:
        self._worklist, self._queries = worklist, queries

    def handlers(self) -> Handlers:
        return {commands.WorklistQuery: self._query, commands.WorklistCancel: self._cancel}

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/worklist", self.worklist)]

    async def _query(self, command: commands.WorklistQuery) -> Answer:
        return await self._queries.query(command)

    async def _cancel(self, command: commands.WorklistCancel) -> Any:
        return {"cancelled": self._queries.cancel(command.query)}

    async def worklist(self, _: web.Request) -> web.Response:
        """The last complete list: {"items", "age_s", "service"}; `service` null: no worklist is set up."""
        items = await asyncio.to_thread(lambda: lists.items(kept.listed(self._worklist.store.reader)))
        return reply({"items": items, "age_s": self._worklist.list_age_s(), "service": self._worklist.service()})
