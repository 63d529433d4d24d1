"""The worklist: refreshed by itself, kept in the store, there with its age when the server is away."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Protocol

import msgspec

from smartbox_tui.dicom.scu.find import FindResult
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.engine.calling import peer_of
from smartbox_tui.engine.delivery.breaker import REJECTED
from smartbox_tui.engine.orders import scheduled
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.patient import Patient
from smartbox_tui.model.worklist import WorklistEntry, WorklistKeys
from smartbox_tui.settings.schema import Settings
from smartbox_tui.store import worklist as kept
from smartbox_tui.store.database import Store
from smartbox_tui.wire import events, state

log = logging.getLogger(__name__)

LONGEST_S: Final = 600.0
"""A server that sends an entry now and then keeps every single wait short: the whole has an end, too."""
LONGEST_PAUSE_S: Final = 300.0
AWAY_AFTER: Final = 2
"""Failed refreshes until an alarm says so."""
SLICE_S: Final = 15.0
"""So often it is looked whether a new day has begun, also by a clock that was set."""
HEARD_AGAIN: Final = timedelta(hours=1)
"""The time of an unchanged entry need not be exact: it only decides what is forgotten after days."""


class Find(Protocol):
    """`dicom.scu.find.find_worklist`."""

    def __call__(
        self,
        peer: Peer,
        keys: WorklistKeys,
        *,
        on_entry: Callable[[WorklistEntry], None],
        cancelled: Callable[[], bool],
        limit: int,
        charset: str,
    ) -> FindResult: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What the refresh asks for, and whom."""

    peer: Peer
    keys: WorklistKeys
    limit: int
    charset: str

    @property
    def identity(self) -> str:
        """All but the dates: lists can be compared when it is the same."""
        peer, keys = self.peer, self.keys
        return json.dumps([peer.host, peer.port, peer.called_aet, keys.station_aet, keys.modality])


def asked(settings: Settings, today: date) -> Asked:
    """Raises not-found where no worklist is set up, bad-value."""
    values = settings.worklist
    if not values.host:
        raise SmartBoxError(
            "not-found",
            "No worklist is set up.",
            "Set [worklist] host, port and aet, or open the exam with the patient's data.",
        )
    keys = WorklistKeys(
        date_from=today - timedelta(days=values.days_before),
        date_to=today + timedelta(days=values.days_after),
        modality=values.modality,
        station_aet=values.station_aet,
    )
    return Asked(peer_of(values, settings.aet), keys, values.limit, values.charset)


def heard(entry: WorklistEntry) -> kept.Heard:
    """The entry as the store keeps it."""
    who = entry.patient
    patient = state.Patient(
        id=who.id,
        name=who.name,
        birth_date=who.birth_date.isoformat() if who.birth_date else None,
        sex=who.sex,
        age=who.age,
    )
    item = state.WorklistItem(
        id=entry.id,
        patient=patient,
        accession_number=entry.accession_number,
        study_instance_uid=entry.study_instance_uid,
        procedure=entry.procedure,
        scheduled_at=scheduled.with_offset(entry.scheduled_at, entry.source),
        modality=entry.modality,
        station=entry.station,
        station_name=entry.station_name,
        step_id=entry.step_id,
        requested_procedure_id=entry.requested_procedure_id,
        referring_physician=entry.referring_physician,
        priority=entry.priority,
        emergency=entry.emergency,
        issuer=entry.issuer,
    )
    return kept.Heard(
        entry.id,
        who.id,
        entry.accession_number,
        entry.scheduled_at,
        msgspec.json.encode(item).decode(),
        msgspec.json.encode(entry.source).decode(),
    )


def items(rows: Iterable[kept.Row]) -> list[state.WorklistItem]:
    """Rows of the store as the wire has them."""
    decode = msgspec.json.Decoder(state.WorklistItem).decode
    return [msgspec.structs.replace(decode(row.item), exam=row.exam, listed=row.listed) for row in rows]


