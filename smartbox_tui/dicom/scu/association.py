"""One association as requestor: negotiation, command messages, release (PS3.8 7, 9.3; PS3.7 D.3)."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

from smartbox_tui.dicom.scu import dimse
from smartbox_tui.dicom.scu.link import Link, LinkLost, connect
from smartbox_tui.dicom.scu.negotiation import read_acceptance, request_pdu
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.tls import TlsTrouble
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from smartbox_tui.model.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

OUR_MAX_PDU: Final = 16384  # we receive responses only
CONTEXTS_MAX: Final = 128  # odd numbers from 1 to 255 (PS3.8 9.3.2.2)
_RELEASE_S: Final = 5.0  # as the ARTIM timer: a peer that forgot to answer must not hold a worker
_COMMAND_MAX: Final = 65536
_FRAGMENTS_MAX: Final = 65536  # of one message: nobody keeps us for ever with empty ones
_WHOLE_MESSAGE: Final = 16  # times the patience for a PDU, for all PDUs of an answer with a data set

_AC, _RJ, _P_DATA, _RELEASE_RQ, _RELEASE_RP, _ABORT = 2, 3, 4, 5, 6, 7
_ABORT_BY_USER: Final = b"\x07\0\0\0\0\x04\0\0\0\0"
_ABORT_UNEXPECTED: Final = b"\x07\0\0\0\0\x04\0\0\x02\x02"
_RELEASE_RQ_PDU: Final = b"\x05\0\0\0\0\x04\0\0\0\0"
_RELEASE_RP_PDU: Final = b"\x06\0\0\0\0\x04\0\0\0\0"

REJECTIONS: Final[dict[tuple[int, int], tuple[str, str, str]]] = {
    # (source, reason): code, why, hint (PS3.8 9.3.4)
    (1, 1): ("refused", "no reason given", "Ask the archive's administrator; its log says more."),
    (1, 2): (
        "refused",
        "application context name not supported",
        "This is not a DICOM archive, or a very old one.",
    ),
    (1, 3): (
        "calling-aet-rejected",
        "calling AE title not recognised",
        "Have our AE title entered in the archive, with the box's address; capital letters count.",
    ),
    (1, 7): (
        "called-aet-rejected",
        "called AE title not recognised",
        "Check the archive's AE title in the destination's settings; capital letters count.",
    ),
    (2, 1): ("refused", "no reason given (protocol)", "Ask the archive's administrator; its log says more."),
    (2, 2): ("refused", "protocol version not supported", "The archive is too old for the box."),
    (3, 1): ("refused", "temporary congestion", "The archive is busy; the box tries again by itself."),
    (3, 2): ("refused", "local limit exceeded", "The archive takes no more associations; try fewer at once."),
}


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context as negotiated: one transfer syntax each, so the archive cannot choose one that
    we would have to transcode to. `result` 0 accepted, 1 user rejection, 2 no reason, 3 abstract syntax not
    supported, 4 transfer syntaxes not supported (PS3.8 9.3.3.2)."""

    id: int
    sop_class_uid: str
    transfer_syntax_uid: str
    result: int

    @property
    def accepted(self) -> bool:
        return self.result == 0


