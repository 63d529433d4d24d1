"""What an object is, in a few values: whose it is, and a hash over its pixels. Computed as it comes in, whatever
its size; two are the same picture when these are the same.

Hashed is the value of Pixel Data: native bytes, or the content of all fragments without item heads and offset
table, so that an archive may cut fragments anew (PS3.5 A.4).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from smartbox_tui.dicom.datasets import parse_until, to_json
from smartbox_tui.errors import SmartBoxError

_PIXELS: Final = 0x7FE00010
_PIXEL_TAG: Final = b"\xe0\x7f\x10\0"
_ITEM: Final = b"\xfe\xff\x00\xe0"
_SEQUENCE_END: Final = b"\xfe\xff\xdd\xe0"
_HEADER_MAX: Final = 16 << 20
_UNDEFINED: Final = 0xFFFFFFFF
_PREAMBLE: Final = 132
_IMPLICIT: Final = "1.2.840.10008.1.2"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`pixels`: hex of SHA-256, empty for an object without; `length`: how many bytes were hashed."""

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    patient_id: str
    pixels: str
    length: int


class Reader:
    """Takes an object in pieces of any size, memory: its header. Every method raises invalid-object for what is no
    object that can be read."""

    def __init__(self, transfer_syntax_uid: str = "") -> None:
        """Of a data set as a message carries it; without a transfer syntax of a whole Part 10 file."""
        self._syntax = transfer_syntax_uid
        self._buffer = bytearray()
        self._header = b""
        self._hash = hashlib.sha256()
        self._length = 0
        self._left = 0  # bytes of the value that is being read
        self._hashing = self._seen_table = False
        self._state = "header" if transfer_syntax_uid else "meta"
        self._tried = 0

    def feed(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if self._left:
                piece, view = view[: self._left], view[self._left :]
                self._left -= len(piece)
                if self._hashing:
                    self._hash.update(piece)
                    self._length += len(piece)
                if not self._left and self._state == "native":
                    self._state = "over"
                continue
            if self._state == "over":
                return
            if self._state == "items":  # only an item's head is kept
                wanted = 8 - len(self._buffer)
                self._buffer += view[:wanted]
                view = view[wanted:]
                if len(self._buffer) == 8:
                    self._item()
                continue
            self._buffer += view
            if len(self._buffer) > _HEADER_MAX:
                raise _unreadable("a header without end")
            view = memoryview(self._step())

    def _step(self) -> bytes:
        """Looks at the buffer, and gives back what of it is to be read on as pixels."""
        if self._state == "meta" and not self._meta():
            return b""
        return self._find_pixels()

    def _meta(self) -> bool:
        """Preamble and group 2, which is Explicit VR Little Endian (PS3.10 7.1); True when it is behind us."""
        data = bytes(self._buffer)
        if len(data) < _PREAMBLE + 12:
            return False
        if data[128:132] != b"DICM" or data[_PREAMBLE : _PREAMBLE + 6] != b"\x02\0\0\0UL":
            raise _unreadable("no DICOM file")
        size = _PREAMBLE + 12 + int.from_bytes(data[_PREAMBLE + 8 : _PREAMBLE + 12], "little")
        if len(data) < size:
            return False
        try:
            elements, _ = parse_until(data[_PREAMBLE:size], 0x00030000, explicit=True)
        except ValueError as exc:
            raise _unreadable(f"group 2 ({exc})") from exc
        for element in elements:
            if element.tag == 0x00020010 and isinstance(element.value, bytes):
                self._syntax = element.value.decode("ascii", "replace").strip("\0 ")
        if not self._syntax:
            raise _unreadable("no transfer syntax")
        del self._buffer[:size]
        self._state = "header"
        return True

    def _find_pixels(self) -> bytes:
        found = self._buffer.find(_PIXEL_TAG, max(0, self._tried - 3))
        self._tried = len(self._buffer)
        if found < 0:
            return b""
        data = bytes(self._buffer)
        explicit = self._syntax != _IMPLICIT
        try:
            _, position = parse_until(data, _PIXELS, explicit=explicit)
        except ValueError:
            self._tried = found + 1  # the tag's bytes within a value, or a header that is not whole
            return b""
        head = 12 if explicit else 8
        if len(data) < position + head:
            self._tried = found
            return b""
        if data[position : position + 4] != _PIXEL_TAG:
            raise _unreadable("no pixel data where it should be")
        self._header = data[:position]
        length = int.from_bytes(data[position + head - 4 : position + head], "little")
        self._buffer.clear()
        self._hashing = True
        if length == _UNDEFINED:
            self._state, self._hashing = "items", False
        else:
            self._state, self._left = "native" if length else "over", length
        return data[position + head :]

    def _item(self) -> None:
        tag, length = bytes(self._buffer[:4]), int.from_bytes(self._buffer[4:], "little")
        self._buffer.clear()
        if tag == _SEQUENCE_END:
            self._state = "over"
        elif tag != _ITEM or length == _UNDEFINED:
            raise _unreadable("pixel data without its items")
        else:
            # the first one is the Basic Offset Table
            self._left, self._hashing = length, self._seen_table
            self._seen_table = True

    def finish(self) -> Fingerprint:
        """After the last piece. Raises invalid-object also for what was cut off."""
        if self._state in ("meta", "native", "items"):
            raise _unreadable("cut off")
        pixels = self._state == "over"
        header = self._header if pixels else bytes(self._buffer)
        try:
            values = to_json(header, explicit=self._syntax != _IMPLICIT)
        except ValueError as exc:
            raise _unreadable(str(exc)) from exc
        return Fingerprint(
            self._syntax,
            _text(values, "00080016"),
            _text(values, "00080018"),
            _text(values, "0020000D"),
            _text(values, "0020000E"),
            _text(values, "00100020"),
            self._hash.hexdigest() if pixels else "",
            self._length,
        )


def _text(values: dict[str, Any], tag: str) -> str:
    return str((values.get(tag, {}).get("Value") or [""])[0])


def _unreadable(why: str) -> SmartBoxError:
    return SmartBoxError("invalid-object", f"An object cannot be read: {why}.", "The archive's log says more.")
