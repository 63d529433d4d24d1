"""C-GET of one instance, and C-FIND at IMAGE level to know whether it is there (PS3.4 Annex C, PS3.7 9.1.2, 9.1.3).

The object comes on the same association, for which the box offers itself as SCP of its SOP class (PS3.7 D.3.3.4);
it is handed on in pieces and never whole in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from smartbox_tui.dicom.datasets import from_json
from smartbox_tui.dicom.scu import dimse
from smartbox_tui.dicom.scu.association import Association, associate
from smartbox_tui.dicom.scu.link import LinkLost
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import EXPLICIT_VR_LE, IMPLICIT_VR_LE

STUDY_GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
STUDY_FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
CONTEXTS: Final = tuple(
    (model, syntax) for model in (STUDY_GET, STUDY_FIND) for syntax in (IMPLICIT_VR_LE, EXPLICIT_VR_LE)
)
MAX_PDU: Final = 131072
_P_DATA: Final = 4
_COMMAND_MAX: Final = 65536
_PENDING: Final = (0xFF00, 0xFF01)

Sink = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Key:
    """Which instance, by the unique keys of all levels (PS3.4 C.6.2.1), and what it may come as."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntaxes: tuple[str, ...]


def get_instance(
    peer: Peer, key: Key, opener: Callable[[str], Sink], opened: Callable[[Association], None] = lambda _: None
) -> bool:
    """Fetches it on an association of its own: `opener` is told the transfer syntax, and gives what takes the data
    set's bytes. False: the archive says that it does not have it; then nothing was handed on.

    `opened`: told the association, whose link another thread may wake.
    Raises SmartBoxError: what `associate` raises; no-context (no C-GET, or not of this class); archive-refused (it
    has it, and does not give it); timeout, refused, tls (the connection).
    """
    storage = [(key.sop_class_uid, syntax) for syntax in key.transfer_syntaxes]
    association = associate(peer, [*CONTEXTS, *storage], provided=[key.sop_class_uid], max_pdu=MAX_PDU)
    opened(association)
    try:
        fetched = _Get(association, key, opener)
        if not fetched.run() and fetched.is_there():
            raise SmartBoxError(
                "archive-refused",
                f"{peer.name} has the object, but does not give it back (status {fetched.status:04X}H).",
                "The archive's log says more.",
            )
    except LinkLost as exc:
        association.drop()
        raise SmartBoxError(
            exc.code, f"{peer.name} did not give the object back: {exc.why}.", "The box asks again by itself."
        ) from exc
    except SmartBoxError as exc:
        association.release() if exc.code in ("no-context", "archive-refused") else association.abort()
        raise
    except BaseException:
        association.abort()
        raise
    association.release()
    return fetched.count > 0


