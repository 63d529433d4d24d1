"""What becomes of a delivery when an archive says that it keeps it, or not: the ledger first, then the row."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from smartbox_tui.dicom.scu import commit
from smartbox_tui.engine.delivery.breaker import backoff
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.commitment import Failure, Report, failure
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.settings.destination import Retry
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool import ledger
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.store import audit, commitments, queries, queue
from smartbox_tui.store.commitments import Refusal
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

BOX: Final = "box"


class Promises:
    """Used by all threads that hear an archive: one answer at a time."""

    def __init__(
        self,
        spool: Path,
        store: Store,
        settings: Callable[[], Settings],
        *,
        changed: Callable[[Any], None],
        sent_again: Callable[[], None],
    ) -> None:
        """`changed(row)` is told each delivery that changed, `sent_again` when one is to be sent again."""
        self._spool, self._store, self._settings = spool, store, settings
        self._changed, self._sent_again = changed, sent_again
        self._lock = threading.Lock()

    # ---- an archive's report

    def report(self, calling_aet: str, report: Report) -> int:
        """Makes it true, durably, before it is answered; gives the status of the answer (PS3.7 10.1.1.1.8).

        A question that nobody asked is an invalid argument; what was not asked about, or is answered already, is
        passed over."""
        try:
            return self._heard(calling_aet, report)
        finally:
            self._store.reader.close()  # this thread's: the port has a new one for each caller

    def _heard(self, calling_aet: str, report: Report) -> int:
        with self._lock:
            question = commitments.by_uid(self._store.reader, report.transaction_uid)
            if question is None:
                log.warning("%s answers a question about commitment that nobody asked", calling_aet)
                return commit.INVALID_ARGUMENT
            asked = commitments.uids_of(self._store.reader, question.id)
            foreign = [uid for uid in (*report.kept, *(item[0] for item in report.failed)) if uid not in asked]
            if foreign:
                log.warning("%s names %d objects that it was not asked about", calling_aet, len(foreign))
            rows = {row.sop_uid: row for row in commitments.open_rows(self._store.reader, question.id)}
            kept = [rows[uid] for uid in report.kept if uid in rows]
            failed = [(rows[uid], reason) for uid, reason in report.failed if uid in rows]
            try:
                self._append(kept, "")
                changed = self._store.write(lambda db: self._answer(db, question, kept, failed)).result()
            except (SmartBoxError, OSError) as exc:
                log.error("an answer about commitment could not be kept: %s", exc)
                return commit.NO_RESOURCES
        self._tell(changed)
        return commit.SUCCESS

    def _answer(
        self, database: Any, question: Any, kept: Sequence[Any], failed: Sequence[tuple[Any, int]]
    ) -> list[Any]:
        retry = self._retry(question.destination)
        changed = commitments.keep(database, [(row.id, row.sop_uid) for row in kept])
        good = len(changed)
        for row, reason in failed:
            outcome, sentence = failure(reason)
            refusal = Refusal(row.id, outcome.value, f"{sentence} ({reason:04X}H)")
            if outcome is Failure.ASK:
                pause = backoff(
                    row.promise_failures + 1,
                    retry.first_s,
                    retry.factor,
                    retry.max_s,
                    random.random(),  # noqa: S311
                )
                refusal = Refusal(row.id, outcome.value, refusal.reason, queue.clock() + pause)
            changed += commitments.refuse(database, row.sop_uid, refusal, retry.attempts)
        commitments.answered(database, question.id)
        if changed:
            told = {"destination": question.destination, "kept": good, "failed": len(changed) - good}
            audit.add(database, BOX, "commitment-answered", "", told)
        return changed

    # ---- what was read back

    def keep(self, rows: Sequence[Any], detail: str) -> None:
        """These stored deliveries are proven to be kept. Raises disk-full."""
        with self._lock:
            self._append(rows, detail)
            wanted = [(row.id, row.sop_uid) for row in rows]
            changed = self._store.write(lambda database: commitments.keep(database, wanted, detail)).result()
        self._tell(changed)

    def refuse(self, row: Any, refusal: Refusal) -> None:
        attempts = self._retry(row.destination).attempts
        self._tell(self._store.write(lambda db: commitments.refuse(db, row.sop_uid, refusal, attempts)).result())

    def block(self, row: Any, reason: str) -> None:
        """The archive has something else under this UID. It is said in the audit, too."""

        def job(database: Any) -> list[Any]:
            changed = commitments.block(database, row.id, row.sop_uid, reason, "archive-refused")
            if changed:
                told = {"destination": row.destination, "sop_instance_uid": row.sop_uid}
                audit.add(database, BOX, "read-back-differs", row.exam, told)
            return changed

        self._tell(self._store.write(job).result())

    # ---- after a crash

    def recover(self) -> None:
        """At the start: what the ledger says was committed is, whatever the row says; what was perhaps asked is
        asked anew."""
        self._store.write(commitments.recover).result()
        proven = []
        by_folder: dict[Path, list[Any]] = {}
        for row in commitments.asked_rows(self._store.reader):
            if (folder := self._folder(row)) is not None:
                by_folder.setdefault(folder, []).append(row)
        for folder, rows in by_folder.items():
            told = {(item.uid, item.destination): item.state for item in ledger.read(folder)}
            proven += [row for row in rows if told.get((row.sop_uid, row.destination)) == State.COMMITTED.value]
        if proven:
            wanted = [(row.id, row.sop_uid) for row in proven]
            self._store.write(lambda database: commitments.keep(database, wanted)).result()

    # ---- helpers

    def _append(self, rows: Iterable[Any], detail: str) -> None:
        """The promises, durable, each in the ledger of the folder that its picture lies in. Raises disk-full."""
        by_folder: dict[Path, list[ledger.Promise]] = {}
        at = queue.now_text()
        for row in rows:
            if (folder := self._folder(row)) is not None:
                promise = ledger.Promise(at, row.sop_uid, row.destination, State.COMMITTED.value, detail)
                by_folder.setdefault(folder, []).append(promise)
        for folder, promises in by_folder.items():
            ledger.append(folder, promises)

    def _folder(self, row: Any) -> Path | None:
        """None: nothing of it is in the spool any more."""
        instance = queries.instance(self._store.reader, row.instance)
        folder = exam_dir(self._spool, instance.folder) if instance is not None else None
        return folder if folder is not None and folder.is_dir() else None

    def _retry(self, destination: str) -> Retry:
        return next((item.retry for item in self._settings().destinations if item.name == destination), Retry())

    def _tell(self, changed: Sequence[Any]) -> None:
        for row in changed:
            self._changed(row)
        if any(row.state == State.QUEUED.value for row in changed):
            self._sent_again()
