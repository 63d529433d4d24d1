"""The worklist: whom is it for? A touch selects, a second one on the large button opens the exam."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from textual import events, on
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from smartbox_tui.ui import codes
from smartbox_tui.ui.asking import query_for
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import CommandWasAnswered, CommandWasRefused, new_id
from smartbox_tui.ui.people import Entry, People, select
from smartbox_tui.ui.purpose import NEW, Purpose
from smartbox_tui.ui.screens.conflict import OpensExam
from smartbox_tui.ui.screens.patient import PatientScreen
from smartbox_tui.ui.screens.reassign import Side
from smartbox_tui.ui.state import Process
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.age_line import AgeLine
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.biglist import BigList
from smartbox_tui.ui.widgets.field import Entry as Field
from smartbox_tui.ui.widgets.person import ChosenText, row
from smartbox_tui.ui.widgets.whose import WhoseLine
from smartbox_tui.wire import commands

_HELD_S: Final = 0.12
"""Enter again sooner than that is a key held down: it selects, it does not open as well."""


class WorklistScreen(OpensExam):
    """The filter has the focus: whatever is typed looks for somebody. Arrows and Enter work the list."""

    BINDINGS = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("enter", "enter", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("f2", "type", show=False),
        Binding("f5", "refresh", show=False),
        Binding("f6", "sort", show=False),
        Binding("f7", "days", show=False),
        Binding("f8", "station", show=False),
        Binding("f9", "server", show=False),
    ]
    AUTO_FOCUS = "#filter"

    DEFAULT_CSS = """
    WorklistScreen #tools { height: 3; }
    WorklistScreen #tools BigButton { width: auto; min-width: 12; padding: 0 1; margin-left: 1; }
    WorklistScreen.-narrow #tools BigButton { padding: 0; }
    WorklistScreen #filter { width: 1fr; }
    WorklistScreen #lists { height: 1fr; }
    WorklistScreen #pages { width: 10; height: 1fr; }
    WorklistScreen #pages BigButton { height: 1fr; width: 10; }
    WorklistScreen #chosen { height: 5; display: none; }
    WorklistScreen.-chosen #chosen { display: block; }
    WorklistScreen #chosen BigButton { width: 26; height: 5; }
    WorklistScreen.-wide #chosen BigButton { width: 36; }
    WorklistScreen.-low.-keyboard #age { display: none; }
    WorklistScreen.-low.-keyboard WhoseLine { display: none; }
    WorklistScreen.-low.-keyboard #chosen { display: none; }
    WorklistScreen.-low.-keyboard #pages { display: none; }
    """

    def __init__(self, purpose: Purpose = NEW) -> None:
        super().__init__(purpose)
        self.shown: list[Entry] = []
        self._by_name = False
        self._all_days = False
        self._our_station = False
        self._chosen: Entry | None = None
        self._found: People | None = None
        self._query = ""
        self._code = ""
        self._enter_s = 0.0
        self._filled: tuple[Any, ...] = ()
        self._ready = False
        self._when_ready: Callable[[], None] | None = None

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(id="tools"):
            yield Field(purpose="name", key="family", id="filter")
            yield BigButton(self._sort_label, "screen.sort", "F6", id="sort")
            yield BigButton(self._days_label, "screen.days", "F7", id="days")
            yield BigButton(self._station_label, "screen.station", "F8", id="station")
        yield WhoseLine(self.purpose)
        yield AgeLine(self)
        with Horizontal(id="lists"):
            items = BigList(row, empty=self._empty, id="list")
            items.can_focus = False  # what is typed goes to the filter, always
            yield items
            with Vertical(id="pages"):
                yield BigButton("▲", "screen.page(-1)", id="page-up")
                yield BigButton("▼", "screen.page(1)", id="page-down")
        with Horizontal(id="chosen"):
            yield ChosenText()
            yield BigButton(
                self._open_label, "screen.accept", N_("Enter"), needs=Process.ENGINE, id="open", classes="-on"
            )

    def compose_nav(self) -> Iterable[Widget]:
        yield BigButton(N_("◀ Back"), "screen.leave", "Esc", id="back")
        if self.purpose.exam is None:
            yield BigButton(N_("Type patient"), "screen.type", "F2", id="type")
        else:
            yield BigButton(N_("Other …"), "screen.other", "F2", id="other")
        yield BigButton(self._refresh_label, "screen.refresh", "F5", needs=Process.ENGINE, id="refresh")
        yield BigButton(N_("Ask server"), "screen.server", "F9", needs=Process.ENGINE, id="server")

    # ---- what is shown

    @property
    def _list(self) -> BigList:
        return self.query_one("#list", BigList)

    @property
    def _filter(self) -> Input:
        return self.query_one("#filter", Input)

    @property
    def asking(self) -> bool:
        """Whether the server is being asked by this screen."""
        return bool(self._query)

    def people(self, view: View) -> People:
        """What the server answered to a search, or the list."""
        return self._found or view.people

    def heard(self, people: People) -> None:
        """From the app: a list, or the answer to what was searched for."""
        if people.asked:
            self._found = people
            if self._code:
                self._code_was_heard(people)
        self._fill()

    def on_mount(self) -> None:
        super().on_mount()
        self._fill()
        self._ready = True
        if self._when_ready is not None:
            self._when_ready()

    def show(self, view: View) -> None:
        if self.query("#filter"):
            self._filter.placeholder = view.t("Name, ID, order …")
            self._fill(view)
        super().show(view)

    def _fill(self, view: View | None = None) -> None:
        view = view or self.console.view()
        people = self.people(view)
        settings = view.settings
        station = settings.worklist.station_aet or settings.aet
        day = None if self._all_days or people.asked else view.now.date()
        wanted = (
            people.entries, self._filter.value, self._by_name, day, self._our_station, view.t.language,
            view.now.date(),
        )  # fmt: skip
        before, self._filled = self._filled, wanted
        if len(before) == len(wanted) and before[0] is wanted[0] and before[1:] == wanted[1:]:
            return
        self.shown = select(
            people.entries,
            self._filter.value,
            by_name=self._by_name,
            day=day,
            station=station if self._our_station else "",
        )
        self._list.fill(view, self.shown, _key)
        self.query_one(AgeLine).show(view)

    def _empty(self, view: View) -> str:
        t, people = view.t, self.people(view)
        if not people.entries:
            return t("Nobody is on the list.")
        hidden = len(select(people.entries, self._filter.value))
        if hidden:
            return t.n(
                "{count} on other days or in other rooms.", "{count} on other days or in other rooms.", hidden
            )
        return t("Nobody fits. Ask the server, or type the patient.")

    def _sort_label(self, view: View) -> str:
        return view.t("by name") if self._by_name else view.t("by time")

    def _days_label(self, view: View) -> str:
        return view.t("All days") if self._all_days else view.t("Today")

    def _station_label(self, view: View) -> str:
        return view.t("This room") if self._our_station else view.t("All rooms")

    def _refresh_label(self, view: View) -> str:
        if self._query:
            return view.t("Stop asking")
        return view.t("The list") if self._found is not None else view.t("Refresh")

    def _open_label(self, view: View) -> str:
        return view.t("✓ Open exam") if self.purpose.exam is None else view.t("✓ This patient")

    # ---- choosing

    @on(Input.Changed, "#filter")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._choose(None)
        self._list.cursor = 0
        self._fill()

    @on(BigList.Tapped)
    def _tapped(self, message: BigList.Tapped) -> None:
        message.stop()
        self._choose(message.entry)

    def _choose(self, entry: Entry | None) -> None:
        self._chosen = entry
        self.set_class(entry is not None, "-chosen")
        text = self.query_one(ChosenText)
        text.entry = entry
        text.show(self.console.view())
        self._list.choose(_key(entry) if entry is not None else "")
        self.call_after_refresh(self._list.move, 0)  # the list is shorter now: the entry stays in sight

    def point_at(self, entry: str) -> None:
        """Puts the cursor on that one, whatever filters stand; the choice is the operator's."""
        if not self._ready:
            self._when_ready = lambda: self.point_at(entry)
            return
        self._all_days, self._our_station = True, False
        with self.prevent(Input.Changed):
            self._filter.value = ""
        self._again()
        at = next((at for at, each in enumerate(self.shown) if each.item.id == entry), 0)
        self._list.move(at - self._list.cursor)

    def action_enter(self) -> None:
        """Selects; once more opens. A button that has the focus is pressed by it."""
        self.after_typing(self._enter, time.monotonic())

    def _enter(self, now: float) -> None:
        before, self._enter_s = self._enter_s, now
        focused = self.focused
        if isinstance(focused, BigButton):
            self.call_next(focused.action_press)
        elif self._chosen is None:
            self._list.tap(by_key=True)
        elif now - before >= _HELD_S:
            self.action_accept()

    def action_accept(self) -> None:
        """The exam is opened for the entry in the banner, or the pictures get it."""
        if (entry := self._chosen) is None:
            return
        item = entry.item
        side = Side(item.patient, item.procedure, item.accession_number, at=item.scheduled_at)
        self.open(self.purpose.command(worklist=item.id), side)

    def action_move(self, step: int) -> None:
        self.after_typing(self._move, step)

    def _move(self, step: int) -> None:
        if self._chosen is not None:
            self._choose(None)
        self._list.move(step)

    def action_page(self, step: int) -> None:
        self.after_typing(self._list.page, step)

    def action_leave(self) -> None:
        """One step back: the selection, then the filter, then the screen."""
        self.in_turn(self._leave)  # it empties the filter: of what stands there now, not of what comes then

    def _leave(self) -> None:
        if self._chosen is not None:
            self._choose(None)
        elif self._filter.value:
            self._filter.value = ""
        else:
            self.call_later(self.action_back)  # not in the field, which goes with the screen

    def on_key(self, event: events.Key) -> None:
        """Whatever is typed looks for somebody, also when a button had the focus: then it comes here."""
        if event.character and event.is_printable:
            event.stop()
            event.prevent_default()
            self._filter.focus()
            self._filter.insert_text_at_cursor(event.character)

    # ---- how it is shown

    def _again(self) -> None:
        self._list.cursor = 0
        self._fill()
        self.draw()

    def action_sort(self) -> None:
        self._by_name = not self._by_name
        self._again()

    def action_days(self) -> None:
        self._all_days = not self._all_days
        self._again()

    def action_station(self) -> None:
        self._our_station = not self._our_station
        self._again()

    # ---- other ways

    def action_type(self) -> None:
        if self.purpose.exam is not None:
            self.action_other()
        else:
            self.app.push_screen(PatientScreen(self.purpose))

    def action_other(self) -> None:
        self.console.choose_other(self.purpose)

    # ---- the server

    def action_refresh(self) -> None:
        """Asks anew; while asking, stops; after a search, back to the list."""
        if self._query:
            self.console.order(commands.WorklistCancel(id=new_id(), query=self._query), self)
        elif self._found is not None:
            self._found = None
            self._again()
        else:
            self._ask(commands.WorklistQuery(id=new_id()))

    def action_server(self) -> None:
        """What stands in the filter, on the server and on any day."""
        text = self._filter.value.strip()
        t = self.console.view().t
        if not text:
            self.console.say(t("Type a name or a number first."), t("The server is asked for that."))
        else:
            self._ask(query_for(text))

    def _ask(self, command: commands.WorklistQuery) -> None:
        if self._query:
            return
        self._query = command.id
        self._choose(None)
        self.console.order(command, self)
        self.draw()

    @on(CommandWasAnswered)
    @on(CommandWasRefused)
    def _over(self, message: CommandWasAnswered | CommandWasRefused) -> None:
        if message.command.id == self._query:
            self._query = ""
            self.draw()

    # ---- codes

    def take_code(self, code: str) -> None:
        """One entry is selected, several are listed, none: the server is asked, then the form has the ID."""
        if not self._ready:
            self._when_ready = lambda: self.take_code(code)
            return
        view = self.console.view()
        self._found, self._code = None, ""
        if not self._take(view.people, code):
            self._code = code
            self._ask(commands.WorklistQuery(id=new_id(), date="any", patient_id=code))

    def _take(self, people: People, code: str) -> bool:
        matches = {item.id for item in codes.matching((entry.item for entry in people.entries), code)}
        if not matches:
            return False
        self._all_days, self._our_station = True, False
        # one event of the field later: it would take the selection back
        with self.prevent(Input.Changed):
            self._filter.value = code if len(matches) > 1 else ""
        self._choose(None)
        self._again()
        if len(matches) == 1:
            self._choose(next((entry for entry in self.shown if entry.item.id in matches), None))
        return True

    def _code_was_heard(self, people: People) -> None:
        code, self._code = self._code, ""
        if not self._take(people, code):
            self._found = None
            self.console.type_patient(code, self.purpose)


def _key(entry: Any) -> str:
    return str(entry.item.id)
