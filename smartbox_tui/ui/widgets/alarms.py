"""Alarms above everything but the patient: not there when all is well."""

from __future__ import annotations

from textual.content import Content

from smartbox_tui.ui.alarms import alarm_lines
from smartbox_tui.ui.view import Shown, View

_MOST = 3
"""Lines at most; the status screen has them all."""


class AlarmBar(Shown):
    """What and what to do: on one line where both fit, on two where they do not."""

    DEFAULT_CSS = """
    AlarmBar { height: auto; display: none; }
    AlarmBar.-any { display: block; }
    """

    def show(self, view: View) -> None:
        self.set_class(any(line.bar for line in alarm_lines(view.t, view.box)), "-any")
        super().show(view)

    def text(self, view: View, width: int, height: int) -> Content:
        lines = []
        for alarm in [line for line in alarm_lines(view.t, view.box) if line.bar][:_MOST]:
            style = "$on-red on $red-deep" if alarm.grave else "$on-calm on $wait"
            line = Content.assemble((" ! ", "bold"), (alarm.what, "bold"), f" {alarm.hint}")
            rows = [line]
            if line.cell_length > width:
                rows = [Content.assemble((" ! ", "bold"), (alarm.what, "bold")), Content(f"   {alarm.hint}")]
            for row in rows:
                row = row.truncate(max(1, width), ellipsis=True)
                lines.append(row.pad_right(max(0, width - row.cell_length)).stylize_before(style))
        return Content("\n").join(lines)
