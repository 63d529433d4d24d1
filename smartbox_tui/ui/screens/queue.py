"""The queue screen: every delivery with its state and the reason in words; retry, first, pause, cancel."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Final

from rich.text import Text
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable

from smartbox_tui.model.delivery import MAKING, NOTHING, OFFERED, PIXELS, TAKES
from smartbox_tui.ui import words
from smartbox_tui.ui.i18n import N_, Texts
from smartbox_tui.ui.link import new_id
from smartbox_tui.ui.screens.base import BoxScreen
from smartbox_tui.ui.screens.choice import ChoiceScreen, Option
from smartbox_tui.ui.sentences import sentence
from smartbox_tui.ui.state import Process
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.ui.widgets.big_button import BigButton, Label
from smartbox_tui.wire import commands, state

FILTERS: Final[dict[str, tuple[str, frozenset[str]]]] = {
    "open": (N_("Open"), frozenset({"held", "queued", "preparing", "sending", "waiting", "blocked"})),
    "blocked": (N_("Blocked"), frozenset({"blocked"})),
    "sent": (N_("Sent"), frozenset({"stored", "committed"})),
    "all": (N_("All"), frozenset(words.DELIVERY)),
}
_ORDER: Final = {
    name: at for at, name in enumerate(("blocked", "sending", "preparing", "waiting", "queued", "held"))
}
_COLOUR: Final = {
    "blocked": "red",
    "waiting": "wait",
    "stored": "good",
    "committed": "good",
    "sending": "calm",
}


HELD: Final = {
    "exam-open": N_("Goes out when the exam is closed or released."),
    "no-patient": N_("No patient is assigned: it stays on the box."),
    "manual": N_("Is sent by hand: release it."),
}
"""Why a row is held, by its code."""
DETAIL_LINES: Final = 5
NOTHING_TAKEN: Final = N_("nothing that the box makes")
QUEUED: Final = {"clock": N_("The clock is not yet sure.")}
"""What a queued row waits for, by its code."""


def rows(view: View, chosen: str) -> list[state.Delivery]:
    """The filter's deliveries: what needs a hand first, then the newest."""
    wanted = FILTERS[chosen][1]
    found = [item for item in view.box.deliveries.values() if item.state in wanted]
    return sorted(found, key=lambda item: (_ORDER.get(item.state, len(_ORDER)), -item.id))


def reason(t: Texts, item: state.Delivery) -> str:
    """Why it is where it is: by code, with the archive's own words after it."""
    if item.state == "held":
        return t(HELD.get(item.code, HELD["exam-open"]))
    if item.state == "queued" and item.code in QUEUED:
        return t(QUEUED[item.code])
    if item.reason.startswith(MAKING):
        what = item.reason.removeprefix(MAKING)
        return t("Is made ready: {what}", what=t("single pixels") if what == PIXELS else what)
    what = sentence(t, item.code)[0] if item.code else ""
    said = _refused(t, item.reason) if item.code == "no-context" else ""
    return " · ".join(part for part in (what, said or item.reason) if part and part != item.code)


def _refused(t: Texts, text: str) -> str:
    """What an archive takes instead of what it was offered; empty for another reason."""
    offered, between, rest = text.partition(OFFERED)[2].partition(TAKES)
    if not between:
        return ""
    takes, _, more = rest.partition(". ")  # a point within a name has no space behind it
    takes = takes.removesuffix(".")
    shown = t(NOTHING_TAKEN) if takes == NOTHING else takes
    found = t("It takes: {takes}. It was offered: {offered}.", takes=shown, offered=offered)
    return f"{found} {more}".strip()


class Detail(Shown):
    """The row under the cursor, its reason in full and what to do."""

    DEFAULT_CSS = (
        "Detail { height: auto; min-height: 2; max-height: 6; padding: 0 1; background: $raised; color: $text; }"
    )

    def __init__(self) -> None:
        super().__init__(id="detail")
        self.item: state.Delivery | None = None

    def point(self, item: state.Delivery | None) -> None:
        """The delivery to explain."""
        self.item = item
        self._draw()

    def text(self, view: View, width: int, height: int) -> Content:
        item, t = self.item, view.t
        if item is None:
            return Content.styled(t("Nothing here."), "$dim")
        hint = sentence(t, item.code)[1] if item.code else ""
        why = reason(t, item) or t(words.DELIVERY.get(item.state, item.state))
        lines = [Content(line) for line in textwrap.wrap(f"#{item.id} {why}", max(width, 20))[:DETAIL_LINES]]
        due = words.when(item.next_attempt_at)
        if due is not None:
            again = t("Next attempt {time}", time=t.clock(view.clock.local(due), seconds=True))
            hint = f"{again}. {hint}"
        return Content("\n").join([*lines, Content.styled(hint, "$dim")])


