"""A-ASSOCIATE PDUs as requestor: the request we send, the acceptance we read (PS3.8 9.3.2, 9.3.3; PS3.7 D.3).

Our own few lines: pynetdicom's, with all that they import, took longer than sending a hundred stills.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"

_APPLICATION, _CONTEXT, _ACCEPTED, _ABSTRACT, _TRANSFER, _USER = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50
_MAX_LENGTH, _CLASS, _ROLE, _VERSION = 0x51, 0x52, 0x54, 0x55
_FIXED: Final = 68
_UID_MAX: Final = 64
_UID: Final = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """`results` by presentation context id (0 accepted); `syntaxes` the transfer syntax of each accepted one;
    `max_pdu` the longest PDU the peer takes, 0 any."""

    results: dict[int, int]
    syntaxes: dict[int, str]
    max_pdu: int

    def result(self, context_id: int, proposed: str) -> int:
        """Of a context that was proposed with one transfer syntax (PS3.8 9.3.3.2). One that the answer passes over
        is rejected, no reason given (2); one accepted with a syntax that nobody proposed is of no use (4)."""
        result = self.results.get(context_id, 2)
        return 4 if result == 0 and self.syntaxes.get(context_id) != proposed else result


def request_pdu(
    called_aet: str,
    calling_aet: str,
    contexts: Sequence[tuple[str, str]],
    *,
    max_pdu: int,
    implementation_class_uid: str,
    implementation_version_name: str,
    provided: Iterable[str] = (),
) -> bytes:
    """A whole A-ASSOCIATE-RQ. `contexts`: (abstract, transfer syntax), numbered 1, 3, 5 … in their order. Of the
    abstract syntaxes in `provided` the box is the SCP (role selection, PS3.7 D.3.3.4).

    Raises ValueError for a UID that is none.
    """
    items = _item(_APPLICATION, APPLICATION_CONTEXT.encode())
    for index, (abstract, transfer) in enumerate(contexts):
        syntaxes = _item(_ABSTRACT, _uid(abstract)) + _item(_TRANSFER, _uid(transfer))
        items += _item(_CONTEXT, bytes((2 * index + 1, 0, 0, 0)) + syntaxes)
    user = _item(_MAX_LENGTH, max_pdu.to_bytes(4, "big")) + _item(_CLASS, _uid(implementation_class_uid))
    for abstract in provided:
        uid = _uid(abstract)
        user += _item(_ROLE, len(uid).to_bytes(2, "big") + uid + b"\0\1")
    user += _item(_VERSION, implementation_version_name.encode("ascii"))
    titles = _title(called_aet) + _title(calling_aet)
    body = b"\0\1\0\0" + titles + bytes(32) + items + _item(_USER, user)
    return b"\x01\0" + len(body).to_bytes(4, "big") + body


def _item(kind: int, value: bytes) -> bytes:
    return bytes((kind, 0)) + len(value).to_bytes(2, "big") + value


def _title(text: str) -> bytes:
    """16 characters, filled up with spaces, which are not significant around a title (PS3.8 9.3.2)."""
    return text.strip(" ").encode("ascii").ljust(16)


def _uid(text: str) -> bytes:
    """PS3.5 9.1; without a padding byte (PS3.8 Annex F). Raises ValueError."""
    if len(text) > _UID_MAX or not _UID.fullmatch(text):
        raise ValueError(f"{text!r} is no UID")
    return text.encode("ascii")


def read_acceptance(body: bytes) -> Acceptance:
    """From an A-ASSOCIATE-AC without its six bytes of head. Raises ValueError for one that cannot be read."""
    results: dict[int, int] = {}
    syntaxes: dict[int, str] = {}
    max_pdu = 0
    for kind, value in _items(body, _FIXED):
        if kind == _ACCEPTED:
            if len(value) < 4:
                raise ValueError("an acceptance with a presentation context that is none")
            results[value[0]] = value[2]
            if value[2] == 0:  # of the others nothing is to be tested (PS3.8 9.3.3.2)
                found = [data for inner, data in _items(value, 4) if inner == _TRANSFER]
                if len(found) == 1:
                    syntaxes[value[0]] = found[0].decode("ascii", "replace").strip("\0 ")
        elif kind == _USER:
            for inner, data in _items(value, 0):
                if inner == _MAX_LENGTH and len(data) == 4:
                    max_pdu = int.from_bytes(data, "big")
    if not results:
        raise ValueError("an acceptance with no presentation context")
    return Acceptance(results, syntaxes, max_pdu)


def _items(data: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    while position < len(data):
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if position + 4 + length > len(data):
            raise ValueError("an acceptance with an item longer than what holds it")
        yield data[position], data[position + 4 : position + 4 + length]
        position += 4 + length
