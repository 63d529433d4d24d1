"""One line above the buttons of every screen: the signal in plain words, room left, what was just taken; and,
where the picture and its column are not in sight, in brief what they would say."""

from __future__ import annotations

from typing import Final

from textual.content import Content

from smartbox_tui.ui import words
from smartbox_tui.ui.state import TAKEN_S, Presence
from smartbox_tui.ui.view import Shown, View, spread
from smartbox_tui.ui.widgets.queue_pane import open_words

_LITTLE_ROOM_H: Final = 2.0
_Parts = list[Content | tuple[str, str]]


class SignalLine(Shown):
    """Green dot: a picture comes in. Amber: it does not, with the word why."""

    DEFAULT_CSS = "SignalLine { height: 1; padding: 0 1; background: $night; color: $text; }"

    def __init__(self, *, brief: bool, id: str) -> None:
        """`brief`: without the format, but with counters and queue."""
        super().__init__(id=id)
        self._brief = brief

    def text(self, view: View, width: int, height: int) -> Content:
        return spread(Content.assemble(*self._signal(view)), Content.assemble(*self._right(view)), width)

    def _signal(self, view: View) -> _Parts:
        t, box, source = view.t, view.box, view.box.source
        if box.capture is Presence.AWAY:
            away = t("Recorder away")
            return [(f"● {away}", "bold $red")]
        if source is None:
            return [(t("No source"), "$dim")]
        if source.signal_state != "ok":
            return [("● ", "bold $wait"), (words.signal(t, source), "bold $wait")]
        word = t(words.SIGNAL[source.signal_state]) if self._brief else words.signal(t, source)
        parts: _Parts = [("● ", "$good"), (word, "")]
        if source.preroll_s >= 1 and not self._brief:
            held = t("pre-roll {n} s", n=int(source.preroll_s))
            parts.append((f" · {held}", "$dim"))
        if source.recording and source.recording.frames_lost:
            lost = t.n("{count} frame lost", "{count} frames lost", source.recording.frames_lost)
            parts.append((f" · {lost}", "bold $wait"))
        return parts

    def _right(self, view: View) -> _Parts:
        t, box = view.t, view.box
        parts: _Parts = []
        if self._brief:
            taken = box.taken
            if taken is not None and view.now_s - taken.heard_s < TAKEN_S:
                parts.append((f" {words.taken(t, view.clock, taken)} ", "bold $on-calm on $calm"))
            else:
                parts.append((words.counters(t, box), "$dim"))
            parts += [("  ", ""), *open_words(view), ("  ", "")]
        if box.status is not None:
            storage = box.status.storage
            style = "$dim" if storage.records and storage.hours_left >= _LITTLE_ROOM_H else "bold $red"
            parts.append((words.hours_left(t, storage), style))
        return parts
