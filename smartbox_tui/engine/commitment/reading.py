"""Reads back what one archive has stored, and compares: for archives that make no promise of their own."""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import Any, Final, Protocol

from smartbox_tui.dicom import fingerprint
from smartbox_tui.dicom.fingerprint import Fingerprint
from smartbox_tui.dicom.scu.get import Key, get_instance
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.engine.calling import service_of
from smartbox_tui.engine.commitment.promises import Promises
from smartbox_tui.engine.delivery import variants
from smartbox_tui.engine.delivery.breaker import backoff
from smartbox_tui.engine.delivery.forms import NEVER, Form, forms_of_kind
from smartbox_tui.engine.delivery.parcel import Parcel
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.variant import Variant
from smartbox_tui.settings.destination import Destination
from smartbox_tui.store import commitments, queries, queue
from smartbox_tui.store.commitments import Refusal
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

READ_BACK: Final = "read back"
MISSING: Final = "The archive does not have the picture that it had said to have stored."
OTHER_PIXELS: Final = "The archive holds other pixels than it was sent."
OTHER_PERSON: Final = "The archive holds the picture under another patient, study or series than it was sent."
OTHER_OBJECT: Final = "The archive gives another object than the one that it was asked for."
COERCED: Final = "(B000H"
"""In the reason of a row whose archive has said that it changed attributes."""


class Fetcher(Protocol):
    """How an archive is asked for an object. Used by one thread; `stop` by any."""

    def fetch(self, key: Key) -> Fingerprint | None:
        """None: the archive says that it does not have it. Raises no-context (it gives nothing back),
        archive-refused (it has it, and does not give it), invalid-object (what came cannot be read), what the
        network does."""

    def stop(self) -> None: ...


class DimseFetcher:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._association: Any = None
        self._stopped = False

    def fetch(self, key: Key) -> Fingerprint | None:
        readers: list[fingerprint.Reader] = []

        def opener(syntax: str) -> Any:
            readers.append(fingerprint.Reader(syntax))
            return readers[-1].feed

        try:
            found = get_instance(self._peer, key, opener, self._opened)
        finally:
            self._association = None
        return readers[-1].finish() if found else None

    def _opened(self, association: Any) -> None:
        self._association = association
        if self._stopped:
            association.link.wake()

    def stop(self) -> None:
        self._stopped = True
        if (association := self._association) is not None:
            association.link.wake()


class WebFetcher:
    """QIDO-RS by the UID alone, then WADO-RS where it was found: also where the archive has moved it."""

    def __init__(self, service: Any) -> None:
        from smartbox_tui.dicom.web.session import Session

        self._session = Session(service)

    def fetch(self, key: Key) -> Fingerprint | None:
        from smartbox_tui.dicom.web import query, retrieve

        found = query.search_instances(self._session, sop=key.sop_instance_uid)
        if not found:
            return None
        reader = fingerprint.Reader()
        place = found[0]
        study, series = place.study or key.study_uid, place.series or key.series_uid
        try:
            retrieve.retrieve_instance(self._session, study, series, key.sop_instance_uid, reader.feed)
        except SmartBoxError as exc:
            if exc.code == "not-found":
                return None
            raise
        return reader.finish()

    def stop(self) -> None:
        self._session.abort()


def fetcher_to(destination: Destination, peer: Peer) -> Fetcher:
    if destination.kind == "dicomweb":
        return WebFetcher(service_of(destination, peer))
    return DimseFetcher(peer)


