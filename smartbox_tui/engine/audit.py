"""Who is asking: known from the peer credentials of the socket, kept for the length of one request."""

from __future__ import annotations

import pwd
from contextvars import ContextVar
from typing import Any, Final

from smartbox_tui.store import audit
from smartbox_tui.wire.serve import Caller

_CALLER: Final[ContextVar[Caller | None]] = ContextVar("caller", default=None)


def remember(caller: Caller) -> None:
    """For this request and all that it awaits."""
    _CALLER.set(caller)


def who() -> str:
    """`root (pid 812)`; `box` for what the engine does by itself."""
    caller = _CALLER.get()
    if caller is None:
        return "box"
    try:
        name = pwd.getpwuid(caller.uid).pw_name
    except KeyError:
        name = f"uid {caller.uid}"
    return f"{name} (pid {caller.pid})"


def note(database: Any, action: str, exam: str = "", **detail: Any) -> int:
    """`store.audit.add` in the caller's name. To be called where the context still is that of the request: take
    `who()` before a job goes to another thread, and use `store.audit.add` there."""
    return audit.add(database, who(), action, exam, detail)