class QueueScreen(BoxScreen):
    """Buttons and keys work on the row under the cursor."""

    BINDINGS = [
        ("escape", "back", ""),
        ("t", "retry", ""),
        ("f", "change('prioritise')", ""),
        ("a", "pause", ""),
        ("x", "cancel", ""),
        ("1", "filter('open')", ""),
        ("2", "filter('blocked')", ""),
        ("3", "filter('sent')", ""),
        ("4", "filter('all')", ""),
    ]
    AUTO_FOCUS = "DataTable"

    DEFAULT_CSS = """
    QueueScreen #filters { height: 3; padding: 0 0; }
    QueueScreen #filters BigButton { width: auto; min-width: 12; padding: 0 1; margin-right: 1; }
    QueueScreen DataTable { height: 1fr; }
    QueueScreen.-narrow #nav #back { width: 10; padding: 0; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._filter = "open"
        self._language = ""
        self._shown: list[state.Delivery] = []

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(id="filters"):
            for key, name in enumerate(FILTERS, 1):
                action = f"screen.filter('{name}')"
                yield BigButton(self._filter_label(name), action, str(key), id=f"filter-{name}")
        yield DataTable(id="table", cursor_type="row", zebra_stripes=False)
        yield Detail()

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        engine = Process.ENGINE
        yield BigButton(self._retry_label, "screen.retry", "t", needs=engine, id="retry")
        yield BigButton(N_("First"), "screen.change('prioritise')", "f", needs=engine, id="first")
        yield BigButton(self._pause_label, "screen.pause", "a", needs=engine, id="pause")
        yield BigButton(N_("Cancel"), "screen.cancel", "x", needs=engine, id="cancel")

    def on_mount(self) -> None:
        super().on_mount()
        self.action_filter(self._filter)

    def show(self, view: View) -> None:
        super().show(view)
        self._fill(view)

    # ---- the table

    def _fill(self, view: View) -> None:
        found = rows(view, self._filter)
        if found == self._shown and view.t.language == self._language:
            return
        table = self.query_one(DataTable)
        if view.t.language != self._language:
            table.clear(columns=True)
            for title, width in self._columns(view.t):
                table.add_column(title, width=width)
        pointed = self._pointed()
        self._shown, self._language = found, view.t.language
        table.clear()
        for item in found:
            table.add_row(*self._cells(view, item), key=str(item.id))
        at = next((index for index, item in enumerate(found) if pointed and item.id == pointed.id), 0)
        table.move_cursor(row=at, animate=False)
        self.query_one(Detail).point(self._pointed())

    def _columns(self, t: Texts) -> list[tuple[str, int]]:
        """Titles and widths; the reason takes what is left. On a narrow screen the detail line has the rest."""
        columns = [(t("No."), 5), (t("Kind"), 5), (t("State"), 13), (t("Archive"), 10), (t("Progress"), 10)]
        if self._wide:
            columns += [(t("Attempts"), 8), (t("Next"), 8)]
        used = sum(width + 2 for _title, width in columns)
        return [*columns, (t("Reason"), max(10, self.app.size.width - used - 2))]

    @property
    def _wide(self) -> bool:
        return self.app.size.width >= 100

    def _cells(self, view: View, item: state.Delivery) -> list[Text]:
        t = view.t
        variables = self.app.theme_variables
        word = t("paused") if item.paused else t(words.DELIVERY.get(item.state, item.state))
        colour = variables.get(_COLOUR.get(item.state, ""), "")
        kind = item.kind or next(
            (known.kind for known in view.box.pictures if known.sop_instance_uid == item.sop_instance_uid), ""
        )
        progress = Text(t.size(item.bytes) if item.bytes else "")
        if item.state == "sending":
            part = words.share(item)
            progress = Text.assemble((f"{words.bar(part, 5):<5}", colour), f" {part:4.0%}")
        cells = [
            Text(str(item.id)),
            Text(t(words.KIND.get(kind, kind))),
            Text(word, style=f"bold {colour}" if colour else ""),
            Text(item.destination),
            progress,
        ]
        if self._wide:
            due = words.when(item.next_attempt_at)
            cells.append(Text(t.number(item.attempts) if item.attempts else ""))
            cells.append(Text(t.clock(view.clock.local(due), seconds=True) if due else ""))
        return [*cells, Text(reason(t, item), overflow="ellipsis", no_wrap=True)]

    def _pointed(self) -> state.Delivery | None:
        row = self.query_one(DataTable).cursor_row
        return self._shown[row] if 0 <= row < len(self._shown) else None

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        self.query_one(Detail).point(self._pointed())
        for button in ("#pause", "#retry"):
            self.query_one(button, BigButton).show(self.console.view())

    # ---- labels

    def _filter_label(self, name: str) -> Label:
        def label(view: View) -> str:
            return f"{view.t(FILTERS[name][0])} {view.t.number(len(rows(view, name)))}"

        return label

    def _retry_label(self, view: View) -> str:
        item = self._pointed() if self.is_mounted else None
        return view.t("Release") if item is not None and item.state == "held" else view.t("Retry")

    def _pause_label(self, view: View) -> str:
        item = self._pointed() if self.is_mounted else None
        return view.t("Resume") if item is not None and item.paused else view.t("Pause")

    # ---- actions

    def action_filter(self, name: str) -> None:
        self._filter = name
        for each in FILTERS:
            self.query_one(f"#filter-{each}").set_class(each == name, "-on")
        self._fill(self.console.view())

    def action_change(self, action: str) -> None:
        """`action` of the contract, for the row under the cursor."""
        item = self._pointed()
        t = self.console.view().t
        if item is None:
            self.console.say(t("No row is chosen."), t("Choose one with the arrow keys or a finger."))
            return
        self.console.order(commands.QueueChange(id=new_id(), action=action, deliveries=[item.id]))

    def action_retry(self) -> None:
        """Now; a held one goes out with all the others of its exam."""
        item = self._pointed()
        if item is not None and item.state == "held":
            self.console.order(commands.ExamRelease(id=new_id(), exam=item.exam))
        else:
            self.action_change("retry")

    def action_pause(self) -> None:
        item = self._pointed()
        self.action_change("resume" if item is not None and item.paused else "pause")

    def action_cancel(self) -> None:
        """Asks first: a cancelled delivery never arrives."""
        if self._pointed() is None:
            self.action_change("cancel")
            return
        self.app.push_screen(
            ChoiceScreen(
                N_("Cancel this delivery?"),
                N_("The picture stays on the box, but does not go to this archive."),
                (Option("cancel", N_("Yes, cancel it"), "Enter", "-red"),),
                lambda _value: self.action_change("cancel"),
                enter="cancel",
            )
        )
