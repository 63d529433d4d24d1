"""A finger on the virtual box's panel: it sees what the screen says, and touches that."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from tests.appliance.cells import SLOW_S, Cells, cells, shown
from tests.appliance.virtualbox import VirtualBox

_STEP_S: Final = 0.04
_STEPS: Final = 12


class Finger:
    """Places are columns and rows of letters, from 0; `on` is where a word stands, once the screen stands still."""

    def __init__(self, box: VirtualBox) -> None:
        self._box = box
        self.mirrored = False
        """It touches a panel whose left is right."""

    def screen(self, *words: str, without: tuple[str, ...] = (), timeout_s: float = SLOW_S) -> Cells:
        """Once it shows all of these where they were a look before: what moves cannot be aimed at. A clock may
        tick, a cursor blink."""
        before: list[Cells] = []

        def calm(now: Cells) -> bool:
            was, before[:] = before[:], [now]
            if any(line[:20].strip() == "…" for line in now.text):
                return False  # a screen whose facts are on their way
            if any(now.find(word) for word in without):
                return False
            return bool(was) and all(now.find(word) and now.find(word) == was[0].find(word) for word in words)

        return shown(self._box, calm, f"{' and '.join(words)} without {without}", timeout_s)

    def on(self, word: str, *, last: bool = False, there: Cells | None = None) -> tuple[int, int]:
        """The middle of a word, the first or the last place that shows it."""
        now = there or self.screen(word)
        rows = range(now.rows - 1, -1, -1) if last else range(now.rows)
        row = next(row for row in rows if word in now.text[row])
        line = now.text[row]
        return (line.rfind(word) if last else line.find(word)) + len(word) // 2, row

    def tap(self, word: str, *, last: bool = False) -> None:
        self.tap_at(*self.on(word, last=last))

    def tap_at(self, column: int, row: int) -> None:
        self._box.tap_at(*self._pixel(column, row))

    def hold(self, column: int, row: int, holds: Callable[[Cells], object], what: str) -> Cells:
        """Stays until it is so; the screen of then."""
        place = self._share(column, row)
        self._box.qmp.pointer(*place)
        self._box.qmp.pointer(*place, down=True)
        try:
            return shown(self._box, holds, what)
        finally:
            self._box.qmp.pointer(*place, down=False)

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """In even steps, and at rest before it leaves: it throws nothing."""
        (x, y), (to_x, to_y) = self._share(*start), self._share(*end)
        self._box.qmp.pointer(x, y)
        self._box.qmp.pointer(x, y, down=True)
        for step in range(1, _STEPS + 1):
            time.sleep(_STEP_S)
            share = step / _STEPS
            self._box.qmp.pointer(x + (to_x - x) * share, y + (to_y - y) * share)
        time.sleep(0.5)
        self._box.qmp.pointer(to_x, to_y, down=False)

    def type(self, text: str, so_far: str = "") -> None:
        """On the keyboard on the screen, key by key; each letter is waited for. `so_far` stands in the field."""
        for sign in text:
            self.tap_at(*self.key(sign))
            so_far += sign
            self.screen(so_far.rstrip())

    def key(self, label: str) -> tuple[int, int]:
        """The middle of the uppermost key that says so, whatever its case: what stands alone between two edges."""

        def found(now: Cells) -> tuple[int, int] | None:
            lines = ((row, _keys(line)) for row, line in enumerate(now.text))
            every = ((at, row) for row, keys in lines for part, at in keys if part.casefold() == label.casefold())
            return next(every, None)

        place = found(shown(self._box, found, f"the key {label!r}"))
        assert place is not None
        return place

    def _pixel(self, column: int, row: int) -> tuple[int, int]:
        now = cells(self._box)
        wide, high = now.cell
        column = now.columns - 1 - column if self.mirrored else column
        return int((column + 0.5) * wide), int((row + 0.5) * high)

    def _share(self, column: int, row: int) -> tuple[float, float]:
        (x, y), (width, height) = self._pixel(column, row), self._box.size
        return (x + 0.5) / width, (y + 0.5) / height


def _keys(line: str) -> list[tuple[str, int]]:
    """What stands between the edges ▐ and ▌ in a line, and the column of its middle."""
    found, at = [], 0
    while (left := line.find("▐", at)) >= 0 and (right := line.find("▌", left)) >= 0:
        found.append((line[left + 1 : right].strip(), (left + right) // 2))
        at = right + 1
    return found
