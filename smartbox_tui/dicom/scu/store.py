"""C-STORE of composed objects (PS3.4 Annex B, PS3.7 9.1.1): file to socket with one copy and one buffer.

The buffer of about 1 MiB is cut into slots of the peer's PDU size whose heads are written once; preadv fills
the gaps between them, one send empties it. Sending 4 GB needs the memory of sending 4 KB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from smartbox_tui.dicom.compose import Composition, Reader
from smartbox_tui.dicom.scu import dimse
from smartbox_tui.dicom.scu.association import Association, Context, associate
from smartbox_tui.dicom.scu.link import LinkLost
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.status import meaning
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Meaning, TransferCancelled, TransferLost

_BUFFER: Final = 1 << 20
_BUFFER_LEAST: Final = 4096
_COMMAND_ROOM: Final = 1024  # before the first slot, so that command and data leave in one send
_HEAD: Final = 12  # P-DATA-TF head of 6 bytes, PDV length, context id, message control header (PS3.8 9.3.5)
_AGAIN_MAX: Final = 3  # answers in a row, before the object's own, to one that is answered already
_INGEST_BYTES_PER_S: Final = 16 << 20
"""An archive may take its time to write a large object before it answers: so much more patience a second."""


@dataclass(frozen=True, slots=True)
class StoreResult:
    """The archive's answer: its status, and its ErrorComment (0000,0902) as it came, which may be empty."""

    status: int
    comment: str = ""

    @property
    def meaning(self) -> Meaning:
        return meaning(self.status)

    @property
    def told(self) -> str:
        if not self.status:
            return ""
        return f"{self.status:04X}H{': ' + self.comment if self.comment else ''}"


