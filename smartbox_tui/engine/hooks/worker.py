"""One hook's thread: its events one after the other. Whatever its receiver does costs nobody but its own queue."""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import Final

from smartbox_tui.engine.delivery.breaker import backoff
from smartbox_tui.engine.hooks.calling import body_of, call, is_private
from smartbox_tui.engine.hooks.reply import Outcome, Reply
from smartbox_tui.engine.hooks.webhook import Post
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.hooks import Hook
from smartbox_tui.settings.schema import Settings
from smartbox_tui.store import hooks, queue
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

TICK_S: Final = 0.5
TRIM_S: Final = 30.0
KEPT: Final = 50
"""So many taken events are written down together at most: a plug pulled before it makes them come once more."""
KEPT_S: Final = 0.2
_SAID: Final = 200
_DAY_S: Final = 86400.0


class HookWorker(threading.Thread):
    """`before`: the thread of the same hook that was told to end; the order is kept by waiting for it."""

    def __init__(self, hook: Hook, settings: Settings, store: Store, before: threading.Thread | None) -> None:
        super().__init__(name=f"hook-{hook.name}", daemon=True)
        self.hook = hook
        self.failing_since: float | None = None  # CLOCK_MONOTONIC
        self._settings, self._store, self._before = settings, store, before
        self._ending, self._wake = threading.Event(), threading.Event()
        self._post: Post | None = None
        self._taken: list[int] = []
        self._told = 0  # of the dropped ones, with those taken
        self._first_at = 0.0
        self._after = 0
        self._trim_at = 0.0

    def suits(self, hook: Hook, settings: Settings) -> bool:
        """Whether it goes on as it is with these settings."""
        own = self._settings
        return self.hook == hook and (own.station_name, own.aet) == (settings.station_name, settings.aet)

    # ---- from other threads

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        """Ends the thread; a call that runs is ended, and made again by whoever comes next."""
        self._ending.set()
        self._wake.set()
        if (post := self._post) is not None:
            post.stop()

    # ---- the thread

    def run(self) -> None:
        if self._before is not None:
            self._before.join()
            self._before = None
        while not self._ending.is_set():
            try:
                pause = self._step()
            except SmartBoxError as exc:
                log.error("hook %s: %s", self.hook.name, exc)
                pause = TICK_S
            except Exception:
                log.exception("hook %s: a defect", self.hook.name)
                pause = 5.0
            if pause:
                self._wake.wait(pause)
                self._wake.clear()
        try:
            self._write_down()
        except SmartBoxError as exc:
            log.error("hook %s: %s", self.hook.name, exc)

    def _step(self) -> float:
        """One event; the seconds to wait before the next."""
        self._trim()
        event = hooks.next_event(self._store.reader, self.hook.name, self._after)
        if event is None:
            self._write_down()
            return TICK_S
        if event.next_at is not None and 0 < (left := event.next_at - queue.clock()) <= self.hook.retry.max_s * 2:
            self._write_down()
            return min(left, TICK_S)
        dropped = 0 if self._taken else hooks.state(self._store.reader, self.hook.name)["untold"]
        body = body_of(self._settings, self.hook, event, dropped)
        reply = call(self.hook, event, body, self._ending, self._calling)
        if reply.outcome is Outcome.TAKEN:
            self._took(event.id, dropped)
            return 0.0
        if reply.outcome is Outcome.ENDED:
            return TICK_S
        self._write_down()
        self._not_taken(event, reply)
        return 0.0

    def _calling(self, post: Post | None) -> None:
        self._post = post

    def _took(self, identity: int, dropped: int) -> None:
        self.failing_since = None
        if not self._taken:
            self._first_at = time.monotonic()
        self._taken.append(identity)
        self._told += dropped
        self._after = identity
        if len(self._taken) >= KEPT or time.monotonic() - self._first_at >= KEPT_S:
            self._write_down()

    def _write_down(self) -> None:
        if not self._taken:
            return
        name, ids, told, at = self.hook.name, self._taken, self._told, queue.now_text()
        self._store.write(lambda database: hooks.taken(database, name, ids, at, told)).result()
        self._taken, self._told = [], 0

    def _not_taken(self, event: hooks.Waiting, reply: Reply) -> None:
        name, retry, at = self.hook.name, self.hook.retry, queue.now_text()
        error = (reply.code, reply.reason)
        if reply.said and not self.hook.patient:  # it may say back what it was told
            error = (reply.code, f"{reply.reason} {reply.said[:_SAID]}")
        attempts = event.attempts + (reply.outcome is Outcome.FAILED)
        failures = event.failures + 1
        if self.failing_since is None:
            self.failing_since = time.monotonic()
        if reply.outcome is Outcome.REFUSED or attempts >= retry.attempts:
            log.warning("hook %s: %s is given up: %s", name, event.event, reply.reason)
            self._store.write(lambda database: hooks.given_up(database, name, event.id, error, at)).result()
            return
        if failures == 1:
            log.info("hook %s: %s waits: %s", name, event.event, reply.reason)
        pause = backoff(failures, retry.first_s, retry.factor, retry.max_s, random.random())  # noqa: S311
        self._store.write(
            lambda database: hooks.later(
                database, name, event.id, error, at,
                attempts=attempts, failures=failures, next_at=queue.clock() + pause,
            )
        ).result()  # fmt: skip

    def _trim(self) -> None:
        if time.monotonic() < self._trim_at:
            return
        self._trim_at = time.monotonic() + TRIM_S
        self._write_down()
        name, old = self.hook.name, queue.clock() - self.hook.keep_days * _DAY_S
        if hooks.has_too_much(self._store.reader, name, hooks.MOST_ROWS, old):
            count = self._store.write(lambda database: hooks.trim(database, name, hooks.MOST_ROWS, old)).result()
            log.warning("hook %s: %d events were too many or too old and are dropped", name, count)


def what_is_wrong(hook: Hook) -> str:
    """Why a hook cannot work as it is set; empty: it can."""
    if hook.kind == "webhook" and not hook.url:
        return "it has no web address"
    if hook.kind == "command" and not hook.command:
        return "it has no program"
    if hook.patient and not is_private(hook):
        return "patient data does not go to an address without https"
    return ""
