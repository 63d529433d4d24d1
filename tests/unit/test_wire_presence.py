"""When a process is said to be away: at once where it has ended, never because it or the asker is late."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from smartbox_tui.wire import events, serve, state, stream
from smartbox_tui.wire.hub import Hub
from smartbox_tui.wire.stream import Link

_PROCESS = """
import asyncio, sys
from pathlib import Path
from aiohttp import web
from smartbox_tui.wire import serve, state
from smartbox_tui.wire.hub import Hub

async def main():
    hub = Hub(lambda: state.CaptureSnapshot(sources=[], exam=None, instances=[]))
    async def status(_):
        return serve.reply({})
    await serve.serve_unix([web.get("/v1/events", hub.serve), web.get("/v1/status", status)], Path(sys.argv[1]))
    await asyncio.sleep(600)

asyncio.run(main())
"""


class Recorder:
    """A process that serves events and status; `answering` cleared, it is asked and does not answer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hub = Hub(self._snapshot)
        self.answering = asyncio.Event()
        self.answering.set()
        self.asked = 0

    @staticmethod
    def _snapshot() -> msgspec.Struct:
        return state.CaptureSnapshot(sources=[], exam=None, instances=[])

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        routes = [web.get("/v1/events", self.hub.serve), web.get("/v1/status", self._status)]
        runner = await serve.serve_unix(routes, self.path)
        try:
            yield
        finally:
            self.answering.set()
            await runner.cleanup()

    async def _status(self, _request: web.Request) -> web.Response:
        self.asked += 1
        await self.answering.wait()
        return serve.reply({})

    async def asked_again(self) -> None:
        before = self.asked
        async with asyncio.timeout(30):
            while self.asked < before + 2:
                await asyncio.sleep(0.01)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "QUIET_S", 0.05)


@pytest.fixture
async def recorder(tmp_path: Path) -> AsyncIterator[Recorder]:
    made = Recorder(tmp_path / "capture.sock")
    async with made.serving():
        yield made


@pytest.mark.usefixtures("hasty")
async def test_one_that_has_nothing_to_say_is_asked_and_there(recorder: Recorder) -> None:
    async with Link(recorder.path) as link:
        listening = link.events()
        assert await anext(listening)
        coming = asyncio.ensure_future(anext(listening))
        await recorder.asked_again()
        assert not coming.done()
        recorder.hub.publish(events.MarkSet(source="endo", at_s=1.0, text=""))
        event = await coming
        assert event is not None
        assert event.type == "mark-set", "the same stream goes on: nothing was said in between"
        await listening.aclose()


@pytest.mark.usefixtures("hasty")
async def test_a_late_one_is_there_as_long_as_it_answers_within_the_patience(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PATIENCE_S", 60.0)
    async with Link(recorder.path) as link:
        listening = link.events()
        assert await anext(listening)
        coming = asyncio.ensure_future(anext(listening))
        recorder.answering.clear()
        async with asyncio.timeout(30):
            while not recorder.asked:
                await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        assert not coming.done()
        assert recorder.asked == 1, "it is not asked again before it has answered"
        recorder.answering.set()
        await recorder.asked_again()
        assert not coming.done()
        recorder.answering.clear()
        await asyncio.sleep(0.5)
        # an event is an answer, too
        recorder.hub.publish(events.MarkSet(source="endo", at_s=1.0, text=""))
        assert await coming is not None
        await listening.aclose()


@pytest.mark.usefixtures("hasty")
async def test_one_that_does_not_answer_is_away_until_it_does(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PATIENCE_S", 0.5)
    async with Link(recorder.path) as link:
        listening = link.events()
        assert await anext(listening)
        recorder.answering.clear()
        assert await anext(listening) is None
        recorder.answering.set()
        event = await anext(listening)
        assert event is not None
        assert event.type == "snapshot"
        await listening.aclose()


async def test_a_connection_that_was_only_cut_is_no_process_that_went_away(recorder: Recorder) -> None:
    """A hub drops who reads too slowly, which an overloaded console is: it is as much there as before."""
    async with Link(recorder.path) as link:
        listening = link.events()
        assert await anext(listening)
        coming = asyncio.ensure_future(anext(listening))
        await asyncio.sleep(2 * stream.RECONNECT_S)
        for client in list(recorder.hub._clients):
            client.put_nowait(None)
        event = await coming
        assert event is not None
        assert event.type == "snapshot"
        await listening.aclose()


async def test_one_that_stands_still_is_told_after_it_was_asked_and_one_that_ended_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "QUIET_S", 0.2)
    monkeypatch.setattr(stream, "PATIENCE_S", 1.0)
    path = tmp_path / "capture.sock"
    with subprocess.Popen([sys.executable, "-c", _PROCESS, str(path)]) as process:
        try:
            async with Link(path) as link:
                listening = link.events()
                async with asyncio.timeout(60):
                    while await anext(listening) is None:
                        pass
                    os.kill(process.pid, signal.SIGSTOP)
                    assert await anext(listening) is None
                    os.kill(process.pid, signal.SIGCONT)
                    assert await anext(listening) is not None
                # with the patience that the box has: its end is known without it
                monkeypatch.setattr(stream, "QUIET_S", 600.0)
                monkeypatch.setattr(stream, "PATIENCE_S", 600.0)
                await asyncio.sleep(0.5)
                process.kill()
                begun = time.monotonic()
                async with asyncio.timeout(60):
                    assert await anext(listening) is None
                print(f"told {time.monotonic() - begun:.3f} s after its end")
                await listening.aclose()
        finally:
            process.kill()
