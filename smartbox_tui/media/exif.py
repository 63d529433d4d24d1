"""EXIF of camera JPEGs (CIPA DC-008, on TIFF 6.0): when, with what, which way up, and the texts in which a camera
keeps what its scanner read. Pure and bounded: whatever the bytes are, an answer comes, and nothing is raised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final, Literal

_MOST_SEGMENTS: Final = 256
_MOST_ENTRIES: Final = 512
"""Of one directory; the largest maker notes seen have some 150."""
_MOST_TEXT: Final = 8192
"""Bytes of one text; the largest QR code has 2953."""

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of one value of each TIFF type."""
_TEXT_TYPES: Final = (1, 2, 7)

_MAKE, _MODEL, _ORIENTATION, _DESCRIPTION, _EXIF = 0x010F, 0x0110, 0x0112, 0x010E, 0x8769
_TAKEN: Final = ((0x9003, 0x9011, 0x9291), (0x9004, 0x9012, 0x9292))
"""(date and time, its offset, its fraction): original, then digitized. 0132 is when a file was changed."""
_USER_COMMENT, _MAKER_NOTE, _SERIAL = 0x9286, 0x927C, 0xA431
_XP: Final = (0x9C9C, 0x9C9F, 0x9C9B, 0x9C9E)
"""XPComment, XPSubject, XPTitle, XPKeywords: UTF-16LE."""

_TIME: Final = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")
_OFFSET: Final = re.compile(r"([+-])(\d\d):(\d\d)")

Order = Literal["little", "big"]


@dataclass(frozen=True, slots=True)
class Exif:
    """`orientation` 1 to 8 (1: as it lies). `taken` naive where the camera names no offset.

    texts   what may say whose picture it is, cleaned, each once: of a maker note (only values with three `|` or a
            JSON object: others are the camera's own), UserComment, ImageDescription, XPComment and its like
    """

    orientation: int = 1
    taken: datetime | None = None
    make: str = ""
    model: str = ""
    serial: str = ""
    texts: tuple[str, ...] = ()


def read_exif(jpeg: bytes) -> Exif:
    """Of a JPEG; an empty Exif when it has none, or none that can be read."""
    for body in _app1(jpeg):
        if body[:6] == b"Exif\0\0":
            return parse_tiff(body[6:])
    return Exif()


def parse_tiff(tiff: bytes) -> Exif:
    """Of what follows `Exif\\0\\0`: a TIFF header with its directories."""
    order = _ORDERS.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return Exif()
    first = _Directory(tiff, order, int.from_bytes(tiff[4:8], order), 0)
    pointer = first.number(_EXIF)
    second = _Directory(tiff, order, pointer, 0) if pointer else _Directory(b"", order, 0, 0)
    texts = [
        *_maker_texts(tiff, order, second),
        _user_comment(second.raw(_USER_COMMENT), order),
        first.text(_DESCRIPTION),
        *(_clean(_decoded(first.raw(tag), "utf-16-le")) for tag in _XP),
    ]
    orientation = first.number(_ORIENTATION)
    return Exif(
        orientation=orientation if 1 <= orientation <= 8 else 1,
        taken=_taken(second),
        make=first.text(_MAKE)[:64],
        model=first.text(_MODEL)[:64],
        serial=second.text(_SERIAL)[:64],
        texts=tuple(dict.fromkeys(text for text in texts if text)),
    )


_ORDERS: Final[dict[bytes, Order]] = {b"II": "little", b"MM": "big"}


