"""The asynchronous client: commands and the event stream, with reconnection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire.client import process_away
from smartbox_tui.wire.events import Event

RECONNECT_S: Final = 0.25
"""A local socket: trying costs nothing, and the screen must show quickly that the process is back."""

QUIET_S: Final = 5.0
"""Without an event, after which the process is asked whether it is there."""

PATIENCE_S: Final = 15.0
"""For its answer. One that has ended is known at once, from its socket; this is for one that stands still, and a
box with too much to do may well be late by ten seconds."""


class Link:
    """One process's socket as seen by another process. `async with`, then `command`, `get`, `events`."""

    def __init__(self, socket_path: Path, console: str = "") -> None:
        """`console`: the events are a console's on such a terminal (ssh, local): the engine lists it."""
        self._path = socket_path
        self._events = f"/v1/events?console={console}" if console else "/v1/events"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Link:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path=str(self._path)),
            timeout=aiohttp.ClientTimeout(total=60, sock_connect=2),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def command(self, value: msgspec.Struct, *, patience_s: float = 60.0) -> Any:
        """Posts the command, returns the decoded JSON. Raises SmartBoxError (`no-engine` when it is away, `timeout`
        after `patience_s`)."""
        return await self._request("POST", "/v1/command", msgspec.json.encode(value), patience_s)

    async def get(self, target: str) -> Any:
        """The decoded JSON at `target`. Raises as `command`."""
        return await self._request("GET", target, None)

    async def read(self, target: str) -> bytes:
        """The body at `target` as it is: a picture. Raises as `command`."""
        status, body = await self._exchange("GET", target, None)
        if status < 400:
            return body
        with contextlib.suppress(msgspec.DecodeError):
            value = msgspec.json.decode(body)
            if isinstance(value, dict) and isinstance(value.get("error"), dict):
                raise SmartBoxError.from_dict(value["error"])
        raise process_away(self._path)

    async def _request(self, method: str, target: str, body: bytes | None, patience_s: float = 60.0) -> Any:
        status, text = await self._exchange(method, target, body, patience_s)
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError as exc:
            raise process_away(self._path) from exc
        if status >= 400 and isinstance(value, dict) and isinstance(value.get("error"), dict):
            raise SmartBoxError.from_dict(value["error"])
        return value

    async def _exchange(
        self, method: str, target: str, body: bytes | None, patience_s: float = 60.0
    ) -> tuple[int, bytes]:
        assert self._session is not None, "use it as a context manager"
        if self._session.closed:
            raise self._ending()
        patience = aiohttp.ClientTimeout(total=patience_s, sock_connect=2)
        try:
            async with self._session.request(
                method, f"http://localhost{target}", data=body, timeout=patience
            ) as answer:
                return answer.status, await answer.read()
        except TimeoutError as exc:
            raise SmartBoxError("timeout", f"The {self._path.stem} process did not answer.", "Try again.") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise (self._ending() if self._session.closed else process_away(self._path)) from exc

    def _ending(self) -> SmartBoxError:
        """The link was closed under a command: the other process may be there and have heard of it, or not."""
        return SmartBoxError(
            "timeout",
            f"The {self._path.stem} process could not be asked any more: the one that asks is ending.",
            "Repeat the command; a repeat with the same id makes nothing twice.",
        )

    async def events(self) -> AsyncGenerator[Event | None, None]:
        """The stream for ever: a `snapshot` event, then the numbered ones. None: the process is away, or stands
        still; a new snapshot follows when it is back. A gap in the numbers reconnects, so none is ever silently
        missed, and so does a connection that was only cut: a new snapshot follows, and no None."""
        told = False  # that it is away; one that is away from the start is told, too
        loop = asyncio.get_running_loop()
        while True:
            heard = silent = False
            begun = loop.time()
            async with contextlib.aclosing(self._connection()) as connection:
                try:
                    async for event in connection:
                        heard, told = True, False
                        yield event
                except _StandsStillError:
                    silent = True
            if heard and not silent and loop.time() - begun > RECONNECT_S:
                continue  # one that has ended refuses the next connection at once
            if not told:
                told = True
                yield None
            await asyncio.sleep(RECONNECT_S)

    async def _connection(self) -> AsyncGenerator[Event, None]:
        """The events of one connection, until it ends. Raises _StandsStillError."""
        with contextlib.suppress(aiohttp.ClientError, OSError):
            socket = await asyncio.wait_for(self._connected(), PATIENCE_S)
            try:
                last: int | None = None
                while (message := await self._message(socket)).type is aiohttp.WSMsgType.TEXT:
                    event = msgspec.json.decode(message.data, type=Event)
                    if last is not None and event.seq != last + 1:
                        return
                    last = event.seq
                    yield event
            finally:
                await socket.close()

    async def _connected(self) -> aiohttp.ClientWebSocketResponse:
        assert self._session is not None, "use it as a context manager"
        return await self._session.ws_connect(
            f"http://localhost{self._events}", max_msg_size=0, timeout=aiohttp.ClientWSTimeout(ws_close=1)
        )

    async def _message(self, socket: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage:
        """The next message. A process that says nothing may have nothing to say, or be late on a machine that has
        too much to do: it is asked, as often as needed. Raises _StandsStillError when it does not answer."""
        coming = asyncio.ensure_future(socket.receive())
        try:
            while not (await asyncio.wait({coming}, timeout=QUIET_S))[0]:
                asked = asyncio.ensure_future(self._exchange("GET", "/v1/status", None, PATIENCE_S))
                try:
                    await asyncio.wait({coming, asked}, return_when=asyncio.FIRST_COMPLETED)
                    if not coming.done() and asked.exception() is not None:
                        raise _StandsStillError
                finally:
                    await _cancelled(asked)
            return coming.result()
        finally:
            await _cancelled(coming)


class _StandsStillError(Exception):
    """The process is there and does not answer."""


async def _cancelled(work: asyncio.Future[Any]) -> None:
    work.cancel()
    await asyncio.wait({work})
    if not work.cancelled():
        work.exception()  # seen: it was the outcome, or came too late to be one
