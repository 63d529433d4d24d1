"""Known words in a text: the same as an expression with all of them, for more of them than an expression stands."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from smartbox_tui.commands.doctor.needles import LEAST, WHEREVER, Needles

WORDS = st.text(alphabet="abAB12._- ü", min_size=0, max_size=8)


def expression(words: list[str]) -> re.Pattern[str] | None:
    parts = []
    for word in sorted({each.lower() for each in words if len(each) >= LEAST}, key=lambda each: (-len(each), each)):
        if word.isdecimal():
            parts.append(rf"(?<!\d){word}(?!\d)")
        elif len(word) >= WHEREVER:
            parts.append(re.escape(word))
        else:
            parts.append(rf"(?<![^\W\d_]){re.escape(word)}(?![^\W\d_])")
    return re.compile("|".join(parts), re.IGNORECASE) if parts else None


@given(st.lists(WORDS, max_size=6), st.text(alphabet="abAB12._- ü", max_size=40))
def test_it_finds_what_an_expression_finds(words: list[str], text: str) -> None:
    pattern = expression(words)
    expected = [found.span() for found in pattern.finditer(text)] if pattern else []
    assert list(Needles(words).found(text)) == expected


def test_signs_that_grow_in_lower_case_move_nothing() -> None:
    assert Needles(["Yılmaz"]).replaced("İİ Yılmaz İ", "-") == "İİ - İ"


def test_tens_of_thousands_of_names_in_a_long_log() -> None:
    """As an expression it takes longer than any test may."""
    names = [f"{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676 % 26)}son-{n}" for n in range(50_000)]
    needles = Needles(names)
    log = "engine: destination archive, instance of exam was stored after some words of the log\n" * 3000
    assert not list(needles.found(log))
    assert needles.replaced(log + "Was AAASON-0 here?", "[gone]").endswith("Was [gone] here?")
