"""Group 2 of a DICOM file (PS3.10 7.1), read without decoding anything behind it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from smartbox_tui.errors import SmartBoxError

_LONG_VRS: Final = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT"})
_META_MAX: Final = 65536
"""Group 2 holds a few UIDs and names; a file in which it goes on for longer is none of ours to send."""

_SOP_CLASS: Final = 0x0002
_SOP_INSTANCE: Final = 0x0003
_TRANSFER_SYNTAX: Final = 0x0010


@dataclass(frozen=True, slots=True)
class Meta:
    """`size`: bytes of preamble, "DICM" and group 2, so the data set begins there."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    size: int


def read_meta(data: bytes, name: str) -> Meta:
    """Group 2 of the Part 10 file beginning with `data`; `name` is what an error calls it.

    Goes by the elements, not by (0002,0000): writers that state a wrong group length exist. Raises
    invalid-object when it is no Part 10 file or one of the three UIDs is missing.
    """
    if len(data) < 132 or data[128:132] != b"DICM":
        raise _bad(name, "is not a DICOM file (no DICM after 128 bytes)")
    found: dict[int, str] = {}
    position = 132
    while data[position : position + 2] == b"\x02\0":
        vr = data[position + 4 : position + 6]
        if vr in _LONG_VRS:
            start, length = position + 12, int.from_bytes(data[position + 8 : position + 12], "little")
        else:
            start, length = position + 8, int.from_bytes(data[position + 6 : position + 8], "little")
        if start + length > len(data):
            raise _bad(name, "ends within its file meta information, or that is longer than 64 KiB")
        element = int.from_bytes(data[position + 2 : position + 4], "little")
        if element in (_SOP_CLASS, _SOP_INSTANCE, _TRANSFER_SYNTAX):
            found[element] = data[start : start + length].decode("ascii", "replace").rstrip("\0 ")
        position = start + length
    missing = [key for key in (_SOP_CLASS, _SOP_INSTANCE, _TRANSFER_SYNTAX) if not _is_uid(found.get(key, ""))]
    if missing:
        raise _bad(name, f"lacks a valid (0002,{missing[0]:04x}) in its file meta information")
    return Meta(found[_SOP_CLASS], found[_SOP_INSTANCE], found[_TRANSFER_SYNTAX], position)


def read_meta_of(fd: int, name: str) -> Meta:
    """`read_meta` of an open file."""
    return read_meta(os.pread(fd, _META_MAX, 0), name)


def _is_uid(text: str) -> bool:
    """Digits and dots, at most 64 characters (PS3.5 9.1); leading zeros exist in the field and pass."""
    return 0 < len(text) <= 64 and text.isascii() and all(char.isdigit() or char == "." for char in text)


def _bad(name: str, why: str) -> SmartBoxError:
    return SmartBoxError("invalid-object", f"{name} {why}.", "Only complete DICOM Part 10 files can be sent.")
