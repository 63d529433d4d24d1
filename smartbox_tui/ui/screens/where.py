"""Where an exam's pictures are: a row for each picture, a column for each archive, what has become of it there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
from textual import on
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui import queue_rows, reasons, words
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import ReadingFailed, StateWasRead
from smartbox_tui.ui.screens.delivery import DeliveryScreen
from smartbox_tui.ui.screens.listing import AskingScreen, ListScreen
from smartbox_tui.ui.state import NOTE, is_of, key_of
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.biglist import BigList, Row
from smartbox_tui.wire import state

COLUMN: Final = 17
"""Cells of an archive's column."""
_PICTURE: Final = 26
"""Cells that the picture's own words get at least."""
_URGENT: Final = (
    "blocked",
    "waiting",
    "sending",
    "preparing",
    "queued",
    "held",
    "stored",
    "committed",
    "cancelled",
)
_FRESH_S: Final = 0.5


class Line(NamedTuple):
    """A picture and its delivery to each archive, None where there is none."""

    number: int
    picture: state.Instance
    cells: tuple[state.Delivery | None, ...]

    @property
    def worst(self) -> state.Delivery | None:
        """The one that needs a hand first."""
        found = [item for item in self.cells if item is not None]
        order = {name: at for at, name in enumerate(_URGENT)}
        return min(found, key=lambda item: order.get(item.state, len(order)), default=None)


def lines(pictures: Sequence[state.Instance], deliveries: Iterable[state.Delivery]) -> tuple[list[str], list[Line]]:
    """The archives' names, and a line for each picture, oldest first. Of several deliveries of a picture to one
    archive the newest counts."""
    known: dict[str, dict[str, state.Delivery]] = {}
    by_uid = {item.sop_instance_uid: item for item in pictures}
    by_id = {item.id: item for item in pictures if item.id}
    for item in sorted(deliveries, key=lambda item: item.id):
        picture = by_id.get(item.instance) or by_uid.get(item.sop_instance_uid)
        if picture is not None and is_of(item, picture):
            known.setdefault(key_of(picture), {})[item.destination] = item
    names = sorted({name for row in known.values() for name in row})
    made = []
    for number, picture in enumerate(pictures, 1):
        row = known.get(key_of(picture), {})
        made.append(Line(number, picture, tuple(row.get(name) for name in names)))
    return names, made


class Heads(Shown):
    """Whose exam, how much of it is there, and the archives' names above their columns."""

    DEFAULT_CSS = "Heads { height: 2; padding: 0 1; background: $raised; color: $text; }"

    def __init__(self) -> None:
        super().__init__(id="heads")
        self.exam: state.Exam | None = None
        self.names: list[str] = []
        self.total = 0
        self.there = 0
        self.first = 0
        self.scrolls = False

    def text(self, view: View, width: int, height: int) -> Content:
        t, exam = view.t, self.exam
        if exam is None:
            return Content("")
        who = " · ".join(
            part for part in (words.who(t, exam), words.born(t, exam.patient, view.now.date())) if part
        )
        count = t("{there} of {all} at every archive", there=t.number(self.there), all=t.number(self.total))
        good = self.total > 0 and self.there == self.total
        first = Content.assemble((who, "bold"), "   ", (count, "bold $good" if good else "$wait"))
        return Content("\n").join([first.truncate(max(1, width), ellipsis=True), self._columns(width)])

    def _columns(self, width: int) -> Content:
        shown = self.names[self.first : self.first + columns(width)]
        cells = "".join(f"{_cut(name):<{COLUMN}}" for name in shown)
        return Content.styled(f"{'':<{max(0, width - self.scrolls - COLUMN * len(shown))}}{cells}", "$hint")


