"""One destination as all its workers see it: whether it can be reached, and which of them takes which row."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from smartbox_tui.engine.delivery.breaker import REJECTED, Breaker
from smartbox_tui.engine.delivery.rows import Rows
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.settings.destination import Destination
from smartbox_tui.store import queries, queue
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

CROWDED_S: Final = 60.0
"""An archive that took no further association is asked for one more after that time."""
WORKS_S: Final = 10.0
"""An archive that has answered within that time on one connection is there, whatever became of another one."""
IDLE_PROBE_S: Final = 60.0
"""An archive that has gone is told before the next exam is closed, not after."""


@dataclass(frozen=True, slots=True)
class Health:
    """ok | unreachable | rejected | unknown, why in words, and the contract's code of it."""

    state: str
    reason: str
    code: str


UNKNOWN: Final = Health("unknown", "", "")


@dataclass(eq=False, slots=True)
class Seat:
    """One worker's place. `row`: what it is busy with; `is_open`: it has agreed with the archive on something and
    has not hung up since; `wake` ends its pause."""

    wake: threading.Event = field(default_factory=threading.Event)
    row: int | None = None
    is_open: bool = False


class Target:
    """Shared by threads. The breaker is changed and what follows of it is given to the store's writer under one
    lock: in the same order, so that no row is left waiting behind a destination that is back."""

    def __init__(
        self,
        destination: Destination,
        store: Store,
        rows: Rows,
        *,
        may_send: Callable[[], str],
        status_changed: Callable[[], None],
    ) -> None:
        self.destination, self.rows = destination, rows
        self._store, self._may_send, self._status_changed = store, may_send, status_changed
        self._lock = threading.Lock()
        self._probing = threading.Lock()
        self._seats: list[Seat] = []
        self._opening: Seat | None = None  # no two workers ask for a further association at the same time
        self._crowded_until = 0.0
        retry = destination.retry
        self._breaker = Breaker(retry.first_s, retry.factor, retry.max_s)
        self._heard_at = -IDLE_PROBE_S  # CLOCK_MONOTONIC of the archive's last sign of life: ask at the start
        self._why = SmartBoxError("no-route", "The destination was not asked yet.")
        self._health = UNKNOWN
        self._paused = False
        self._lost_at: float | None = None  # CLOCK_MONOTONIC of the first failure since it last took something

    @property
    def name(self) -> str:
        return self.destination.name

    @property
    def health(self) -> Health:
        return self._health

    def seat(self) -> Seat:
        """A place for one more worker."""
        self._seats.append(seat := Seat())
        return seat

    def wake(self) -> None:
        for seat in self._seats:
            seat.wake.set()

    @property
    def away_for(self) -> float:
        """Seconds since it was last of use, while it cannot be reached; 0: it can, or is paused. An archive that
        answers a probe and then takes no object has not been of use."""
        lost = self._lost_at
        return 0.0 if lost is None or self._paused or not self._breaker.is_open else time.monotonic() - lost

    # ---- by hand

    def pause(self, paused: bool) -> None:
        self._paused = paused
        self.wake()

    def probe_now(self) -> None:
        """The operator says the archive is back: do not wait for the next probe."""
        self._breaker.next_probe_at = 0.0
        self._crowded_until = 0.0
        self.wake()

    # ---- whether to send

    @property
    def is_stopped(self) -> bool:
        """Paused, or nothing may be sent at all."""
        return self._paused or bool(self._may_send())

    def is_there(self, probe: Callable[[], None]) -> bool:
        """Whether rows may be sent. While it was away it is asked (`probe`) when it is time, by one worker only."""
        if not self._breaker.is_open:
            return True
        if self._breaker.may_try(time.monotonic()):
            return self._ask(probe)
        if queries.has_queued(self._store.reader, self.name):  # an exam was closed meanwhile
            self._hold_queued()
        return False

    def ask_when_silent(self, probe: Callable[[], None]) -> None:
        """Nothing was heard for long, and nobody is connected."""
        if time.monotonic() - self._heard_at >= IDLE_PROBE_S and not any(seat.is_open for seat in self._seats):
            self._ask(probe)

    def _ask(self, probe: Callable[[], None]) -> bool:
        if not self._probing.acquire(blocking=False):
            return False
        try:
            probe()
        except SmartBoxError as exc:
            self.failed(exc)
            return False
        finally:
            self._probing.release()
        self.heard(took=not queries.has_open(self._store.reader, self.name))
        return True

    # ---- who takes what

    def take(self, seat: Seat) -> Any | None:
        """The row that this worker is to send now, its own until `leave`: the first that no other one has.

        Without a connection a worker gets one only when there is none at all: the others wait whether the archive
        takes the first, and then see (`one_more`) whether it takes theirs. So no row waits behind a connection that
        may never stand.
        """
        with self._lock:
            if not seat.is_open and (self._opening or any(other.is_open or other.row for other in self._seats)):
                return None
            row = queue.next_queued(self._store.reader, self.name, self._busy())
            if row is not None:
                seat.row = row.id
            return row

    def one_more(self, seat: Seat) -> Any | None:
        """A row for whose sake this worker is to open a connection beside the others' and that it does not get yet;
        None: what is connected is enough, or all that the archive takes. `opened` ends it."""
        with self._lock:
            connected = [other for other in self._seats if other.is_open]
            if not connected or self._opening is not None or time.monotonic() < self._crowded_until:
                return None
            idle = sum(other.row is None for other in connected)
            row = queue.next_queued(self._store.reader, self.name, self._busy(), after=idle)
            if row is not None:
                self._opening = seat
            return row

    def opened(self) -> None:
        self._opening = None

    def leave(self, seat: Seat) -> None:
        seat.row = None

    def _busy(self) -> list[int]:
        return [seat.row for seat in self._seats if seat.row is not None]

    # ---- what was seen of it

    def is_crowded(self, seat: Seat, exc: SmartBoxError) -> bool:
        """Called when a connection could not be opened: True when the archive has others of ours, so that this says
        only that it takes no more (PS3.8 9.3.4: local limit exceeded; a server that lets the next one wait)."""
        with self._lock:
            connected = sum(other.is_open for other in self._seats if other is not seat)
            if connected:
                self._crowded_until = time.monotonic() + CROWDED_S
        if connected:
            log.info(
                "destination %s takes %d associations at once, not one more: %s", self.name, connected, exc.code
            )
        return bool(connected)

    def heard(self, *, took: bool = True) -> None:
        """The archive has answered: everything that waits for it is queued again. `took`: to an object, or there is
        none that it would have to be sent."""
        job = None
        with self._lock:
            self._heard_at = time.monotonic()
            if took:
                self._lost_at = None
            if self._breaker.succeeded():
                job = self._store.write(lambda database: queue.destination_back(database, self.name))
            self._is("ok", "", "")
        if job is not None:
            self.rows.tell(job.result())
            self.wake()

    def lost(self, seat: Seat, row: Any, exc: SmartBoxError, *, uncertain: bool) -> None:
        """A row was on its way when its connection failed. It waits, and everything else with it, unless the
        archive has just answered on another connection: then this one alone tries again."""
        with self._lock:
            others = any(other.is_open and other.row is not None for other in self._seats if other is not seat)
            works = others and time.monotonic() - self._heard_at < WORKS_S

        def wait(database: Any, at: float) -> Any:
            failures = 0 if works else row.failures + 1
            changes = {"next_at": at, "failures": failures, "uncertain": uncertain}
            return queue.move(database, row.id, State.WAITING, exc.message, exc.code, **changes)

        if works:
            at = queue.clock() + self.destination.retry.first_s
            self.rows.changed(self._store.write(lambda database: wait(database, at)).result())
        else:
            self.failed(exc, wait)

    def failed(self, exc: SmartBoxError, wait: Callable[[Any, float], Any] | None = None) -> None:
        """A cause of the network: everything waits. `wait(database, next_at)` moves the row that was on its way, in
        the same transaction, and returns it."""
        with self._lock:
            now = time.monotonic()
            if self._breaker.may_try(now):  # else it was under way already when another worker failed
                self._breaker.failed(now)
            if self._lost_at is None:
                self._lost_at = now
            self._why = exc
            job = self._store.write(self._away(exc, wait))
            self._is("rejected" if exc.code in REJECTED else "unreachable", exc.message, exc.code)
        moved, changed = job.result()
        self.rows.changed(moved)
        self.rows.tell(changed)

    def _hold_queued(self) -> None:
        """While the breaker is open nothing is just queued: it waits, and says why and until when."""
        with self._lock:
            if not self._breaker.is_open:
                return
            job = self._store.write(self._away(self._why, None))
        self.rows.tell(job.result()[1])

    def _away(
        self, why: SmartBoxError, wait: Callable[[Any, float], Any] | None
    ) -> Callable[[Any], tuple[Any, list[int]]]:
        at = queue.clock() + max(0.0, self._breaker.next_probe_at - time.monotonic())

        def job(database: Any) -> tuple[Any, list[int]]:
            moved = wait(database, at) if wait is not None else None
            return moved, queue.destination_away(database, self.name, why.message, why.code, at)

        return job

    def wake_waiting(self) -> None:
        """At the start: what waited for the network before; the first try tells."""
        self.rows.tell(self._store.write(lambda database: queue.destination_back(database, self.name)).result())

    def _is(self, state: str, reason: str, code: str) -> None:
        new = Health(state, reason, code)
        if new != self._health:
            self._health = new
            log.info("destination %s is %s", self.name, state)
            self._status_changed()
