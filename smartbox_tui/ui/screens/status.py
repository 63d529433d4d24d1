"""The status screen: what is there, what is away, and why. For the engineer over SSH as for the operator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.cells import cell_len
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui import stand_ins, words
from smartbox_tui.ui.alarms import alarm_lines
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.notices import ROLES, TERMINALS, sessions, since
from smartbox_tui.ui.screens.base import BoxScreen
from smartbox_tui.ui.setting_words import CHOICES, destination_kind
from smartbox_tui.ui.state import Presence
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.queue_pane import OPEN_STATES, counts, reason_words

Row = tuple[str, str, str, str]
"""Glyph's style, name, word, detail."""

_GOOD, _WAIT, _BAD, _NONE = "$good", "bold $wait", "bold $red", "$dim"
_NAME: Final = 17
"""Columns for it."""
_INDENT: Final = 3 + _NAME + 1
"""What has no room beside the word stands below it."""
_BETWEEN: Final = " · "
_GLYPH = {_GOOD: "✓", _WAIT: "!", _BAD: "✗", _NONE: "·"}


def _folded(detail: str, room: int, below: int) -> list[str]:
    """The detail on a line with so much room, and on further ones with the room that there is below the word,
    broken where a part of it ends."""
    if below <= 0:
        return [detail]
    lines, room_here = [""], room
    for part in detail.split(_BETWEEN):
        longer = f"{lines[-1]}{_BETWEEN}{part}" if lines[-1] else part
        if cell_len(longer) <= room_here:
            lines[-1] = longer
        else:
            lines.append(part)
            room_here = below
    return lines


