"""The capture process: its lock, its signals, its socket, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import signal
import sys
from typing import Final

import msgspec

from smartbox_tui.capture import precedence
from smartbox_tui.capture.assembly import REAL, Assembly, Hardware
from smartbox_tui.capture.memory import bound_malloc
from smartbox_tui.capture.server import Server
from smartbox_tui.settings.paths import Paths
from smartbox_tui.settings.schema import Loaded, Settings
from smartbox_tui.spool.durable import make_folder
from smartbox_tui.spool.lock import FolderLock
from smartbox_tui.wire import events
from smartbox_tui.wire.hub import Hub
from smartbox_tui.wire.serve import checked_socket_path, serve_unix
from smartbox_tui.wire.watchdog import Watchdog, loop_turns

log = logging.getLogger(__name__)

_TICK_S: Final = 1.0
_CATCH_UP_TICKS: Final = 3
"""An engine that found no socket a moment ago writes `current.json` in the next one."""

_SWITCH_S: Final = 0.0005
"""CPython's 5 ms between threads is what a call into the encoder would wait for each busy Python thread."""


def run(paths: Paths, loaded: Loaded, hardware: Hardware = REAL) -> int:
    """Captures until SIGTERM or SIGINT; 0, or 1 when a thread that everything needs has died.

    Raises SmartBoxError `in-use` for a second capture on the same state folder, `bad-value` for a runtime
    folder too deep for a socket.
    """
    checked_socket_path(paths.capture_socket)
    paths.state.mkdir(parents=True, exist_ok=True)
    paths.runtime.mkdir(parents=True, exist_ok=True)
    make_folder(paths.spool)
    bound_malloc()
    sys.setswitchinterval(_SWITCH_S)
    precedence.of_process()
    lock = FolderLock(paths.state, "capture")
    try:
        return asyncio.run(_Process(paths, loaded.settings, hardware).run())
    finally:
        lock.release()


class _Process:
    """The assembly behind its socket, until a signal comes."""

    def __init__(self, paths: Paths, settings: Settings, hardware: Hardware) -> None:
        self._socket = paths.capture_socket
        self._hub = Hub(self._snapshot)
        self._assembly = Assembly(
            paths,
            settings,
            hardware,
            self._hub.publish_from_thread,
            self._died,
        )
        self._service = self._assembly.service
        self._server = Server(self._service, self._hub)
        self._end: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._status = 0

    async def run(self) -> int:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._hub.bind(self._loop)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end.set)
        self._assembly.start()
        runner = await serve_unix(self._server.routes(), self._socket)
        log.info("capture serves %s", self._socket)
        watchdog = self._assembly.watchdog(lambda: self._server.progress, loop_turns(self._loop))
        watchdog.ready()  # with or without a signal: the threads run, and the socket answers
        try:
            await self._until_end(self._end, watchdog)
        finally:
            watchdog.stopping()
            self._service.end()
            await runner.cleanup()  # no new commands; recordings run on until those under way are answered
            self._socket.unlink(missing_ok=True)
            await asyncio.to_thread(self._close)
        return self._status

    async def _until_end(self, end: asyncio.Event, watchdog: Watchdog) -> None:
        """Once a second changed sources are told: screens show a recording's time and what was lost."""
        told: dict[str, msgspec.Struct] = {}
        for tick in itertools.count():
            await asyncio.to_thread(self._assembly.look_at_clock)
            if tick < _CATCH_UP_TICKS:
                await asyncio.to_thread(self._assembly.catch_up)
            for source in self._service.sources():
                if told.get(source.id) != source:
                    told[source.id] = source
                    self._hub.publish(events.SourceChanged(source=source))
            watchdog.tell(self._assembly.told)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), _TICK_S)
            if end.is_set():
                return
            if self._service.restart_due:
                log.info("capture ends to be started anew with other settings")
                return

    def _close(self) -> None:
        self._server.close()
        self._assembly.close()

    def _died(self) -> None:
        self._status = 1
        if self._loop is not None and self._end is not None:
            self._loop.call_soon_threadsafe(self._end.set)

    def _snapshot(self) -> msgspec.Struct:
        return self._service.snapshot()
