"""Text of received data sets: every character set of PS3.3 C.12.1.1.2, strictly. What cannot be read is an error,
never a "?": in a name that would be another patient.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

FALLBACKS: Final = {
    "utf-8": "ISO_IR 192",
    "latin-1": "ISO_IR 100",
    "latin-2": "ISO_IR 101",
    "cyrillic": "ISO_IR 144",
    "greek": "ISO_IR 126",
    "turkish": "ISO_IR 148",
}
"""The settings' words (`worklist.charset`) for answers that name no character set."""

WHOLE: Final = {"192": "utf-8", "GB18030": "gb18030", "GBK": "gbk"}
"""Without code extensions (PS3.3 table C.12-5): the whole value in one encoding."""

G1: Final = {
    # ISO-IR number: codec of one G1 byte, or of two (PS3.3 tables C.12-2 to C.12-4)
    "100": "iso8859_1",
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "126": "iso8859_7",
    "127": "iso8859_6",
    "138": "iso8859_8",
    "144": "iso8859_5",
    "148": "iso8859_9",
    "166": "tis_620",
    "203": "iso8859_15",
    "13": "shift_jis",
    "149": "euc_kr",
    "58": "gb2312",
}
TWO_BYTES: Final = frozenset({"149", "58"})
ESCAPES: Final = {
    # after ESC: (G0 or G1, ISO-IR number)
    b"(B": (0, "6"),
    b"(J": (0, "14"),
    b"$B": (0, "87"),
    b"$(D": (0, "159"),
    b")I": (1, "13"),
    b"-A": (1, "100"),
    b"-B": (1, "101"),
    b"-C": (1, "109"),
    b"-D": (1, "110"),
    b"-F": (1, "126"),
    b"-G": (1, "127"),
    b"-H": (1, "138"),
    b"-L": (1, "144"),
    b"-M": (1, "148"),
    b"-T": (1, "166"),
    b"-b": (1, "203"),
    b"$)C": (1, "149"),
    b"$)A": (1, "58"),
}
_LINE_ENDS: Final = b"\t\n\f\r"
_NAME_DELIMITERS: Final = b"^=\\"


class Undecodable(ValueError):
    """The bytes are no text of their character set."""


@dataclass(frozen=True, slots=True)
class Repertoire:
    """A Specific Character Set (0008,0005), understood.

    whole     the codec of the whole value, or "" for ISO 2022
    g0, g1    ISO-IR numbers invoked at the beginning of a value, "" none
    declared  the other sets that may be switched to
    """

    whole: str = ""
    g0: str = "6"
    g1: str = ""
    declared: tuple[str, ...] = ()

    @property
    def ascii_only(self) -> bool:
        return not self.whole and not self.g1 and not self.declared

    def decode(self, data: bytes, *, name: bool = False) -> str:
        """`name`: the delimiters of PN end a switch (PS3.5 6.1.2.5.3). Raises Undecodable; also for what no text
        holds, the control characters C1."""
        try:
            text = data.decode(self.whole) if self.whole else self._iso_2022(data, name)
        except UnicodeDecodeError:
            raise Undecodable("bytes that are no text of their character set") from None
        if any(0x7F <= ord(char) < 0xA0 or char == "�" for char in text):
            raise Undecodable("control characters where text should be")
        return text

    def _iso_2022(self, data: bytes, name: bool) -> str:
        if data.isascii() and b"\x1b" not in data and self.g0 == "6":
            return data.decode("ascii")
        g0, g1, position, text = self.g0, self.g1, 0, []
        if not g1:  # senders forget the escape sequence where there is only one set it could name
            others = [number for number in self.declared if number in G1]
            g1 = others[0] if len(others) == 1 else ""
        first_g1 = g1
        while position < len(data):
            byte = data[position]
            if byte == 0x1B:
                slot, number, length = _escape(data, position + 1)
                g0, g1 = (number, g1) if slot == 0 else (g0, number)
                position += 1 + length
                continue
            width = 2 if (byte >= 0x80 and g1 in TWO_BYTES) or (0x20 < byte < 0x7F and g0 in ("87", "159")) else 1
            raw = data[position : position + width]
            if width == 1 and (byte in _LINE_ENDS or (byte in _NAME_DELIMITERS and (name or byte == 0x5C))):
                g0, g1 = self.g0, first_g1
            text.append(_character(raw, g0, g1))
            position += width
        return "".join(text)