def columns(width: int) -> int:
    """How many archives fit beside the picture."""
    return max(1, (width - _PICTURE) // COLUMN)


def _cut(text: str) -> str:
    return text if len(text) < COLUMN else text[: COLUMN - 2] + "…"


class WhereScreen(AskingScreen, ListScreen):
    """A touch opens the delivery that needs a hand; Left and Right go through the archives that do not fit."""

    BINDINGS = [
        ("home", "edge(False)", ""),
        ("end", "edge(True)", ""),
        ("left", "shift(-1)", ""),
        ("right", "shift(1)", ""),
        ("enter", "tap", ""),
        ("n", "next_trouble", ""),
    ]

    DEFAULT_CSS = """
    WhereScreen #lists { height: 1fr; }
    WhereScreen #pages { width: 10; height: 1fr; }
    WhereScreen #pages BigButton { height: 1fr; width: 10; }
    WhereScreen #left { width: 1fr; height: 1fr; }
    WhereScreen #more { display: none; }
    WhereScreen.-more #more { display: block; }
    """

    def __init__(
        self, exam: state.Exam, pictures: Sequence[state.Instance], deliveries: Sequence[state.Delivery]
    ) -> None:
        super().__init__()
        self._exam = exam
        self._names, self._lines = lines(pictures, deliveries)
        self._first = 0
        self._seen: object = None
        self._known: object = None
        self._due = False

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(id="lists"):
            with Vertical(id="left"):
                yield Heads()
                yield BigList(self._row, empty=lambda view: view.t("No pictures yet"), id="list")
            with Vertical(id="pages"):
                yield from self.page_buttons()

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        yield BigButton(N_("Next trouble"), "screen.next_trouble", "n", id="trouble")
        yield BigButton(N_("More archives"), "screen.shift(0)", "→", id="more")

    # ---- what is shown

    @property
    def _target(self) -> str:
        return f"/v1/exams/{self._exam.id}"

    def _ask(self) -> None:
        self._due = False
        super()._ask()

    @on(StateWasRead)
    def _was_read(self, message: StateWasRead) -> None:
        message.stop()
        self._exam = msgspec.convert(message.value["exam"], state.Exam)
        pictures = msgspec.convert(message.value["instances"], list[state.Instance])
        deliveries = msgspec.convert(message.value["deliveries"], list[state.Delivery])
        self._names, self._lines = lines([item for item in pictures if item.kind != NOTE], deliveries)
        self._put()

    @on(ReadingFailed)
    def _failed(self, message: ReadingFailed) -> None:
        self.console.tell_error(message.error)

    def show(self, view: View) -> None:
        if self.is_mounted:
            mine = [item for item in view.box.deliveries.values() if item.exam == self._exam.id]
            seen = (view.box.status.queue if view.box.status else None, [(item.id, item.state) for item in mine])
            if self._seen is not None and seen != self._seen and not self._due:
                self._due = True
                self.set_timer(_FRESH_S, self._ask, name="where-again")
            self._seen = seen
            wanted = [line for line in self._lines if not line.picture.discarded and line.worst is not None]
            heads = self.query_one(Heads)
            heads.exam, heads.names, heads.first, heads.total = self._exam, self._names, self._first, len(wanted)
            heads.there = sum(
                all(cell is not None and cell.state in ("stored", "committed") for cell in line.cells)
                for line in wanted
            )
            self.set_class(len(self._names) > self._room, "-more")
            self._list.fill(view, self._lines, _key)
            heads.scrolls = self._list.show_vertical_scrollbar
        super().show(view)

    @property
    def _room(self) -> int:
        return columns(max(1, self.query_one(Heads).content_size.width))

    def _row(self, view: View, line: Line, width: int) -> Row:
        """The picture and its state at each archive; below it why the worst of them is not there."""
        t, room = view.t, self._room
        told: list[Content | tuple[str, str]] = []
        for cell in line.cells[self._first : self._first + room]:
            if cell is None:
                told.append((f"{'–':<{COLUMN}}", "$dim"))
            else:
                word, style = queue_rows.condition(t, cell)
                if cell.state == "sending":
                    word = f"{queue_rows.GLYPH['sending']} {words.share(cell):.0%}"
                told.append((f"{_cut(word):<{COLUMN}}", style))
        worst = line.worst
        why = ""
        if worst is not None and worst.state not in ("stored", "committed"):
            said = reasons.reason(t, worst)
            why = f"{worst.destination}: {said}" if said and len(self._names) > 1 else said
        elif worst is not None:  # that it asks is said, that all is well is not
            why = queue_rows.promised(view, worst)
        if worst is None:
            why = t("discarded") if line.picture.discarded else t("Not yet to be sent.")
        what = f"{line.number:>3}  {words.KIND_GLYPH.get(line.picture.kind, '·')} "
        return Row(
            Content.assemble((what, "$dim"), words.picture(t, view.clock, line.picture)),
            Content.assemble(*told),
            Content(f"     {why}" if why else ""),
            bar={"blocked": "$red", "waiting": "$wait", "sending": "$calm"}.get(worst.state if worst else "", ""),
        )

    # ---- what can be done

    def action_shift(self, step: int) -> None:
        """By one archive; 0: by a screenful, from the last to the first again."""
        last = max(0, len(self._names) - self._room)
        if step:
            self._first = max(0, min(self._first + step, last))
        else:
            self._first = 0 if self._first >= last else min(self._first + self._room, last)
        self.draw()

    def action_next_trouble(self) -> None:
        """The next picture that needs a hand, from the top again after the last."""
        here = self._list.cursor
        found = [at for at, line in enumerate(self._lines) if line.worst and line.worst.state in _URGENT[:2]]
        if not found:
            t = self.console.view().t
            self.console.say(t("Nothing is blocked or waiting."), t("What is queued goes out by itself."))
            return
        after = next((at for at in found if at > here), found[0])
        self._list.move(after - here)

    @on(BigList.Tapped)
    def _tapped(self, message: BigList.Tapped) -> None:
        message.stop()
        worst = message.entry.worst
        if worst is None:
            t = self.console.view().t
            self.console.say(t("Not yet to be sent."))
        else:
            self.app.push_screen(DeliveryScreen(worst))


def _key(line: Line) -> str:
    return key_of(line.picture)