class Reading:
    """Used by one thread; `stop` by any."""

    def __init__(
        self,
        destination: Destination,
        fetcher: Fetcher,
        station: tuple[str, str],
        spool: Path,
        store: Store,
        promises: Promises,
    ) -> None:
        self._destination, self._fetcher, self._station = destination, fetcher, station
        self._spool, self._store, self._promises = spool, store, promises

    def stop(self) -> None:
        self._fetcher.stop()

    def step(self, promise: str = "") -> bool:
        """One stored object that has this `promise`; False when there is none. Raises no-context: the archive gives
        nothing back; and what the network does."""
        rows = commitments.unasked(self._store.reader, self._destination.name, queue.clock(), 1, promise)
        if not rows:
            return False
        (row,) = rows
        parcel = Parcel(self._spool, self._store.reader, row, self._destination, self._station)
        try:
            key = self._key(row)
            found = self._fetcher.fetch(key)
        except SmartBoxError as exc:
            if exc.code not in ("archive-refused", "invalid-object"):
                raise
            self._later(row, exc.message)
            return True
        except OSError as exc:
            log.error("a picture cannot be compared with what the archive holds: %s", exc.strerror)
            self._later(row, f"the picture cannot be read: {exc.strerror}")
            return True
        if found is not None:
            self._judge(row, parcel, key, found)
        elif COERCED in row.reason:
            self._promises.refuse(
                row,
                Refusal(row.id, "never", "The archive has changed the picture and is not asked for it by name."),
            )
        else:
            self._promises.refuse(row, Refusal(row.id, "send", MISSING))
        return True

    def _key(self, row: Any) -> Key:
        instance = queries.instance(self._store.reader, row.instance)
        exam = queries.exam(self._store.reader, row.exam)
        if instance is None or exam is None:
            raise SmartBoxError("invalid-object", "The instance is gone from the store.", "smartbox store check")
        variant = Variant.parse(row.variant)
        series, sop_class = variants.series_and_class(instance, variant)
        possible = forms_of_kind(instance.sop_class_uid, instance.transfer_syntax_uid, variant, NEVER)
        syntaxes = tuple(dict.fromkeys(form.transfer_syntax_uid for form in possible))
        return Key(exam.study_uid, series, row.sop_uid, sop_class, syntaxes)

    def _judge(self, row: Any, parcel: Parcel, key: Key, found: Fingerprint) -> None:
        """What cannot be compared is said; what differs is never sent again, and never called kept."""
        said: list[str] = []
        ours = self._ours(parcel, key, found.transfer_syntax_uid)
        exam = queries.exam(self._store.reader, row.exam)
        patient = ours.patient_id if ours is not None else exam.patient_id if exam is not None else ""
        study, series = (ours.study_uid, ours.series_uid) if ours is not None else (key.study_uid, key.series_uid)
        if found.sop_instance_uid != row.sop_uid:
            self._promises.block(row, OTHER_OBJECT)
            return
        if ours is None:
            said.append("its pixels could not be compared")
        elif ours.pixels != found.pixels:
            self._promises.block(row, OTHER_PIXELS)
            return
        if (found.patient_id, found.study_uid, found.series_uid) != (patient, study, series):
            if COERCED not in row.reason:
                self._promises.block(row, OTHER_PERSON)
                return
            said.append("the archive has given it another patient's ID, study or series")
        self._promises.keep([row], READ_BACK + "".join(f"; {text}" for text in said))

    def _ours(self, parcel: Parcel, key: Key, syntax: str) -> Fingerprint | None:
        """Of what was sent, in this transfer syntax; None where the box cannot make it any more, or never did: the
        archive has encoded it anew."""
        if syntax not in key.transfer_syntaxes:
            return None
        form = Form(key.sop_class_uid, syntax)
        try:
            parcel.check_made(form)
            composition = parcel.composition(form)
        except SmartBoxError as exc:
            if exc.code != "not-found":  # not made, or released since
                raise
            return None
        reader = fingerprint.Reader(syntax)
        for piece in composition.chunks():
            reader.feed(piece)
        return reader.finish()

    def _later(self, row: Any, why: str) -> None:
        retry = self._destination.retry
        pause = backoff(row.promise_failures + 1, retry.first_s, retry.factor, retry.max_s, random.random())  # noqa: S311
        self._promises.refuse(row, Refusal(row.id, "ask", why, queue.clock() + pause))
