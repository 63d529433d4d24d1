"""The queue in a few lines: each archive with a word why, how much is open, the oldest, what is blocked."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.content import Content

from smartbox_tui.ui import words
from smartbox_tui.ui.reasons import of_destination
from smartbox_tui.ui.state import BoxState, Presence, sending
from smartbox_tui.ui.view import Shown, View, spread
from smartbox_tui.wire import state

ROOM: Final = 9
"""Lines of the pane at most."""
_ROOM_NARROW: Final = 7
"""That many are seen where it is narrow: the terminal is low then, too."""
_WIDE: Final = 30

OPEN_STATES = ("queued", "preparing", "sending", "waiting", "blocked", "held")


def counts(box: BoxState) -> dict[str, int]:
    """Deliveries per state, as the engine counts them."""
    queue = box.status.queue if box.status else {}
    return {name: int(queue.get(name) or 0) for name in OPEN_STATES}


def _under_way(box: BoxState) -> int:
    """Those that go out by themselves: not the held, not the blocked."""
    number = counts(box)
    return sum(number[name] for name in ("queued", "preparing", "sending", "waiting"))


def _oldest(view: View) -> str:
    """How long the oldest open one has waited; empty when none does."""
    seconds = view.box.status.queue.get("oldest_open_s") if view.box.status else None
    if seconds is None or not _under_way(view.box):
        return ""
    passed = float(seconds) + max(0.0, view.now_s - view.box.status_heard_s)
    return view.t("oldest {age}", age=view.t.span(passed))


def open_words(view: View) -> list[Content | tuple[str, str]]:
    """The queue in half a line: open, oldest, blocked."""
    t, box = view.t, view.box
    waiting, blocked = _under_way(box), counts(box)["blocked"]
    parts: list[Content | tuple[str, str]] = []
    if waiting:
        what = t.n("{count} open", "{count} open", waiting)
        age = _oldest(view)
        parts.append((f"{what}, {age}" if age else what, "$dim"))
    if blocked:
        parts += [("  ", ""), (f" ✗ {t.number(blocked)} ", "bold $on-red on $red-deep")]
    return parts


class QueuePane(Shown):
    """Pressing it opens the queue screen."""

    DEFAULT_CSS = f"QueuePane {{ height: auto; max-height: {ROOM}; padding: 0 1; color: $text; }}"

    async def on_click(self, event: events.Click) -> None:
        event.stop()
        await self.run_action("app.queue")

    def text(self, view: View, width: int, height: int) -> Content:
        t, box = view.t, view.box
        if box.status is None:
            return Content.styled(t("Queue: not known yet"), "$dim")
        lines: list[Content] = []
        number = counts(box)
        waiting = _under_way(box)
        what = t.n("{count} open", "{count} open", waiting) if waiting else t("nothing open")
        age = _oldest(view)
        style = "$dim" if box.engine is Presence.AWAY else ""
        lines.append(spread(Content.styled(what, style), Content.styled(age, "$dim"), width))
        by_hand = sum(item.state == "held" and item.code == "manual" for item in box.deliveries.values())
        if by_hand:
            told = t.n("{count} waits for Send", "{count} wait for Send", by_hand)
            lines.append(Content.styled(told, "$wait"))
        elif number["held"]:
            held = t.n("{count} waits for the closing", "{count} wait for the closing", number["held"])
            lines.append(Content.styled(held, "$dim"))
        if number["blocked"]:
            blocked = t.n("{count} BLOCKED", "{count} BLOCKED", number["blocked"])
            lines.append(Content.styled(f" ✗ {blocked} ", "bold $on-red on $red-deep"))
        for delivery in sending(box)[:1]:
            part = words.share(delivery)
            room = max(4, width - 6)
            done = words.bar(part, room)
            lines.append(
                Content.assemble(
                    (done, "$calm on $key"), (" " * (room - len(done)), "on $key"), (f" {part:4.0%}", "$calm")
                )
            )
        room = (ROOM if width >= _WIDE else _ROOM_NARROW) - len(lines)
        return Content("\n").join([*self._destinations(view, width, room), *lines])

    def _destinations(self, view: View, width: int, room: int) -> list[Content]:
        """Each archive with its trouble. Where they need more than `room` lines, those that are well share one,
        then the reasons go, and last archives: what is open and blocked stays in sight."""
        t, items = view.t, view.box.status.destinations if view.box.status else []
        if not items:
            return [Content.styled(t("No archive is set up"), "bold $wait")]
        each = [self._destination(view, item, width) for item in items]
        if sum(map(len, each)) <= room:
            return [line for lines in each for line in lines]
        well = sum(item.state == "ok" for item in items)
        told = t.n("{count} archive reachable", "{count} archives reachable", well)
        fine = [Content.styled(f"✓ {told}", "$good")] if well and view.box.engine is not Presence.AWAY else []
        rest = [item for item in items if item.state != "ok" or not fine]
        shown = [line for item in rest for line in self._destination(view, item, width)]
        if len(shown) + len(fine) > room:
            shown = [line for item in rest for line in self._destination(view, item, width, brief=True)]
        if len(shown) + len(fine) > room:
            kept = max(1, room - len(fine) - 1)
            more = t.n("{count} more", "{count} more", len(shown) - kept)
            shown = [*shown[:kept], Content.styled(more, "bold $wait")]
        return [*shown, *fine]

    def _destination(
        self, view: View, item: state.Destination, width: int, *, brief: bool = False
    ) -> list[Content]:
        """Its name and state, and why; with `brief` one line."""
        t = view.t
        good = item.state == "ok"
        glyph, style = {
            "ok": ("✓", "$good"),
            "unreachable": ("✗", "bold $wait"),
            "rejected": ("✗", "bold $red"),
        }.get(item.state, ("○", "$dim"))
        word = t(words.DESTINATION.get(item.state, item.state))
        if view.box.engine is Presence.AWAY:
            glyph, style, word, good = "○", "$dim", t("not known"), True
        name, told = Content.styled(item.name, "bold"), Content.styled(f"{glyph} {word}", style)
        if name.cell_length + told.cell_length < width:
            lines = [spread(name, told, width)]
        elif brief:
            lines = [Content.assemble((f"{glyph} ", style), name).truncate(width, ellipsis=True)]
        else:  # neither the name nor the state may be cut
            lines = [name.truncate(width, ellipsis=True), spread(Content(""), told, width)]
        if good or not item.reason or brief:
            return lines
        return [*lines, Content.styled(reason_words(view, item), "$dim").truncate(width, ellipsis=True)]


def reason_words(view: View, item: state.Destination) -> str:
    """Why the archive is not well: by its reason and code, else as the engine says it."""
    return of_destination(view.t, item.reason, item.code)[0] if item.code else item.reason