def now_utc() -> str:
    """The store's times of the worklist: comparable as texts, also across a change of the clocks."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def age_s(at: str) -> float:
    return max(0.0, round((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds(), 1))


class Worklist:
    """The list, and the thread that refreshes it. Implements `ports.WorklistPort`.

    `publish` and `status_changed` can be called from any thread.
    """

    def __init__(
        self,
        store: Store,
        settings: Callable[[], Settings],
        *,
        find: Find,
        publish: Callable[[msgspec.Struct], None],
        status_changed: Callable[[], None],
    ) -> None:
        self.store, self.settings, self.find = store, settings, find
        self._publish, self._status_changed = publish, status_changed
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._abandon = threading.Event()  # the settings have changed while a refresh ran
        self._thread = threading.Thread(target=self._run, name="worklist", daemon=True)
        self._failure: SmartBoxError | None = None
        self._failures = 0
        self._answered = False
        self._next_at = 0.0  # CLOCK_MONOTONIC
        self._day: date | None = None  # of the last refresh, well or not
        self._in_force: tuple[Any, str] = (settings().worklist, settings().aet)

    # ---- from other threads

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; a running refresh is abandoned."""
        self._ending.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def reconfigure(self) -> None:
        """The settings may have changed: asks the right server for the right things, at once."""
        new = (self.settings().worklist, self.settings().aet)
        if new == self._in_force:
            return
        self._in_force = new
        self._failure, self._failures, self._answered = None, 0, False
        self._abandon.set()
        self.refresh_now()
        self._status_changed()

    def refresh_now(self) -> None:
        """Somebody has seen that the server is back, or wants it."""
        self._next_at = 0.0
        self._wake.set()

    def entry(self, item_id: str) -> WorklistEntry:
        found = kept.entry(self.store.reader, item_id)
        if found is None:
            raise SmartBoxError("not-found", "There is no worklist entry of that id.", "See `ctl worklist query`.")
        item = msgspec.json.decode(found[0], type=state.WorklistItem)
        who = item.patient
        born = date.fromisoformat(who.birth_date) if who.birth_date else None
        return WorklistEntry(
            id=item.id,
            patient=Patient(who.id, who.name, born, who.sex, who.age),
            accession_number=item.accession_number,
            study_instance_uid=item.study_instance_uid,
            procedure=item.procedure,
            scheduled_at=(item.scheduled_at or "")[:19],
            modality=item.modality,
            station=item.station,
            station_name=item.station_name,
            step_id=item.step_id,
            requested_procedure_id=item.requested_procedure_id,
            referring_physician=item.referring_physician,
            priority=item.priority,
            issuer=item.issuer,
            source=json.loads(found[1]),
        )

    def service(self) -> state.ServiceState | None:
        """None: no worklist is set up."""
        if not self.settings().worklist.host:
            return None
        last = kept.last_list(self.store.reader)
        failure = self._failure
        if failure is not None:
            word = "rejected" if failure.code in REJECTED or failure.code == "archive-refused" else "unreachable"
        else:
            word = "ok" if self._answered else "unknown"
        return state.ServiceState(
            name="worklist",
            state=word,
            reason=failure.message if failure else "",
            code=failure.code if failure else "",
            at=datetime.fromisoformat(last.at).astimezone().isoformat(timespec="milliseconds") if last else None,
            count=last.count if last else 0,
            truncated=last.truncated if last else False,
        )

    def away(self) -> str:
        """Why the server has not answered for more than one refresh; empty while it does."""
        failure = self._failure
        return failure.message if failure and self._failures >= AWAY_AFTER else ""

    @property
    def failing(self) -> bool:
        return self._failure is not None

    def list_age_s(self) -> float | None:
        """Seconds since the last complete answer; None before the first."""
        last = kept.last_list(self.store.reader)
        return None if last is None else age_s(last.at)

    # ---- the thread

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wake.clear()
            try:
                self._step()
            except Exception:
                log.exception("a defect in the refresh of the worklist")
                self._next_at = time.monotonic() + max(60.0, self.settings().worklist.refresh_s)
            self._wake.wait(min(SLICE_S, max(0.0, self._next_at - time.monotonic())))

    def _step(self) -> None:
        self._abandon.clear()  # before the settings are read: a change after that is not lost
        settings = self.settings()
        if not settings.worklist.host:
            self._next_at = time.monotonic() + SLICE_S
            return
        today = date.today()  # noqa: DTZ011 - the day of the house is the box's own
        if time.monotonic() < self._next_at and today == self._day:
            return
        self._day = today
        arrived = self._refresh(settings, today)
        if self._abandon.is_set() or self._ending.is_set():
            return
        self._next_at = time.monotonic() + self._pause(settings.worklist.refresh_s)
        service = self.service()
        if service is not None:
            self._publish(events.WorklistChanged(service=service, arrived=arrived))
        self._status_changed()

    def _pause(self, refresh_s: float) -> float:
        """A server that is away is asked less and less often, and never more often than one that is there."""
        if not self._failures:
            return refresh_s
        longest = max(refresh_s, LONGEST_PAUSE_S)
        pause: float = min(longest, refresh_s * 2.0 ** min(self._failures - 1, 16))
        return pause * (1 + 0.2 * random.random())  # noqa: S311 - many boxes, one server

    def _refresh(self, settings: Settings, today: date) -> list[state.WorklistItem]:
        """One query; the entries that have arrived since the last list."""
        came: list[kept.Heard] = []
        deadline = time.monotonic() + LONGEST_S
        try:
            wanted = asked(settings, today)
            result = self.find(
                wanted.peer,
                wanted.keys,
                on_entry=lambda entry: came.append(heard(entry)),
                cancelled=lambda: self._given_up(deadline),
                limit=wanted.limit,
                charset=wanted.charset,
            )
            if self._given_up(float("inf")):
                return []
            truncated = not result.complete and result.count >= wanted.limit
            if not result.complete and not truncated:
                raise self._late()
            arrived = self._keep(came, wanted, settings, truncated=truncated)
        except SmartBoxError as exc:
            if not self._given_up(float("inf")):
                self._failed(exc, came)
            return []
        if self._failures:
            log.info("the worklist server answers again")
        self._failure, self._failures, self._answered = None, 0, True
        return arrived

    def _given_up(self, deadline: float) -> bool:
        return self._ending.is_set() or self._abandon.is_set() or time.monotonic() > deadline

    @staticmethod
    def _late() -> SmartBoxError:
        return SmartBoxError(
            "timeout",
            f"The worklist server was not done after {LONGEST_S:.0f} s.",
            "Ask for less: a station, a modality, fewer days.",
        )

    def _failed(self, exc: SmartBoxError, came: list[kept.Heard]) -> None:
        """The last complete list stands; what came is kept beside it."""
        self._failures += 1
        if self._failure is None or self._failure.code != exc.code:
            log.warning("the worklist cannot be refreshed: %s: %s", exc.code, exc.message)
        self._failure = exc
        if came:
            try:
                self.store.write(lambda database: kept.put(database, came, now_utc())).result()
            except SmartBoxError as again:
                log.error("entries of the worklist could not be kept: %s", again)

    def _keep(
        self, came: list[kept.Heard], wanted: Asked, settings: Settings, *, truncated: bool
    ) -> list[state.WorklistItem]:
        """Makes it the list. What has arrived: in the days that the last list was for, for this station."""
        keys, now = wanted.keys, datetime.now(UTC)
        came = list({item.id: item for item in came}.values())
        assert keys.date_from is not None
        assert keys.date_to is not None
        this = kept.LastList(
            now.isoformat(timespec="milliseconds"),
            len(came),
            truncated,
            keys.date_from.isoformat(),
            keys.date_to.isoformat(),
            wanted.identity,
        )
        stale = (now - HEARD_AGAIN).isoformat(timespec="milliseconds")
        purge = (now - timedelta(days=settings.worklist.keep_days)).isoformat(timespec="milliseconds")

        def job(database: Any) -> tuple[kept.LastList | None, frozenset[str] | None]:
            before = kept.last_list(database)
            return before, kept.replace_list(database, came, this, stale=stale, purge=purge)

        before, new = self.store.write(job).result()
        if not new or before is None or before.truncated or before.asked != this.asked:
            return []
        ours = {settings.aet, settings.worklist.station_aet} - {""}
        rows = kept.rows_of(
            self.store.reader,
            [item.id for item in came if item.id in new and _within(item.scheduled_at, before)],
        )
        found = [item for item in items(rows) if item.exam is None and ours & set(item.station.split("\\"))]
        return sorted(found, key=lambda item: item.scheduled_at or "")


def _within(scheduled_at: str, last: kept.LastList) -> bool:
    """At midnight a whole day is new, and nothing has arrived."""
    return last.date_from <= scheduled_at[:10] <= last.date_to
