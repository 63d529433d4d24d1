"""What this exam has so far: counters, and its pictures, the newest first: small ones where there is room."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from smartbox_tui.ui import words
from smartbox_tui.ui.i18n import Texts
from smartbox_tui.ui.state import TAKEN_S, current_exam
from smartbox_tui.ui.view import Follower, Shown, View
from smartbox_tui.ui.widgets.thumbs import Thumbs
from smartbox_tui.wire import state

_ROOM: Final = 5
"""Rows from which on the pictures themselves are shown, below the counters."""


class TakenText(Shown):
    """The counters are bold for the two seconds after something was taken; below them the times, where the pictures
    have no room."""

    DEFAULT_CSS = "TakenText { height: 1fr; padding: 0 1; color: $text; }"

    def text(self, view: View, width: int, height: int) -> Content:
        t, box = view.t, view.box
        if current_exam(box) is None and not box.pictures:
            return Content.styled(t("No pictures yet"), "$dim")
        fresh = box.taken is not None and view.now_s - box.taken.heard_s < TAKEN_S
        first = Content.styled(words.counters(t, box, width), "bold $calm" if fresh else "bold")
        cells = [_cell(t, view, picture) for picture in reversed(box.pictures)]
        across = max(1, (width + 2) // 12)
        rows = [cells[at : at + across] for at in range(0, len(cells), across)][: max(0, height - 1)]
        lines = [first]
        for number, row in enumerate(rows):
            style = "$calm" if fresh and number == 0 else "$dim"
            newest = Content.styled(row[0], style if number == 0 else "$dim")
            rest = Content.styled("".join(f"  {cell}" for cell in row[1:]), "$dim")
            lines.append(Content.assemble(newest, rest))
        return Content("\n").join(lines)


class TakenPane(Vertical, Follower):
    """A touch opens the picture, beside the pictures the last one."""

    DEFAULT_CSS = """
    TakenPane { height: 1fr; min-height: 2; }
    TakenPane Thumbs { display: none; margin: 0 0 0 1; }
    TakenPane.-pictures Thumbs { display: block; }
    TakenPane.-pictures TakenText { height: 1; }
    """

    def compose(self) -> ComposeResult:
        yield TakenText()
        yield Thumbs(newest_first=True)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height >= _ROOM, "-pictures")

    def show(self, view: View) -> None:
        self.query_one(Thumbs).fill(view.box.pictures)

    async def on_click(self, event: events.Click) -> None:
        event.stop()
        await self.run_action("app.pictures")


def _cell(t: Texts, view: View, picture: state.Instance) -> str:
    """Ten columns: a glyph and the time it was taken, or a clip's length."""
    glyph = words.KIND_GLYPH.get(picture.kind, "■")
    return f"{glyph} {words.mark_of(t, view.clock, picture)}".ljust(10)
