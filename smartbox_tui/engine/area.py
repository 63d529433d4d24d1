"""A part of the API with commands and state of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from smartbox_tui.wire import commands

Handlers = dict[type[commands.Command], Callable[[Any], Awaitable[Any]]]


class Area(Protocol):
    """In a module of its own; `server.Api` puts them together."""

    def handlers(self) -> Handlers:
        """What answers each command; the answer is encoded as JSON."""

    def routes(self) -> list[web.RouteDef]:
        """State by GET."""
