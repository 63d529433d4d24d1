"""The queue: every delivery in the order in which it goes out, with its reason in words. Only the rows in sight are
asked for, however long it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec
from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from smartbox_tui.ui import queue_rows
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import ReadingFailed, StateWasRead, new_id
from smartbox_tui.ui.pages import PAGE_ROWS, Missing, Paged
from smartbox_tui.ui.queue_rows import FILTERS
from smartbox_tui.ui.rates import Rates
from smartbox_tui.ui.screens.archives import ArchivesScreen
from smartbox_tui.ui.screens.choice import ChoiceScreen, Option
from smartbox_tui.ui.screens.delivery import DeliveryScreen, RowActions
from smartbox_tui.ui.sentences import sentence
from smartbox_tui.ui.state import Process, sending
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.big_button import BigButton, Label
from smartbox_tui.ui.widgets.biglist import BigList, Row
from smartbox_tui.wire import commands, state

_FRESH_S: Final = 0.5
"""Changes that come within it are one reading."""


class QueueScreen(RowActions):
    """A touch opens a delivery; the keys work on the one under the cursor."""

    BINDINGS = [
        ("1", "filter('open')", ""),
        ("2", "filter('blocked')", ""),
        ("3", "filter('sent')", ""),
        ("4", "filter('all')", ""),
        ("5", "next_archive", ""),
        ("home,ctrl+home", "edge(False)", ""),
        ("end,ctrl+end", "edge(True)", ""),
        ("enter", "tap", ""),
        ("g", "retry_all", ""),
        ("z", "archives", ""),
    ]

    DEFAULT_CSS = """
    QueueScreen #filters { height: 3; }
    QueueScreen #filters BigButton { width: auto; min-width: 12; padding: 0 1; margin-right: 1; }
    QueueScreen #lists { height: 1fr; }
    QueueScreen #pages { width: 10; height: 1fr; }
    QueueScreen #pages BigButton { height: 1fr; width: 10; }
    QueueScreen.-narrow #archive { display: none; }
    QueueScreen.-narrow.-one-archive #archive { display: block; min-width: 10; padding: 0; width: 1fr; }
    QueueScreen.-narrow.-one-archive #filters BigButton { min-width: 10; margin-right: 0; padding: 0; }
    """

    def __init__(self, destination: str = "", chosen: str = "open") -> None:
        super().__init__()
        self._filter, self._destination = chosen, destination
        self._rows = Paged(lambda row: str(row.id))
        self._counts: Mapping[str, Mapping[str, int]] | None = None
        self._patients: dict[str, dict[str, Any]] = {}
        self._known: dict[int, state.Delivery] = {}
        self._rates = Rates()
        self._said = N_("One moment …")
        self._seen: object = None
        self._asked_s = -_FRESH_S
        self._due = False

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(id="filters"):
            for key, name in enumerate(FILTERS, 1):
                yield BigButton(self._filter_label(name), f"screen.filter('{name}')", str(key), id=f"filter-{name}")
            yield BigButton(self._archive_label, "screen.next_archive", "5", id="archive")
        with Horizontal(id="lists"):
            yield BigList(self._row, empty=lambda view: view.t(self._said), id="list")
            with Vertical(id="pages"):
                yield from self.page_buttons()

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        engine = Process.ENGINE
        yield BigButton(self.retry_label, "screen.retry", "t", needs=engine, id="retry")
        yield BigButton(N_("All again"), "screen.retry_all", "g", needs=engine, id="retry-all")
        yield BigButton(N_("Archives"), "screen.archives", "z", id="archives")

    def on_mount(self) -> None:
        super().on_mount()
        self._begin()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self.is_mounted:
            self._outdate()

    # ---- what is shown

    def _row(self, view: View, entry: Any, width: int) -> Row:
        if isinstance(entry, Missing):
            self.call_next(self._look)
            return queue_rows.empty_row(view, entry.at)
        rate = self._rates.of(entry.id, view.now_s)
        return queue_rows.row(view, entry, width, self._patients.get(entry.exam), rate)

    def _begin(self) -> None:
        """Another filter: the list begins at its top."""
        self._rows.clear()
        self._said = N_("One moment …")
        for each in FILTERS:
            self.query_one(f"#filter-{each}").set_class(each == self._filter, "-on")
        self.query_one("#archive").set_class(bool(self._destination), "-on")
        self.set_class(bool(self._destination), "-one-archive")
        self._fill(self.console.view())
        self._list.edge(False)
        self._list.scroll_to(y=0, animate=False, force=True)
        self._look()
        self.draw()

    def _target(self, page: int) -> str:
        states = ",".join(sorted(FILTERS[self._filter][1]))
        archive = f"&destination={quote(self._destination)}" if self._destination else ""
        return f"/v1/queue/page?state={states}{archive}&offset={page * PAGE_ROWS}&limit={PAGE_ROWS}"

    def _look(self) -> None:
        """Asks for what is in sight and not there yet."""
        for page in self._rows.wanted(*self._list.seen):
            self._asked_s = self.console.view().now_s
            self.console.read(self._target(page), self)

    def _outdate(self) -> None:
        """Something has changed: soon everything in sight is read again, once for all that comes meanwhile."""
        if self._due:
            return
        self._due = True
        wait = max(0.01, _FRESH_S - (self.console.view().now_s - self._asked_s))
        self.set_timer(wait, self._read_again, name="queue-again")

    def _read_again(self) -> None:
        self._due = False
        self._rows.outdate(*self._list.seen)
        self._look()

    @on(StateWasRead)
    def _was_read(self, message: StateWasRead) -> None:
        message.stop()
        value = message.value
        page = int(value["offset"]) // PAGE_ROWS
        if message.target != self._target(page):
            return  # of the filter before
        rows = msgspec.convert(value["deliveries"], list[state.Delivery])
        self._counts, self._said = value["counts"], N_("Nothing here.")
        if len(self._patients) > 2000:
            self._patients.clear()
        self._patients |= value.get("patients") or {}
        self._rows.take(page, rows, int(value["total"]))
        view = self.console.view()
        self._fill(view)
        self._look()  # what changed while it was on its way
        for button in self.query("#filters BigButton").results(BigButton):
            button.show(view)

    @on(ReadingFailed)
    def _failed(self, message: ReadingFailed) -> None:
        offset = message.target.rpartition("offset=")[2].partition("&")[0]
        self._rows.failed(int(offset) // PAGE_ROWS)
        if not len(self._rows):
            self._said = sentence(self.console.view().t, message.error.code)[0]
            self._fill(self.console.view())

    def show(self, view: View) -> None:
        super().show(view)
        if not self.is_mounted:
            return
        self._rates.hear(sending(view.box), view.now_s)
        moved = False
        for identity, item in view.box.deliveries.items():
            if self._known.get(identity) is item:
                continue
            before = self._rows.replace(item)
            moved = moved or before is None or queue_rows.place(before) != queue_rows.place(item)
        self._known = view.box.deliveries
        seen = (view.box.engine, view.box.status.queue if view.box.status else None)
        if self._seen is not None and (moved or seen != self._seen):
            self._outdate()
        self._seen = seen
        self._fill(view)

    def _fill(self, view: View) -> None:
        self._list.fill(view, self._rows, self._rows.key_of)

    @on(BigList.Pointed)
    def _pointed_at(self, message: BigList.Pointed) -> None:
        message.stop()
        self.query_one("#retry", BigButton).show(self.console.view())

    @property
    def pointed(self) -> state.Delivery | None:
        entry = self._list.pointed
        return entry if isinstance(entry, state.Delivery) else None

    # ---- labels

    def _filter_label(self, name: str) -> Label:
        def label(view: View) -> str:
            word, states = FILTERS[name]
            if self._counts is None:
                queue = view.box.status.queue if view.box.status else {}
                count = sum(int(queue.get(each) or 0) for each in states)
            else:
                named = [self._destination] if self._destination else list(self._counts)
                count = sum(self._counts.get(each, {}).get(one, 0) for each in named for one in states)
            return f"{view.t(word)} {queue_rows.short(view.t, count)}"

        return label

    def _archive_label(self, view: View) -> str:
        return self._destination or view.t("All archives")

    # ---- moving

    def action_filter(self, name: str) -> None:
        self._filter = name
        self._begin()

    def action_next_archive(self) -> None:
        """All, then one archive after the other."""
        status = self.console.view().box.status
        names = [item.name for item in status.destinations] if status else []
        names += sorted(set(self._counts or ()) - set(names))  # those that were removed and still have rows
        order = ["", *names]
        at = order.index(self._destination) if self._destination in order else 0
        self.choose_archive(order[(at + 1) % len(order)])

    def choose_archive(self, name: str) -> None:
        """Only what goes to this one; empty: to all."""
        self._destination = name
        self._begin()

    def action_archives(self) -> None:
        self.app.push_screen(ArchivesScreen(self.choose_archive))

    @on(BigList.Tapped)
    def _tapped(self, message: BigList.Tapped) -> None:
        message.stop()
        if isinstance(message.entry, state.Delivery):
            self.app.push_screen(DeliveryScreen(message.entry))

    # ---- many at once

    def action_retry_all(self) -> None:
        """Asks first: it may be thousands."""
        name = self._destination
        counts = self._counts or {}
        named = [name] if name else list(counts)
        count = sum(counts.get(each, {}).get(one, 0) for each in named for one in ("blocked", "waiting"))
        t = self.console.view().t
        if not count:
            self.console.say(t("Nothing is blocked or waiting."), t("What is queued goes out by itself."))
            return

        def headline(view: View) -> str:
            return view.t.n("Send {count} picture again?", "Send {count} pictures again?", count)

        def detail(view: View) -> str:
            where = name or view.t("All archives")
            return f"{where}. " + view.t("What an archive refused before, it may refuse again.")

        def again(_value: str) -> None:
            self.console.order(
                commands.QueueChange(id=new_id(), action="retry", all=not name, destination=name or None), self
            )

        option = Option("again", N_("Yes, send again"), "Enter")
        self.app.push_screen(ChoiceScreen(headline, detail, (option,), again, enter="again"))
