"""Asks one archive whether it keeps what it has stored: when, how many at once, and what its word on that means."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import uuid4

from smartbox_tui.dicom.scu.commit import REFERENCES_MAX, Asked, CommitSession
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.engine.commitment.promises import Promises
from smartbox_tui.engine.delivery import variants
from smartbox_tui.engine.delivery.breaker import backoff
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.commitment import Reference, Report
from smartbox_tui.model.uids import uid_of
from smartbox_tui.model.variant import Variant
from smartbox_tui.settings.destination import Destination
from smartbox_tui.store import commitments, queries, queue
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

GATHER_S: Final = 10.0
"""As long as more is being stored there, so long is waited with the question."""
LINGER_S: Final = 5.0
"""The association stays open so long for an answer; it may as well come on another one, hours later."""
TELL_ROWS: Final = 200


class Asking:
    """Used by one thread; `stop` by any."""

    def __init__(
        self,
        destination: Destination,
        peer: Peer,
        store: Store,
        promises: Promises,
        changed: Callable[[Any], None],
    ) -> None:
        self._destination, self._peer, self._store = destination, peer, store
        self._promises, self._changed = promises, changed
        self._session: CommitSession | None = None
        self._gathering_since: float | None = None
        self._unanswered: set[str] = set()
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True
        if (session := self._session) is not None:
            session.wake()

    def expire(self) -> None:
        """What nobody answered in time is asked again."""
        name = self._destination.name
        self._tell(self._store.write(lambda database: commitments.expire(database, name, queue.clock())).result())

    def due(self) -> list[Any]:
        """What is to be asked now: all that is stored, when nothing more is about to be; or a whole batch."""
        rows = commitments.unasked(self._store.reader, self._destination.name, queue.clock(), REFERENCES_MAX)
        if not rows:
            self._gathering_since = None
            return []
        now = time.monotonic()
        if self._gathering_since is None:
            self._gathering_since = now
        waited = now - self._gathering_since >= GATHER_S
        busy = len(rows) < REFERENCES_MAX and commitments.is_busy(self._store.reader, self._destination.name)
        return [] if busy and not waited else rows

    def ask(self, rows: Sequence[Any]) -> str:
        """Asks about these, and about more while there is more. Returns why the archive does not take such
        questions, or an empty text. Raises what the network does; then nothing is known of the archive."""
        session = CommitSession(self._peer, self._heard)
        self._session = session
        if self._stopped:
            session.wake()
        try:
            session.open()
        except SmartBoxError as exc:
            self._session = None
            if exc.code == "no-context":
                return exc.message
            raise
        why = ""
        self._unanswered.clear()
        try:
            while rows and not why and session.is_open:
                why = self._one(session, rows)
                rows = self.due()
            if self._unanswered and session.is_open:
                session.listen(LINGER_S, lambda: not self._unanswered)
        except BaseException:
            session.abort()
            raise
        finally:
            self._session = None
        session.close()
        return why

    def _heard(self, report: Report) -> int:
        self._unanswered.discard(report.transaction_uid)
        return self._promises.report(self._peer.called_aet, report)

    def _one(self, session: CommitSession, rows: Sequence[Any]) -> str:
        uid, name = uid_of(uuid4()), self._destination.name
        due_at = queue.clock() + self._destination.commitment_wait_h * 3600
        ids = [row.id for row in rows]
        noted = self._store.write(lambda db: commitments.begin(db, uid, name, ids, due_at)).result()
        if not noted:
            return ""
        for row in noted:
            self._changed(row)
        self._unanswered.add(uid)
        try:
            answer = session.request(uid, [self._reference(row) for row in noted])
        except SmartBoxError as exc:
            why, refused = exc.message, exc.code != "outcome-unknown"
            self._tell(self._store.write(lambda db: commitments.withdraw(db, uid, why, refused=refused)).result())
            raise
        if answer.outcome is Asked.TAKEN:
            self._store.write(lambda database: commitments.asked(database, uid, due_at)).result()
            return ""
        self._unanswered.discard(uid)
        why = f"{answer.sentence} ({answer.status:04X}H{': ' + answer.comment if answer.comment else ''})"
        log.info("destination %s does not take a question about commitment: %04XH", name, answer.status)
        later = answer.outcome is Asked.LATER
        retry = self._destination.retry
        question = commitments.by_uid(self._store.reader, uid)
        tries = question.attempts + 1 if question is not None else 1
        pause = backoff(tries, max(5.0, retry.first_s), retry.factor, retry.max_s, random.random())  # noqa: S311
        at = queue.clock() + pause if later else None
        self._tell(
            self._store.write(lambda db: commitments.withdraw(db, uid, why, refused=True, next_at=at)).result()
        )
        return "" if later else why

    def _reference(self, row: Any) -> Reference:
        instance = queries.instance(self._store.reader, row.instance)
        _, sop_class = variants.series_and_class(instance, Variant.parse(row.variant))
        return Reference(sop_class, row.sop_uid)

    def _tell(self, ids: Sequence[int]) -> None:
        for identity in ids[:TELL_ROWS]:
            self._changed(queries.delivery(self._store.reader, identity))
