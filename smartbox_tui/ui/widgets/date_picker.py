"""A birth date by touch: decade, year, month, day. Four touches, every cell at least 3 × 10."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import date
from typing import Final

from textual.binding import Binding
from textual.message import Message

from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.touch_pad import LEAST_HEIGHT, PadKey, Place, TouchPad

FIRST_YEAR: Final = 1900
STAGES: Final = ("decade", "year", "month", "day")
_PER_ROW: Final = 5
_MONTHS_PER_ROW: Final = 4
_FLAT_PER_ROW: Final = 8
"""Days beside each other where there is no room for six weeks."""
_GAP: Final = PadKey("", "", look="gap")
_STEPS: Final = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


class DatePad(TouchPad, can_focus=True):
    """From 1900 to today; what lies in the future cannot be chosen. Arrows and Enter do the same."""

    BINDINGS = [
        Binding("enter,space", "choose", show=False),
        *(Binding(key, f"step('{key}')", show=False) for key in _STEPS),
    ]

    DEFAULT_CSS = "DatePad { width: 100%; height: 1fr; max-width: 120; max-height: 30; }"

    class Chosen(Message):
        """A day was chosen."""

        def __init__(self, day: date) -> None:
            super().__init__()
            self.day = day

    class StageChanged(Message):
        """The next part of the date is asked for."""

    def __init__(self, value: date | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view: View | None = None
        self.stage = STAGES[0]
        self.picked: dict[str, int] = {}
        self._value = value

    def show(self, view: View) -> None:
        self._view = view
        self._lay_out()

    def on_resize(self) -> None:
        super().on_resize()
        self._lay_out()

    @property
    def today(self) -> date:
        assert self._view is not None
        return self._view.now.date()

    def back(self) -> bool:
        """To the part before; False when this is the first one."""
        at = STAGES.index(self.stage)
        if at == 0:
            return False
        self._go(STAGES[at - 1])
        return True

    def reading(self, t: Texts) -> str:
        """What has been chosen so far: `1961 · March`."""
        decade, year, month = (self.picked.get(stage) for stage in STAGES[:3])
        parts = []
        if year is not None and self.stage in ("month", "day"):
            parts.append(str(year))
        elif decade is not None and self.stage == "year":
            parts.append(t("{decade}s", decade=decade))
        if month is not None and self.stage == "day":
            parts.append(t.month(month))
        return " · ".join(parts)

    # ---- keys

    def _lay_out(self) -> None:
        if self._view is not None and self.size.height:
            makers: dict[str, Callable[[Texts], list[list[PadKey]]]] = {
                "decade": self._decades,
                "year": self._years,
                "month": self._months,
                "day": self._days,
            }
            self.set_keys(makers[self.stage](self._view.t))
            names = [place.key.name for place in self._choosable()]
            if self._cursor not in names:
                self._cursor = self._wanted() if self._wanted() in names else names[0]

    def _wanted(self) -> str:
        """The cell of the date that stands in the form: the arrows begin there."""
        if self._value is None:
            return ""
        value = self._value
        parts = {"decade": value.year // 10 * 10, "year": value.year, "month": value.month, "day": value.day}
        return str(parts[self.stage])

    def _cell(self, number: int, label: str, possible: bool) -> PadKey:
        return PadKey(str(number), label, look="key" if possible else "off")

    def _grid(self, keys: list[PadKey], per_row: int) -> list[list[PadKey]]:
        keys = keys + [_GAP] * (-len(keys) % per_row)
        return [keys[at : at + per_row] for at in range(0, len(keys), per_row)]

    def _decades(self, t: Texts) -> list[list[PadKey]]:
        decades = range(FIRST_YEAR, self.today.year + 1, 10)
        return self._grid([self._cell(year, t("{decade}s", decade=year), True) for year in decades], _PER_ROW)

    def _years(self, t: Texts) -> list[list[PadKey]]:
        first = self.picked["decade"]
        years = range(first, first + 10)
        return self._grid([self._cell(year, str(year), year <= self.today.year) for year in years], _PER_ROW)

    def _months(self, t: Texts) -> list[list[PadKey]]:
        now, year = (self.today.year, self.today.month), self.picked["year"]
        return self._grid([self._cell(n, t.month(n), (year, n) <= now) for n in range(1, 13)], _MONTHS_PER_ROW)

    def _days(self, t: Texts) -> list[list[PadKey]]:
        """By weeks that begin on Monday; in rows of eight where six weeks would be too low for a finger."""
        year, month = self.picked["year"], self.picked["month"]
        first, count = calendar.monthrange(year, month)
        keys = []
        for number in range(1, count + 1):
            day = date(year, month, number)
            keys.append(self._cell(number, f"{t.weekday(day.weekday())} {number}", day <= self.today))
        by_weeks = self._grid([_GAP] * first + keys, 7)
        if len(by_weeks) * LEAST_HEIGHT <= self.size.height:
            return by_weeks
        return self._grid(keys, _FLAT_PER_ROW)

    # ---- touch and keys

    def released(self, key: PadKey, over: PadKey | None) -> None:
        if over == key:
            self._choose(key.name)

    def action_choose(self) -> None:
        if self._cursor:
            self._choose(self._cursor)

    def action_step(self, way: str) -> None:
        """To the nearest cell in that direction that can be chosen."""
        here = self.place_of(self._cursor)
        if here is None:
            return
        across, down = _STEPS[way]
        x, y = here.region.x + here.region.width // 2, here.region.y + here.region.height // 2
        best: tuple[int, str] | None = None
        for place in self._choosable():
            dx = place.region.x + place.region.width // 2 - x
            dy = place.region.y + place.region.height // 2 - y
            ahead, aside = (dx * across, abs(dy)) if across else (dy * down, abs(dx))
            if ahead > 0 and (aside < here.region.height if across else True):
                distance = ahead * (1 if across else 100) + aside
                best = min(best or (distance, place.key.name), (distance, place.key.name))
        if best is not None:
            before, self._cursor = self._cursor, best[1]
            self._redraw_key(before)
            self._redraw_key(self._cursor)

    def _choosable(self) -> list[Place]:
        return [place for place in self.places() if place.key.look == "key"]

    def _choose(self, name: str) -> None:
        self.picked[self.stage] = int(name)
        if self.stage == "day":
            year, month, day = (self.picked[stage] for stage in STAGES[1:])
            self.post_message(self.Chosen(date(year, month, day)))
            return
        self._go(STAGES[STAGES.index(self.stage) + 1])

    def _go(self, stage: str) -> None:
        self._lift()
        self.stage, self._cursor = stage, ""
        self._lay_out()
        self.post_message(self.StageChanged())
