"""The pool of delivery workers: each destination has its own, so that a dead one never holds up another."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from smartbox_tui.engine.calling import peer_of
from smartbox_tui.engine.delivery.rows import Rows
from smartbox_tui.engine.delivery.target import UNKNOWN, Health, Target
from smartbox_tui.engine.delivery.worker import Worker
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.destination import NEEDED, Destination
from smartbox_tui.settings.schema import Settings
from smartbox_tui.settings.whole import NEEDS
from smartbox_tui.store import queries, queue
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

SWEEP_S: Final = 0.5


STOP_S: Final = 5.0
"""So long is waited for all workers together: a connection that is just being opened cannot be cut."""


class Delivery:
    """Starts and stops the workers, wakes rows whose time has come, takes back leases that ran out."""

    def __init__(
        self,
        spool: Path,
        store: Store,
        settings: Callable[[], Settings],
        *,
        changed: Callable[[Any, int | None], None],
        status_changed: Callable[[], None],
        may_send: Callable[[], str],
    ) -> None:
        self._spool, self._store = spool, store
        self._changed, self._status_changed, self._may_send = changed, status_changed, may_send
        self._rows = Rows(spool, store, settings, changed)
        self._targets: dict[str, Target] = {}
        self._workers: dict[str, list[Worker]] = {}
        self._ending = threading.Event()
        self.turns = 0
        """Of the sweeper."""
        self._sweeper = threading.Thread(target=self._sweep, name="delivery-sweep", daemon=True)

    def start(self, settings: Settings) -> None:
        """Workers for each destination. Raises bad-value for one without host or AE title."""
        for destination in settings.destinations:
            self.add(destination, settings)
        self._sweeper.start()

    def add(self, destination: Destination, settings: Settings) -> None:
        """Starts (or replaces) a destination's workers."""
        for key in NEEDED[destination.kind]:
            if not getattr(destination, key):
                raise SmartBoxError(
                    "bad-value",
                    f"The destination '{destination.name}' has no {key}.",
                    f"{NEEDS[destination.kind].capitalize()}.",
                )
        self.remove(destination.name)
        target = Target(
            destination,
            self._store,
            self._rows,
            may_send=self._may_send,
            status_changed=self._status_changed,
        )
        target.pause(destination.name in queries.paused_destinations(self._store.reader))
        peer = peer_of(destination, settings.aet)
        station = (settings.station_name, settings.institution_name)
        workers = [
            Worker(target, number, peer, station, self._spool, self._store)
            for number in range(1, destination.associations + 1)
        ]
        target.wake_waiting()
        self._targets[destination.name], self._workers[destination.name] = target, workers
        for worker in workers:
            worker.start()

    def remove(self, name: str) -> None:
        self._targets.pop(name, None)
        _end(self._workers.pop(name, []))

    def stop(self) -> None:
        """All workers at once; each gives its row back to the queue."""
        self._ending.set()
        _end(self._all())
        if self._sweeper.is_alive():
            self._sweeper.join(timeout=5)

    def _all(self) -> list[Worker]:
        return [worker for workers in list(self._workers.values()) for worker in workers]

    def senders(self) -> dict[str, int]:
        """The turns of each worker that sends over the network."""
        return {each.name: each.turns for each in self._all() if each.destination.kind != "folder"}

    def wake(self) -> None:
        for target in list(self._targets.values()):
            target.wake()

    def probe_now(self, name: str | None) -> None:
        for target in list(self._targets.values()):
            if name is None or target.name == name:
                target.probe_now()

    def pause(self, name: str, paused: bool) -> None:
        """Pauses a destination; what is being sent is finished. Raises not-found."""
        target = self._targets.get(name)
        if target is None:
            raise unknown_destination(name)
        self._store.write(lambda database: queue.pause_destination(database, name, paused)).result()
        target.pause(paused)

    def cancel_sending(self, delivery: int) -> bool:
        return any(worker.cancel(delivery) for worker in self._all())

    def interrupt(self, delivery: int, reason: str, *, hard: bool) -> None:
        """Stops a row before its last fragment, for this reason; `hard` cuts an association that does not move."""
        for worker in self._all():
            worker.cancel(delivery, reason, hard=hard)

    def away_for(self, name: str) -> float:
        """Seconds for which a destination has been out of reach; 0: it is not, or it is paused."""
        target = self._targets.get(name)
        return target.away_for if target is not None else 0.0

    def health(self, name: str) -> Health:
        target = self._targets.get(name)
        return target.health if target is not None else UNKNOWN

    def _sweep(self) -> None:
        while not self._ending.wait(SWEEP_S):
            self.turns += 1
            try:
                changed = self._store.write(_due).result()
            except SmartBoxError as exc:
                log.error("the queue could not be swept: %s", exc)
                continue
            for identity in changed:
                self._changed(queries.delivery(self._store.reader, identity), None)
            if changed:
                self.wake()


def _end(workers: list[Worker]) -> None:
    for worker in workers:
        worker.stop()
    deadline = time.monotonic() + STOP_S
    for worker in workers:
        worker.join(timeout=max(0.0, deadline - time.monotonic()))


def _due(database: Any) -> list[int]:
    lost = queue.recover(database, "the worker's lease ran out", before=queue.ticks())
    return queue.wake(database, queue.clock()) + lost


def unknown_destination(name: str) -> SmartBoxError:
    return SmartBoxError("not-found", f"There is no destination '{name}'.", "See `ctl destination list`.")
