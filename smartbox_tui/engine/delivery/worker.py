"""One delivery thread: one destination, one association at a time, for as long as there is something to send."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from smartbox_tui.engine.calling import peer_of
from smartbox_tui.engine.composing import NotMade
from smartbox_tui.engine.delivery.answers import verdict
from smartbox_tui.engine.delivery.breaker import Breaker
from smartbox_tui.engine.delivery.forms import Form
from smartbox_tui.engine.delivery.parcel import Parcel, making
from smartbox_tui.engine.delivery.precheck import check_before_sending
from smartbox_tui.engine.delivery.way import way_to
from smartbox_tui.engine.rendition import is_discarded
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Answer, TransferCancelled, TransferLost
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.settings.destination import Destination
from smartbox_tui.spool import ledger
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.store import queries, queue, records
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

NETWORK: Final = frozenset({"no-route", "refused", "timeout", "tls", "called-aet-rejected", "calling-aet-rejected"})
"""Causes of the way to the archive: they open the breaker and never block a row."""

NO_DOCUMENTS: Final = "the archive takes no Key Object Selections, so it does not get the marks"
REJECTED: Final = frozenset({"called-aet-rejected", "calling-aet-rejected"})
LINGER_S: Final = 3.0
"""An association stays open that long without work: the next picture of a running exam finds it."""
PROGRESS_S: Final = 0.25
RENEW_S: Final = 10.0
TELL_ROWS: Final = 200
IDLE_PROBE_S: Final = 60.0
"""An archive that has gone is told before the next exam is closed, not after."""
TICK_S: Final = 0.5


class Worker(threading.Thread):
    """`report(name, state, reason, code)` tells the destination's state, `changed(row, bytes_sent)` each change
    of a row, `may_send()` gives a reason not to send now, or an empty text."""

    def __init__(
        self,
        destination: Destination,
        calling_aet: str,
        station: tuple[str, str],
        spool: Path,
        store: Store,
        *,
        report: Callable[[str, str, str, str], None],
        changed: Callable[[Any, int | None], None],
        may_send: Callable[[], str],
    ) -> None:
        super().__init__(name=f"deliver-{destination.name}", daemon=True)
        self.destination = destination
        self._way = way_to(destination, peer_of(destination, calling_aet))
        self._station, self._spool, self._store = station, spool, store
        self._report, self._changed, self._may_send = report, changed, may_send
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._paused = False
        retry = destination.retry
        self._breaker = Breaker(retry.first_s, retry.factor, retry.max_s)
        self._heard_at = -IDLE_PROBE_S  # CLOCK_MONOTONIC of the archive's last sign of life: ask at the start
        self._why = SmartBoxError("no-route", "The destination was not asked yet.")
        self._current: int | None = None
        self._cancel: dict[int, str] = {}  # delivery -> why

    # ---- from other threads

    def wake(self) -> None:
        self._wake.set()

    def pause(self, paused: bool) -> None:
        self._paused = paused
        self.wake()

    def cancel(self, delivery: int, reason: str = "cancelled by hand", *, hard: bool = False) -> bool:
        """Stops a row that is being sent, before its last fragment; False when it is not this worker's.

        `hard` also ends the waiting for an archive that takes nothing more, or does not answer.
        """
        if self._current != delivery:
            return False
        self._cancel[delivery] = reason
        if hard:
            self._way.abort()
        return True

    def probe_now(self) -> None:
        """The operator says the archive is back: do not wait for the next probe."""
        self._breaker.next_probe_at = 0.0
        self.wake()

    def stop(self) -> None:
        """Ends the thread; what is being sent is aborted and goes back to the queue."""
        self._ending.set()
        self.wake()
        self._way.abort()

    # ---- the thread

    def run(self) -> None:
        idle_since = time.monotonic()
        self._wake_waiting()  # what waited for the network before we were started: the first try tells
        while not self._ending.is_set():
            try:
                if self._step():
                    idle_since = time.monotonic()
                    continue
            except SmartBoxError as exc:
                log.error("destination %s: %s", self.destination.name, exc)
            except Exception:
                log.exception("destination %s: a defect in the delivery", self.destination.name)
                self._hang_up(abort=True)
                self._ending.wait(1.0)  # never spin on it
            if self._way.is_connected and time.monotonic() - idle_since > LINGER_S:
                self._hang_up()
            self._wake.wait(TICK_S)
            self._wake.clear()
        self._hang_up(abort=True)

    def _step(self) -> bool:
        """One row, or one probe; False when there is nothing to do now."""
        if self._paused or self._may_send():
            self._hang_up()
            return False
        now = time.monotonic()
        if self._breaker.is_open and not self._breaker.may_try(now):
            if queries.has_queued(self._store.reader, self.destination.name):
                self._hold_queued()  # an exam was closed meanwhile
            return False
        if self._breaker.is_open and not self._probe():
            return False
        row = queue.next_queued(self._store.reader, self.destination.name)
        if row is None:
            if not self._way.is_connected and now - self._heard_at >= IDLE_PROBE_S:
                self._probe()
            return False
        self._current = row.id
        try:
            return self._take(row)
        except OSError as exc:  # the picture's own files: the disk says no
            self._hang_up(abort=True)
            self._block(row, f"the picture cannot be read: {exc.strerror}", "invalid-object")
            return True
        except SmartBoxError:  # of the store: the next step finds the row again
            raise
        except Exception:  # it must not keep the others from their archive
            log.exception("destination %s: a defect in the delivery of row %s", self.destination.name, row.id)
            self._hang_up(abort=True)
            # how far it got is not known: a duplicate may be ours
            why = "a defect of the box kept it from being sent; its log has more"
            self._block(row, why, "refused", uncertain=True)
            return True
        finally:
            self._current = None
            self._cancel.pop(row.id, None)

    def _take(self, row: Any) -> bool:
        """Agrees with the archive on how a queued row is sent, claims it and sends it; what it says counts only
        from the claim on. False when somebody has changed the row meanwhile."""
        form = self._agree(row, self._parcel(row))
        if form is None:
            return True
        name = self.destination.name
        claimed = self._store.write(
            lambda database: queue.claim(database, name, self.name, queue.ticks(), only=row)
        ).result()
        if claimed is None:
            return False
        self._changed(claimed, 0)
        self._deliver(claimed, self._parcel(claimed), form)
        return True

    def _parcel(self, row: Any) -> Parcel:
        return Parcel(self._spool, self._store.reader, row, self.destination, self._station)

    def _agree(self, row: Any, parcel: Parcel) -> Form | None:
        """None: the row is not to be sent now. It was never `sending` then: nothing of it has left the box."""
        try:
            form = self._way.agree(parcel.forms(), parcel.others)
            if form.codec:
                self._encode_anew(row, parcel, form)
                return None
            parcel.check_made(form)
        except NotMade as exc:
            self._need(row, exc.prepare)
        except TransferCancelled:
            self._hang_up(abort=True)
        except SmartBoxError as exc:
            if exc.code in NETWORK:
                self._hang_up(abort=True)
                self._failed(exc)  # it waits with everything else that is queued
            elif exc.code == "no-context" and parcel.variant.document:
                self._spare(row)
            else:  # no-context, invalid-object: waiting would not mend it
                self._block(row, exc.message + parcel.why_not_anew(), exc.code)
        else:
            return form
        return None

    def _spare(self, row: Any) -> None:
        """The archive has the clip and takes no document about it: nothing that anybody has to see to."""
        self._block(row, NO_DOCUMENTS, "no-context", to=State.CANCELLED)

    def _need(self, row: Any, prepare: str) -> None:
        """Something must be made first: the preparer finds it."""
        reason = making(row.variant, prepare)
        changed = self._store.write(lambda database: queue.need(database, row, prepare, reason)).result()
        self._changed(changed, None)

    def _encode_anew(self, row: Any, parcel: Parcel, form: Form) -> None:
        """The archive takes the clip in another codec only: it gets a derived instance, under its own UID."""
        variant, sop_uid, prepare = parcel.anew(form)
        reason = making(variant, prepare) if prepare else ""
        changed = self._store.write(
            lambda database: queue.need(database, row, prepare, reason, variant=variant, sop_uid=sop_uid)
        ).result()
        if changed is None:
            self._block(row, "The archive has been sent this picture in another codec.", "no-context")
        self._changed(changed, None)

    def _block(self, row: Any, reason: str, code: str, *, to: State = State.BLOCKED, **changes: Any) -> None:
        """The row, unless somebody has changed it meanwhile."""

        def job(database: Any) -> Any:
            now = queue.get(database, row.id)
            if now is None or (now.sop_uid, now.variant) != (row.sop_uid, row.variant):
                return None
            if State(now.state) not in (State.QUEUED, State.SENDING):
                return None
            return queue.move(database, row.id, to, reason, code, **changes)

        self._changed(self._store.write(job).result(), None)

    def _probe(self) -> bool:
        """While the breaker is open or nothing was heard for long: True when the destination is there; its waiting
        rows are queued again."""
        try:
            self._way.probe()
        except SmartBoxError as exc:
            self._failed(exc)
            return False
        self._back()
        return True

    def _back(self) -> None:
        self._heard_at = time.monotonic()
        if self._breaker.succeeded():
            self._wake_waiting()
        self._report(self.destination.name, "ok", "", "")

    def _wake_waiting(self) -> None:
        name = self.destination.name
        self._tell(self._store.write(lambda database: queue.destination_back(database, name)).result())

    def _hold_queued(self) -> None:
        """While the breaker is open nothing is just queued: it waits, and says why and until when."""
        name, why = self.destination.name, self._why
        at = queue.clock() + max(0.0, self._breaker.next_probe_at - time.monotonic())
        job = self._store.write(lambda database: queue.destination_away(database, name, why.message, why.code, at))
        self._tell(job.result())

    def _tell(self, rows: list[int]) -> None:
        """Many rows at once: the screens show so many; their counts come with the status."""
        for identity in rows[:TELL_ROWS]:
            self._changed(queries.delivery(self._store.reader, identity), None)

    def _failed(self, exc: SmartBoxError) -> float:
        pause = self._breaker.failed(time.monotonic())
        self._why = exc
        self._hold_queued()
        self._report(
            self.destination.name, "rejected" if exc.code in REJECTED else "unreachable", exc.message, exc.code
        )
        return pause

    def _move(self, row: Any, new: State, reason: str, code: str = "", **changes: Any) -> None:
        moved = self._store.write(
            lambda database: queue.move(database, row.id, new, reason, code, **changes)
        ).result()
        self._changed(moved, None)

    def _deliver(self, row: Any, parcel: Parcel, form: Form) -> None:
        try:
            if parcel.instance is not None and self._discarded(row, parcel.instance.folder):
                return
            composition = parcel.composition(form)
            if row.attempts == 0 and self.destination.check:  # also after a retry by hand
                check_before_sending(composition)
            answer = self._way.store(
                composition,
                on_progress=self._progress(row),
                cancelled=lambda: row.id in self._cancel,
                uncertain=row.uncertain,
            )
        except NotMade as exc:
            self._move(row, State.QUEUED, making(row.variant, exc.prepare), prepare=exc.prepare)
        except TransferCancelled:
            self._hang_up(abort=True)
            if self._ending.is_set():
                self._move(row, State.QUEUED, "the engine was stopped")
            else:
                self._move(row, State.CANCELLED, self._cancel.get(row.id, "cancelled by hand"), "cancelled")
        except TransferLost as exc:
            self._hang_up(abort=True)
            if self._ending.is_set():
                self._move(
                    row, State.QUEUED, "the engine was stopped", uncertain=exc.outcome_unknown or row.uncertain
                )
            elif row.id in self._cancel:  # cut by us: that says nothing of the way to the archive
                self._move(row, State.WAITING, exc.message, exc.code, uncertain=True, next_at=queue.clock())
            else:
                self._wait_for_network(row, exc, uncertain=exc.outcome_unknown or row.uncertain)
        except SmartBoxError as exc:
            if exc.code in NETWORK:
                self._hang_up(abort=True)
                self._wait_for_network(row, exc, uncertain=row.uncertain)
            else:  # no-context, invalid-object: waiting would not mend it
                self._move(row, State.BLOCKED, exc.message, exc.code)
        else:
            self._back()
            self._answered(row, parcel, answer)

    def _discarded(self, row: Any, folder: str) -> bool:
        """The operator may have taken the picture back while no engine lived: the sidecar is asked last."""
        if not is_discarded(exam_dir(self._spool, folder), row.instance):
            return False
        self._move(row, State.CANCELLED, "discarded by the operator", "discarded")
        for identity in self._store.write(lambda database: records.discard(database, row.instance)).result():
            self._changed(queries.delivery(self._store.reader, identity), None)
        return True

    def _wait_for_network(self, row: Any, exc: SmartBoxError, *, uncertain: bool) -> None:
        pause = self._failed(exc)
        self._move(
            row,
            State.WAITING,
            exc.message,
            exc.code,
            failures=row.failures + 1,
            uncertain=uncertain,
            next_at=queue.clock() + pause,
        )

    def _answered(self, row: Any, parcel: Parcel, answer: Answer) -> None:
        said = verdict(row, answer, self.destination.retry)
        changes = said.changes
        marks: Any = None
        if said.state is State.STORED:
            # the promise is durable in the spool before the table says it
            promise = ledger.Promise(queue.now_text(), row.sop_uid, row.destination, said.state.value, said.detail)
            ledger.append(parcel.folder, [promise])
            marks = parcel.marks()
        elif said.state is State.WAITING:
            changes = {**changes, "next_at": queue.clock() + said.pause_s}
        if marks is None:
            self._move(row, said.state, said.reason, said.code, **changes)
            return

        def job(database: Any) -> tuple[Any, Any]:
            moved = queue.move(database, row.id, said.state, said.reason, said.code, **changes)
            return moved, queue.follow(database, moved, marks) if moved is not None else None

        for changed in self._store.write(job).result():
            self._changed(changed, None)

    def _hang_up(self, *, abort: bool = False) -> None:
        self._way.hang_up(abort=abort)

    def _progress(self, row: Any) -> Callable[[int], None]:
        told = renewed = time.monotonic()

        def progress(sent: int) -> None:
            nonlocal told, renewed
            now = time.monotonic()
            if now - told >= PROGRESS_S:
                told = now
                self._changed(row, sent)
            if now - renewed >= RENEW_S:
                renewed = now
                self._store.write(lambda database: queue.renew(database, row.id, self.name, sent, queue.ticks()))

        return progress
