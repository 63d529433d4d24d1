"""The box's alarms as sentences. Those that another part of the screen already says loudly are for the status
screen only: the picture needs its room."""

from __future__ import annotations

from typing import NamedTuple

from smartbox_tui.ui import file_words
from smartbox_tui.ui.alarm_words import (
    ALARMS,
    DISK_PREFIX,
    NOTHING_WAITS,
    PEDAL_PREFIX,
    PEDALS,
    TOUCH,
    WATCHED,
    Known,
)
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.reasons import of_destination
from smartbox_tui.ui.sentences import CAPTURE_AWAY, ENGINE_AWAY, SENTENCES, SETTINGS_UNREADABLE, Sentence
from smartbox_tui.ui.state import BoxState, Presence, Process
from smartbox_tui.wire import state


class AlarmLine(NamedTuple):
    what: str
    hint: str
    grave: bool
    bar: bool


def alarm_lines(t: Texts, box: BoxState) -> list[AlarmLine]:
    """The gravest first. With the engine away its last alarms are not repeated: nobody knows whether they hold."""
    lines = []
    for process, presence in ((Process.CAPTURE, box.capture), (Process.ENGINE, box.engine)):
        if presence is Presence.AWAY:
            lines.append(AlarmLine(*of_away(t, box, process), grave=True, bar=True))
    touch = TOUCH.get(box.touch)
    if touch is not None:
        lines.append(_known(t, touch))
    pedals = [_known(t, PEDALS[each.state], pedal=each.id) for each in box.pedals if each.state in PEDALS]
    lines += sorted(pedals, key=lambda line: not line.grave)
    if box.status is None or box.engine is not Presence.HERE:
        return lines
    told = [
        _line(t, alarm, box.status)
        for alarm in box.status.alarms
        if not (alarm.code == "capture-away" and box.capture is Presence.AWAY)
        and not alarm.code.startswith(PEDAL_PREFIX)
    ]
    return lines + sorted(told, key=lambda line: not line.grave)


def of_away(t: Texts, box: BoxState, process: Process) -> tuple[str, str]:
    """What it means that a process is away, and what becomes of that."""
    away = ENGINE_AWAY if process is Process.ENGINE else CAPTURE_AWAY
    why = box.why_away.get(process)
    return t(away.what), f"{t(SETTINGS_UNREADABLE.what)} {file_words.told(t, why)}" if why else t(away.hint)


def _known(t: Texts, known: Known, **parts: str) -> AlarmLine:
    return AlarmLine(t(known.what, **parts), t(known.hint), known.grave, known.bar)


def _line(t: Texts, alarm: state.Alarm, status: state.Status) -> AlarmLine:
    known = ALARMS.get(alarm.code)
    if known is not None:
        if alarm.code.startswith(DISK_PREFIX) and not status.storage.undelivered_bytes:
            known = known._replace(hint=NOTHING_WAITS)  # the queue would say nothing
        return _known(t, known)
    for begin, watched in WATCHED.items():
        if alarm.code.startswith(begin):
            count = alarm.message.partition(" ")[0]
            return _known(t, watched, name=alarm.code.removeprefix(begin), count=count)
    name, separator, destination = alarm.code.partition("destination-")
    if separator and not name:
        # the queue pane has the archive and its reason
        item = next((each for each in status.destinations if each.name == destination and each.code), None)
        why = " ".join(filter(None, of_destination(t, item.reason, item.code))) if item else alarm.message
        return AlarmLine(t("Archive {name}: not usable.", name=destination), why, grave=False, bar=False)
    found: Sentence | None = SENTENCES.get(alarm.code)
    return AlarmLine(
        t(found.what) if found else alarm.message, t(found.hint) if found else "", grave=True, bar=True
    )
