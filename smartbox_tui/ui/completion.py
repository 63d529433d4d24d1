"""What a field may be completed to: names and numbers of the worklist, and what was entered on this console before.

All of it is kept in memory only and forgotten when the console ends: it is patient data. A completion fills the
one field it was chosen in; whom it belongs to is never guessed from it.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable
from operator import is_
from typing import Final

from smartbox_tui.ui.folding import fold, spellings
from smartbox_tui.wire import state

Suggestions = Callable[[str, str, str], list[str]]
"""(purpose, key, prefix) -> texts, the best first; empty where there is nothing to propose."""

_MOST_EARLIER: Final = 200
_LIMIT: Final = 4


class Known:
    """Texts of one field, looked up by how they begin. `counts` says how often each occurs."""

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._sorted = sorted((spelling, text) for text in counts for spelling in spellings(text))

    def beginning(self, prefix: str, limit: int) -> list[str]:
        """The commonest first, then by the alphabet. Thousands of texts in well under a millisecond."""
        start = fold(prefix)
        first = bisect_left(self._sorted, (start,))
        last = bisect_left(self._sorted, (start + "\U0010ffff",))
        found = {text for _spelling, text in self._sorted[first:last]}
        return heapq.nsmallest(limit, found, key=lambda text: (-self._counts[text], fold(text), text))


def _name_part(index: int) -> Callable[[state.WorklistItem], str]:
    def part(item: state.WorklistItem) -> str:
        parts = item.patient.name.split("=")[0].split("^")
        return parts[index].strip() if index < len(parts) else ""

    return part


_OF_ITEM: Final[dict[str, Callable[[state.WorklistItem], str]]] = {
    "family": _name_part(0),
    "given": _name_part(1),
    "middle": _name_part(2),
    "prefix": _name_part(3),
    "suffix": _name_part(4),
    "id": lambda item: item.patient.id,
    "accession": lambda item: item.accession_number,
    "referring_physician": lambda item: shown_name(item.referring_physician),
    "procedure": lambda item: item.procedure,
}
"""Where the worklist has something for a field's key."""


def shown_name(name: str) -> str:
    """A PN as it is typed in one field: `Weber^Anna` is `Weber, Anna`."""
    parts = name.split("=")[0].split("^")
    return ", ".join(part.strip() for part in parts[:2] if part.strip())


class Completion:
    """Fed by the app; asked by the keyboard. A field is known by its key: `family`, `id`, `host` …"""

    def __init__(self) -> None:
        # both in one: a thread that makes one ready never mixes it with the next list
        self._list: tuple[tuple[state.WorklistItem, ...], dict[str, Known]] = ((), {})
        self._earlier: dict[str, dict[str, None]] = {}

    def feed_worklist(self, items: Iterable[state.WorklistItem]) -> None:
        """The worklist as it is now. The same items again cost nothing."""
        new, old = tuple(items), self._list[0]
        if len(new) != len(old) or not all(map(is_, new, old)):
            self._list = (new, {})

    def prepare(self) -> None:
        """Makes ready what the first letter would have to wait for: thousands take a moment. From any thread."""
        items, known = self._list
        for key in _OF_ITEM:
            _known_of(items, known, key)

    def remember(self, key: str, text: str) -> None:
        """An entry that was accepted: proposed first from now on."""
        text = text.strip()
        if not (key and text):
            return
        earlier = self._earlier.setdefault(key, {})
        earlier.pop(text, None)
        earlier[text] = None
        while len(earlier) > _MOST_EARLIER:
            del earlier[next(iter(earlier))]

    def suggest(self, purpose: str, key: str, prefix: str) -> list[str]:
        """At most four texts that begin like `prefix`, whatever its accents and case; earlier entries first.
        Nothing for an empty one, nor for dates and numbers."""
        prefix = prefix.lstrip()
        if not prefix or purpose in ("date", "number"):
            return []
        start = fold(prefix)
        found = [
            text
            for text in reversed(self._earlier.get(key, {}))
            if any(spelling.startswith(start) for spelling in spellings(text))
        ]
        found = found[:_LIMIT] + [text for text in self._of_worklist(key, prefix) if text not in found]
        return [text for text in found if text != prefix][:_LIMIT]

    def _of_worklist(self, key: str, prefix: str) -> list[str]:
        if key not in _OF_ITEM:
            return []
        return _known_of(*self._list, key).beginning(prefix, 2 * _LIMIT)


def _known_of(items: tuple[state.WorklistItem, ...], known: dict[str, Known], key: str) -> Known:
    if key not in known:
        of_item, counts = _OF_ITEM[key], dict[str, int]()
        for item in items:
            if text := of_item(item):
                counts[text] = counts.get(text, 0) + 1
        known[key] = Known(counts)
    return known[key]