class _Directory:
    """One IFD (TIFF 6.0, section 2). `base` is added to the offsets in it. Of two entries of a tag the first
    counts."""

    def __init__(self, data: bytes, order: Order, at: int, base: int) -> None:
        self._data, self._order, self._base = data, order, base
        self._entries: dict[int, int] = {}
        if not 0 < at <= len(data) - 2:
            return
        count = min(int.from_bytes(data[at : at + 2], order), _MOST_ENTRIES, (len(data) - at - 2) // 12)
        for index in range(count):
            entry = at + 2 + 12 * index
            self._entries.setdefault(int.from_bytes(data[entry : entry + 2], order), entry)

    def __iter__(self) -> Iterator[int]:
        return iter(self._entries)

    def place(self, tag: int) -> tuple[int, int, int]:
        """(type, offset, bytes) of a value that lies whole within the data, else (0, 0, 0)."""
        entry = self._entries.get(tag)
        if entry is None:
            return 0, 0, 0
        kind = int.from_bytes(self._data[entry + 2 : entry + 4], self._order)
        size = int.from_bytes(self._data[entry + 4 : entry + 8], self._order) * _SIZES.get(kind, 0)
        at = entry + 8
        if size > 4:
            at = self._base + int.from_bytes(self._data[at : at + 4], self._order)
        return (kind, at, size) if size and at + size <= len(self._data) else (0, 0, 0)

    def raw(self, tag: int) -> bytes:
        kind, at, size = self.place(tag)
        return self._data[at : at + size] if kind in _TEXT_TYPES and size <= _MOST_TEXT else b""

    def text(self, tag: int) -> str:
        return _clean(_guessed(self.raw(tag)))

    def number(self, tag: int) -> int:
        """The first value of a SHORT or LONG; 0 when there is none."""
        kind, at, _size = self.place(tag)
        return int.from_bytes(self._data[at : at + _SIZES[kind]], self._order) if kind in (3, 4, 13) else 0


def _taken(directory: _Directory) -> datetime | None:
    for when, offset, fraction in _TAKEN:
        match = _TIME.fullmatch(directory.text(when))
        if match is None:
            continue
        digits = re.match(r"\d{1,6}", directory.text(fraction))
        try:
            moment = datetime(*(int(part) for part in match.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
            moment = moment.replace(microsecond=int(digits[0].ljust(6, "0")) if digits else 0)
            zone = _OFFSET.fullmatch(directory.text(offset))
            if zone is not None:
                ahead = timedelta(hours=int(zone[2]), minutes=int(zone[3]))
                moment = moment.replace(tzinfo=timezone(-ahead if zone[1] == "-" else ahead))
            return moment
        except (ValueError, OverflowError):  # 0000:00:00 is a camera whose clock was never set
            continue
    return None


def _user_comment(raw: bytes, order: Order) -> str:
    """A UserComment: eight bytes name its character code (CIPA DC-008 4.6.6.C), or a camera has left them out."""
    code, body = raw[:8], raw[8:]
    if code == b"UNICODE\0":
        return _clean(_unicode(body, order))
    if code == b"JIS\0\0\0\0\0":
        return _clean(_decoded(body, "iso2022_jp"))
    if code in (b"ASCII\0\0\0", b"\0" * 8):
        return _clean(_guessed(body))
    return _clean(_guessed(raw))


def _unicode(body: bytes, order: Order) -> str:
    """UTF-16. Its byte order should be the file's; cameras differ, and the zeros of Latin letters tell."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _decoded(body, "utf-16")
    even, odd = body[0::2].count(0), body[1::2].count(0)
    little = odd > even if odd != even else order == "little"
    return _decoded(body[: len(body) & ~1], "utf-16-le" if little else "utf-16-be")


def _guessed(raw: bytes) -> str:
    """Text whose encoding nobody names: UTF-8 where it is that, else Windows-1252, as cameras' scanners give it."""
    return _decoded(raw, "utf-8") or _decoded(raw, "cp1252")


def _decoded(raw: bytes, encoding: str) -> str:
    """Empty for what is not in that encoding: a name with a wrong letter is a wrong name."""
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _clean(text: str) -> str:
    """Up to the first NUL, without blanks around it; empty when control characters are in it."""
    text = text.partition("\0")[0].strip()
    return text if not any(ord(char) < 32 and char not in "\t\r\n" for char in text) else ""


def _maker_texts(tiff: bytes, order: Order, exif: _Directory) -> list[str]:
    kind, at, size = exif.place(_MAKER_NOTE)
    if kind != 7 or size < 18:
        return []
    note = tiff[at : at + 12]
    inner = _ORDERS.get(note[4:6], order)
    if note[:8] == b"PENTAX \0":
        found = _Directory(tiff, _ORDERS.get(note[8:10], order), at + 10, at)
    elif note[:6] == b"RICOH\0" and note[6:8] in _ORDERS:
        found = _Directory(tiff, _ORDERS[note[6:8]], at + 8, at)
    elif note[:5].upper() == b"RICOH":
        found = _Directory(tiff, "big", at + 8, 0)
    elif note[:4] == b"AOC\0":
        found = _Directory(tiff, inner, at + 6, 0)
    else:
        found = _Directory(tiff, order, at, 0)
    texts = (found.text(tag) for tag in found)
    return [text for text in texts if text.count("|") >= 3 or (text.startswith("{") and text.endswith("}"))]


def _app1(jpeg: bytes) -> Iterator[bytes]:
    """The bodies of the APP1 segments before the first scan."""
    if jpeg[:2] != b"\xff\xd8":
        return
    at = 2
    for _ in range(_MOST_SEGMENTS):
        while jpeg[at : at + 2] == b"\xff\xff":
            at += 1
        size = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at : at + 1] != b"\xff" or size < 2 or jpeg[at + 1 : at + 2] == b"\xda":
            return
        if jpeg[at + 1] == 0xE1:
            yield jpeg[at + 4 : at + 2 + size]
        at += 2 + size
