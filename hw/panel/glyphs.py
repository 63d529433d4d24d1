"""Which signs the console's font has: 512 glyphs, for what the screens draw and what patients are called.

A glyph may stand for several signs: Cyrillic and Greek letters that look like Latin ones have none of their own.
"""

from __future__ import annotations

import unicodedata
from typing import Final

COUNT: Final = 512
"""The most that the kernel's text console holds (KDFONTOP)."""
REPLACEMENT: Final = "\ufffd"

_ASCII: Final = "".join(map(chr, range(0x20, 0x7F)))
_LATIN: Final = "".join(map(chr, range(0xA0, 0x180)))
_MORE_LATIN: Final = "ȘșȚțƏə"
BLOCKS: Final = "".join(map(chr, range(0x2580, 0x25A0)))
LINES: Final = "─━│┃┌┐└┘├┤┬┴┼┏┓┗┛═║╔╗╚╝╭╮╯╰"
SIGNS: Final = "■□▲▶▼◀●○◆•…–—‘’“”„€←↑→↓↵✓✗⚠⭘≥≤≠∞⏵⏸⏺⏹"
_CYRILLIC: Final = "БГДЖИЙЛПУФЦЧШЩЪЫЬЭЮЯбвгджзийлмнптфцчшщъыьэюяЄєҐґЂђЉљЊњЋћЏџ"
_GREEK: Final = "ΔΘΛΞΣΦΨΩαβγδεζηθιλμνξπρσςτυφχψωάέήίύώ"

_TWINS: Final = {
    " ": "\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f",
    "-": "\u00ad\u2010\u2011\u2012\u2212",
    "·": "\u2219\u22c5",
    "'": "\u02b9\u02bc",
    "μ": "\u00b5",
    "A": "АΑΆ", "B": "ВΒ", "C": "С", "E": "ЕΕΈ", "H": "НΗΉ", "I": "ІΙΊ", "J": "Ј", "K": "КΚ", "M": "МΜ", "N": "Ν",
    "O": "ОΟΌ", "P": "РΡ", "S": "Ѕ", "T": "ТΤ", "X": "ХΧ", "Y": "ΥҮΎ", "Z": "Ζ",
    "a": "а", "c": "с", "e": "е", "i": "і", "j": "ј", "o": "оο", "p": "р", "s": "ѕ", "x": "х", "y": "у",
    "Ë": "Ё", "ë": "ё", "Ï": "Ї", "ï": "ї", "ó": "ό", "Ω": "Ώ", "Г": "Γ", "П": "Π", "3": "З", "ĸ": "кκ", "Đ": "Ð",
    "–": "—", "ß": "ẞ", ",": "‚", "<": "‹", ">": "›",
}  # fmt: skip
"""Signs that are drawn by another's glyph."""


def _order() -> tuple[str, ...]:
    """The sign of each glyph. ASCII stands at its own numbers: the kernel clears with glyph 32, whatever it is."""
    twins = "".join(_TWINS.values())
    others = [sign for sign in _LATIN + _MORE_LATIN if sign not in twins]
    others += [*BLOCKS, *LINES, *SIGNS.replace("—", ""), REPLACEMENT, *_CYRILLIC, *_GREEK]
    if len(others) + len(_ASCII) > COUNT:
        raise ValueError(f"{len(others) + len(_ASCII)} glyphs are too many")
    signs: list[str] = []
    rest = iter(others)
    for number in range(COUNT):
        if 0x20 <= number < 0x7F:
            signs.append(chr(number))
        else:
            signs.append(next(rest, " "))
    return tuple(signs)


GLYPHS: Final = _order()
"""The sign that each of the glyphs is drawn for."""
UNICODE: Final = tuple((sign, *_TWINS.get(sign, "")) for sign in GLYPHS)
"""All signs of each glyph."""
KNOWN: Final = frozenset(sign for signs in UNICODE for sign in signs)


def arms(sign: str) -> tuple[int, int, int, int] | None:
    """Left, right, up, down of a sign of LINES: 0 no line, 1 light, 2 heavy, 3 double; None for arcs and others."""
    name = unicodedata.name(sign, "")
    if not name.startswith("BOX DRAWINGS ") or " ARC " in name:
        return None
    weight = {"LIGHT": 1, "HEAVY": 2, "DOUBLE": 3}[name.split()[2]]
    where = set(name.split()[3:])
    across, down = "HORIZONTAL" in where, "VERTICAL" in where
    reach = (across or "LEFT" in where, across or "RIGHT" in where, down or "UP" in where, down or "DOWN" in where)
    left, right, up, low = (weight if each else 0 for each in reach)
    return left, right, up, low
