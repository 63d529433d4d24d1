"""Names for comparing: without case and accents, and as they are spelt where a keyboard has no such letter."""

from __future__ import annotations

import unicodedata
from typing import Final


def _bare(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


_NO_ACCENTS: Final = {
    "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d",
    "ŋ": "n", "ə": "e",
}  # fmt: skip
"""Letters that are no base letter with an accent: Unicode does not take them apart."""
_PLAIN: Final = {code: _NO_ACCENTS.get(chr(code)) or _bare(chr(code)) for code in range(0xDF, 0x2B0)}
"""The Latin letters at once: a tenth of the time that taking them apart takes."""
SPELT_OUT: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
"""How names are written where the keyboard has no such letter; of lower case."""


def fold(text: str) -> str:
    """No case, no accents, ß as ss: `Łukaszéwicz` is found by `luk`, `Weiß` by `weiss`."""
    text = text.casefold()
    if text.isascii():
        return text
    plain = text.translate(_PLAIN)
    return plain if plain.isascii() else _bare(plain)


def spellings(text: str) -> tuple[str, ...]:
    """`fold`, and for umlauts also the way in which they are spelt out: Müller is Muller and Mueller."""
    one = fold(text)
    if text.isascii():
        return (one,)
    other = fold(unicodedata.normalize("NFC", text).casefold().translate(SPELT_OUT))
    return (one,) if other == one else (one, other)