class StatusText(Shown):
    """Sections of rows, each row a mark, a name, a word, a detail."""

    DEFAULT_CSS = "StatusText { height: auto; padding: 0 2; }"

    def text(self, view: View, width: int, height: int) -> Content:
        t = view.t
        sections = (
            (t("Processes"), self._processes(view)),
            (t("Alarms"), self._alarms(view)),
            (t("Sources"), self._sources(view)),
            (t("Pedals"), self._pedals(view)),
            (t("Archives"), self._destinations(view)),
            (t("Queue"), self._queue(view)),
            (t("Box"), self._box(view)),
            (t("Consoles"), self._consoles(view)),
        )
        lines: list[Content] = []
        for headline, rows in sections:
            if not rows:
                continue
            lines.append(Content.styled(headline, "bold $calm"))
            for style, name, word, detail in rows:
                start = Content.assemble((f" {_GLYPH[style]} ", style), f"{name:<{_NAME}} ", (word, style))
                first, *more = _folded(detail, width - start.cell_length - 2, width - _INDENT)
                rows_of_it = [Content.assemble(start, (f"  {first}", "$dim")) if first else start]
                rows_of_it += [Content.styled(" " * _INDENT + rest, "$dim") for rest in more]
                lines += [row.truncate(max(1, width), ellipsis=True) for row in rows_of_it]
            lines.append(Content(""))
        return Content("\n").join(lines[:-1])

    def _processes(self, view: View) -> list[Row]:
        t, box = view.t, view.box
        rows = []
        for name, presence, version in (
            (t("Engine"), box.engine, box.status.version if box.status else ""),
            (t("Recorder"), box.capture, ""),
        ):
            word, style = {
                Presence.HERE: (t("runs"), _GOOD),
                Presence.AWAY: (t("does not answer"), _BAD),
                Presence.UNKNOWN: (t("not asked yet"), _NONE),
            }[presence]
            rows.append((style, name, word, t("version {version}", version=version) if version else ""))
        return rows

    def _alarms(self, view: View) -> list[Row]:
        # the sentence in the place of the name: there is no short word for it
        return [(_BAD if line.grave else _WAIT, line.what, "", line.hint) for line in alarm_lines(view.t, view.box)]

    def _sources(self, view: View) -> list[Row]:
        rows = []
        for source in view.box.sources:
            device = view.t("{device} ({kind})", device=source.device or "?", kind=source.kind)
            detail = _BETWEEN.join(filter(None, (device, words.encoder(view.t, source))))
            style = _GOOD if source.signal_state == "ok" else _WAIT
            rows.append((style, source.name or source.id, words.signal(view.t, source), detail))
        return rows

    def _pedals(self, view: View) -> list[Row]:
        """What each does; of one that does not work, where it is looked for."""
        t = view.t
        styles = {"ok": _GOOD, "starting": _NONE, "stuck": _BAD}
        set_up = {pedal.id: pedal for pedal in view.settings.pedals}
        rows = []
        for item in sorted(view.box.pedals, key=lambda pedal: pedal.id):
            kind = t(CHOICES.get(item.kind, item.kind))
            known = set_up.get(item.id) if item.state in ("ok", "starting") else None
            if known is not None:
                does = {press: getattr(known, press) for press in words.PEDAL_PRESS}
                told = [
                    t(words.PEDAL_PRESS[press], what=t(CHOICES[what]))
                    for press, what in does.items()
                    if what != "none"
                ]
                detail = _BETWEEN.join([*told, kind])
            else:
                detail = t("{device} ({kind})", device=item.device, kind=kind) if item.device else kind
            word = t(words.PEDAL_STATE.get(item.state, item.state))
            rows.append((styles.get(item.state, _WAIT), item.id, word, detail))
        return rows

    def _destinations(self, view: View) -> list[Row]:
        styles = {"ok": _GOOD, "unreachable": _WAIT, "rejected": _BAD}
        rows = []
        for item in view.box.status.destinations if view.box.status else []:
            word = view.t(words.DESTINATION.get(item.state, item.state))
            count = view.t.n("{count} open", "{count} open", item.open) if item.open else ""
            reason = reason_words(view, item) if item.reason and item.state != "ok" else ""
            kind = destination_kind(view.t, item.kind)
            detail = _BETWEEN.join(part for part in (kind, stand_ins.told(view, item), count, reason) if part)
            rows.append((styles.get(item.state, _NONE), item.name, word, detail))
        return rows

    def _queue(self, view: View) -> list[Row]:
        rows = []
        for name, count in counts(view.box).items():
            if count and name in OPEN_STATES:
                style = _BAD if name == "blocked" else _WAIT if name == "waiting" else _NONE
                rows.append((style, view.t(words.DELIVERY[name]), view.t.number(count), ""))
        return rows or [(_GOOD, view.t("nothing open"), "", "")]

    def _consoles(self, view: View) -> list[Row]:
        t = view.t
        return [
            (
                _WAIT if item.visiting else _NONE,
                item.user,
                t(ROLES.get(item.role, item.role)),
                t(
                    "{where}, since {time}",
                    where=t(TERMINALS.get(item.terminal, item.terminal)),
                    time=since(t, item),
                ),
            )
            for item in sessions(view.box)
        ]

    def _box(self, view: View) -> list[Row]:
        t, status = view.t, view.box.status
        if status is None:
            return []
        disk = status.storage
        little = disk.hours_left < 2 or not disk.records
        low = any(alarm.code == "disk-low" for alarm in status.alarms)
        free = t("{size} free", size=t.size(disk.free_bytes))
        if disk.total_bytes:
            free = t("{size} of {total} free", size=t.size(disk.free_bytes), total=t.size(disk.total_bytes))
        kept = []
        if disk.undelivered_bytes:
            style = _WAIT if little else _NONE
            kept.append((style, t("Not delivered"), t.size(disk.undelivered_bytes), t("no archive has it yet")))
        if disk.releasable_bytes:
            kept.append((_NONE, t("In the archives"), t.size(disk.releasable_bytes), t("goes when room is needed")))
        clock = (_GOOD, t("trusted")) if status.clock == "trusted" else (_WAIT, t("not yet sure"))
        return [
            (_BAD if little else _WAIT if low else _GOOD, t("Disk"), words.hours_left(t, disk), free),
            *kept,
            (clock[0], t("Clock"), clock[1], ""),
            (_NONE, t("Station"), view.settings.station_name, view.settings.aet),
        ]


class StatusScreen(BoxScreen):
    """Everything the box knows about itself, and the language."""

    BINDINGS = [("escape", "back", "")]

    DEFAULT_CSS = """
    StatusScreen #status-scroll { height: 1fr; scrollbar-size-vertical: 1; padding-top: 1; }
    """

    def compose_body(self) -> Iterable[Widget]:
        with VerticalScroll(id="status-scroll"):
            yield StatusText(id="status-text")

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        yield BigButton(N_("Queue"), "app.queue", "q", id="queue")
        yield BigButton(N_("Settings"), "app.settings", "o", id="settings")
        yield BigButton(_other_language, "app.language", "l", id="language")


def _other_language(view: View) -> str:
    """In the language it switches to: for the one who cannot read this one."""
    return "English" if view.t.language == "de" else "Deutsch"
