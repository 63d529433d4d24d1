"""One association as acceptor: negotiation by the table of services, then one request after the other.

Nothing that a caller does makes it hold more than one PDU and one short message, or wait longer than its time-outs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from smartbox_tui.dicom.scp_request import Proposed, Request, acceptance, read_request, rejection
from smartbox_tui.dicom.scp_table import Handlers, Incoming, Service
from smartbox_tui.dicom.scu import dimse
from smartbox_tui.dicom.scu.link import Link, LinkLost
from smartbox_tui.dicom.scu.negotiation import APPLICATION_CONTEXT

log = logging.getLogger(__name__)

MAX_PDU: Final = 65536
ARTIM_S: Final = 10.0
"""For the request after the connection (PS3.8 9.1.4)."""
MESSAGE_S: Final = 30.0
"""For all PDUs of a message after its first one."""
_COMMAND_MAX: Final = 65536
_FRAGMENTS_MAX: Final = 65536
_EXPLICIT: Final = "1.2.840.10008.1.2.1"

_RQ, _P_DATA, _RELEASE_RQ, _ABORT = 1, 4, 5, 7
_RELEASE_RP_PDU: Final = b"\x06\0\0\0\0\x04\0\0\0\0"
_UNRECOGNISED: Final = 0x0211  # PS3.7 C.4.3
_FAILED: Final = 0x0110


@dataclass(frozen=True, slots=True)
class Rules:
    """own      AE titles under which the box may be called; callers: those of the settings (capital letters count)
    idle_s   how long an association may be silent"""

    own: frozenset[str]
    callers: frozenset[str]
    idle_s: float = 60.0


class Refused(Exception):
    """The association is rejected: (result, source, reason) of PS3.8 9.3.4, and a sentence for people."""

    def __init__(self, result: int, source: int, reason: int, why: str) -> None:
        super().__init__(why)
        self.pdu = rejection(result, source, reason)


class _Broken(Exception):
    """The caller broke the protocol: (reason of a provider's A-ABORT, PS3.8 9.3.8)."""

    def __init__(self, reason: int, why: str) -> None:
        super().__init__(why)
        self.pdu = b"\x07\0\0\0\0\x04\0\0\x02" + bytes((reason,))


@dataclass(frozen=True, slots=True)
class _Context:
    service: Service
    explicit: bool


class Acceptor:
    """Serves one connection in the calling thread, to its end. `link.wake` from another thread ends it soon."""

    def __init__(
        self,
        link: Link,
        host: str,
        services: Sequence[Service],
        handlers: Handlers,
        rules: Rules,
        on_refused: Callable[[str, str, str], None],
    ) -> None:
        """`on_refused(calling AE title, host, why)` hears of each caller that was rejected."""
        self._link, self._host = link, host
        self._services, self._handlers, self._rules = services, handlers, rules
        self._on_refused = on_refused
        self._contexts: dict[int, _Context] = {}
        self._calling = ""
        self._peer_max_pdu = 0
        self._fragments: list[tuple[int, int, bytes]] = []

    def serve(self) -> None:
        """Never raises for what the caller does."""
        try:
            if self._negotiate():
                while self._message():
                    pass
            self._link.close()
        except _Broken as exc:
            log.info("a DICOM caller broke the protocol: %s", exc)
            self._link.farewell(exc.pdu)
            self._link.close()
        except LinkLost as exc:
            if exc.code == "timeout" or exc.local:
                self._link.farewell(b"\x07\0\0\0\0\x04\0\0\0\0")
            elif exc.code == "refused" and "DICOM" in exc.why:
                self._link.farewell(b"\x07\0\0\0\0\x04\0\0\x02\x01")
            self._link.close(hard=exc.code == "timeout")
        except BaseException:
            self._link.close(hard=True)
            raise

    # ---- negotiation

    def _negotiate(self) -> bool:
        kind, body = self._link.receive(ARTIM_S)
        if kind == _ABORT:
            return False
        if kind != _RQ:
            raise _Broken(2, f"a PDU of type {kind} before the association")
        try:
            request = read_request(body)
        except ValueError as exc:
            raise _Broken(6, f"an association request that cannot be read ({exc})") from exc
        try:
            results, roles = self._agree(request)
        except Refused as exc:
            log.warning("an association from %s was rejected: %s", self._host, exc)
            self._link.send(exc.pdu)
            self._on_refused(request.calling_aet, self._host, str(exc))
            self._wait_for_close()
            return False
        self._calling, self._peer_max_pdu = request.calling_aet, request.max_pdu
        self._link.send(acceptance(request, results, roles, max_pdu=MAX_PDU))
        return True

    def _wait_for_close(self) -> None:
        """The caller closes after a rejection (PS3.8 9.2, state 13); a reset would take it out of its hands."""
        try:
            self._link.receive(2.0)
        except LinkLost:
            return

    def _agree(self, request: Request) -> tuple[dict[int, tuple[int, str]], dict[str, tuple[bool, bool]]]:
        """Raises Refused."""
        if not request.version & 1:
            raise Refused(1, 2, 2, "protocol version not supported")
        if request.application != APPLICATION_CONTEXT:
            raise Refused(1, 1, 2, "application context name not supported")
        if request.called_aet not in self._rules.own:
            raise Refused(1, 1, 7, "called AE title not recognised")
        known = request.calling_aet in self._rules.callers
        results: dict[int, tuple[int, str]] = {}
        roles: dict[str, tuple[bool, bool]] = {}
        stranger = False
        for item in request.contexts:
            service = next((each for each in self._services if item.abstract_syntax in each.sop_classes), None)
            result, syntax = self._result(item, service, request.roles)
            if result == 0 and service is not None:
                if service.known_only and not known:
                    result, stranger = 1, True
                else:
                    self._contexts[item.id] = _Context(service, syntax == _EXPLICIT)
                    if item.abstract_syntax in request.roles:
                        asked = request.roles[item.abstract_syntax]
                        ours = service.ours == "SCU"
                        roles[item.abstract_syntax] = (asked[0] and not ours, asked[1] and ours)
            results[item.id] = (result, syntax)
        if stranger and not self._contexts:
            raise Refused(1, 1, 3, "calling AE title not recognised")
        return results, roles

    @staticmethod
    def _result(item: Proposed, service: Service | None, roles: Mapping[str, tuple[bool, bool]]) -> tuple[int, str]:
        """Result and transfer syntax of one context (PS3.8 9.3.3.2). Where the box is SCU the caller must not say
        that it is no SCP; one that says nothing of roles is taken at its deed."""
        first = item.transfer_syntaxes[0]
        if service is None:
            return 3, first
        scu, scp = roles.get(item.abstract_syntax, (True, True))
        if not (scp if service.ours == "SCU" else scu):
            return 1, first
        for syntax in service.transfer_syntaxes:
            if syntax in item.transfer_syntaxes:
                return 0, syntax
        return 4, first

    # ---- messages

    def _message(self) -> bool:
        """One request and its answer; False when the association is over."""
        first = self._fragment(self._rules.idle_s)
        if first is None:
            return False
        deadline = time.monotonic() + MESSAGE_S
        number, flags, piece = first
        command = bytearray(piece)
        count = 0
        while not flags & 2:
            count += 1
            number, flags, piece = self._next(number, deadline, count)
            if not flags & 1:
                raise _Broken(6, "a data set before the command's end")
            command += piece
            if len(command) > _COMMAND_MAX:
                raise _Broken(6, "a command without end")
        if not flags & 1:
            raise _Broken(6, "a data set without a command")
        try:
            request = dimse.decode(bytes(command))
            field = int(request[dimse.COMMAND_FIELD])
        except (ValueError, KeyError) as exc:
            raise _Broken(6, "a message that is no DIMSE command") from exc
        data: bytes | None = b""
        if request.get(dimse.DATA_SET_TYPE) != dimse.NO_DATA_SET:
            data = self._data(number, deadline, self._contexts[number].service.longest)
        if field == 0x0FFF or field & dimse.RESPONSE:  # a C-CANCEL of nothing, an answer to nothing
            return True
        status = self._handle(self._contexts[number], request, field, data)
        self._answer(number, dimse.response(request, status))
        return True

    def _handle(self, context: _Context, request: dimse.Command, field: int, data: bytes | None) -> int:
        service = context.service
        handler = self._handlers.get(service.name)
        if field not in service.commands or handler is None:
            return _UNRECOGNISED
        try:
            return handler(Incoming(self._calling, self._host, request, data, context.explicit))
        except Exception:  # a defect of ours is no reason to take the port away from the others
            log.exception("the service %s failed", service.name)
            return _FAILED

    def _data(self, number: int, deadline: float, longest: int) -> bytes | None:
        data = bytearray()
        whole = True
        for count in range(_FRAGMENTS_MAX):
            _, flags, piece = self._next(number, deadline, count)
            if flags & 1:
                raise _Broken(6, "a command within a data set")
            if whole and len(data) + len(piece) <= longest:
                data += piece
            else:
                whole = False
                data.clear()
            if flags & 2:
                return bytes(data) if whole else None
        raise _Broken(6, "a message without end")

    def _next(self, number: int, deadline: float, count: int) -> tuple[int, int, bytes]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise LinkLost("timeout", "no whole message in time")
        if count > _FRAGMENTS_MAX:
            raise _Broken(6, "a message without end")
        found = self._fragment(left)
        if found is None or found[0] != number:
            raise _Broken(6, "a message that ends in the middle, or on two contexts")
        return found

    def _fragment(self, timeout_s: float) -> tuple[int, int, bytes] | None:
        """The next PDV: its context, message control header and fragment. None when the caller ends it in order."""
        deadline = time.monotonic() + timeout_s
        while not self._fragments:
            kind, body = self._link.receive(max(0.0, deadline - time.monotonic()))
            if kind == _RELEASE_RQ:
                self._link.send(_RELEASE_RP_PDU)
                self._wait_for_close()
                return None
            if kind == _ABORT:
                return None
            if kind != _P_DATA or not body:
                raise _Broken(2, f"a PDU of type {kind} at the wrong moment")
            position = 0
            while position < len(body):
                length = int.from_bytes(body[position : position + 4], "big")
                if length < 2 or position + 4 + length > len(body):
                    raise _Broken(6, "a PDU shorter than its PDV")
                number, flags = body[position + 4], body[position + 5]
                if number not in self._contexts:
                    raise _Broken(6, "a presentation context that was not agreed on")
                self._fragments.append((number, flags, body[position + 6 : position + 4 + length]))
                position += 4 + length
        return self._fragments.pop(0)

    def _answer(self, number: int, command: bytes) -> None:
        size = (min(self._peer_max_pdu or MAX_PDU, MAX_PDU) - 6) & ~1
        if size < 2:
            raise _Broken(6, "a maximum PDU length that holds no data")
        for start in range(0, len(command), size):
            piece = command[start : start + size]
            flags = 1 | (2 if start + size >= len(command) else 0)
            head = b"\x04\0" + (len(piece) + 6).to_bytes(4, "big") + (len(piece) + 2).to_bytes(4, "big")
            self._link.send(head + bytes((number, flags)) + piece)
