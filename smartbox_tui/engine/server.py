"""The engine's API on its socket: commands by POST, state by GET, events by WebSocket."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from aiohttp import web

from smartbox_tui.engine import audit, view
from smartbox_tui.engine.area import Area, Handlers
from smartbox_tui.engine.exams.desk import Desk
from smartbox_tui.engine.queue_api import checked_state, whole
from smartbox_tui.engine.sessions import Sessions
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.exam import CURRENT, ExamState
from smartbox_tui.spool.layout import is_uuid
from smartbox_tui.store import queries
from smartbox_tui.wire import access, commands
from smartbox_tui.wire.serve import caller, reply

log = logging.getLogger(__name__)

LIST_LIMIT: Final = 100_000


class Api:
    """The handlers. `routes()` is what the server serves."""

    def __init__(self, desk: Desk, sessions: Sessions, areas: Iterable[Area] = ()) -> None:
        self._desk, self._sessions = desk, sessions
        self._areas = tuple(areas)
        self._handlers: Handlers = {
            commands.ExamOpen: self._exam_open,
            commands.ExamClose: self._exam_close,
            commands.ExamRelease: self._exam_release,
            commands.ExamResume: self._exam_resume,
            commands.ExamAppend: self._exam_append,
            commands.ExamHold: self._exam_hold,
            commands.QueueChange: self._queue_change,
            commands.Adopt: self._adopt,
        }
        for area in self._areas:
            self._handlers |= area.handlers()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/command", self.command),
            web.get("/v1/events", self._sessions.serve),
            web.get("/v1/status", self.status),
            web.get("/v1/sources", self.sources),
            web.get("/v1/exams", self.exams),
            web.get("/v1/exams/current", self.exam_current),
            web.get("/v1/exams/{id}", self.exam),
            web.get("/v1/instances/{uid}", self.instance),
            web.get("/v1/queue", self.queue),
            web.get("/v1/queue/{id}/history", self.history),
            web.get("/v1/destinations", self.destinations),
            web.get("/healthz", self.healthz),
            *(route for area in self._areas for route in area.routes()),
        ]

    # ---- commands

    async def command(self, request: web.Request) -> web.Response:
        command: commands.Command = msgspec.json.decode(await request.read(), type=commands.EngineCommand)
        if not is_uuid(command.id):
            raise SmartBoxError("bad-value", "A command's id must be a UUID.", "Make a new one for each command.")
        who = caller(request)
        role = self._sessions.role(who)
        audit.remember(who, role)
        self._allowed(role, command)
        return reply(await self._handlers[type(command)](command))

    def _allowed(self, role: access.Role, command: commands.Command) -> None:
        """Raises refused; the log has who tried what."""
        try:
            access.check(role, command)
        except SmartBoxError:
            log.warning("%s was refused %s", audit.who(), type(command).__name__)
            raise

    async def _exam_open(self, command: commands.ExamOpen) -> Any:
        return {"exam": await self._desk.exams.open(command)}

    async def _exam_close(self, command: commands.ExamClose) -> Any:
        return {"exam": await self._desk.exams.close(command)}

    async def _exam_release(self, command: commands.ExamRelease) -> Any:
        return {"exam": await self._desk.exams.release(command)}

    async def _exam_resume(self, command: commands.ExamResume) -> Any:
        return {"exam": await self._desk.exams.resume(command)}

    async def _exam_append(self, command: commands.ExamAppend) -> Any:
        return {"exam": await self._desk.exams.append(command)}

    async def _exam_hold(self, command: commands.ExamHold) -> Any:
        return {"exam": await self._desk.exams.hold(command)}

    async def _queue_change(self, command: commands.QueueChange) -> Any:
        return {"changed": await self._desk.change_queue(command)}

    async def _adopt(self, command: commands.Adopt) -> Any:
        return {"instances": await self._desk.adopt_pictures(command.pictures)}

    # ---- state

    async def status(self, _: web.Request) -> web.Response:
        return reply(self._desk.board.build())

    async def sources(self, _: web.Request) -> web.Response:
        return reply({"sources": self._desk.board.build().sources})

    async def exams(self, request: web.Request) -> web.Response:
        """`date` YYYY-MM-DD, `open=1`, `unassigned=1`; `deliveries` counts each exam's by their state."""
        query = request.query
        states: list[str] | None = None
        if query.get("open"):
            states = [*CURRENT, ExamState.SUSPENDED]
        unassigned = bool(query.get("unassigned"))
        if unassigned:
            states = None
        reader = self._desk.store.reader
        rows = queries.exams(reader, date=query.get("date"), states=states, unassigned=unassigned)
        counts = queries.delivery_counts(reader, [row.id for row in rows])
        return reply({"exams": [view.exam(reader, row) for row in rows], "deliveries": counts})

    async def exam_current(self, _: web.Request) -> web.Response:
        current = self._desk.exams.current
        return reply({"exam": self._desk.exams.view(current) if current else None})

    async def exam(self, request: web.Request) -> web.Response:
        exam = self._desk.exams.view(request.match_info["id"])
        reader = self._desk.store.reader
        rows = queries.deliveries(reader, exam_id=exam.id, limit=LIST_LIMIT)
        return reply(
            {
                "exam": exam,
                "instances": [view.instance(row) for row in queries.instances_of(reader, exam.id)],
                "deliveries": [view.delivery(row) for row in rows],
            }
        )

    async def instance(self, request: web.Request) -> web.Response:
        uid = request.match_info["uid"]
        reader = self._desk.store.reader
        row = queries.instance(reader, uid)
        if row is None:
            raise SmartBoxError("not-found", f"There is no instance {uid}.", "See `ctl exam show ID`.")
        deliveries = [
            {
                **msgspec.to_builtins(view.delivery(item)),
                "changes": view.changes(queries.history(reader, item.id)),
            }
            for item in queries.deliveries(reader, instance_id=row.id)
        ]
        return reply({"instance": view.instance(row), "deliveries": deliveries})

    async def queue(self, request: web.Request) -> web.Response:
        """In the order they were made: `state`, `destination`, `after` (an id) and `limit`. Raises bad-value."""
        query = request.query
        state = checked_state(query["state"]) if query.get("state") else None
        if name := query.get("destination"):
            self._desk.destination(name)
        rows = queries.deliveries(
            self._desk.store.reader,
            state=state,
            destination=name,
            after=whole(query.get("after", "0"), "after"),
            limit=min(LIST_LIMIT, whole(query.get("limit", str(LIST_LIMIT)), "limit")),
        )
        return reply({"deliveries": [view.delivery(row) for row in rows]})

    async def history(self, request: web.Request) -> web.Response:
        """Every change of a delivery: {"at", "old", "new", "reason", "code"}. Raises bad-value."""
        rows = queries.history(self._desk.store.reader, whole(request.match_info["id"], "id"))
        return reply({"changes": view.changes(rows)})

    async def destinations(self, _: web.Request) -> web.Response:
        return reply({"destinations": self._desk.board.destinations()})

    async def healthz(self, _: web.Request) -> web.Response:
        """200 while the loop and the store answer."""
        await self._desk.exams.write(lambda _database: None)
        return reply({"ok": True})
