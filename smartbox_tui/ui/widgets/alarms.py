"""Alarms above everything but the patient: not there when all is well."""

from __future__ import annotations

import time
from typing import Any, Protocol, cast

from textual.content import Content

from smartbox_tui.ui.alarms import alarm_lines
from smartbox_tui.ui.notices import Notice, notices
from smartbox_tui.ui.view import Shown, View

_MOST = 3
"""Lines at most; the status screen has them all."""
_LONGEST_S = 2.0
_AGAIN_S = 0.1
_RED = ("$on-red on $red-deep", "bold $red-deep on $on-red")
_AMBER = ("$on-wait on $wait", "bold $wait on $on-wait")
_CALM = ("$text on $calm-deep", "bold")
"""A line, and its mark: turned round, or below a banner of the same colour nothing would say where it begins."""


class HasFinger(Protocol):
    """What is asked of the app."""

    finger: Any

    def redraw(self) -> None: ...


class AlarmBar(Shown):
    """What and what to do: on one line where both fit, on two where they do not. While a finger is at work, a line
    more or less waits: it would move what the finger is aimed at. Two seconds at most."""

    DEFAULT_CSS = """
    AlarmBar { width: 100%; height: auto; display: none; }
    AlarmBar.-any { display: block; }
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._waits_since_s: float | None = None
        self._asked = False

    def show(self, view: View) -> None:
        there = any(line.bar for line in alarm_lines(view.t, view.box)) or bool(self._notices(view))
        if self._view is not None and self._waits(self._height(view, there)):
            return
        self._waits_since_s = None
        self.set_class(there, "-any")
        super().show(view)

    def _height(self, view: View, there: bool) -> int:
        width = self.content_size.width or self.app.size.width
        return self.text(view, width, 0).plain.count("\n") + 1 if there else 0

    def _waits(self, height: int) -> bool:
        """Whether that height is for later."""
        app, now_s = cast(HasFinger, self.app), time.monotonic()
        before = self._drawn.plain.count("\n") + 1 if self._drawn is not None and self.has_class("-any") else 0
        if height == before or not app.finger.at_work():
            return False
        if self._waits_since_s is None:
            self._waits_since_s = now_s
        if now_s - self._waits_since_s >= _LONGEST_S:
            return False
        if not self._asked:
            self._asked = True
            self.set_timer(_AGAIN_S, self._ask_again)
        return True

    def _ask_again(self) -> None:
        self._asked = False
        cast(HasFinger, self.app).redraw()

    def _notices(self, view: View) -> list[Notice]:
        size = self.app.size
        return notices(view.t, view.box, size.width, size.height)

    def text(self, view: View, width: int, height: int) -> Content:
        lines = []
        for alarm in [line for line in alarm_lines(view.t, view.box) if line.bar][:_MOST]:
            lines += _rows("!", alarm.what, alarm.hint, _RED if alarm.grave else _AMBER, width)
        for notice in self._notices(view)[:_MOST]:
            mark, style = ("·", _CALM) if notice.calm else ("!", _AMBER)
            lines += _rows(mark, notice.what, notice.hint, style, width)
        return Content("\n").join(lines)


def _rows(mark: str, what: str, hint: str, styles: tuple[str, str], width: int) -> list[Content]:
    style, turned = styles
    begin = Content.assemble((f" {mark}", turned), (f" {what}", "bold"))
    rows = [Content.assemble(begin, f" {hint}")]
    if hint and rows[0].cell_length > width:
        rows = [begin, Content(f"   {hint}")]
    cut = [row.truncate(max(1, width), ellipsis=True) for row in rows]
    return [row.pad_right(max(0, width - row.cell_length)).stylize_before(style) for row in cut]
