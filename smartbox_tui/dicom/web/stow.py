"""STOW-RS (PS3.18 10.5): one composed object in one request, streamed; its length is known before it begins.

One object a request: its row learns its own answer, and a refusal costs nobody else anything. The connection stays
for the next one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.scu.pace import Pace
from smartbox_tui.dicom.web import status
from smartbox_tui.dicom.web.client import Interrupted, Reply
from smartbox_tui.dicom.web.session import ABOUT_THE_PLACE, ABOUT_US, JSON, Session
from smartbox_tui.dicom.web.status import WebAnswer
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import TransferCancelled, TransferLost

_BUFFER: Final = 1 << 20
_BUFFER_LEAST: Final = 4096
_INGEST_BYTES_PER_S: Final = 16 << 20
"""An archive may take its time to write a large object before it answers: so much more patience a second."""

ACCEPT: Final = f"{JSON}, application/dicom+xml;q=0.5"
DOORS: Final = (*ABOUT_US, *ABOUT_THE_PLACE, 429, 503)
"""Answers of which only another question can tell whether they are about the object or about all of them."""


class Multipart:
    """The request's body: one part with the whole Part 10 file (PS3.18 8.6.1.2)."""

    def __init__(
        self,
        composition: Composition,
        name: str,
        pace: Pace | None,
        on_progress: Callable[[int], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self._composition, self._name = composition, name
        self._on_progress, self._cancelled = on_progress, cancelled
        # Under a limit so few at a time that cancelling and progress keep their second.
        self._room = _BUFFER if pace is None else max(_BUFFER_LEAST, min(_BUFFER, pace.bytes_per_s // 4))
        self.boundary = f"smartbox-{uuid.uuid4().hex}"
        self._before = f"--{self.boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode("ascii")
        self._after = f"\r\n--{self.boundary}--\r\n".encode("ascii")
        self._object = len(composition.meta) + composition.dataset_length

    @property
    def length(self) -> int:
        return len(self._before) + self._object + len(self._after)

    def send(self, head: bytes, send: Callable[[memoryview | bytes], None]) -> None:
        """The last bytes of the object go with the end of the part, in one piece: before it nothing is whole.

        Raises TransferCancelled, and what reading the object raises."""
        filled = len(head) + len(self._before)
        view = memoryview(bytearray(filled + self._room + len(self._after)))
        view[:filled] = head + self._before
        left = self._object
        with self._composition.reader(with_meta=True) as reader:
            while left:
                count = reader.readinto(view[filled : filled + self._room])
                left -= count
                filled += count
                if not count or left < 0:
                    raise AssertionError("a composition that is not as long as it says")
                if not left:
                    view[filled : filled + len(self._after)] = self._after
                    filled += len(self._after)
                if self._cancelled is not None and self._cancelled():
                    raise TransferCancelled(self._name)
                send(view[:filled])
                filled = 0
                if self._on_progress is not None:
                    self._on_progress(max(0, self._composition.dataset_length - left))


def store(
    session: Session,
    composition: Composition,
    *,
    on_progress: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> WebAnswer:
    """Sends one object and waits for the archive's answer about it, whatever it is.

    on_progress  told the bytes of the data set that have gone; cancelled  asked before each piece, the last one
    included
    Raises TransferLost, TransferCancelled; what is about the service and not about the object, as Session.probe
    raises it; what reading the object raises.
    """
    body = Multipart(composition, session.name, session.service.pace, on_progress, cancelled)
    fields = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={body.boundary}',
        "Accept": ACCEPT,
    }
    patience = session.service.timeout_s + body.length / _INGEST_BYTES_PER_S
    try:
        reply = session.ask("POST", "/studies", fields, body, patience_s=patience)
    except Interrupted as exc:
        raise _lost(session.name, exc) from exc
    except SmartBoxError as exc:
        if exc.code != "archive-refused":
            raise
        return WebAnswer(status.UNNAMED, "", 0)  # it says more than anybody reads
    _check_arrival(session.name, reply)
    found = status.answer(reply, composition.sop_instance_uid)
    if reply.status in DOORS and found.reason is None:
        session.knock()
    return found


def _check_arrival(name: str, reply: Reply) -> None:
    """What is no answer of the archive: of whoever stands before it, or before it had the object."""
    if reply.status in (502, 504) and reply.whole:
        raise _unknown(name, f"what stands before it answered {reply.status}")
    if reply.status in (408, 502, 504):
        raise _half(name, "timeout" if reply.status == 408 else "refused", f"it answered {reply.status}")
    if reply.status < 300 and not reply.whole:
        raise _half(name, "refused", "it answered before it had the object")


def _lost(name: str, exc: Interrupted) -> SmartBoxError:
    if exc.whole:
        return _unknown(name, exc.why)
    if exc.local:
        return TransferCancelled(name)
    return _half(name, exc.code, exc.why)


def _half(name: str, code: str, why: str) -> TransferLost:
    return TransferLost(
        code,
        f"The connection to {name} was lost before the object was complete: {why}.",
        "The box sends the object again by itself.",
        outcome_unknown=False,
    )


def _unknown(name: str, why: str) -> TransferLost:
    return TransferLost(
        "outcome-unknown",
        f"The object was sent to {name} completely, but its answer is missing: {why}.",
        "It may be stored or not; the box sends it again, and the archive says if it has it.",
        outcome_unknown=True,
    )
