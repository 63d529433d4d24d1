"""A long list of the engine's that is read by pages: only what is looked at is asked for. Pure, no Textual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, overload

PAGE_ROWS: Final = 50
KEPT_PAGES: Final = 40
"""Older ones are forgotten, and asked for again."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A place of the list whose row has not come yet."""

    at: int


class Paged(Sequence[Any]):
    """The rows by their place. A page that is out of date is shown until the new one comes; `key` says which row it
    is."""

    def __init__(self, key: Callable[[Any], str]) -> None:
        self._key = key
        self._pages: dict[int, list[Any]] = {}
        self._stale: set[int] = set()
        self._asked: set[int] = set()
        self._again: set[int] = set()  # asked for before the last change: the answer may be of before it
        self._total = 0

    def __len__(self) -> int:
        return self._total

    @overload
    def __getitem__(self, at: int) -> Any: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Any]: ...
    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(self._total))]
        if at < 0:
            at += self._total
        if not 0 <= at < self._total:
            raise IndexError(at)
        number, place = divmod(at, PAGE_ROWS)
        page = self._pages.get(number, ())
        return page[place] if place < len(page) else Missing(at)

    def key_of(self, entry: Any) -> str:
        """Of a row its own, of one that has not come its place."""
        return f"?{entry.at}" if isinstance(entry, Missing) else self._key(entry)

    def find(self, key: str) -> int | None:
        """Where that row is, among those that have come."""
        for number, page in self._pages.items():
            for place, row in enumerate(page):
                if self._key(row) == key:
                    return number * PAGE_ROWS + place
        return None

    def loaded(self) -> bool:
        """Whether anything has come at all."""
        return bool(self._pages) or not self._asked

    # ---- reading

    def clear(self) -> None:
        """Another list begins."""
        self._pages.clear()
        self._stale.clear()
        self._asked.clear()
        self._again.clear()
        self._total = 0

    def outdate(self, first: int, last: int) -> None:
        """Somebody has changed something: what is in sight, from `first` to `last`, is to be read again and shown
        until then; the rest is forgotten."""
        sight = range(first // PAGE_ROWS, last // PAGE_ROWS + 1)
        self._pages = {at: page for at, page in self._pages.items() if at in sight}
        self._stale = set(self._pages)
        self._again |= self._asked

    def wanted(self, first: int, last: int) -> list[int]:
        """The pages to ask for now so that the rows from `first` to `last` are there and up to date."""
        numbers = range(max(0, first) // PAGE_ROWS, max(0, last) // PAGE_ROWS + 1)
        found = [at for at in numbers if at not in self._asked and (at not in self._pages or at in self._stale)]
        found = [at for at in found if at == 0 or at * PAGE_ROWS < self._total]
        self._asked.update(found)
        return found

    def take(self, number: int, rows: list[Any], total: int) -> None:
        """A page has come."""
        self._asked.discard(number)
        self._stale.discard(number)
        if number in self._again:
            self._again.discard(number)
            self._stale.add(number)
        self._pages.pop(number, None)
        self._pages[number] = rows
        self._total = total
        for each in [each for each in self._pages if each and each * PAGE_ROWS >= total]:
            del self._pages[each]
        while len(self._pages) > KEPT_PAGES:
            del self._pages[next(iter(self._pages))]

    def failed(self, number: int) -> None:
        """It did not come; it may be asked for again."""
        self._asked.discard(number)
        self._again.discard(number)

    def replace(self, row: Any) -> Any | None:
        """Puts a row in the place of the one that it is now; returns that one, None when it is not here."""
        key = self._key(row)
        at = self.find(key)
        if at is None:
            return None
        number, place = divmod(at, PAGE_ROWS)
        before, self._pages[number][place] = self._pages[number][place], row
        return before
