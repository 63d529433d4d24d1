"""Capture's socket: commands, status, events."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec
from aiohttp import web

from smartbox_tui.capture.service import Service
from smartbox_tui.wire.commands import CaptureCommand
from smartbox_tui.wire.hub import Hub
from smartbox_tui.wire.serve import reply

_THREADS: Final = 8
"""Commands at the same time: each may wait for a disk."""


class Server:
    """The routes; `close` waits for the commands that are under way."""

    def __init__(self, service: Service, hub: Hub) -> None:
        self._service = service
        self._hub = hub
        self._threads = ThreadPoolExecutor(_THREADS, "command")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/command", self._command),
            web.get("/v1/status", self._status),
            web.get("/v1/events", self._hub.serve),
        ]

    def close(self) -> None:
        self._threads.shutdown()

    async def _command(self, request: web.Request) -> web.Response:
        try:
            command = msgspec.json.decode(await request.read(), type=CaptureCommand)
        except msgspec.DecodeError as exc:
            raise msgspec.ValidationError(str(exc)) from exc
        loop = asyncio.get_running_loop()
        return reply(await loop.run_in_executor(self._threads, self._service.answer, command))

    async def _status(self, _request: web.Request) -> web.Response:
        return reply({"sources": self._service.sources(), "exam": self._service.held()})
