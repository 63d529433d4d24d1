"""Capture's socket: commands, status, events."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec
from aiohttp import web

from smartbox_tui.capture.service import Service
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import access
from smartbox_tui.wire.commands import CaptureCommand
from smartbox_tui.wire.hub import Hub
from smartbox_tui.wire.serve import caller, reply

_THREADS: Final = 8
"""Commands at the same time: each may wait for a disk."""


class Server:
    """The routes; `close` waits for the commands that are under way."""

    def __init__(self, service: Service, hub: Hub) -> None:
        self._service = service
        self._hub = hub
        self._threads = ThreadPoolExecutor(_THREADS, "command")
        self._under_way = self._answered = 0

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/command", self._command),
            web.get("/v1/status", self._status),
            web.get("/v1/events", self._hub.serve),
            web.get("/v1/preview", self._preview),
        ]

    def close(self) -> None:
        self._threads.shutdown()

    @property
    def progress(self) -> int | None:
        """Commands answered so far; None: a thread is free for the next."""
        return self._answered if self._under_way >= _THREADS else None

    async def _command(self, request: web.Request) -> web.Response:
        try:
            command = msgspec.json.decode(await request.read(), type=CaptureCommand)
        except msgspec.DecodeError as exc:
            raise msgspec.ValidationError(str(exc)) from exc
        access.check(access.role_of(caller(request)), command)
        loop = asyncio.get_running_loop()
        hold = self._service.hold(command)  # at once: a thread may be free only when the disk has answered
        self._under_way += 1
        try:
            return reply(await loop.run_in_executor(self._threads, self._service.answer, command, hold))
        finally:
            self._under_way -= 1
            self._answered += 1

    async def _preview(self, request: web.Request) -> web.Response:
        """?source=ID&width=PIXELS&height=PIXELS: a panel shows it that large, for the next seconds."""
        try:
            width, height = (int(request.query[name]) for name in ("width", "height"))
        except (KeyError, ValueError):
            raise SmartBoxError("bad-value", "The preview's size is missing.", "Give width and height.") from None
        return reply({"source": self._service.want_preview(request.query.get("source", ""), width, height)})

    async def _status(self, _request: web.Request) -> web.Response:
        service = self._service
        return reply({"sources": service.sources(), "exam": service.held(), "pedals": service.pedals()})
