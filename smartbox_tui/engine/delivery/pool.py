"""The pool of delivery workers: one thread a destination, so that a dead one never holds up another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from smartbox_tui.engine.delivery.worker import Worker
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.schema import Settings
from smartbox_tui.store import queries, queue
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

SWEEP_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Health:
    """ok | unreachable | rejected | unknown, why in words, and the contract's code of it."""

    state: str
    reason: str
    code: str


class Delivery:
    """Starts and stops the workers, wakes rows whose time has come, takes back leases that ran out."""

    def __init__(
        self,
        spool: Path,
        store: Store,
        *,
        changed: Callable[[Any, int | None], None],
        status_changed: Callable[[], None],
        may_send: Callable[[], str],
    ) -> None:
        self._spool, self._store = spool, store
        self._changed, self._status_changed, self._may_send = changed, status_changed, may_send
        self._workers: dict[str, Worker] = {}
        self._health: dict[str, Health] = {}
        self._ending = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep, name="delivery-sweep", daemon=True)

    def start(self, settings: Settings) -> None:
        """A worker for each destination. Raises bad-value for one without host or AE title."""
        for destination in settings.destinations:
            self.add(destination, settings)
        self._sweeper.start()

    def add(self, destination: Destination, settings: Settings) -> None:
        """Starts (or replaces) a destination's worker."""
        if destination.kind == "dimse" and not (destination.host and destination.aet):
            raise SmartBoxError(
                "bad-value",
                f"The destination '{destination.name}' has no {'aet' if destination.host else 'host'}.",
                "A dimse destination needs host, port and aet.",
            )
        self.remove(destination.name)
        worker = Worker(
            destination,
            settings.aet,
            (settings.station_name, settings.institution_name),
            self._spool,
            self._store,
            report=self._report,
            changed=self._changed,
            may_send=self._may_send,
        )
        worker.pause(destination.name in queries.paused_destinations(self._store.reader))
        self._workers[destination.name] = worker
        worker.start()

    def remove(self, name: str) -> None:
        worker = self._workers.pop(name, None)
        self._health.pop(name, None)
        if worker is not None:
            worker.stop()
            worker.join(timeout=5)

    def stop(self) -> None:
        """All workers at once; each gives its row back to the queue."""
        self._ending.set()
        for worker in self._workers.values():
            worker.stop()
        for worker in self._workers.values():
            worker.join(timeout=5)
        if self._sweeper.is_alive():
            self._sweeper.join(timeout=5)

    def wake(self) -> None:
        for worker in list(self._workers.values()):
            worker.wake()

    def probe_now(self, name: str | None) -> None:
        for worker in list(self._workers.values()):
            if name is None or worker.destination.name == name:
                worker.probe_now()

    def pause(self, name: str, paused: bool) -> None:
        """Pauses a destination; what is being sent is finished. Raises not-found."""
        worker = self._workers.get(name)
        if worker is None:
            raise unknown_destination(name)
        self._store.write(lambda database: queue.pause_destination(database, name, paused)).result()
        worker.pause(paused)

    def cancel_sending(self, delivery: int) -> bool:
        return any(worker.cancel(delivery) for worker in list(self._workers.values()))

    def interrupt(self, delivery: int, reason: str, *, hard: bool) -> None:
        """Stops a row before its last fragment, for this reason; `hard` cuts an association that does not move."""
        for worker in list(self._workers.values()):
            worker.cancel(delivery, reason, hard=hard)

    def health(self, name: str) -> Health:
        return self._health.get(name, Health("unknown", "", ""))

    def _report(self, name: str, state: str, reason: str, code: str) -> None:
        new = Health(state, reason, code)
        if self._health.get(name) != new:
            self._health[name] = new
            log.info("destination %s is %s", name, state)
            self._status_changed()

    def _sweep(self) -> None:
        while not self._ending.wait(SWEEP_S):
            try:
                changed = self._store.write(_due).result()
            except SmartBoxError as exc:
                log.error("the queue could not be swept: %s", exc)
                continue
            for identity in changed:
                self._changed(queries.delivery(self._store.reader, identity), None)
            if changed:
                self.wake()


def _due(database: Any) -> list[int]:
    lost = queue.recover(database, "the worker's lease ran out", before=queue.ticks())
    return queue.wake(database, queue.clock()) + lost


def unknown_destination(name: str) -> SmartBoxError:
    return SmartBoxError("not-found", f"There is no destination '{name}'.", "See `ctl destination list`.")
