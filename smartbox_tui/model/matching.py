"""Matching on the box as a worklist does it (PS3.4 C.2.2.2), and kinder: case and accents make no difference."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_LETTERS: Final = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i", "ð": "d", "ħ": "h"}
)
"""Letters that Unicode does not take apart into a base and an accent."""


def fold(text: str) -> str:
    """`Łukasz`, `LUKASZ` and `lukasz` alike; `ß` is `ss`. German `ü` is `u`, as accents are left out everywhere."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in apart if not unicodedata.combining(char)).translate(_LETTERS)


@lru_cache(maxsize=64)
def _expression(pattern: str) -> re.Pattern[str]:
    """* for any characters, also none, and ? for one (PS3.4 C.2.2.2.4); all others mean themselves."""
    parts = [".*" if char == "*" else "." if char == "?" else re.escape(char) for char in fold(pattern)]
    return re.compile("".join(parts), re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    """True for an empty pattern, and for one that matches the whole text."""
    return not pattern or _expression(pattern).fullmatch(fold(text)) is not None


def name_matches(pattern: str, name: str) -> bool:
    """A Person Name: any of its component groups; empty components at the end do not count (PS3.5 6.2.1)."""
    if not pattern:
        return True
    return any(matches(pattern.rstrip("^"), group.rstrip("^ ")) for group in name.split("="))


def open_ended(pattern: str) -> str:
    """What somebody typed of a name, as a pattern: it begins so. With wild cards of its own it stays as it is."""
    return pattern if not pattern or any(char in pattern for char in "*?") else f"{pattern}*"
