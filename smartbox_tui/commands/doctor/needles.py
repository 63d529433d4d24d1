"""Many known words found in a long text, in time that depends on the text alone: a box knows thousands of names.

An expression with all of them as alternatives takes minutes for a few hundred.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

LEAST: Final = 2
"""Signs of the shortest word that is looked for."""
WHEREVER: Final = 6
"""Signs of a word that is found wherever it stands; a shorter one not in the middle of another word."""


class Needles:
    """`words` in any case. Letters are told from digits: `Ali_2` has the name Ali, `quality` has not; a number is
    found as a whole number only."""

    def __init__(self, words: Iterable[str]) -> None:
        self._short: set[str] = set()
        self._numbers: set[str] = set()
        long: dict[str, set[str]] = {}
        for word in map(_lower, words):
            if len(word) < LEAST:
                continue
            if word.isdecimal():
                self._numbers.add(word)
            elif len(word) < WHEREVER:
                self._short.add(word)
            else:
                long.setdefault(word[:WHEREVER], set()).add(word)
        self._long = {head: tuple(sorted(each, key=len, reverse=True)) for head, each in long.items()}
        shorter = self._short | {word[:WHEREVER] for word in self._numbers}
        self._heads = frozenset(word[:LEAST] for word in (*shorter, *self._long))

    def __bool__(self) -> bool:
        return bool(self._heads)

    def found(self, text: str) -> Iterator[tuple[int, int]]:
        """Where they are, from the left, the longest of those that begin at one place; none overlaps another."""
        low, at, end = _lower(text), 0, len(text)
        heads = self._heads
        while at < end - 1:
            if low[at : at + LEAST] in heads and (until := self._at(low, at)):
                yield at, until
                at = until
            else:
                at += 1

    def replaced(self, text: str, by: str) -> str:
        pieces, after = [], 0
        for start, end in self.found(text):
            pieces += [text[after:start], by]
            after = end
        return "".join([*pieces, text[after:]])

    def _at(self, low: str, at: int) -> int:
        """The end of the one that begins there; 0: none."""
        for word in self._long.get(low[at : at + WHEREVER], ()):
            if low.startswith(word, at):
                return at + len(word)
        before = low[at - 1] if at else " "
        if self._numbers and low[at].isdecimal() and not before.isdecimal():
            until = at
            while until < len(low) and low[until].isdecimal():
                until += 1
            if low[at:until] in self._numbers:
                return until
        if before.isalpha():
            return 0
        for length in range(min(WHEREVER - 1, len(low) - at), LEAST - 1, -1):
            if low[at : at + length] in self._short and not low[at + length : at + length + 1].isalpha():
                return at + length
        return 0


def _lower(text: str) -> str:
    """Sign by sign, so that places stay."""
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(one if len(sign) != 1 else sign for one in text for sign in (one.lower(),))