class Association:
    """An established association. Used by one thread; only `link.wake` may come from another."""

    def __init__(self, peer: Peer, link: Link, contexts: tuple[Context, ...], peer_max_pdu: int) -> None:
        self.peer = peer
        self.contexts = contexts
        self.peer_max_pdu = peer_max_pdu
        self.link = link
        self._message_ids = itertools.cycle(range(1, 65536))
        self._open = True
        self._accepted = {context.id for context in contexts if context.accepted}
        self._fragments: deque[tuple[int, bytes]] = deque()

    def is_open(self) -> bool:
        """Can it carry another message? Looks at the socket: an idle peer may have gone since the last one."""
        if self._open:
            try:
                self.link.check()
            except LinkLost as exc:
                self._open = False
                # To a peer that asked for release the second is its answer, to one that is gone it is nothing.
                self.link.farewell(_ABORT_BY_USER if exc.local else _RELEASE_RP_PDU)
                self.link.close()
        return self._open

    def next_message_id(self) -> int:
        return next(self._message_ids)

    def context_id(self, sop_class_uid: str, transfer_syntax_uid: str) -> int | None:
        """The accepted context for exactly this pair."""
        for context in self.contexts:
            if context.accepted and (context.sop_class_uid, context.transfer_syntax_uid) == (
                sop_class_uid,
                transfer_syntax_uid,
            ):
                return context.id
        return None

    def context_of(self, sop_class_uid: str) -> tuple[int, bool] | None:
        """The accepted context of a class without pixels, and whether it is Explicit VR; None: there is none."""
        for syntax in (IMPLICIT_VR_LE, EXPLICIT_VR_LE):
            context_id = self.context_id(sop_class_uid, syntax)
            if context_id is not None:
                return context_id, syntax == EXPLICIT_VR_LE
        return None

    @property
    def fragment_size(self) -> int:
        """Bytes of a message that one PDV may carry, even (PS3.8 D.1, E.2); a peer maximum of 0 is no limit."""
        return (min(self.peer_max_pdu or 131072, 1 << 20) - 6) & ~1

    def command_pdus(self, context_id: int, command: bytes, dataset: bytes = b"") -> bytes:
        """The P-DATA-TF PDUs of a command set and, where given, of a short data set behind it (PS3.8 9.3.5, E.2:
        bit 0 command, bit 1 last fragment)."""
        pdus = self._pdus(context_id, command, 1)
        return pdus + self._pdus(context_id, dataset, 0) if dataset else pdus

    def _pdus(self, context_id: int, message: bytes, kind: int) -> bytes:
        size = self.fragment_size
        pdus = bytearray()
        for start in range(0, len(message), size):
            piece = message[start : start + size]
            flags = kind | (2 if start + size >= len(message) else 0)
            pdus += b"\x04\0" + (len(piece) + 6).to_bytes(4, "big") + (len(piece) + 2).to_bytes(4, "big")
            pdus += bytes((context_id, flags)) + piece
        return bytes(pdus)

    def receive_command(self, timeout_s: float | None = None) -> dimse.Command:
        """The next command message: `timeout_s` for its first PDU, as much for all the others together.

        Raises LinkLost; also for whatever else the peer says."""
        patience = self.peer.timeout_s if timeout_s is None else timeout_s
        data = bytearray()
        last = False
        kind, body = self.link.receive(patience)
        deadline = time.monotonic() + patience
        while True:
            if kind != _P_DATA:
                self._unexpected(kind, body)
            last = self._collect(body, data)
            if last or len(data) > _COMMAND_MAX:
                break
            kind, body = self.link.receive(self._left(deadline, patience))
        try:
            return dimse.decode(bytes(data))
        except ValueError:
            self._break_protocol("an answer that is no DIMSE command")

    def _collect(self, body: bytes, data: bytearray) -> bool:
        """Adds the PDVs of one P-DATA-TF to `data`; True after the last command fragment."""
        position, last = 0, False
        while position < len(body):
            length = int.from_bytes(body[position : position + 4], "big")
            flags = body[position + 5] if position + 5 < len(body) else 0
            if length < 2 or position + 4 + length > len(body) or not flags & 1 or last:
                self._break_protocol("a PDU that is none, or a data set nobody asked for")
            if body[position + 4] not in self._accepted:
                self._break_protocol("an answer on a presentation context that was not agreed on")
            data += body[position + 6 : position + 4 + length]
            last = bool(flags & 2)
            position += 4 + length
        if not body:
            self._break_protocol("an empty PDU")
        return last

    @staticmethod
    def _left(deadline: float, patience: float) -> float:
        """Seconds until `deadline`. Raises LinkLost when there are none: nobody keeps us with single bytes."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise LinkLost("timeout", f"no whole answer within {patience:g} s")
        return left

    def receive_message(
        self,
        context_id: int,
        *,
        max_dataset: int,
        timeout_s: float | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> tuple[dimse.Command, bytes | None]:
        """The next command message and its data set: empty without one, None when it is longer than `max_dataset`
        bytes (it is read to its end and thrown away). `timeout_s` for the first PDU, and for each PDU after it,
        all of them within sixteen times that; `on_wait` as in Link.receive. Raises LinkLost."""
        command, data = bytearray(), bytearray()
        decoded: dimse.Command | None = None
        fragments = 0
        patience = self.peer.timeout_s if timeout_s is None else timeout_s
        longest = patience
        while True:
            fragments += 1
            flags, piece = self._next_fragment(context_id, longest, on_wait)
            if fragments == 1:
                deadline = time.monotonic() + _WHOLE_MESSAGE * patience
            longest = min(patience, self._left(deadline, _WHOLE_MESSAGE * patience))
            if fragments > _FRAGMENTS_MAX or len(command) > _COMMAND_MAX:
                self._break_protocol("a message without end")
            if bool(flags & 1) is not (decoded is None):
                self._break_protocol("command and data set in disorder")
            if decoded is not None:
                if len(data) <= max_dataset:
                    data += piece
                if flags & 2:
                    return decoded, bytes(data) if len(data) <= max_dataset else None
                continue
            command += piece
            if flags & 2:
                try:
                    decoded = dimse.decode(bytes(command))
                except ValueError:
                    self._break_protocol("an answer that is no DIMSE command")
                if decoded.get(dimse.DATA_SET_TYPE) == dimse.NO_DATA_SET:
                    return decoded, b""

    def _next_fragment(
        self, context_id: int, timeout_s: float | None, on_wait: Callable[[], None] | None
    ) -> tuple[int, bytes]:
        """The next PDV's message control header and fragment; one PDU may hold several (PS3.8 9.3.5)."""
        while not self._fragments:
            kind, body = self.link.receive(timeout_s, on_wait)
            if kind != _P_DATA:
                self._unexpected(kind, body)
            position = 0
            while position < len(body):
                length = int.from_bytes(body[position : position + 4], "big")
                if length < 2 or position + 4 + length > len(body) or body[position + 4] != context_id:
                    self._break_protocol("a PDU that is none, or of another presentation context")
                self._fragments.append((body[position + 5], body[position + 6 : position + 4 + length]))
                position += 4 + length
            if not body:
                self._break_protocol("an empty PDU")
        return self._fragments.popleft()

    def _unexpected(self, kind: int, body: bytes) -> NoReturn:
        if kind == _ABORT:
            raise LinkLost("refused", f"the archive aborted the association ({_abort_reason(body)})")
        if kind == _RELEASE_RQ:
            self.link.farewell(_RELEASE_RP_PDU)
            raise LinkLost("refused", "the archive ended the association")
        self._break_protocol(f"a PDU of type {kind} at the wrong moment")

    def _break_protocol(self, what: str) -> NoReturn:
        self.link.farewell(_ABORT_UNEXPECTED)
        raise LinkLost("refused", f"the archive sent {what}")

    def release(self) -> bool:
        """Ends the association in order; False when the peer did not answer and the connection was dropped."""
        if not self._open:
            return False
        self._open = False
        patience = min(_RELEASE_S, self.peer.timeout_s)
        deadline = time.monotonic() + patience
        try:
            self.link.send(_RELEASE_RQ_PDU)
            while True:
                kind, _ = self.link.receive(self._left(deadline, patience))
                if kind == _RELEASE_RP:
                    return True
                if kind == _RELEASE_RQ:  # both asked at once: answer, theirs is still to come (PS3.8 7.2.2)
                    self.link.send(_RELEASE_RP_PDU)
                elif kind == _ABORT:
                    return False
        except LinkLost:
            self.link.farewell(_ABORT_BY_USER)
            return False
        finally:
            self.link.close()

    def abort(self) -> None:
        """A-ABORT between two PDUs, then the connection is closed."""
        if self._open:
            self._open = False
            self.link.farewell(_ABORT_BY_USER)
            self.link.close()

    def drop(self) -> None:
        """The connection is closed with a reset: in the middle of a PDU no A-ABORT would be understood."""
        self._open = False
        self.link.close(hard=True)


