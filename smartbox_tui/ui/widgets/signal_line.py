"""One line under the picture: the signal in plain words, pre-roll, room left, lost frames."""

from __future__ import annotations

from textual.content import Content

from smartbox_tui.ui import words
from smartbox_tui.ui.state import Presence
from smartbox_tui.ui.view import Shown, View, spread

_LITTLE_ROOM_H = 2.0


class SignalLine(Shown):
    """Green dot: a picture comes in. Amber: it does not, with the word why."""

    DEFAULT_CSS = "SignalLine { height: 1; padding: 0 1; background: $night; color: $text; }"

    def text(self, view: View, width: int, height: int) -> Content:
        t, box, source = view.t, view.box, view.box.source
        parts: list[Content | tuple[str, str]] = []
        if box.capture is Presence.AWAY:
            away = t("Recorder away")
            parts.append((f"● {away}", "bold $red"))
        elif source is None:
            parts.append((t("No source"), "$dim"))
        else:
            style = "$good" if source.signal_state == "ok" else "bold $wait"
            parts.append(("● ", style))
            parts.append((words.signal(t, source), "" if source.signal else "bold $wait"))
            if source.preroll_s >= 1 and source.signal:
                held = t("pre-roll {n} s", n=int(source.preroll_s))
                parts.append((f" · {held}", "$dim"))
            if source.recording and source.recording.frames_lost:
                lost = t.n("{count} frame lost", "{count} frames lost", source.recording.frames_lost)
                parts.append((f" · {lost}", "bold $wait"))
        right: Content = Content("")
        if box.status is not None:
            storage = box.status.storage
            style = "$dim" if storage.hours_left >= _LITTLE_ROOM_H else "bold $red"
            right = Content.styled(words.hours_left(t, storage), style)
        return spread(Content.assemble(*parts), right, width)
