"""Who is asking: known from the peer credentials of the socket, kept for the length of one request."""

from __future__ import annotations

import contextlib
import pwd
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

from smartbox_tui.store import audit
from smartbox_tui.wire.access import Role
from smartbox_tui.wire.serve import Caller

_CALLER: Final[ContextVar[tuple[Caller, Role] | None]] = ContextVar("caller", default=None)
_NO_LOGIN: Final = 0xFFFFFFFF


def remember(caller: Caller, role: Role) -> None:
    """For this request and all that it awaits."""
    _CALLER.set((caller, role))


def who() -> str:
    """`anna (service, pid 812)`; `box` for what the engine does by itself."""
    known = _CALLER.get()
    if known is None:
        return "box"
    caller, role = known
    return f"{name_of(caller)} ({role}, pid {caller.pid})"


def asking() -> tuple[str, int]:
    """Name and process of whoever asks; nobody: the engine by itself."""
    known = _CALLER.get()
    return (name_of(known[0]), known[0].pid) if known is not None else ("", 0)


def name_of(caller: Caller) -> str:
    """Who logged in, also behind sudo: `anna as root` (proc(5), loginuid); else the user of the process."""
    name, login = _user(caller.uid), _NO_LOGIN
    with contextlib.suppress(OSError, ValueError):
        login = int(Path(f"/proc/{caller.pid}/loginuid").read_text(encoding="ascii"))
    return name if login in (_NO_LOGIN, caller.uid) else f"{_user(login)} as {name}"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def note(database: Any, action: str, exam: str = "", **detail: Any) -> int:
    """`store.audit.add` in the caller's name. To be called where the context still is that of the request: take
    `who()` before a job goes to another thread, and use `store.audit.add` there."""
    return audit.add(database, who(), action, exam, detail)
