"""The hooks' part of the engine's API: what became of their events, and one sent by hand."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, Final
from uuid import uuid4

from aiohttp import web

from smartbox_tui.engine.area import Handlers
from smartbox_tui.engine.hooks.calling import body_of, call
from smartbox_tui.engine.hooks.desk import Hooks
from smartbox_tui.engine.hooks.reply import Outcome, Reply
from smartbox_tui.engine.hooks.worker import what_is_wrong
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.hooks import TEST
from smartbox_tui.settings import describe
from smartbox_tui.settings.hooks import NOT_CONFINED, Hook, confined
from smartbox_tui.settings.load import SYSTEM_FILE, build
from smartbox_tui.settings.schema import Loaded, Settings
from smartbox_tui.store.hooks import Waiting
from smartbox_tui.store.queue import now_text
from smartbox_tui.wire import commands
from smartbox_tui.wire.serve import reply

LONGEST_S: Final = 60.0
"""A test is shorter than what the settings may allow: somebody waits for it."""


class HooksArea:
    """Implements `area.Area`."""

    def __init__(self, hooks: Hooks, settings: Any) -> None:
        self._hooks, self._settings = hooks, settings

    def handlers(self) -> Handlers:
        return {commands.HookTest: self._test}

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/hooks", self.hooks)]

    async def hooks(self, _: web.Request) -> web.Response:
        """{"hooks": [{"name", "kind", "events", "state": off | ok | failing, "waiting", "delivered", "failed",
        "dropped", "last_error", "code", "last_error_at", "last_delivered_at"}]}."""
        return reply({"hooks": self._hooks.listed()})

    async def _test(self, command: commands.HookTest) -> Any:
        """Raises not-found. What waits for its time is tried at once when the test went well."""
        hook = self._hooks.hook(command.name)
        if hook is None:
            raise SmartBoxError("not-found", f"There is no hook '{command.name}'.", "See `ctl hook list`.")
        answer = await trial(hook, self._settings())
        if answer["ok"]:
            self._hooks.try_now(hook.name)
        return answer


async def trial(hook: Hook, settings: Settings) -> dict[str, Any]:
    """Sends a test event now: {"ok", "code", "message", "hint", "answer": the beginning of what came back,
    "seconds"}. Raises nothing of what the receiver does."""
    if wrong := what_is_wrong(hook):
        return _answer(Reply(Outcome.REFUSED, "bad-value", f"The hook cannot work: {wrong}."), 0.0)
    event = Waiting(0, str(uuid4()), TEST, now_text(), {}, {}, 0, 0, None)
    body = body_of(settings, hook, event, 0)
    ending, began = threading.Event(), time.monotonic()
    job = asyncio.to_thread(call, hook, event, body, ending, lambda _post: None)
    try:
        found = await asyncio.wait_for(job, min(hook.timeout_s + 5, LONGEST_S))
    except TimeoutError:  # a name server that does not answer, say
        found = Reply(Outcome.AWAY, "timeout", "The receiver was not reached in time.")
    finally:
        ending.set()
    return _answer(found, time.monotonic() - began)


def _answer(found: Reply, seconds: float) -> dict[str, Any]:
    done = found.outcome is Outcome.TAKEN
    hints = {
        Outcome.REFUSED: "It answers so to every such event: see its own log.",
        Outcome.FAILED: "It is there and could not take it: see its own log.",
        Outcome.AWAY: "Check address or path, network and certificates.",
    }
    return {
        "ok": done,
        "code": found.code,
        "message": "The receiver has taken a test event." if done else found.reason,
        "hint": hints.get(found.outcome, ""),
        "answer": found.said,
        "seconds": round(seconds, 3),
    }


async def check(name: str, values: dict[str, Any], loaded: Loaded, config: Any) -> dict[str, Any]:
    """The connection test of the settings screens, with `values` that are not saved yet over those that are: the
    report of `destination test`. Raises not-found, unknown-key, bad-value."""
    settings = loaded.settings
    saved = next((item for item in settings.hooks if item.name == name), None)
    if saved is None and not values:
        raise SmartBoxError("not-found", f"There is no hook '{name}'.", "See `ctl hook list`.")
    tree = describe.tree(saved or Hook(name=name or "new"))
    for key, value in values.items():
        node, parts = tree, key.split(".")
        for part in parts[:-1]:
            inner = node.get(part)
            node = inner if isinstance(inner, dict) else {}
        node[parts[-1]] = value
    hook = build(Hook, tree, f"hooks.{name or 'new'}")
    own = saved is not None and saved.command == hook.command
    if not own and not confined(hook.command, config or SYSTEM_FILE):
        raise SmartBoxError("bad-value", f"hooks.{hook.name}.command: {NOT_CONFINED}", "Have it put there.")
    answer = await trial(hook, settings)
    message = " ".join(part for part in (answer["message"], answer["answer"][:300]) if part)
    step = {"step": "hook", "ok": answer["ok"], "message": message, "hint": "", "code": answer["code"]}
    if not answer["ok"]:
        step["hint"] = answer["hint"]
    return {"ok": answer["ok"], "steps": [step], "accepted": [], "peer": {"host": hook.url or hook.command}}
