"""One delivery thread: one way to one destination, for as long as there is something to send."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.engine.composing import NotMade
from smartbox_tui.engine.delivery.breaker import NETWORK
from smartbox_tui.engine.delivery.forms import Form
from smartbox_tui.engine.delivery.parcel import Parcel, making
from smartbox_tui.engine.delivery.precheck import check_before_sending
from smartbox_tui.engine.delivery.target import Target
from smartbox_tui.engine.delivery.way import way_to
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import TransferCancelled, TransferLost
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.store import queue
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

LINGER_S: Final = 3.0
"""An association stays open that long without work: the next picture of a running exam finds it."""
TICK_S: Final = 0.5
STOPPED: Final = "the engine was stopped"


class Worker(threading.Thread):
    """`number`: which of its destination's; `station` as Parcel has it."""

    def __init__(
        self, target: Target, number: int, peer: Peer, station: tuple[str, str], spool: Path, store: Store
    ) -> None:
        super().__init__(name=f"deliver-{target.name}-{number}", daemon=True)
        self._target, self._rows = target, target.rows
        self.destination = target.destination
        self._seat = target.seat()
        self._way = way_to(target.destination, peer, spool.parent)
        self._station, self._spool, self._store = station, spool, store
        self._ending = threading.Event()
        self._cancel: dict[int, str] = {}  # delivery -> why
        self.turns = 0
        """Grows while the thread goes on, or what it sends does."""

    # ---- from other threads

    def cancel(self, delivery: int, reason: str = "cancelled by hand", *, hard: bool = False) -> bool:
        """Stops a row that is being sent, before its last fragment; False when it is not this worker's.

        `hard` also ends the waiting for an archive that takes nothing more, or does not answer.
        """
        if self._seat.row != delivery:
            return False
        self._cancel[delivery] = reason
        if hard:
            self._way.abort()
        return True

    def stop(self) -> None:
        """Ends the thread; what is being sent is aborted and goes back to the queue."""
        self._ending.set()
        self._seat.wake.set()
        self._way.abort()

    # ---- the thread

    def run(self) -> None:
        idle_since = time.monotonic()
        while not self._ending.is_set():
            self.turns += 1
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
            if self._seat.is_open and time.monotonic() - idle_since > LINGER_S:
                self._hang_up()
            self._seat.wake.wait(TICK_S)
            self._seat.wake.clear()
        self._hang_up(abort=True)

    def _step(self) -> bool:
        """One row, one probe, or one more connection; False when there is nothing to do now."""
        target = self._target
        if target.is_stopped:
            self._hang_up()
            return False
        if not target.is_there(self._way.probe):
            return False
        row = target.take(self._seat)
        if row is None:
            if not self._seat.is_open and self._open_one_more():
                return True
            target.ask_when_silent(self._way.probe)
            return False
        try:
            return self._take(row)
        except OSError as exc:  # the picture's own files: the disk says no
            self._hang_up(abort=True)
            self._rows.block(row, f"the picture cannot be read: {exc.strerror}", "invalid-object")
            return True
        except SmartBoxError:  # of the store: the next step finds the row again
            raise
        except Exception:  # it must not keep the others from their archive
            log.exception("destination %s: a defect in the delivery of row %s", self.destination.name, row.id)
            self._hang_up(abort=True)
            # how far it got is not known: a duplicate may be ours
            why = "a defect of the box kept it from being sent; its log has more"
            self._rows.block(row, why, "refused", uncertain=True)
            return True
        finally:
            target.leave(self._seat)
            self._cancel.pop(row.id, None)

    def _take(self, row: Any) -> bool:
        """Agrees with the archive on how a queued row is sent, claims it and sends it; what it says counts only
        from the claim on. False when somebody has changed the row meanwhile."""
        form = self._agree(row, self._parcel(row))
        if form is None or self._ending.is_set():
            return True
        claimed = self._rows.claim(row, self.name)
        if claimed is None:
            return False
        self._deliver(claimed, self._parcel(claimed), form)
        return True

    def _parcel(self, row: Any) -> Parcel:
        return Parcel(self._spool, self._store.reader, row, self.destination, self._station)

    def _open(self, parcel: Parcel) -> Form:
        """Raises as Way.agree and Parcel.forms do."""
        form = self._way.agree(parcel.forms(), parcel.others)
        if not self._seat.is_open:
            self._seat.is_open = True
            self._target.wake()  # the others may see whether the archive takes theirs, too
        return form

    def _open_one_more(self) -> bool:
        """A connection beside the other workers', where there is work for it. False: there is none, or the archive
        takes no more; the row that it was opened for is anybody's meanwhile."""
        row = self._target.one_more(self._seat)
        if row is None:
            return False
        try:
            self._open(self._parcel(row))
        except (NotMade, OSError):  # whoever takes the row says so
            return False
        except SmartBoxError as exc:
            self._hang_up(abort=True)
            self._target.is_crowded(self._seat, exc)
            return False
        finally:
            self._target.opened()
        return True

    def _agree(self, row: Any, parcel: Parcel) -> Form | None:
        """None: the row is not to be sent now. It was never `sending` then: nothing of it has left the box."""
        try:
            form = self._open(parcel)
            if form.codec:
                self._rows.encode_anew(row, parcel, form)
                return None
            parcel.check_made(form)
        except NotMade as exc:
            self._rows.need(row, exc.prepare)
        except TransferCancelled:
            self._hang_up(abort=True)
        except SmartBoxError as exc:
            if exc.code in NETWORK:
                self._hang_up(abort=True)
                if not self._target.is_crowded(self._seat, exc):
                    self._target.failed(exc)  # it waits with everything else that is queued
            elif exc.code == "no-context" and parcel.variant.document:
                self._rows.spare(row)
            else:  # no-context, invalid-object: waiting would not mend it
                self._rows.block(row, exc.message + parcel.why_not_anew(), exc.code)
        else:
            return form
        return None

    def _deliver(self, row: Any, parcel: Parcel, form: Form) -> None:
        rows = self._rows
        try:
            if parcel.instance is not None and rows.cancel_discarded(row, parcel.instance.folder):
                return
            composition = parcel.composition(form)
            if row.attempts == 0 and self.destination.check:  # also after a retry by hand
                check_before_sending(composition)
            answer = self._way.store(
                composition,
                on_progress=self._moving(rows.progress(row, self.name)),
                cancelled=lambda: row.id in self._cancel,
                uncertain=row.uncertain,
            )
        except NotMade as exc:
            rows.move(row, State.QUEUED, making(row.variant, exc.prepare), prepare=exc.prepare)
        except TransferCancelled:
            self._hang_up(abort=True)
            if self._ending.is_set():
                rows.move(row, State.QUEUED, STOPPED)
            else:
                rows.move(row, State.CANCELLED, self._cancel.get(row.id, "cancelled by hand"), "cancelled")
        except TransferLost as exc:
            self._hang_up(abort=True)
            uncertain = exc.outcome_unknown or row.uncertain
            if self._ending.is_set():
                rows.move(row, State.QUEUED, STOPPED, uncertain=uncertain)
            elif row.id in self._cancel:  # cut by us: that says nothing of the way to the archive
                rows.move(row, State.WAITING, exc.message, exc.code, uncertain=True, next_at=queue.clock())
            else:
                self._target.lost(self._seat, row, exc, uncertain=uncertain)
        except SmartBoxError as exc:
            if exc.code in NETWORK:
                self._hang_up(abort=True)
                self._target.lost(self._seat, row, exc, uncertain=row.uncertain)
            else:  # no-context, invalid-object: waiting would not mend it
                rows.move(row, State.BLOCKED, exc.message, exc.code)
        else:
            self._target.heard()
            rows.answered(row, parcel, answer, self.destination.retry)

    def _moving(self, tell: Callable[[int], None]) -> Callable[[int], None]:
        def progress(sent: int) -> None:
            self.turns += 1
            tell(sent)

        return progress

    def _hang_up(self, *, abort: bool = False) -> None:
        self._seat.is_open = False
        self._way.hang_up(abort=abort)
