"""Modality Worklist C-FIND (PS3.4 K.4, PS3.7 9.1.2): answers are handed on one by one, none is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from smartbox_tui.dicom.datasets import to_json
from smartbox_tui.dicom.scu import dimse
from smartbox_tui.dicom.scu.association import Association, associate
from smartbox_tui.dicom.scu.link import LinkLost
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.query import NameFilter, identifier
from smartbox_tui.dicom.worklist import entry_of
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from smartbox_tui.model.worklist import WorklistEntry, WorklistKeys

MODALITY_WORKLIST: Final = "1.2.840.10008.5.1.4.31"
CONTEXTS: Final = ((MODALITY_WORKLIST, IMPLICIT_VR_LE), (MODALITY_WORKLIST, EXPLICIT_VR_LE))

_ENTRY_MAX: Final = 1 << 20
PENDING: Final = (0xFF00, 0xFF01)  # FF01: it does not support some optional key
CANCELLED: Final = 0xFE00
_PATIENT: Final = frozenset({0x00100010, 0x00100020})
SENTENCES: Final = (
    # first, last status (PS3.4 table K.4-1), what it means, hint
    (0xA700, 0xA7FF, "is out of resources", "It may be overloaded; the box asks again by itself."),
    (0xA900, 0xA9FF, "does not understand the query", "Its log says more; try with fewer keys."),
    (0xC000, 0xCFFF, "cannot process the query", "Its log says more."),
    (0x0122, 0x0122, "does not support the worklist", "Compare its conformance statement."),
    (0x0124, 0x0124, "does not authorise the box to query", "Have our AE title given that right."),
    (CANCELLED, CANCELLED, "ended the query before it was complete", "Its log says more."),
)


@dataclass(frozen=True, slots=True)
class FindResult:
    """count     entries handed on
    complete  the server has said that there are no more; False after limit or cancellation
    status    of the final response, FE00H when it never came after a C-CANCEL; `comment` came with it
    skipped   answers that could not be read: no data set, no patient, a name that is no text"""

    count: int
    complete: bool
    status: int
    comment: str
    skipped: int


class FindRefused(SmartBoxError):
    """The server's final answer is a failure (code archive-refused). `comment` may hold what was asked for."""

    def __init__(self, peer: Peer, status: int, comment: str) -> None:
        what, hint = "answered the query with a failure", "Its log says more."
        for first, last, sentence, advice in SENTENCES:
            if first <= status <= last:
                what, hint = sentence, advice
        super().__init__("archive-refused", f"{peer.name} {what} (status {status:04X}H).", hint)
        self.status = status
        self.comment = comment


def find_worklist(
    peer: Peer,
    keys: WorklistKeys,
    *,
    on_entry: Callable[[WorklistEntry], None],
    cancelled: Callable[[], bool] = lambda: False,
    limit: int | None = None,
    charset: str = "latin-1",
) -> FindResult:
    """Asks for Scheduled Procedure Steps, on an association of its own.

    on_entry   told each entry as it comes, in the calling thread; whatever it raises ends the query
    cancelled  asked about twice a second and at each answer. True: C-CANCEL, then what is still under way is
               thrown away, for the peer's time-out at most
    limit      entries wanted; when there are more the rest is cancelled
    charset    of answers that name none (decoding.FALLBACKS)
    Raises SmartBoxError: what `associate` raises; no-context; bad-value (a key DICOM does not allow); timeout,
    refused, tls (the connection failed or the peer broke the protocol); FindRefused. Entries heard before were
    handed on: what the caller has then is part of the list.
    """
    identifier(keys)  # a key that is none is told before anybody is called
    association = associate(peer, CONTEXTS)
    try:
        result = find_on(association, keys, on_entry, cancelled, limit, charset)
    except SmartBoxError as exc:
        if exc.code in ("no-context", "archive-refused"):
            association.release()
        else:
            association.abort()
        raise
    except BaseException:
        association.abort()
        raise
    association.release()
    return result