def associate(
    peer: Peer,
    contexts: Iterable[tuple[str, str]],
    link: Link | None = None,
    *,
    provided: Iterable[str] = (),
    max_pdu: int = OUR_MAX_PDU,
) -> Association:
    """Connects and negotiates `contexts`, pairs of (SOP class, transfer syntax), each once, at most 128.

    `link`: a fresh connection to the same peer, from here on the association's own. `provided`: SOP classes that
    the box offers itself as SCP of (C-GET). `max_pdu`: the longest PDU that the box takes.
    Raises SmartBoxError: no-route, refused, timeout (connection), TlsTrouble; called-aet-rejected,
    calling-aet-rejected, refused (rejection, abort); bad-value (no context, too many, no UID). An
    association without any accepted context is returned as well: who needs one says so.
    """
    pairs = list(dict.fromkeys(contexts))
    if not 1 <= len(pairs) <= CONTEXTS_MAX:
        _close(link)
        raise SmartBoxError(
            "bad-value",
            f"{len(pairs)} presentation contexts asked for, one association has 1 to {CONTEXTS_MAX}.",
            "Send the objects in several groups.",
        )
    try:
        request = _request_pdu(peer, pairs, provided, max_pdu)
        link = link or connect(peer)
        return _negotiate(peer, link, pairs, request)
    except LinkLost as exc:
        _close(link)
        if exc.trouble is not None:
            raise TlsTrouble(peer.name, exc.trouble) from exc
        raise SmartBoxError(
            exc.code,
            f"{peer.name} did not answer the association request: {exc.why}.",
            "Check that host and port are those of a DICOM service.",
        ) from exc
    except BaseException:
        _close(link)
        raise