class _Get:
    def __init__(self, association: Association, key: Key, opener: Callable[[str], Sink]) -> None:
        self._association, self._key, self._opener = association, key, opener
        self._link = association.link
        self._fragments: list[tuple[int, int, bytes]] = []
        self._patience = association.peer.timeout_s
        self._accepted = {item.id: item for item in association.contexts if item.accepted}
        self.count = 0
        self.status = 0

    # ---- the two operations

    def run(self) -> bool:
        """C-GET; True when the object came."""
        if not any(item.sop_class_uid == self._key.sop_class_uid for item in self._accepted.values()):
            raise _not_given(self._association)
        context, message_id = self._request(STUDY_GET, dimse.get_rq)
        while True:
            number, command = self._command()
            field = int(command.get(dimse.COMMAND_FIELD, 0))
            if field == dimse.C_STORE_RQ and number != context:
                self._take(number, command)
            elif dimse.answers(command, dimse.C_GET_RQ, message_id):
                self._skip(number, command)
                self.status = int(command.get(dimse.STATUS, 0))
                if self.status not in _PENDING:
                    return self.count > 0
            else:
                raise LinkLost("refused", "it answered with another message")

    def is_there(self) -> bool:
        """C-FIND for it; True also where the archive does not say."""
        try:
            _, message_id = self._request(STUDY_FIND, dimse.find_rq)
        except SmartBoxError:
            return self.status != 0  # a C-GET of nothing succeeds (PS3.4 C.4.3.1.4)
        found = False
        while True:
            number, command = self._command()
            if not dimse.answers(command, dimse.C_FIND_RQ, message_id):
                raise LinkLost("refused", "it answered with another message")
            self._skip(number, command)
            status = int(command.get(dimse.STATUS, 0))
            if status not in _PENDING:
                return found or status != 0
            found = True

    def _request(self, model: str, request: Callable[[int, str], bytes]) -> tuple[int, int]:
        found = self._association.context_of(model)
        if found is None:
            raise _not_given(self._association)
        context, explicit = found
        identifier = from_json(identifier_of(self._key), explicit=explicit)
        message_id = self._association.next_message_id()
        self._link.send(self._association.command_pdus(context, request(message_id, model), identifier))
        return context, message_id

    def _take(self, number: int, command: dimse.Command) -> None:
        """One C-STORE: handed on when it is what was asked for; anything else is read and refused."""
        wanted = command.get(dimse.SOP_INSTANCE_UID) == self._key.sop_instance_uid and not self.count
        sink: Sink = self._opener(self._accepted[number].transfer_syntax_uid) if wanted else lambda _: None
        self._data(number, sink)
        self.count += wanted
        status = 0x0000 if wanted else 0x0122
        self._link.send(self._association.command_pdus(number, dimse.response(command, status)))

    # ---- messages

    def _command(self) -> tuple[int, dimse.Command]:
        data = bytearray()
        while True:
            number, flags, piece = self._next()
            data += piece
            if not flags & 1 or len(data) > _COMMAND_MAX:
                raise LinkLost("refused", "it sent a data set nobody asked for, or a command without end")
            if flags & 2:
                try:
                    return number, dimse.decode(bytes(data))
                except ValueError as exc:
                    raise LinkLost("refused", "it sent an answer that is no DIMSE command") from exc

    def _skip(self, number: int, command: dimse.Command) -> None:
        if command.get(dimse.DATA_SET_TYPE) != dimse.NO_DATA_SET:
            self._data(number, lambda _: None)

    def _data(self, number: int, sink: Sink) -> None:
        while True:
            context, flags, piece = self._next()
            if context != number or flags & 1:
                raise LinkLost("refused", "it sent command and data set in disorder")
            sink(piece)
            if flags & 2:
                return

    def _next(self) -> tuple[int, int, bytes]:
        """The next PDV. Every PDU has the peer's time-out, and one that carries nothing does not make it longer."""
        deadline = time.monotonic() + self._patience
        while not self._fragments:
            kind, body = self._link.receive(max(0.0, deadline - time.monotonic()))
            if kind != _P_DATA:
                self._association._unexpected(kind, body)
            position = 0
            while position < len(body):
                length = int.from_bytes(body[position : position + 4], "big")
                if length < 2 or position + 4 + length > len(body) or body[position + 4] not in self._accepted:
                    raise LinkLost("refused", "it sent a PDU that is none, or of another presentation context")
                piece = body[position + 6 : position + 4 + length]
                if piece or body[position + 5] & 2:
                    self._fragments.append((body[position + 4], body[position + 5], piece))
                position += 4 + length
        return self._fragments.pop(0)


def identifier_of(key: Key) -> dict[str, dict[str, object]]:
    """The unique keys of one instance in the DICOM JSON model (PS3.4 C.4.3.1.3)."""
    values: Sequence[tuple[str, str, str]] = (
        ("00080018", "UI", key.sop_instance_uid),
        ("00080052", "CS", "IMAGE"),
        ("0020000D", "UI", key.study_uid),
        ("0020000E", "UI", key.series_uid),
    )
    return {tag: {"vr": vr, "Value": [value]} for tag, vr, value in values}


def context_of(association: Association) -> int:
    """The accepted context of C-GET. Raises no-context."""
    if (found := association.context_of(STUDY_GET)) is not None:
        return found[0]
    raise _not_given(association)


def _not_given(association: Association) -> SmartBoxError:
    return SmartBoxError(
        "no-context",
        f"{association.peer.name} accepts the association, but gives no objects back (C-GET).",
        "Have C-GET enabled for our AE title in the archive, or choose commitment instead of readback.",
    )