def find_on(
    association: Association,
    keys: WorklistKeys,
    on_entry: Callable[[WorklistEntry], None],
    cancelled: Callable[[], bool],
    limit: int | None,
    charset: str,
) -> FindResult:
    """As `find_worklist`, on an association whose contexts hold CONTEXTS; the caller ends it."""
    peer = association.peer
    if (found := association.context_of(MODALITY_WORKLIST)) is None:
        raise SmartBoxError(
            "no-context",
            f"{peer.name} accepts the association, but not the modality worklist service.",
            "Have the worklist enabled for our AE title, or check that this is the worklist server's port.",
        )
    context_id, explicit = found
    query, wanted = identifier(keys, explicit=explicit)
    running = _Query(association, context_id, explicit, wanted, on_entry, cancelled, limit, charset)
    try:
        running.send(query)
        return running.read()
    except LinkLost as exc:
        if running.cancel_sent_at is not None:
            association.abort()
            return running.result(CANCELLED, "", complete=False)
        raise SmartBoxError(
            exc.code,
            f"{peer.name} did not answer the query to its end: {exc.why}.",
            "The worklist server's log says more; what came until then is kept.",
        ) from exc


class _Query:
    """One C-FIND under way."""

    def __init__(
        self,
        association: Association,
        context_id: int,
        explicit: bool,
        wanted: NameFilter,
        on_entry: Callable[[WorklistEntry], None],
        cancelled: Callable[[], bool],
        limit: int | None,
        charset: str,
    ) -> None:
        self._association = association
        self._context_id = context_id
        self._explicit = explicit
        self._wanted = wanted
        self._on_entry = on_entry
        self._cancelled = cancelled
        self._limit = limit
        self._charset = charset
        self._message_id = association.next_message_id()
        self._count = self._skipped = 0
        self._dropped = False
        self.cancel_sent_at: float | None = None

    def send(self, query: bytes) -> None:
        command = dimse.find_rq(self._message_id, MODALITY_WORKLIST)
        self._association.link.send(self._association.command_pdus(self._context_id, command, query))

    def read(self) -> FindResult:
        while True:
            answer, data = self._association.receive_message(
                self._context_id, max_dataset=_ENTRY_MAX, on_wait=self._look
            )
            if not dimse.answers(answer, dimse.C_FIND_RQ, self._message_id) or dimse.STATUS not in answer:
                raise LinkLost("refused", "it answered with another message")
            status = int(answer[dimse.STATUS])
            comment = str(answer.get(dimse.ERROR_COMMENT, ""))
            if status not in PENDING:
                return self._ended(status, comment)
            self._look()
            if self.cancel_sent_at is None:
                self._take(data)
            else:
                self._dropped = True

    def _ended(self, status: int, comment: str) -> FindResult:
        if status == 0:
            return self.result(status, comment, complete=not self._dropped)
        if status == CANCELLED and self.cancel_sent_at is not None:
            return self.result(status, comment, complete=False)
        raise FindRefused(self._association.peer, status, comment)

    def result(self, status: int, comment: str, *, complete: bool) -> FindResult:
        return FindResult(self._count, complete, status, comment, self._skipped)

    def _look(self) -> None:
        """Cancels when that is wanted; after a C-CANCEL the server has its time-out to come to an end."""
        if self.cancel_sent_at is None:
            if self._cancelled():
                self._cancel()
        elif time.monotonic() - self.cancel_sent_at > self._association.peer.timeout_s:
            raise LinkLost("timeout", "it goes on after it was asked to stop")

    def _cancel(self) -> None:
        self.cancel_sent_at = time.monotonic()
        pdus = self._association.command_pdus(self._context_id, dimse.cancel_rq(self._message_id))
        self._association.link.send(pdus)

    def _take(self, data: bytes | None) -> None:
        try:
            if not data:
                raise ValueError("an answer without, or with far too much of, a data set")
            entry = entry_of(to_json(data, explicit=self._explicit, charset=self._charset, needed=_PATIENT))
        except ValueError:
            self._skipped += 1
            return
        if not self._wanted.matches(entry.patient.name):
            return
        if self._limit is not None and self._count >= self._limit:  # the first too many: there are more
            self._dropped = True
            self._cancel()
            return
        self._count += 1
        self._on_entry(entry)
