"""The pictures of an exam, one at a time and large: when, what kind, how long, what each archive says of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from textual import on
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui import words
from smartbox_tui.ui.i18n import N_, clip_length
from smartbox_tui.ui.link import StateWasRead
from smartbox_tui.ui.reasons import of_destination
from smartbox_tui.ui.screens.base import BoxScreen
from smartbox_tui.ui.state import BoxState, current_exam, is_of, key_of
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.thumbs import Large
from smartbox_tui.wire import state

_STYLE = {"stored": "$good", "committed": "$good", "blocked": "bold $red", "waiting": "$wait", "held": "$wait"}
_GLYPH = {"stored": "✓", "committed": "✓", "blocked": "✗", "waiting": "!", "held": "■", "sending": "▶"}


class PictureText(Shown):
    """Number, kind, time, what it is like, and each archive with its state."""

    DEFAULT_CSS = "PictureText { height: 1fr; padding: 0 1; color: $text; }"

    def __init__(self) -> None:
        super().__init__(id="picture-text")
        self.item: state.Instance | None = None
        self.place = (0, 0)
        self.of: state.Exam | None = None
        self.deliveries: Sequence[state.Delivery] = ()

    def text(self, view: View, width: int, height: int) -> Content:
        t, item = view.t, self.item
        if item is None:
            return Content.styled(t("No pictures yet"), "$dim")
        at, count = self.place
        moment = words.when(item.captured_at)
        kind = t(words.KIND.get(item.kind, item.kind))
        lines = [Content.styled(f"{kind} {at} / {count}", "bold")]
        if self.of is not None:  # the banner above speaks of the exam under way, which may be another patient's
            born = words.born(t, self.of.patient, view.now.date())
            lines = [Content.styled(words.who(t, self.of), "bold $calm"), Content(born), *lines]
        if moment is not None:
            local = view.clock.local(moment)
            lines.append(Content(f"{t.date(local.date())}  {t.clock(local, seconds=True)}"))
        if item.kind == "burst":
            lines.append(Content(t.n("{count} frame", "{count} frames", item.frames)))
        elif item.duration_s is not None:
            length = t("Length {time}", time=clip_length(item.duration_s))
            lines.append(Content(length + " · " + t.n("{count} frame", "{count} frames", item.frames)))
        if item.frames_lost:
            lost = t.n("{count} frame lost", "{count} frames lost", item.frames_lost)
            lines.append(Content.styled(lost, "bold $wait"))
        lines.append(Content.styled(f"{t.size(item.bytes)} · {item.source}", "$dim"))
        if item.discarded:
            lines.append(Content.styled(t("discarded"), "bold $wait"))
        gone = words.when(item.released_at)
        if gone is not None:
            day = t.date(view.clock.local(gone).date())
            lines.append(Content.styled(t("no longer on the box"), "$dim"))
            lines.append(Content.styled(t("since {date}", date=day), "$dim"))
        lines.append(Content(""))
        lines += self._delivered(view, item)
        return Content("\n").join([line.truncate(max(1, width), ellipsis=True) for line in lines])

    def _delivered(self, view: View, item: state.Instance) -> list[Content]:
        t = view.t
        known = {row.id: row for row in self.deliveries}
        known |= {row.id: row for row in view.box.deliveries.values()}  # what has changed since
        rows = [row for row in known.values() if is_of(row, item)]
        if not rows:
            return [] if item.discarded else [Content.styled(t("Not yet to be sent."), "$dim")]
        lines = []
        for row in sorted(rows, key=lambda row: row.destination):
            glyph, word = _GLYPH.get(row.state, "·"), t(words.DELIVERY.get(row.state, row.state))
            style = _STYLE.get(row.state, "$dim")
            lines.append(Content.assemble((f"{row.destination}  ", "bold"), (f"{glyph} {word}", style)))
            if row.state in ("waiting", "blocked") and row.code:
                lines.append(Content.styled(f"  {of_destination(t, row.reason, row.code)[0]}", "$dim"))
        return lines


class PicturesScreen(BoxScreen):
    """Arrow keys and two big buttons leaf through; the last of the exam under way can be discarded."""

    BINDINGS = [
        ("escape", "back", ""),
        ("left", "leaf(-1)", ""),
        ("right", "leaf(1)", ""),
        ("pageup", "leaf(-1)", ""),
        ("pagedown", "leaf(1)", ""),
        ("home", "edge(0)", ""),
        ("end", "edge(1)", ""),
        ("d", "discard", ""),
    ]

    DEFAULT_CSS = """
    PicturesScreen #body { layout: horizontal; }
    PicturesScreen #side { width: 28; height: 1fr; padding-left: 1; }
    PicturesScreen.-wide #side { width: 36; }
    PicturesScreen #leaves { height: 3; margin-bottom: 1; }
    PicturesScreen.-tall #leaves { height: 5; }
    PicturesScreen.-tall #leaves BigButton { height: 5; }
    """

    def __init__(
        self,
        pictures: Sequence[state.Instance],
        at: int,
        deliveries: Sequence[state.Delivery] = (),
        *,
        exam: str = "",
        of: state.Exam | None = None,
    ) -> None:
        """Of the current exam the pictures are followed as they come; of another one they are what is given. `of`:
        named beside the picture."""
        super().__init__()
        self._pictures = tuple(pictures)
        self._deliveries = tuple(deliveries)
        self._exam = exam
        self._of = of
        self._key = key_of(self._pictures[at]) if self._pictures else ""

    def compose_body(self) -> Iterable[Widget]:
        yield Large(id="large")
        with Vertical(id="side"):
            with Horizontal(id="leaves"):
                yield BigButton("◀", "screen.leaf(-1)", usable=self._has_before, id="before", classes="-first")
                yield BigButton("▶", "screen.leaf(1)", usable=self._has_after, id="after", classes="-first")
            yield PictureText()
            yield BigButton(N_("Discard"), "screen.discard", "d", usable=self._discardable, id="discard")

    def on_mount(self) -> None:
        super().on_mount()
        if self._exam and not self._deliveries:
            self.console.read(f"/v1/exams/{self._exam}", self)

    @on(StateWasRead)
    def _was_read(self, message: StateWasRead) -> None:
        message.stop()
        self._deliveries = tuple(msgspec.convert(message.value["deliveries"], list[state.Delivery]))
        self.draw()

    def show(self, view: View) -> None:
        if self._is_over(view.box):
            self.action_back()  # nothing here would say whose pictures they were
            return
        self._follow(view.box)
        at = self._at
        item = self._pictures[at] if self._pictures else None
        if self.is_mounted:
            text = self.query_one(PictureText)
            text.item, text.place, text.deliveries = item, (at + 1, len(self._pictures)), self._deliveries
            text.of = self._of
            self.query_one(Large).fill(item)
        super().show(view)

    def _is_over(self, box: BoxState) -> bool:
        """Whether they were of the exam under way, which the banner names, and it is so no more."""
        current = current_exam(box)
        return self._of is None and self.is_mounted and (current is None or current.id != self._exam)

    def _follow(self, box: BoxState) -> None:
        """A picture taken meanwhile stands at the end; one that was discarded is gone."""
        current = current_exam(box)
        if current is None or current.id != self._exam:
            return
        before = self._at
        self._pictures = box.pictures
        if self._pictures and all(key_of(item) != self._key for item in self._pictures):
            self._key = key_of(self._pictures[min(before, len(self._pictures) - 1)])

    @property
    def _at(self) -> int:
        return next((at for at, item in enumerate(self._pictures) if key_of(item) == self._key), 0)

    def _has_before(self, _box: BoxState) -> bool:
        return self._at > 0

    def _has_after(self, _box: BoxState) -> bool:
        return self._at < len(self._pictures) - 1

    def _discardable(self, box: BoxState) -> bool:
        """Only the last one: a press of the pedal may have been in vain, the others were looked at."""
        return bool(box.pictures) and key_of(box.pictures[-1]) == self._key

    def action_leaf(self, step: int) -> None:
        if self._pictures:
            at = max(0, min(self._at + step, len(self._pictures) - 1))
            self._key = key_of(self._pictures[at])
            self.draw()

    def action_edge(self, last: int) -> None:
        self.action_leaf(len(self._pictures) if last else -len(self._pictures))

    async def action_discard(self) -> None:
        """Asks why, as the button of the capture screen does."""
        view = self.console.view()
        if self._discardable(view.box):
            await self.app.run_action("app.discard")
        else:
            self.console.say(view.t("Only the last picture can be discarded."), view.t("It is kept and sent."))
