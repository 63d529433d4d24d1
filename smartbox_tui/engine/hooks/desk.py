"""All hooks: their threads, what is told of them, and the events that are born beside the database's own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from smartbox_tui import __version__
from smartbox_tui.engine.hooks.watch import Watch
from smartbox_tui.engine.hooks.worker import HookWorker, what_is_wrong
from smartbox_tui.model.hooks import chosen
from smartbox_tui.settings.hooks import Hook
from smartbox_tui.settings.schema import Settings
from smartbox_tui.store import hooks, queue
from smartbox_tui.store.database import Store
from smartbox_tui.wire import state

log = logging.getLogger(__name__)

FAILING_S: Final = 600.0
"""A hook that failed that long is an alarm."""
ALARM: Final = "hook-"
"""How its code begins; the hook's name follows."""
STOP_S: Final = 5.0


class Hooks:
    """Belongs to the event loop's thread; nothing here waits for a receiver."""

    def __init__(self, store: Store, settings: Callable[[], Settings]) -> None:
        """Tells the database who is for what, so that nothing that happens from now on is missed."""
        self._store, self._settings = store, settings
        self._workers: dict[str, HookWorker] = {}
        self._watch = Watch(store)
        self._started = False
        self._configure()

    def start(self) -> None:
        self._started = True
        self._write(
            lambda database: hooks.tell(
                database, "box.started", {"version": __version__}, queue.now_text(), queue.clock()
            )
        )
        self._watch.start()
        self.reconfigure()

    def reconfigure(self) -> None:
        """After a change of the settings: only hooks that are others begin anew."""
        self._configure()
        if not self._started:
            return
        settings = self._settings()
        wanted = {item.name: item for item in settings.hooks}
        for name in [name for name in self._workers if name not in wanted]:
            self._workers.pop(name).stop()
        for name, hook in wanted.items():
            running = self._workers.get(name)
            if running is not None and running.suits(hook, settings):
                continue
            if running is not None:
                running.stop()
            self._workers[name] = worker = HookWorker(hook, settings, self._store, running)
            worker.start()

    def stop(self) -> None:
        """Blocks, some seconds at most."""
        for worker in self._workers.values():
            worker.stop()
        until = time.monotonic() + STOP_S
        for worker in self._workers.values():
            worker.join(max(0.0, until - time.monotonic()))

    def _configure(self) -> None:
        wanted = {item.name: (chosen(item.events), item.patient) for item in self._settings().hooks}
        self._write(lambda database: hooks.configure(database, wanted))

    def _write(self, job: Callable[[Any], Any]) -> None:
        self._store.write(job).add_done_callback(_told)

    # ---- what is seen in the status

    def see(self, status: state.Status, standing: dict[str, str]) -> None:
        """From each status: destinations that went or came back, alarms, exams whose last delivery is over. Puts
        the hooks' own alarms into `standing`, by code. Never raises: the status is for everybody."""
        try:
            self._watch.see(status, time.monotonic())
            if hooks.is_watching(self._store.reader):
                self._write(lambda database: hooks.delivered(database, queue.now_text(), queue.clock()))
            for code in [code for code in standing if code.startswith(ALARM)]:
                del standing[code]
            standing.update(self.alarms())
        except Exception:
            log.exception("hooks: a defect")

    def alarms(self) -> dict[str, str]:
        found = {}
        for name, worker in self._workers.items():
            since = worker.failing_since
            if since is not None and time.monotonic() - since >= FAILING_S:
                found[f"{ALARM}{name}"] = f"{name}: {hooks.state(self._store.reader, name)['error']}"
        return found

    # ---- what is told of them

    def hook(self, name: str) -> Hook | None:
        return next((item for item in self._settings().hooks if item.name == name), None)

    def listed(self) -> list[dict[str, Any]]:
        waiting = hooks.counts(self._store.reader)
        found = []
        for item in self._settings().hooks:
            state_ = hooks.state(self._store.reader, item.name)
            worker = self._workers.get(item.name)
            failing = worker is not None and worker.failing_since is not None
            wrong = what_is_wrong(item)
            word = "off" if not chosen(item.events) else "failing" if wrong or failing else "ok"
            found.append(
                {
                    "name": item.name,
                    "kind": item.kind,
                    "events": item.events,
                    "state": word,
                    "waiting": waiting.get(item.name, 0),
                    "delivered": state_["delivered"],
                    "failed": state_["refused"],
                    "dropped": state_["dropped"],
                    "last_error": wrong or state_["error"],
                    "code": "bad-value" if wrong else state_["code"],
                    "last_error_at": state_["error_at"],
                    "last_delivered_at": state_["delivered_at"],
                }
            )
        return found

    def try_now(self, name: str) -> None:
        """Somebody has mended the receiver: nothing waits for its time any more."""
        self._write(lambda database: hooks.retry_now(database, name))
        if (worker := self._workers.get(name)) is not None:
            worker.wake()


def _told(job: Future[Any]) -> None:
    if (exc := job.exception()) is not None:
        log.error("hooks: an event could not be written down: %s", exc)