def _close(link: Link | None) -> None:
    if link is not None:
        link.close(hard=True)


def _request_pdu(peer: Peer, pairs: list[tuple[str, str]], provided: Iterable[str], max_pdu: int) -> bytes:
    try:
        return request_pdu(
            peer.called_aet,
            peer.calling_aet,
            pairs,
            max_pdu=max_pdu,
            provided=provided,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
        )
    except ValueError as exc:
        raise SmartBoxError(
            "bad-value", f"A presentation context is no pair of UIDs: {exc}.", "Check the object's group 2."
        ) from exc


def _negotiate(peer: Peer, link: Link, pairs: list[tuple[str, str]], request: bytes) -> Association:
    link.send(request)
    kind, body = link.receive()
    if kind == _RJ and len(body) == 4:
        raise _rejected(peer, result=body[1], source=body[2], reason=body[3])
    if kind == _ABORT:
        raise LinkLost("refused", f"it aborted ({_abort_reason(body)})")
    if kind != _AC:
        raise LinkLost("refused", "it does not speak DICOM")
    try:
        answer = read_acceptance(body)
    except ValueError as exc:
        raise LinkLost("refused", f"its answer cannot be read ({exc})") from exc
    negotiated = tuple(
        Context(2 * number + 1, *pair, answer.result(2 * number + 1, pair[1])) for number, pair in enumerate(pairs)
    )
    association = Association(peer, link, negotiated, answer.max_pdu)
    if association.fragment_size < 2:
        raise LinkLost("refused", f"its maximum PDU length of {answer.max_pdu} bytes holds no data")
    return association


def _rejected(peer: Peer, *, result: int, source: int, reason: int) -> SmartBoxError:
    code, why, hint = REJECTIONS.get(
        (source, reason), ("refused", "a reason DICOM does not know", "The archive's log says more.")
    )
    lasting = "permanently" if result == 1 else "for now"
    return SmartBoxError(
        code,
        f"{peer.name} rejects the association from {peer.calling_aet} {lasting}: {why} "
        f"(source {source}, reason {reason}).",
        hint,
    )


def _abort_reason(body: bytes) -> str:
    if len(body) < 4:
        return "no reason given"
    return f"source {body[2]}, reason {body[3]}"
