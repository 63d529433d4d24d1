"""A-ASSOCIATE PDUs as acceptor: the request that is read, the answer that is sent (PS3.8 9.3.2, 9.3.3; PS3.7 D.3).

Read by our own few lines, which take nothing for granted: whoever reaches the port may send anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from smartbox_tui.dicom.scu.negotiation import APPLICATION_CONTEXT
from smartbox_tui.model.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_APPLICATION, _CONTEXT, _ACCEPTED, _ABSTRACT, _TRANSFER, _USER = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50
_MAX_LENGTH, _CLASS, _ROLE, _VERSION = 0x51, 0x52, 0x54, 0x55
_FIXED: Final = 68
_CONTEXTS_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class Proposed:
    """A presentation context as proposed: its transfer syntaxes in the caller's order."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """`head`: the 64 bytes of titles and reserved fields that the answer repeats. `roles`: by SOP class, whether
    the caller proposes itself as (SCU, SCP). `max_pdu`: the longest that it takes, 0 any."""

    version: int
    called_aet: str
    calling_aet: str
    application: str
    contexts: tuple[Proposed, ...]
    roles: Mapping[str, tuple[bool, bool]]
    max_pdu: int
    head: bytes


def read_request(body: bytes) -> Request:
    """From an A-ASSOCIATE-RQ without its six bytes of head. Raises ValueError for one that cannot be read."""
    if len(body) < _FIXED:
        raise ValueError("cut off")
    application, contexts, roles, max_pdu = "", [], {}, 0
    for kind, value in _items(body, _FIXED):
        if kind == _APPLICATION:
            application = _uid(value)
        elif kind == _CONTEXT:
            contexts.append(_context(value))
        elif kind == _USER:
            for inner, data in _items(value, 0):
                if inner == _MAX_LENGTH and len(data) == 4:
                    max_pdu = int.from_bytes(data, "big")
                elif inner == _ROLE:
                    length = int.from_bytes(data[:2], "big")
                    if len(data) != length + 4:
                        raise ValueError("a role selection that is none")
                    roles[_uid(data[2 : 2 + length])] = (data[-2] == 1, data[-1] == 1)
    if not contexts or len(contexts) > _CONTEXTS_MAX or len({item.id for item in contexts}) != len(contexts):
        raise ValueError("no presentation contexts, too many, or one twice")
    return Request(
        version=int.from_bytes(body[:2], "big"),
        called_aet=_title(body[4:20]),
        calling_aet=_title(body[20:36]),
        application=application,
        contexts=tuple(contexts),
        roles=roles,
        max_pdu=max_pdu,
        head=body[4:_FIXED],
    )


def _items(data: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    while position < len(data):
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if position + 4 + length > len(data):
            raise ValueError("an item longer than what holds it")
        yield data[position], data[position + 4 : position + 4 + length]
        position += 4 + length


def _context(value: bytes) -> Proposed:
    if len(value) < 4 or not value[0] & 1:
        raise ValueError("a presentation context without an odd number")
    found = list(_items(value, 4))
    abstract = [_uid(data) for kind, data in found if kind == _ABSTRACT]
    transfer = [_uid(data) for kind, data in found if kind == _TRANSFER]
    if len(abstract) != 1 or not transfer:
        raise ValueError("a presentation context without its syntaxes")
    return Proposed(value[0], abstract[0], tuple(transfer))


def _uid(value: bytes) -> str:
    return value.decode("ascii", "replace").strip("\0 ")


def _title(value: bytes) -> str:
    return value.decode("ascii", "replace").strip("\0 ")


def acceptance(
    request: Request,
    results: Mapping[int, tuple[int, str]],
    roles: Mapping[str, tuple[bool, bool]],
    *,
    max_pdu: int,
) -> bytes:
    """A whole A-ASSOCIATE-AC. `results`: by context the result and the transfer syntax (PS3.8 9.3.3.2); `roles`: of
    the caller, as they are accepted."""
    items = _item(_APPLICATION, APPLICATION_CONTEXT.encode())
    for number, (result, syntax) in results.items():
        items += _item(
            _ACCEPTED, bytes((number, 0, result, 0)) + _item(_TRANSFER, syntax.encode("ascii", "ignore"))
        )
    user = _item(_MAX_LENGTH, max_pdu.to_bytes(4, "big")) + _item(_CLASS, IMPLEMENTATION_CLASS_UID.encode())
    for uid, (scu, scp) in roles.items():
        name = uid.encode("ascii", "ignore")
        user += _item(_ROLE, len(name).to_bytes(2, "big") + name + bytes((scu, scp)))
    user += _item(_VERSION, IMPLEMENTATION_VERSION_NAME.encode())
    body = b"\0\1\0\0" + request.head + items + _item(_USER, user)
    return b"\x02\0" + len(body).to_bytes(4, "big") + body


def rejection(result: int, source: int, reason: int) -> bytes:
    """A whole A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return b"\x03\0\0\0\0\x04\0" + bytes((result, source, reason))


def _item(kind: int, value: bytes) -> bytes:
    return bytes((kind, 0)) + len(value).to_bytes(2, "big") + value
