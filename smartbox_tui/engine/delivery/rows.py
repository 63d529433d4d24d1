"""What becomes of a destination's rows: each change in the store, and told to whoever shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from smartbox_tui.engine.delivery import routes
from smartbox_tui.engine.delivery.answers import verdict
from smartbox_tui.engine.delivery.forms import Form
from smartbox_tui.engine.delivery.parcel import Parcel, making
from smartbox_tui.engine.rendition import is_discarded
from smartbox_tui.model.answer import Answer
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.settings.destination import Retry
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool import ledger
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.store import queries, queue, records, standins
from smartbox_tui.store.database import Store

NO_DOCUMENTS: Final = "the archive takes no Key Object Selections, so it does not get the marks"
PROGRESS_S: Final = 0.25
RENEW_S: Final = 10.0
TELL_ROWS: Final = 200


class Rows:
    """Shared by threads. `changed(row, bytes_sent)` is called after each change of a row."""

    def __init__(
        self,
        spool: Path,
        store: Store,
        settings: Callable[[], Settings],
        changed: Callable[[Any, int | None], None],
    ) -> None:
        self._spool, self._store, self._settings, self._changed = spool, store, settings, changed

    def changed(self, row: Any | None, bytes_sent: int | None = None) -> None:
        self._changed(row, bytes_sent)

    def tell(self, rows: list[int]) -> None:
        """Many rows at once: the screens show so many; their counts come with the status."""
        for identity in rows[:TELL_ROWS]:
            self._changed(queries.delivery(self._store.reader, identity), None)

    def claim(self, row: Any, worker: str) -> Any | None:
        """The row, now `sending`; None: somebody has changed it meanwhile."""
        destination = row.destination
        claimed = self._store.write(
            lambda database: queue.claim(database, destination, worker, queue.ticks(), only=row)
        ).result()
        if claimed is not None:
            self._changed(claimed, 0)
        return claimed

    def move(self, row: Any, new: State, reason: str, code: str = "", **changes: Any) -> None:
        moved = self._store.write(
            lambda database: queue.move(database, row.id, new, reason, code, **changes)
        ).result()
        self._changed(moved, None)

    def block(self, row: Any, reason: str, code: str, *, to: State = State.BLOCKED, **changes: Any) -> None:
        """The row, unless somebody has changed it meanwhile."""

        def job(database: Any) -> Any:
            now = queue.get(database, row.id)
            if now is None or (now.sop_uid, now.variant) != (row.sop_uid, row.variant):
                return None
            if State(now.state) not in (State.QUEUED, State.SENDING):
                return None
            return queue.move(database, row.id, to, reason, code, **changes)

        self._changed(self._store.write(job).result(), None)

    def spare(self, row: Any) -> None:
        """The archive has the clip and takes no document about it: nothing that anybody has to see to."""
        self.block(row, NO_DOCUMENTS, "no-context", to=State.CANCELLED)

    def need(self, row: Any, prepare: str) -> None:
        """Something must be made first: the preparer finds it."""
        reason = making(row.variant, prepare)
        changed = self._store.write(lambda database: queue.need(database, row, prepare, reason)).result()
        self._changed(changed, None)

    def encode_anew(self, row: Any, parcel: Parcel, form: Form) -> None:
        """The archive takes the clip in another codec only: it gets a derived instance, under its own UID."""
        variant, sop_uid, prepare = parcel.anew(form)
        reason = making(variant, prepare) if prepare else ""
        changed = self._store.write(
            lambda database: queue.need(database, row, prepare, reason, variant=variant, sop_uid=sop_uid)
        ).result()
        if changed is None:
            self.block(row, "The archive has been sent this picture in another codec.", "no-context")
        self._changed(changed, None)

    def cancel_discarded(self, row: Any, folder: str) -> bool:
        """The operator may have taken the picture back while no engine lived: the sidecar is asked last."""
        if not is_discarded(exam_dir(self._spool, folder), row.instance):
            return False
        self.move(row, State.CANCELLED, "discarded by the operator", "discarded")
        for identity in self._store.write(lambda database: records.discard(database, row.instance)).result():
            self._changed(queries.delivery(self._store.reader, identity), None)
        return True

    def answered(self, row: Any, parcel: Parcel, answer: Answer, retry: Retry) -> None:
        said = verdict(row, answer, retry)
        changes = said.changes
        marks: Any = None
        if said.state is State.STORED:
            # the promise is durable in the spool before the table says it
            promise = ledger.Promise(queue.now_text(), row.sop_uid, row.destination, said.state.value, said.detail)
            ledger.append(parcel.folder, [promise])
            marks = parcel.marks()
        elif said.state is State.WAITING:
            changes = {**changes, "next_at": queue.clock() + said.pause_s}
        pairs = routes.pairs_of(self._settings(), row.destination) if said.state is State.STORED else []

        def job(database: Any) -> list[Any]:
            moved = queue.move(database, row.id, said.state, said.reason, said.code, **changes)
            found = [moved]
            if moved is not None and marks is not None:
                found.append(queue.follow(database, moved, marks))
            for primary, backup in pairs if moved is not None else ():
                done = standins.settle(database, routes.pair_of(primary, backup), row.instance)
                found += [queue.get(database, identity) for identity in done]
            return found

        for changed in self._store.write(job).result():
            self._changed(changed, None)

    def progress(self, row: Any, worker: str) -> Callable[[int], None]:
        """What to tell the bytes to that have gone: it is shown, and keeps the lease."""
        told = renewed = time.monotonic()

        def progress(sent: int) -> None:
            nonlocal told, renewed
            now = time.monotonic()
            if now - told >= PROGRESS_S:
                told = now
                self._changed(row, sent)
            if now - renewed >= RENEW_S:
                renewed = now
                self._store.write(lambda database: queue.renew(database, row.id, worker, sent, queue.ticks()))

        return progress
