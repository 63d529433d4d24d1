"""The sockets: events in order, slow clients dropped, a process that goes away and comes back, errors as JSON."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import client, current, events, serve, state
from smartbox_tui.wire.hub import QUEUE_LENGTH, Hub
from smartbox_tui.wire.preview import PreviewReader, PreviewWriter
from smartbox_tui.wire.stream import Link


def snapshot() -> msgspec.Struct:
    return state.CaptureSnapshot(sources=[], exam=None, instances=[])


def mark(number: int) -> events.MarkSet:
    return events.MarkSet(source="endo", at_s=float(number), text="")


async def fail(_: web.Request) -> web.StreamResponse:
    raise SmartBoxError("disk-full", "No space.", "Make some.")


async def who(request: web.Request) -> web.StreamResponse:
    return serve.reply({"uid": serve.caller(request).uid})


async def broken(_: web.Request) -> web.StreamResponse:
    raise KeyError("a defect")


@asynccontextmanager
async def served(path: Path, hub: Hub) -> AsyncIterator[None]:
    routes = [
        web.get("/v1/events", hub.serve), web.get("/fail", fail), web.get("/who", who), web.get("/broken", broken),
    ]  # fmt: skip
    runner = await serve.serve_unix(routes, path)
    try:
        yield
    finally:
        await runner.cleanup()


async def test_a_snapshot_then_every_event_in_order(tmp_path: Path) -> None:
    hub = Hub(snapshot)
    path = tmp_path / "capture.sock"
    async with served(path, hub), Link(path) as link:
        hub.publish(mark(0))  # before anybody listens: in the snapshot
        stream = link.events()
        first = await anext(stream)
        assert first is not None
        assert (first.type, first.seq) == ("snapshot", 1)
        for number in range(50):
            hub.publish(mark(number))
        got = [await anext(stream) for _ in range(50)]
        assert [event and event.seq for event in got] == list(range(2, 52))
        assert [events.typed(event).at_s for event in got if event] == [float(n) for n in range(50)]  # type: ignore[union-attr]


async def test_a_process_that_goes_away_is_told_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "capture.sock"
    async with Link(path) as link:
        stream = link.events()
        assert await anext(stream) is None  # away from the start
        async with served(path, Hub(snapshot)):
            event = await anext(stream)
            assert event is not None
            assert event.type == "snapshot"
        assert await anext(stream) is None
        with pytest.raises(SmartBoxError) as caught:
            await link.get("/who")
        assert caught.value.code == "no-engine"
        async with served(path, Hub(snapshot)):
            assert await anext(stream) is not None


async def test_a_client_that_does_not_read_is_dropped_and_the_others_go_on(tmp_path: Path) -> None:
    hub = Hub(snapshot)
    path = tmp_path / "capture.sock"
    async with served(path, hub), Link(path) as link:
        stream = link.events()
        await anext(stream)
        slow = socket.socket(socket.AF_UNIX)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(str(path))
        slow.sendall(
            b"GET /v1/events HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        while len(hub._clients) < 2:
            await asyncio.sleep(0.01)
        text = events.MarkSet(source="endo", at_s=0, text="x" * 2000)
        for number in range(QUEUE_LENGTH * 4):
            hub.publish(text)
            event = await asyncio.wait_for(anext(stream), 5)
            assert event is not None
            assert event.seq == number + 1
        assert len(hub._clients) == 1
        slow.close()


async def test_errors_leave_as_json_with_a_hint_and_defects_without_their_inside(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    async with served(path, Hub(snapshot)):
        for target, code in (("/fail", "disk-full"), ("/nowhere", "not-found"), ("/broken", "refused")):
            with pytest.raises(SmartBoxError) as caught:
                await asyncio.to_thread(client.get, path, target)
            assert caught.value.code == code
            assert caught.value.hint
            assert "a defect" not in caught.value.message


async def test_a_link_that_is_closed_under_a_command_does_not_say_that_the_other_is_away(tmp_path: Path) -> None:
    """Whoever ends an exam without capture does so because capture is gone, not because it is ending itself."""
    path, asked = tmp_path / "capture.sock", asyncio.Event()

    async def silent(_: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.sleep(60)
        raise AssertionError

    runner = await serve.serve_unix([web.get("/silent", silent)], path)
    try:
        async with Link(path) as link:
            under_way = asyncio.create_task(link.get("/silent"))
            await asyncio.wait_for(asked.wait(), 30)
        for call in (under_way, link.get("/silent")):
            with pytest.raises(SmartBoxError) as caught:
                await asyncio.wait_for(call, 30)
            assert caught.value.code == "timeout"
    finally:
        await runner.cleanup()


async def test_the_caller_is_known_from_the_socket(tmp_path: Path) -> None:
    import os

    path = tmp_path / "engine.sock"
    async with served(path, Hub(snapshot)):
        assert await asyncio.to_thread(client.get, path, "/who") == {"uid": os.getuid()}
        assert oct(path.stat().st_mode)[-3:] == "660"


def test_nobody_there_is_no_engine_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SmartBoxError) as caught:
        client.get(tmp_path / "engine.sock", "/v1/status")
    assert caught.value.code == "no-engine"
    assert "smartbox engine" in caught.value.hint


def test_a_socket_path_that_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(SmartBoxError, match="107"):
        serve.checked_socket_path(tmp_path / ("x" * 120))


def test_current_is_of_this_boot_only(tmp_path: Path) -> None:
    current.write_current(tmp_path, current.Current("e", 1, current.boot_id()))
    assert current.read_current(tmp_path) == current.Current("e", 1, current.boot_id())
    current.write_current(tmp_path, current.Current("e", 1, "another boot"))
    assert current.read_current(tmp_path) is None
    current.write_current(tmp_path, None)
    assert current.read_current(tmp_path) is None


def test_a_preview_is_whole_and_new_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "preview-endo"
    reader = PreviewReader(path)
    assert reader.read() is None
    writer = PreviewWriter(path, 4, 2)
    assert reader.read() is None
    for number in range(1, 8):
        writer.slot()[:] = bytes([number]) * 24
        writer.publish(number * 100)
        picture = reader.read()
        assert picture is not None
        assert (picture.sequence, picture.timestamp_ns, picture.rgb) == (number, number * 100, bytes([number]) * 24)
        assert reader.read() is None
    again = PreviewWriter(path, 2, 2)  # capture was restarted, with another size
    again.slot()[:] = b"\x09" * 12
    again.publish(1)
    picture = reader.read()
    assert picture is not None
    assert (picture.width, picture.rgb) == (2, b"\x09" * 12)
    again.close()
    assert reader.read() is None
