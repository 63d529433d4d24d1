"""Where a finger was aimed when a line that comes or goes has just moved the screen under it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from textual.geometry import Offset, Region
from textual.widget import Widget

from smartbox_tui.ui.widgets.big_button import BigButton

QUIET_S: Final = 0.4
"""So long nobody has seen what has moved, and aims at what was there before; and so long a finger may still be at
work after it has left."""

Places = Mapping[Widget, tuple[Region, Region]]
"""Of each widget its region and clip, those in front first."""


_COMES_AND_GOES: Final = frozenset({"alarms", "ask"})
"""By itself, and moves the rest."""


def _lines(places: Places) -> dict[str, int]:
    return {each.id: region.height for each, (region, _) in places.items() if each.id in _COMES_AND_GOES}


class Aim:
    """Of one screen. All times are of the monotonic clock."""

    def __init__(self) -> None:
        self._before: Places = {}
        self._moved_s = float("-inf")

    def laid_out(self, before: Places, after: Places, now_s: float) -> None:
        """Things were at those places until now, and are at these from now on."""
        if not before or _lines(before) == _lines(after):
            return
        if now_s - self._moved_s >= QUIET_S:
            self._before = before
        self._moved_s = now_s

    def unseen(self, now_s: float) -> bool:
        """Whether nobody can have seen yet what has moved."""
        return now_s - self._moved_s < QUIET_S

    def misses(self, widget: Widget | None, at: Offset, pressed_s: float) -> bool:
        """Whether the finger that came down there hits something else than it was aimed at. A button is the
        same wherever it is hit; in anything else, a list, another place is another thing."""
        if not self.unseen(pressed_s) or not self._before:
            return False
        places = self._before.items()
        then = next((each for each, (region, clip) in places if region.intersection(clip).contains_point(at)), None)
        if then is not widget or widget is None:
            return True
        return not isinstance(widget, BigButton) and widget.region.offset != self._before[widget][0].offset
