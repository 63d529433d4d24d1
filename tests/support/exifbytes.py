"""EXIF by hand: bytes as cameras write them, and as they should not."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Literal

ASCII, SHORT, LONG, UNDEFINED, BYTE = 2, 3, 4, 7, 1
Entry = tuple[int, int, bytes | int]
"""(tag, type, value): bytes of a text, or a number."""


def ifd(entries: Sequence[Entry], at: int, order: Literal["<", ">"] = ">", base: int = 0, ahead: int = 0) -> bytes:
    """A directory that stands at `at` with its values behind it; `base` is taken off their offsets. `ahead`: bytes
    between the directory and the values."""
    head = struct.pack(order + "H", len(entries))
    behind = at + 2 + 12 * len(entries) + 4 + ahead
    body, values = b"", b""
    for tag, kind, value in sorted(entries, key=lambda item: item[0]):
        if isinstance(value, int):
            packed = struct.pack(order + ("H2x" if kind == SHORT else "I"), value)
            count = 1
        else:
            count = len(value)
            packed = value.ljust(4, b"\0")
            if count > 4:
                packed = struct.pack(order + "I", behind + len(values) - base)
                values += value + b"\0" * (count % 2)
        body += struct.pack(order + "HHI", tag, kind, count) + packed
    return head + body + b"\0" * (4 + ahead) + values


def tiff(
    first: Sequence[Entry],
    exif: Sequence[Entry] | None = None,
    order: Literal["<", ">"] = ">",
    maker: tuple[bytes, Sequence[Entry]] | None = None,
) -> bytes:
    """A TIFF with IFD0, the EXIF directory, and a maker note of (header, entries) whose offsets begin at itself."""
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "I", 8)
    entries = [*first]
    if exif is None and maker is None:
        return head + ifd(entries, 8, order)
    entries.append((0x8769, LONG, 0))
    length = len(ifd(entries, 8, order))
    length += length % 2
    entries[-1] = (0x8769, LONG, 8 + length)
    out = head + ifd(entries, 8, order)
    out += b"\0" * (8 + length - len(out))
    inner = list(exif or [])
    if maker is not None:
        inner.append((0x927C, UNDEFINED, maker[0] + ifd(maker[1], len(maker[0]), order)))
    return out + ifd(inner, len(out), order)


def app1(body: bytes) -> bytes:
    body = b"Exif\0\0" + body
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def with_exif(jpeg: bytes, body: bytes) -> bytes:
    """The picture with an EXIF segment right behind SOI."""
    return jpeg[:2] + app1(body) + jpeg[2:]


def camera(
    comment: str = "",
    *,
    taken: str = "",
    offset: str = "",
    orientation: int = 1,
    description: str = "",
    charset: bytes = b"\0" * 8,
    barcode: str = "",
    model: str = "G900SE",
    order: Literal["<", ">"] = ">",
) -> bytes:
    """What a camera says: `taken` as in 2026:11:21 06:30:00, texts in UTF-8."""
    first: list[Entry] = [
        (0x010F, ASCII, b"RICOH\0"),
        (0x0110, ASCII, model.encode() + b"\0"),
        (0x0112, SHORT, orientation),
    ]
    if description:
        first.append((0x010E, ASCII, description.encode() + b"\0"))
    exif: list[Entry] = [(0xA431, ASCII, b"SN-0815\0")]
    if taken:
        exif.append((0x9003, ASCII, taken.encode() + b"\0"))
    if offset:
        exif.append((0x9011, ASCII, offset.encode() + b"\0"))
    if comment:
        exif.append((0x9286, UNDEFINED, charset + comment.encode()))
    maker = None
    if barcode:
        entries: list[Entry] = [(0x0001, SHORT, 7), (0x0423, ASCII, barcode.encode() + b"\0")]
        maker = (b"RICOH\0" + (b"MM" if order == ">" else b"II"), entries)
    return tiff(first, exif, order, maker)