class StoreSession:
    """One association for any number of objects. A context manager: leaves by release, by abort on an error.

    `contexts`: (SOP class, transfer syntax) pairs. After TransferLost or TransferCancelled the association
    is gone; make a new session.
    """

    def __init__(self, peer: Peer, contexts: Iterable[tuple[str, str]]) -> None:
        self.peer = peer
        self._contexts = tuple(contexts)
        self._association: Association | None = None
        self._slots: _Slots | None = None
        self._stopped = False
        self._answered: int | None = None

    def open(self) -> None:
        """Connects and negotiates. Raises what `associate` raises, no-context when none is accepted, and
        TransferCancelled when `abort` was called meanwhile."""
        association = associate(self.peer, self._contexts)
        if self._stopped:
            association.abort()
            raise TransferCancelled(self.peer.name)
        if not any(context.accepted for context in association.contexts):
            association.release()
            raise SmartBoxError(
                "no-context",
                f"{self.peer.name} accepts none of the {len(association.contexts)} combinations of SOP class and "
                "transfer syntax.",
                "Compare its conformance statement; choose another still_class, clip_class or codec.",
            )
        self._association = association
        self._slots = _Slots(association.fragment_size, self._room())

    def _room(self) -> int:
        """Bytes of the buffer: under a limit so few that cancelling and progress keep their second."""
        pace = self.peer.pace
        return _BUFFER if pace is None else max(_BUFFER_LEAST, min(_BUFFER, pace.bytes_per_s // 4))

    @property
    def contexts(self) -> tuple[Context, ...]:
        """All contexts as negotiated; empty before `open`."""
        return self._association.contexts if self._association else ()

    @property
    def accepted(self) -> list[tuple[str, str]]:
        """The accepted (SOP class, transfer syntax) pairs."""
        return [(item.sop_class_uid, item.transfer_syntax_uid) for item in self.contexts if item.accepted]

    @property
    def is_open(self) -> bool:
        """Can it carry another object? Also notices that the peer has closed or aborted while idle."""
        return self._association is not None and self._association.is_open()

    def store(
        self,
        composition: Composition,
        *,
        message_id: int | None = None,
        on_progress: Callable[[int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> StoreResult:
        """Sends one object and waits for the archive's answer, whatever it is.

        on_progress  told the bytes of the data set sent so far, after every buffer; may sleep (rate limit),
                     must not raise: after the last byte that would hide the archive's answer
        cancelled    asked before every buffer, the last one included; True aborts the association
        Raises no-context (nothing sent, session still good), TransferLost, TransferCancelled, and what
        reading the object raises (invalid-object, OSError; the association is aborted).
        """
        association, slots = self._association, self._slots
        if self._stopped:
            raise TransferCancelled(self.peer.name)
        if association is None or slots is None or not association.is_open():
            raise TransferLost(
                "refused", f"The association with {self.peer.name} is closed.", "", outcome_unknown=False
            )
        context_id = association.context_id(composition.sop_class_uid, composition.transfer_syntax_uid)
        if context_id is None:
            raise SmartBoxError(
                "no-context",
                f"{self.peer.name} does not accept SOP class {composition.sop_class_uid} with transfer syntax "
                f"{composition.transfer_syntax_uid}.",
                "Compare its conformance statement; choose another still_class, clip_class or codec.",
            )
        message_id = message_id or association.next_message_id()
        command = association.command_pdus(
            context_id, dimse.store_rq(message_id, composition.sop_class_uid, composition.sop_instance_uid)
        )
        try:
            with composition.reader() as reader:
                self._send(association, slots, reader, composition, context_id, command, on_progress, cancelled)
        except LinkLost as exc:
            association.drop()
            if exc.local:
                raise TransferCancelled(self.peer.name) from exc
            raise TransferLost(
                exc.code,
                f"The connection to {self.peer.name} was lost before the object was complete: {exc.why}.",
                "The box sends the object again by itself.",
                outcome_unknown=False,
            ) from exc
        except BaseException:
            association.abort()
            raise
        return self._answer(association, composition, message_id)

    def _send(
        self,
        association: Association,
        slots: _Slots,
        reader: Reader,
        composition: Composition,
        context_id: int,
        command: bytes,
        on_progress: Callable[[int], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        slots.address(context_id)
        left = composition.dataset_length
        while left:
            if cancelled is not None and cancelled():
                association.abort()
                raise TransferCancelled(self.peer.name)
            count = reader.readinto_all(slots.gaps)
            left -= count
            if not count or left < 0:
                raise AssertionError("a composition that is not as long as it says")
            association.link.send(slots.filled(count, command, last=left == 0))
            command = b""
            if on_progress is not None:
                on_progress(composition.dataset_length - left)

    def _answer(self, association: Association, composition: Composition, message_id: int) -> StoreResult:
        patience = self.peer.timeout_s + composition.dataset_length / _INGEST_BYTES_PER_S
        try:
            answer = self._own_answer(association, composition, message_id, patience)
        except LinkLost as exc:
            association.drop()
            raise TransferLost(
                "outcome-unknown",
                f"The object was sent to {self.peer.name} completely, but its answer is missing: {exc.why}.",
                "It may be stored or not; the box sends it again, and the archive says if it has it.",
                outcome_unknown=True,
            ) from exc
        self._answered = message_id
        return StoreResult(int(answer[dimse.STATUS]), str(answer.get(dimse.ERROR_COMMENT, "")))

    def _own_answer(
        self, association: Association, composition: Composition, message_id: int, patience: float
    ) -> dimse.Command:
        """The answer to this object. One that an object before it has had already, given again, is passed over."""
        for _ in range(_AGAIN_MAX):
            answer = association.receive_command(patience)
            if answer.get(dimse.RESPONDED_TO) != self._answered or self._answered == message_id:
                break
        if not _belongs(answer, message_id, composition.sop_instance_uid):
            raise LinkLost("refused", "its answer belongs to another message")
        return answer

    def abort(self) -> None:
        """From any thread: the running `store` ends with TransferCancelled, or TransferLost when the last
        byte had left; without one, the next `open` or `store` does. For good."""
        self._stopped = True
        if self._association is not None:
            self._association.link.wake()

    def close(self) -> None:
        """Releases the association (PS3.8 7.2), waiting at most some seconds for the peer."""
        if self._association is not None:
            self._association.release()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif self._association is not None:
            self._association.abort()


class _Slots:
    """The send buffer: room for a command, then ⌊room / PDU⌋ slots of head and gap, or one shorter than the peer
    would take."""

    def __init__(self, gap: int, room: int = _BUFFER) -> None:
        gap = self._gap = min(gap, room & ~1)
        count = max(1, room // (_HEAD + gap))
        self._view = memoryview(bytearray(_COMMAND_ROOM + count * (_HEAD + gap)))
        self._starts = [_COMMAND_ROOM + index * (_HEAD + gap) for index in range(count)]
        self.gaps = [self._view[start + _HEAD : start + _HEAD + gap] for start in self._starts]
        self._context_id = 0
        self._patched: int | None = None

    def address(self, context_id: int) -> None:
        """Writes the heads for a context; only what has changed since the last object."""
        self._unpatch()
        if context_id != self._context_id:
            self._context_id = context_id
            for start in self._starts:
                self._write_head(start, self._gap, last=False)

    def _unpatch(self) -> None:
        if self._patched is not None:
            self._write_head(self._patched, self._gap, last=False)
            self._patched = None

    def _write_head(self, start: int, size: int, *, last: bool) -> None:
        head = b"\x04\0" + (size + 6).to_bytes(4, "big") + (size + 2).to_bytes(4, "big")
        self._view[start : start + _HEAD] = head + bytes((self._context_id, 2 if last else 0))

    def filled(self, count: int, command: bytes, *, last: bool) -> memoryview:
        """`command` and the PDUs of `count` bytes in the gaps; `last` when they end the data set."""
        index = (count - 1) // self._gap
        size = count - index * self._gap
        if last:
            self._write_head(self._starts[index], size, last=True)
            self._patched = self._starts[index]
        begin = _COMMAND_ROOM - len(command)
        if begin < 0:
            raise LinkLost("refused", "its maximum PDU length is too small for a command")
        self._view[begin:_COMMAND_ROOM] = command
        return self._view[begin : self._starts[index] + _HEAD + size]


def _belongs(answer: dimse.Command, message_id: int, sop_instance_uid: str) -> bool:
    return (
        dimse.answers(answer, dimse.C_STORE_RQ, message_id)
        and answer.get(dimse.SOP_INSTANCE_UID, sop_instance_uid) in (sop_instance_uid, "")
        and dimse.STATUS in answer
    )
