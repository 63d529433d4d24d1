"""The performed procedure steps' part of the engine's API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from smartbox_tui.engine import audit
from smartbox_tui.engine.area import Handlers
from smartbox_tui.engine.exams.lifecycle import Exams
from smartbox_tui.engine.orders.performed_worker import Performed
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.store import audit as audits
from smartbox_tui.store import performed as outbox
from smartbox_tui.wire import commands
from smartbox_tui.wire.serve import reply

_LIMIT: Final = 1000


class PerformedArea:
    """Implements `area.Area`."""

    def __init__(self, exams: Exams, performed: Performed) -> None:
        self._exams, self._performed = exams, performed

    def handlers(self) -> Handlers:
        return {commands.PerformedChange: self._change}

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/performed", self.performed)]

    async def _change(self, command: commands.PerformedChange) -> Any:
        """Raises bad-value (unknown action, nothing named), not-found (an id)."""
        if command.action not in outbox.ACTIONS:
            raise SmartBoxError(
                "bad-value", f"'{command.action}' is no action.", f"One of {', '.join(outbox.ACTIONS)}."
            )
        if not (command.messages or command.all or command.server):
            raise SmartBoxError("bad-value", "Nothing is named.", "Give ids, --all or --server NAME.")
        reader = self._exams.store.reader
        missing = [item for item in command.messages if outbox.message(reader, item) is None]
        if missing:
            raise SmartBoxError("not-found", f"There is no message {missing[0]}.", "See `ctl mpps list`.")
        ids, who = command.messages or None, audit.who()

        def job(database: Any) -> int:
            changed = outbox.change(database, command.action, ids, command.server)
            if command.action == "cancel" and changed:
                audits.add(database, who, "performed-cancelled", "", {"messages": changed})
            return changed

        changed = await self._exams.write(job)
        self._performed.try_now(command.server)
        return {"changed": changed}

    async def performed(self, request: web.Request) -> web.Response:
        """`state`, `server`, `exam`: {"messages": [...]}, the newest thousand, oldest of them first."""
        query = request.query
        rows = outbox.messages(
            self._exams.store.reader,
            state=query.get("state"),
            peer=query.get("server"),
            exam=query.get("exam"),
            limit=_LIMIT,
        )
        return reply({"messages": [_shown(row) for row in rows], "servers": self._performed.services()})


def _shown(row: Any) -> dict[str, Any]:
    """Without its data set: that is the patient's."""
    next_at = None
    if row.next_at is not None and row.state == outbox.WAITING:
        next_at = datetime.fromtimestamp(row.next_at, UTC).astimezone().isoformat(timespec="seconds")
    return {
        "id": row.id,
        "step": row.step,
        "exam": row.exam,
        "server": row.peer,
        "verb": row.verb,
        "state": row.state,
        "reason": row.reason,
        "code": row.code,
        "attempts": row.attempts,
        "next_attempt_at": next_at,
        "created_at": row.created_at,
        "changed_at": row.changed_at,
    }
