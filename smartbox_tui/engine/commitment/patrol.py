"""Goes after what archives have stored: one thread for each that is asked for more than that, and the port that
they answer to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from smartbox_tui.engine.calling import peer_of
from smartbox_tui.engine.commitment.asking import Asking
from smartbox_tui.engine.commitment.promises import Promises
from smartbox_tui.engine.commitment.reading import Reading, fetcher_to
from smartbox_tui.engine.delivery.breaker import Breaker
from smartbox_tui.engine.dicom_port import DicomPort
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.destination import Destination, is_asked, is_used
from smartbox_tui.settings.schema import Settings
from smartbox_tui.store import commitments, queries
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

TICK_S: Final = 0.5
EXPIRE_S: Final = 5.0
UNSUPPORTED_S: Final = 3600.0
"""An archive that makes no promises is asked again after that time: it may have been taught meanwhile."""
AWAY_AFTER: Final = 3
"""Failed tries in a row until somebody is told."""
FORGET_DAYS: Final = 60
"""An answer that comes later than that is one to a question that nobody asked."""


@dataclass(frozen=True, slots=True)
class PromiseState:
    """Of one destination: `how` commitment | readback; `state` ok | unsupported | late | away; why, in words; how
    many deliveries it was asked about, and since when (RFC 3339)."""

    how: str
    state: str = "ok"
    reason: str = ""
    asked: int = 0
    since: str = ""


class Commitments:
    """The threads and the port. All methods can be called from any thread."""

    def __init__(
        self,
        spool: Path,
        store: Store,
        settings: Callable[[], Settings],
        *,
        changed: Callable[[Any], None],
        sent_again: Callable[[], None],
        status_changed: Callable[[], None],
    ) -> None:
        """`changed(row)` is told each delivery that changed, `sent_again` when one is to be sent again."""
        self._spool, self._store, self._settings = spool, store, settings
        self._changed, self._status_changed = changed, status_changed
        self._promises = Promises(spool, store, settings, changed=changed, sent_again=sent_again)
        self._port = DicomPort(settings, self._promises.report, status_changed)
        self._patrols: dict[str, _Patrol] = {}
        self._lock = threading.Lock()
        self._started = False

    def start(self) -> None:
        """Blocks while a crash's leftovers are put right."""
        self._promises.recover()
        before = (datetime.now(UTC).astimezone() - timedelta(days=FORGET_DAYS)).isoformat(timespec="milliseconds")
        self._store.write(lambda database: commitments.forget(database, before)).result()
        self._started = True
        self._port.start()
        self.reconfigure()

    def reconfigure(self) -> None:
        """The settings may have changed: a thread for each destination that is asked, by its settings of now."""
        if not self._started:
            return
        with self._lock:
            settings = self._settings()
            wanted = {item.name: (item, settings) for item in settings.destinations if is_asked(item)}
            for name in [name for name, patrol in self._patrols.items() if not patrol.is_for(wanted.get(name))]:
                self._patrols.pop(name).stop()
            for name, (item, _) in wanted.items():
                if name not in self._patrols:
                    self._store.write(lambda db, name=name: commitments.forgive(db, name)).result()  # type: ignore[misc]
                    self._patrols[name] = _Patrol(self, item, settings)
                    self._patrols[name].start()
        self._status_changed()

    def stop(self) -> None:
        with self._lock:
            self._started = False
            patrols = list(self._patrols.values())
        for patrol in patrols:
            patrol.stop()
        self._port.stop()
        for patrol in patrols:
            patrol.join(timeout=5)

    def wake(self) -> None:
        for patrol in list(self._patrols.values()):
            patrol.wake()

    def try_now(self, name: str | None = None) -> None:
        """The operator says that the archive is back, or can do it now."""
        for patrol in list(self._patrols.values()):
            if name in (None, patrol.destination.name):
                patrol.try_now()

    def state(self, name: str) -> PromiseState | None:
        """None: the destination is asked for nothing."""
        patrol = self._patrols.get(name)
        return patrol.state() if patrol is not None else None

    def alarms(self) -> dict[str, str]:
        """By code, in English: what somebody has to see to."""
        found = self._port.alarms()
        for name in sorted(self._patrols):
            state = self.state(name)
            if state is not None and state.state in ("unsupported", "late", "away"):
                found[f"commitment-{state.state}-{name}"] = state.reason
        return found


