"""The processes, and what the engine knows: sources, servers, queue, alarms. Connections are tried in steps."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from pathlib import Path
from typing import Any, Final

from smartbox_tui.commands.doctor.check import Check, Context
from smartbox_tui.commands.output import source_text
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import client
from smartbox_tui.wire.access import OPERATOR_GROUP
from smartbox_tui.wire.state import ROLE_NEEDED

ANSWER_S: Final = 5.0
CONNECT_S: Final = 15.0
"""For a server's answers, all steps together."""
_AT_ONCE: Final = 8


def capture(context: Context) -> Iterator[Check]:
    """Asks it into the context."""
    context.capture, line = _asked("capture", context.folders.capture_socket)
    yield line


def engine(context: Context) -> Iterator[Check]:
    """Asks it into the context."""
    context.engine, line = _asked("engine", context.folders.engine_socket)
    yield line


def _asked(name: str, socket: Path) -> tuple[dict[str, Any] | None, Check]:
    if not os.access(socket, os.R_OK | os.W_OK) and _hidden(socket):
        why = f"could not be checked because this user may not ask on {socket}"
        return None, Check(name, None, why, f"Be in the group {OPERATOR_GROUP}, or run it as root.")
    try:
        answer: dict[str, Any] = client.request(socket, "GET", "/v1/status", timeout_s=ANSWER_S)
    except SmartBoxError as exc:
        return None, Check(name, False, exc.message, exc.hint)
    return answer, Check(name, True, f"answers on {socket}")


def _hidden(socket: Path) -> bool:
    """Whether it is there or may be: where this user may not look, nobody can say that it is not."""
    try:
        return socket.exists()
    except OSError:
        return True


def sources(context: Context) -> Iterator[Check]:
    for item in context.sources:
        trouble = bool(item.get("trouble"))
        yield Check(
            f"source.{item['id']}",
            bool(item["signal"]) and not trouble,
            source_text(item),
            "Record it in another codec, size or rate." if trouble else "Check cable and processor.",
        )


def servers(context: Context) -> Iterator[Check]:
    """Each as the engine reaches it; without the engine as this user does."""
    wanted = [(f"destination.{item.name}", "destination", item.name) for item in context.settings.destinations]
    if context.settings.worklist.host:
        wanted.append(("worklist", "worklist", ""))
    if context.settings.mpps.host:
        wanted.append(("mpps", "mpps", ""))
    if not wanted:
        return
    pool = ThreadPoolExecutor(_AT_ONCE, "server")
    try:
        jobs = [(identity, pool.submit(_connection, context, what, name)) for identity, what, name in wanted]
        for identity, job in jobs:
            try:
                ok, message, hint = job.result(CONNECT_S + 2)
            except Late:
                ok, message, hint = (
                    False,
                    f"no answer within {CONNECT_S:.0f} s",
                    "Check address, port and firewall.",
                )
            yield Check(identity, ok, message, hint)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _connection(context: Context, what: str, name: str) -> tuple[bool | None, str, str]:
    try:
        if context.engine is not None:
            command = {"type": "connection-test", "id": str(uuid.uuid4()), "what": what, "name": name}
            answer: dict[str, Any] = client.command(context.folders.engine_socket, command, timeout_s=CONNECT_S)
        else:
            from smartbox_tui.engine.configuration import connection

            answer = asyncio.run(asyncio.wait_for(connection.check(what, name, {}, context.settings), CONNECT_S))
    except SmartBoxError as exc:
        mine = exc.code == "refused" and ROLE_NEEDED in exc.message
        return None if mine else False, exc.message, exc.hint
    except TimeoutError:
        return False, f"no answer within {CONNECT_S:.0f} s", "Check address, port and firewall."
    failed = next((step for step in answer["steps"] if not step["ok"]), None)
    if failed is not None:
        return False, str(failed["message"]), str(failed["hint"])
    return True, str(answer["steps"][-1]["message"]) if answer["steps"] else "nothing to try", ""


def queue(context: Context) -> Iterator[Check]:
    """What waits, what is blocked, what alarms the engine."""
    status = context.engine
    if status is None:
        yield Check("queue", None, "could not be checked because the engine does not answer")
        return
    for item in status["performed"]:
        waits = f"{item['count']} messages wait" if item["count"] else "nothing waits"
        yield Check(f"performed.{item['name']}", item["state"] in ("ok", "unknown"), waits, item["reason"])
    blocked = status["queue"]["blocked"]
    hint = "smartbox ctl queue list --state blocked"
    yield Check("queue", not blocked, f"{blocked} deliveries blocked", hint)
    for alarm in status["alarms"]:
        yield Check(f"alarm.{alarm['code']}", False, alarm["message"])
