"""Engine or capture with settings that do not hold, and no copy of some that did: it stays and says why to
everybody who asks, and ends, to be started anew, once they hold. Ending at once would only make the service manager
start it again for ever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from smartbox_tui.errors import PROCESS_AWAY, SmartBoxError
from smartbox_tui.settings.again import LOOK_S, Again
from smartbox_tui.settings.paths import Paths
from smartbox_tui.spool.lock import FolderLock
from smartbox_tui.wire import events, times
from smartbox_tui.wire.notify import Manager
from smartbox_tui.wire.serve import reply, serve_unix

log = logging.getLogger(__name__)

_HEARTBEAT_S: Final = 10.0


def run(name: str, paths: Paths, config: Path | None, trouble: SmartBoxError) -> int:
    """Until the settings hold, or SIGTERM or SIGINT; 0. Raises in-use beside another one that works."""
    paths.state.mkdir(parents=True, exist_ok=True)
    paths.runtime.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(paths.state, name)
    try:
        socket = {"engine": paths.engine_socket, "capture": paths.capture_socket}[name]
        asyncio.run(_Waiting(name, socket, Again(config, paths.state, trouble)).run())
    finally:
        lock.release()
    return 0


class _Waiting:
    def __init__(self, name: str, socket: Path, again: Again) -> None:
        self._name = name
        self._socket = socket
        self._again = again
        self._said = ""
        self._number = 0
        self._listeners: set[web.WebSocketResponse] = set()

    async def run(self) -> None:
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end.set)
        routes = [web.get("/v1/events", self._listen), web.route("*", "/{any:.*}", self._answer)]
        runner = await serve_unix(routes, self._socket)
        manager = Manager()
        manager.ready()  # whoever starts it is not kept waiting: its status says what it waits for
        try:
            while not end.is_set():
                await self._say(manager)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(end.wait(), LOOK_S)
                if await asyncio.to_thread(self._again.look):
                    log.info("the settings can be read: %s ends to be started anew with them", self._name)
                    return
        finally:
            manager.stopping()
            await runner.cleanup()
            self._socket.unlink(missing_ok=True)

    async def _say(self, manager: Manager) -> None:
        """Each trouble once; that it lives, always."""
        manager.alive()
        trouble = self._again.trouble
        if trouble.message == self._said:
            return
        self._said = trouble.message
        log.error("waits: the settings cannot be read: %s %s", trouble.message, trouble.hint)
        manager.tell(f"STATUS=waits, the settings cannot be read: {' '.join(trouble.message.split())}")
        self._number += 1
        for listener in tuple(self._listeners):
            await self._tell(listener)

    async def _tell(self, listener: web.WebSocketResponse) -> None:
        fact = events.SettingsUnreadable(**self._again.trouble.as_dict())
        event = events.Event(
            seq=self._number,
            time=times.now(),
            type=events.type_of(fact),
            data=msgspec.Raw(msgspec.json.encode(fact)),
        )
        with contextlib.suppress(ConnectionError):
            await listener.send_str(msgspec.json.encode(event).decode())

    async def _listen(self, request: web.Request) -> web.WebSocketResponse:
        listener = web.WebSocketResponse(heartbeat=_HEARTBEAT_S)
        await listener.prepare(request)
        await self._tell(listener)
        self._listeners.add(listener)
        try:
            async for _ in listener:
                pass
        finally:
            self._listeners.discard(listener)
        return listener

    async def _answer(self, _request: web.Request) -> web.Response:
        """To whoever asks it is away, and this is why: what works without it goes on."""
        trouble = self._again.trouble
        message = f"The {self._name} process waits: its settings cannot be read: {trouble.message}"
        return reply({"error": SmartBoxError(PROCESS_AWAY, message, trouble.hint).as_dict()}, 409)
