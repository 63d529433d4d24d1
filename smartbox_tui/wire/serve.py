"""A process's socket: HTTP + WebSocket with aiohttp on a Unix socket, one error form for all."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from smartbox_tui.errors import SmartBoxError

log = logging.getLogger(__name__)

SOCKET_PATH_MAX: Final = 107
"""sockaddr_un.sun_path holds 108 bytes with the closing zero (unix(7))."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def checked_socket_path(path: Path) -> Path:
    """Raises bad-value with a sentence for a path that no Unix socket can have."""
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_MAX:
        raise SmartBoxError(
            "bad-value",
            f"The socket path {path} has {length} bytes, a Unix socket path may have {SOCKET_PATH_MAX}.",
            "Choose a shorter --runtime folder.",
        )
    return path


def reply(value: Any, status: int = 200) -> web.Response:
    """JSON of structs, dicts and lists alike."""
    return web.Response(body=msgspec.json.encode(value), content_type="application/json", status=status)


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error leaves as {"error": {code, message, hint}}."""
    try:
        return await handler(request)
    except SmartBoxError as exc:
        return reply({"error": exc.as_dict()}, 409)
    except msgspec.DecodeError as exc:  # its text names the place, never a value
        error = SmartBoxError("bad-value", f"The request is not as the API has it: {exc}", "See wire/commands.py.")
        return reply({"error": error.as_dict()}, 400)
    except web.HTTPException as exc:
        error = SmartBoxError("not-found", f"{request.method} {request.path}: {exc.reason}", "See the API's list.")
        return reply({"error": error.as_dict()}, exc.status)
    except (asyncio.CancelledError, ConnectionResetError):
        raise
    except Exception:
        log.exception("request %s %s failed", request.method, request.path)
        error = SmartBoxError("refused", "An internal error; the log has it.", "smartbox doctor; journalctl")
        return reply({"error": error.as_dict()}, 500)


class Caller(msgspec.Struct, frozen=True):
    """Who calls, from the peer credentials of the socket (unix(7), SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


def caller(request: web.Request) -> Caller:
    """The process on the other end; uid -1 where the transport is no Unix socket."""
    peer = request.transport.get_extra_info("socket") if request.transport else None
    if peer is None or peer.family != socket.AF_UNIX:
        return Caller(-1, -1, -1)
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return Caller(*struct.unpack("3i", raw))


async def serve_unix(routes: list[web.RouteDef], path: Path) -> web.AppRunner:
    """Listens at `path` (0660), replacing a stale socket; the caller holds the lock that says we are alone.

    Call `cleanup()` of what comes back to end it.
    """
    checked_socket_path(path)
    app = web.Application(middlewares=[errors_as_json], client_max_size=1 << 20)
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=False)
    await runner.setup()
    path.unlink(missing_ok=True)
    previous = os.umask(0o117)
    try:
        site = web.UnixSite(runner, str(path))
        await site.start()
    finally:
        os.umask(previous)
    return runner
