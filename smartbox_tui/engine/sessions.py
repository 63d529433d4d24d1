"""Who is connected: consoles that announce themselves on the event stream, and what each caller may do."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import uuid4

from aiohttp import web

from smartbox_tui.engine import audit
from smartbox_tui.settings.schema import Settings
from smartbox_tui.store import audit as audit_lines
from smartbox_tui.wire import access, state, times
from smartbox_tui.wire.hub import Hub
from smartbox_tui.wire.serve import Caller, caller

log = logging.getLogger(__name__)

PANEL: Final = "panel"
SSH: Final = "ssh"
LOCAL: Final = "local"
_MOST: Final = 64
"""Sessions that are told; more are served all the same."""


class Sessions:
    """A console is a session as long as its event stream is connected: one that dies is gone with it. Belongs to
    the event loop's thread."""

    def __init__(
        self,
        hub: Hub,
        settings: Callable[[], Settings],
        write: Callable[[Callable[[Any], Any]], Awaitable[Any]],
        changed: Callable[[], None],
    ) -> None:
        self._hub, self._settings, self._write, self._changed = hub, settings, write, changed
        self._here: dict[str, state.Session] = {}
        self._notes: set[asyncio.Task[None]] = set()

    def listed(self) -> list[state.Session]:
        """Oldest first."""
        return list(self._here.values())[:_MOST]

    def role(self, who: Caller) -> access.Role:
        """By the groups; the panel may be an operator's only, though the box's own user works it."""
        role = access.role_of(who)
        ours = role is access.Role.SERVICE and who.uid == os.geteuid()
        if ours and not self._settings().panel.settings and access.on_panel(who):
            return access.Role.OPERATOR
        return role

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """The event stream. `?console=ssh` or `local`: it is a console's. What it says of itself is shown, and
        gives it nothing: a machine's own terminal is known from the kernel."""
        claim = request.query.get("console")
        if claim is None:
            return await self._hub.serve(request)
        session = self._session(caller(request), claim)
        self._here[session.id] = session
        self._tell(session, "session-began")
        try:
            return await self._hub.serve(request)
        finally:
            del self._here[session.id]
            self._tell(session, "session-ended")

    def _session(self, who: Caller, claim: str) -> state.Session:
        role = self.role(who)
        terminal = PANEL if access.on_panel(who) else SSH if claim == SSH else LOCAL
        visiting = (
            role is access.Role.SERVICE and terminal != PANEL and (terminal == SSH or who.uid != os.geteuid())
        )
        return state.Session(
            id=str(uuid4()),
            user=audit.name_of(who),
            role=role,
            terminal=terminal,
            since=times.now(),
            pid=who.pid,
            visiting=visiting,
        )

    def _tell(self, session: state.Session, action: str) -> None:
        """To the screens, and where it is somebody from outside to the audit."""
        self._changed()
        if session.terminal == PANEL or not (session.visiting or session.terminal == SSH):
            return
        who = f"{session.user} ({session.role}, pid {session.pid})"
        detail = {"terminal": session.terminal, "since": session.since}
        task = asyncio.get_running_loop().create_task(self._note(who, action, detail))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _note(self, who: str, action: str, detail: dict[str, Any]) -> None:
        try:
            await self._write(lambda database: audit_lines.add(database, who, action, "", detail))
        except Exception:  # the store may be closing
            log.exception("%s of %s could not be noted", action, who)
