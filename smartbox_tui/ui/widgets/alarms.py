"""Alarms in sentences, above everything but the patient: a process away, the box's alarms, an unsure clock."""

from __future__ import annotations

from textual.content import Content

from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.sentences import CAPTURE_AWAY, ENGINE_AWAY, SENTENCES
from smartbox_tui.ui.state import BoxState, Presence
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.wire import state

_MOST = 3
"""Lines at most: the picture needs its room; the status screen has them all."""


def alarm_sentence(t: Texts, alarm: state.Alarm) -> str:
    """By code where it is one of the contract's, else the box's own English sentence."""
    found = SENTENCES.get(alarm.code)
    return t(found.what) if found else alarm.message


def alarm_lines(t: Texts, box: BoxState) -> list[tuple[str, str, str]]:
    """(what, hint, severity `red` or `wait`), the gravest first."""
    lines = []
    if box.capture is Presence.AWAY:
        lines.append((t(CAPTURE_AWAY.what), t(CAPTURE_AWAY.hint), "red"))
    if box.engine is Presence.AWAY:
        lines.append((t(ENGINE_AWAY.what), t(ENGINE_AWAY.hint), "red"))
    if box.status is not None and box.engine is Presence.HERE:
        lines += [(alarm_sentence(t, alarm), "", "red") for alarm in box.status.alarms]
        if box.status.clock == "unsure":
            lines.append((t("The clock is not yet sure."), t("Sending waits for it; pictures are taken."), "wait"))
    return lines


class AlarmBar(Shown):
    """Not there when all is well."""

    DEFAULT_CSS = """
    AlarmBar { height: auto; display: none; }
    AlarmBar.-any { display: block; }
    """

    def show(self, view: View) -> None:
        self.set_class(bool(alarm_lines(view.t, view.box)), "-any")
        super().show(view)

    def text(self, view: View, width: int, height: int) -> Content:
        lines = []
        for what, hint, severity in alarm_lines(view.t, view.box)[:_MOST]:
            style = "$on-red on $red-deep" if severity == "red" else "$on-calm on $wait"
            line = Content.assemble((" ! ", "bold"), (what, "bold"), f" {hint}")
            line = line.truncate(max(1, width), ellipsis=True)
            lines.append(line.pad_right(max(0, width - line.cell_length)).stylize_before(style))
        return Content("\n").join(lines)
