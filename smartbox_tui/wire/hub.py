"""Numbered events to any number of WebSocket clients. A slow client is dropped, never waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
from aiohttp import WSMsgType, web

from smartbox_tui.wire import events, times

QUEUE_LENGTH: Final = 256
"""Events a client may lag behind before it is dropped; it reconnects and starts with a new snapshot."""
_END_S: Final = 5.0

_HEARTBEAT_S: Final = 30.0
"""A client that says nothing for half of it after it was asked is dropped."""

SLOW_CLIENT: Final = 4008
"""WebSocket close code for a dropped client (private range, RFC 6455 7.4.2)."""


class Hub:
    """Events of one process. All methods but `publish_from_thread` belong to the event loop's thread."""

    def __init__(self, snapshot: Callable[[], msgspec.Struct]) -> None:
        self._snapshot = snapshot
        self._sequence = 0
        self._clients: set[asyncio.Queue[bytes | None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Names the loop that `publish_from_thread` posts to."""
        self._loop = loop

    def publish(self, data: msgspec.Struct) -> None:
        """Sends the event to all clients; its type follows from the struct."""
        self._sequence += 1
        text = self._encode(events.type_of(data), data)
        for queue in list(self._clients):
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                self._clients.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)  # the sender task sees it and hangs up

    def publish_from_thread(self, data: msgspec.Struct) -> None:
        """The same from any thread; in order for one thread. Nothing happens once the loop is closed."""
        if self._loop is not None and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self.publish, data)
            except RuntimeError:  # closed between the two lines: the process ends
                return

    def _encode(self, kind: str, data: msgspec.Struct) -> bytes:
        raw = msgspec.Raw(msgspec.json.encode(data))
        return msgspec.json.encode(events.Event(seq=self._sequence, time=times.now(), type=kind, data=raw))

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """The handler of the event stream: the snapshot, then every event after it."""
        # compress=False: a local socket; deflate costs time and memory for nothing
        response = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, compress=False, max_msg_size=65536)
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_LENGTH)
        queue.put_nowait(self._encode("snapshot", self._snapshot()))
        self._clients.add(queue)  # no await since the snapshot: no event falls between
        sender = asyncio.create_task(self._send(request, response, queue))
        try:
            async for message in response:  # we expect nothing: this notices that the client has gone
                if message.type in (WSMsgType.ERROR, WSMsgType.CLOSE):
                    break
        finally:
            self._clients.discard(queue)
            sender.cancel()
            await asyncio.wait([sender], timeout=_END_S)  # nobody else holds it: it would be collected half ended
        return response

    async def _send(
        self, request: web.Request, response: web.WebSocketResponse, queue: asyncio.Queue[bytes | None]
    ) -> None:
        while (text := await queue.get()) is not None:
            try:
                # a client that stops reading fills the socket; the queue behind it then decides
                await asyncio.wait_for(response.send_frame(text, WSMsgType.TEXT), 5)
            except (TimeoutError, ConnectionError, RuntimeError):
                break
        if request.transport is not None:
            request.transport.abort()