class _Patrol(threading.Thread):
    def __init__(self, owner: Commitments, destination: Destination, settings: Settings) -> None:
        super().__init__(name=f"promises-{destination.name}", daemon=True)
        self.destination = destination
        self._aet, self._station = settings.aet, (settings.station_name, settings.institution_name)
        self._store, self._status_changed = owner._store, owner._status_changed
        peer = peer_of(destination, settings.aet)
        used = {
            name: is_used(name, destination.kind, fallback=destination.fallback)
            for name in ("commitment", "readback")
        }
        self._asking = (
            Asking(destination, peer, owner._store, owner._promises, owner._changed)
            if destination.commitment and used["commitment"]
            else None
        )
        self._reading = (
            Reading(destination, fetcher_to(destination, peer), self._station, owner._spool, owner._store,
                    owner._promises)
            if destination.readback and used["readback"]
            else None
        )  # fmt: skip
        self._unreadable = ""
        self._read_again_at = 0.0
        retry = destination.retry
        self._breaker = Breaker(retry.first_s, retry.factor, retry.max_s)
        self._unsupported = ""
        self._ask_again_at = 0.0
        self._hung_up = 0
        self._away = ""
        self._expired_at = 0.0
        self._wake, self._ending = threading.Event(), threading.Event()

    def is_for(self, wanted: tuple[Destination, Settings] | None) -> bool:
        if wanted is None:
            return False
        destination, settings = wanted
        station = (settings.station_name, settings.institution_name)
        return (destination, settings.aet, station) == (self.destination, self._aet, self._station)

    # ---- from other threads

    def wake(self) -> None:
        self._wake.set()

    def try_now(self) -> None:
        self._breaker.next_probe_at = 0.0
        self._ask_again_at = self._read_again_at = 0.0
        self.wake()

    def stop(self) -> None:
        self._ending.set()
        for part in (self._asking, self._reading):
            if part is not None:
                part.stop()
        self.wake()

    def state(self) -> PromiseState:
        known = commitments.waiting(self._store.reader, self.destination.name)
        reads = self._reading is not None and (self._asking is None or bool(self._unsupported))
        made = PromiseState("readback" if reads else "commitment", asked=known.asked, since=known.since)
        state, reason = "ok", ""
        if self._unreadable or (self._unsupported and not reads):
            state, reason = "unsupported", self._unreadable or self._unsupported
        elif known.never:
            state = "unsupported"
            reason = f"{self.destination.name} makes no promise for {known.never} of its pictures."
        elif known.late and self._asking is not None:
            state = "late"
            reason = f"{self.destination.name} has let {known.late} questions pass whether it keeps its pictures."
        elif self._away and self._breaker.failures >= AWAY_AFTER:
            state, reason = "away", self._away
        return PromiseState(made.how, state, reason, made.asked, made.since)

    # ---- the thread

    def run(self) -> None:
        name = self.destination.name
        while not self._ending.is_set():
            try:
                if self._step():
                    continue
            except SmartBoxError as exc:
                log.error("promises of %s: %s", name, exc)
            except Exception:
                log.exception("promises of %s: a defect", name)
                self._ending.wait(5.0)  # never spin on it
            self._wake.wait(TICK_S)
            self._wake.clear()
        self._store.reader.close()  # this thread's own

    def _step(self) -> bool:
        """One question, or one object read back; False when there is nothing to do now."""
        now = time.monotonic()
        if self._asking is not None and now - self._expired_at >= EXPIRE_S:
            self._expired_at = now
            self._asking.expire()
        if self.destination.name in queries.paused_destinations(self._store.reader):
            return False
        if not self._breaker.may_try(now):
            return False
        if self._asking is not None and now >= self._ask_again_at:
            rows = self._asking.due()
            if rows:
                return self._ask(self._asking, rows)
        if self._reading is not None and now >= self._read_again_at:
            return self._try(self._read)
        return False

    def _read(self) -> bool:
        """What the archive makes no promise for: everything where it is not asked, or takes no questions."""
        assert self._reading is not None
        why = ""
        try:
            if self._asking is not None and self._reading.step(commitments.NEVER):
                return True
            return (self._asking is None or bool(self._unsupported)) and self._reading.step()
        except SmartBoxError as exc:
            if exc.code != "no-context":
                raise
            why = exc.message
            self._read_again_at = time.monotonic() + UNSUPPORTED_S
            return False
        finally:
            if why != self._unreadable:
                self._unreadable = why
                self._status_changed()

    def _ask(self, asking: Asking, rows: list[Any]) -> bool:
        why = ""

        def ask() -> bool:
            nonlocal why
            try:
                why = asking.ask(rows)
            except SmartBoxError as exc:
                if exc.code != "outcome-unknown":
                    raise
                self._hung_up += 1
                if self._hung_up < AWAY_AFTER:
                    raise
                why = exc.message  # some archives end the association instead of refusing the question
            else:
                self._hung_up = 0
            return True

        if not self._try(ask):
            return False
        if why != self._unsupported:
            self._unsupported = why
            if why:
                log.warning("destination %s makes no promises", self.destination.name)
            self._status_changed()
        if why:
            self._ask_again_at = time.monotonic() + UNSUPPORTED_S
        return not why

    def _try(self, job: Callable[[], bool]) -> bool:
        try:
            done = job()
        except SmartBoxError as exc:
            if self._ending.is_set():
                return False
            self._breaker.failed(time.monotonic())
            self._away = exc.message
            self._status_changed()
            return False
        if self._breaker.succeeded() or self._away:
            self._away = ""
            self._status_changed()
        return done
