"""The asynchronous client: commands and the event stream, with reconnection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import events
from smartbox_tui.wire.client import process_away

RECONNECT_S: Final = 0.25
"""A local socket: trying costs nothing, and the screen must show quickly that the process is back."""


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

    async def events(self) -> AsyncIterator[events.Event | None]:
        """The stream for ever: a `snapshot` event, then the numbered ones. None: the process went away; a new
        snapshot follows when it is back. A gap in the numbers reconnects, so none is ever silently missed."""
        assert self._session is not None, "use it as a context manager"
        connected = True  # so that a process that is away from the start is told once
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with self._session.ws_connect(
                    f"http://localhost{self._events}",
                    heartbeat=10,
                    max_msg_size=0,
                    timeout=aiohttp.ClientWSTimeout(ws_close=1),
                ) as socket:
                    last: int | None = None
                    async for message in socket:
                        if message.type is not aiohttp.WSMsgType.TEXT:
                            break
                        event = msgspec.json.decode(message.data, type=events.Event)
                        if last is not None and event.seq != last + 1:
                            break
                        last = event.seq
                        connected = True
                        yield event
            if connected:
                connected = False
                yield None
            await asyncio.sleep(RECONNECT_S)
