"""Alarms above everything but the patient: not there when all is well."""

from __future__ import annotations

from textual.content import Content

from smartbox_tui.ui.alarms import alarm_lines
from smartbox_tui.ui.notices import Notice, notices
from smartbox_tui.ui.view import Shown, View

_MOST = 3
"""Lines at most; the status screen has them all."""
_RED, _AMBER, _CALM = "$on-red on $red-deep", "$on-wait on $wait", "$text on $calm-deep"


class AlarmBar(Shown):
    """What and what to do: on one line where both fit, on two where they do not."""

    DEFAULT_CSS = """
    AlarmBar { height: auto; display: none; }
    AlarmBar.-any { display: block; }
    """

    def show(self, view: View) -> None:
        alarms = any(line.bar for line in alarm_lines(view.t, view.box))
        self.set_class(alarms or bool(self._notices(view)), "-any")
        super().show(view)

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


def _rows(mark: str, what: str, hint: str, style: str, width: int) -> list[Content]:
    rows = [Content.assemble((f" {mark} ", "bold"), (what, "bold"), f" {hint}")]
    if hint and rows[0].cell_length > width:
        rows = [Content.assemble((f" {mark} ", "bold"), (what, "bold")), Content(f"   {hint}")]
    cut = [row.truncate(max(1, width), ellipsis=True) for row in rows]
    return [row.pad_right(max(0, width - row.cell_length)).stylize_before(style) for row in cut]
