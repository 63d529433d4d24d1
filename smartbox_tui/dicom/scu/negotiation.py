"""A-ASSOCIATE PDUs: the request we send, the acceptance we read (PS3.8 9.3.2, 9.3.3, Annex D.1).

Written out here and not taken from pynetdicom: loading that costs a sender 0.3 s and 35 MB, more than 300
stills need. The tests let pynetdicom judge both directions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
_HEAD: Final = 68  # protocol version, reserved, two AE titles, 32 reserved bytes

_APPLICATION, _CONTEXT_RQ, _CONTEXT_AC, _ABSTRACT, _TRANSFER, _USER = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50
_MAX_LENGTH, _IMPLEMENTATION_CLASS, _IMPLEMENTATION_VERSION = 0x51, 0x52, 0x55  # PS3.8 D.1, PS3.7 D.3.3.2


@dataclass(frozen=True, slots=True)
class Acceptance:
    """`results` by presentation context id (0 accepted); `max_pdu` the longest PDU the peer takes, 0 any."""

    results: dict[int, int]
    max_pdu: int


def request_pdu(
    called_aet: str,
    calling_aet: str,
    contexts: Sequence[tuple[str, str]],
    *,
    max_pdu: int,
    implementation_class_uid: str,
    implementation_version_name: str,
) -> bytes:
    """A whole A-ASSOCIATE-RQ. `contexts`: (abstract, transfer syntax), numbered 1, 3, 5 … in their order.

    Raises ValueError for a UID that is none.
    """
    items = [_item(_APPLICATION, _APPLICATION_CONTEXT.encode())]
    for index, (abstract, transfer) in enumerate(contexts):
        body = bytes((2 * index + 1, 0, 0, 0)) + _item(_ABSTRACT, _uid(abstract)) + _item(_TRANSFER, _uid(transfer))
        items.append(_item(_CONTEXT_RQ, body))
    user = _item(_MAX_LENGTH, max_pdu.to_bytes(4, "big"))
    user += _item(_IMPLEMENTATION_CLASS, _uid(implementation_class_uid))
    user += _item(_IMPLEMENTATION_VERSION, implementation_version_name.encode("ascii"))
    items.append(_item(_USER, user))
    body = b"\0\x01\0\0" + _title(called_aet) + _title(calling_aet) + bytes(32) + b"".join(items)
    return b"\x01\0" + len(body).to_bytes(4, "big") + body


def read_acceptance(body: bytes) -> Acceptance:
    """From an A-ASSOCIATE-AC without its six bytes of head. Unknown items are passed over, as PS3.8 9.3.1 asks.

    Raises ValueError for one that cannot be read.
    """
    if len(body) < _HEAD:
        raise ValueError("too short")
    results: dict[int, int] = {}
    max_pdu = 0
    for kind, value in _items(body[_HEAD:]):
        if kind == _CONTEXT_AC:
            if len(value) < 4:
                raise ValueError("a presentation context without result")
            results[value[0]] = value[2]
        elif kind == _USER:
            for sub_kind, sub_value in _items(value):
                if sub_kind == _MAX_LENGTH:
                    max_pdu = int.from_bytes(sub_value, "big")
    if not results:
        raise ValueError("no presentation context")
    return Acceptance(results, max_pdu)


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Items and sub-items: type, reserved, two bytes of length, value."""
    position = 0
    while position < len(data):
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        value = data[position + 4 : position + 4 + length]
        if len(data) < position + 4 or len(value) != length:
            raise ValueError("an item that is cut off")
        yield data[position], value
        position += 4 + length


def _item(kind: int, value: bytes) -> bytes:
    return bytes((kind, 0)) + len(value).to_bytes(2, "big") + value


def _title(text: str) -> bytes:
    """16 bytes, padded with spaces, which are not significant."""
    return text.strip(" ").encode("ascii").ljust(16)


def _uid(text: str) -> bytes:
    """Not padded here (PS3.8 Annex F)."""
    if not (0 < len(text) <= 64 and text.isascii() and all(char.isdigit() or char == "." for char in text)):
        raise ValueError(f"{text!r} is no UID")
    return text.encode()