def _escape(data: bytes, position: int) -> tuple[int, str, int]:
    for length in (2, 3):
        found = ESCAPES.get(data[position : position + length])
        if found is not None:
            return *found, length
    raise Undecodable("an escape sequence that DICOM does not know")


def _character(raw: bytes, g0: str, g1: str) -> str:
    if raw[0] >= 0x80:
        if not g1 or (g1 == "13" and not 0xA1 <= raw[0] <= 0xDF):
            raise Undecodable("a byte outside every invoked character set")
        return raw.decode(G1[g1])
    if len(raw) == 2 or (g0 in ("87", "159") and 0x20 < raw[0] < 0x7F):
        pair = bytes(byte | 0x80 for byte in raw)
        if len(pair) != 2 or raw[1] >= 0x80:
            raise Undecodable("half a character")
        return (b"\x8f" + pair if g0 == "159" else pair).decode("euc_jp")
    if g0 == "14" and raw == b"~":
        return "‾"
    return raw.decode("ascii")


def repertoire(terms: Iterable[str]) -> Repertoire | None:
    """From the values of (0008,0005); None when one of them is not known. No value, or empty ones: ASCII.

    Spellings seen in the field (ISO-IR 100, ISO IR 100, UTF-8, "ISO 2022 IR 100" alone) are understood.
    """
    numbers = [_number(term) for term in terms]
    if None in numbers:
        return None
    known = [number or "" for number in numbers]
    for number in known:
        if number in WHOLE:
            return Repertoire(whole=WHOLE[number])
    result = Repertoire(declared=tuple(number for number in known[1:] if number not in ("", "6")))
    first = known[0] if known else ""
    if first == "13":
        return replace(result, g0="14", g1="13")
    if first in ("87", "159", *TWO_BYTES):  # not allowed as the first value, and sent all the same
        return replace(result, declared=(first, *result.declared))
    return replace(result, g1=first) if first in G1 else result


def _number(term: str) -> str | None:
    """The ISO-IR number of a defined term, "" for the default, None when unknown."""
    text = " ".join(term.upper().replace("_", " ").replace("-", " ").split())
    if text in ("", "ISO IR 6", "ISO 2022 IR 6", "ISO646", "ASCII"):
        return ""
    if text in ("UTF 8", "UTF8", "ISO IR 192", "ISO 2022 IR 192"):
        return "192"
    if text in ("GB18030", "GBK", "ISO 2022 GBK"):
        return text.rpartition(" ")[2]
    if text == "ISO 2022 58":
        return "58"
    number = text.rpartition(" ")[2]
    if text in (f"ISO IR {number}", f"ISO 2022 IR {number}") and (number in G1 or number in ("87", "159")):
        return number
    return None


def fallback(word: str, texts: Iterable[bytes]) -> Repertoire:
    """For an answer that names no character set: UTF-8 when all its non-ASCII texts are valid UTF-8 (by chance no
    name in a single-byte set is), else `word` of FALLBACKS. Raises KeyError for another word."""
    chosen = repertoire((FALLBACKS[word],))
    assert chosen is not None
    beyond = [text for text in texts if not text.isascii()]
    if beyond and all(_is_utf8(text) for text in beyond):
        return Repertoire(whole="utf-8")
    # Escape sequences speak for themselves, also where nobody announced them.
    return Repertoire() if not beyond else chosen


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
