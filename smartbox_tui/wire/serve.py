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

_SO_PEERGROUPS: Final = 59
"""asm-generic/socket.h; Python does not name it."""
_GROUPS_MOST: Final = 256
"""Python's getsockopt takes 1024 bytes at most."""

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
    """Who calls, from the peer credentials of the socket (unix(7), SO_PEERCRED); `groups` beside `gid`."""

    pid: int
    uid: int
    gid: int
    groups: tuple[int, ...] = ()


def caller(request: web.Request) -> Caller:
    """The process on the other end; uid -1 where the transport is no Unix socket."""
    peer = request.transport.get_extra_info("socket") if request.transport else None
    if peer is None or peer.family != socket.AF_UNIX:
        return Caller(-1, -1, -1)
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, gid = struct.unpack("3i", raw)
    return Caller(pid, uid, gid, _groups(peer, pid))


def _groups(peer: socket.socket, pid: int) -> tuple[int, ...]:
    """Those that the process had when it connected; with a kernel before 4.13 or very many of them those it has
    now (proc(5), status)."""
    try:
        raw = peer.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_MOST * 4)
        return struct.unpack(f"{len(raw) // 4}I", raw)
    except OSError:
        pass
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return next((tuple(map(int, line.split()[1:])) for line in lines if line.startswith("Groups:")), ())


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
