"""The exams: of today, those that are open, those that wait for a name; and the way to each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from textual import on
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui import words
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import ReadingFailed, StateWasRead, new_id
from smartbox_tui.ui.purpose import NEW, Purpose
from smartbox_tui.ui.screens.conflict import OpensExam, side_of
from smartbox_tui.ui.screens.exam import ExamScreen
from smartbox_tui.ui.sentences import sentence
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.biglist import BigList, Row
from smartbox_tui.ui.widgets.whose import WhoseLine
from smartbox_tui.wire import commands, state

TABS: Final = {"today": N_("Today"), "open": N_("Open"), "unassigned": N_("Without a name"), "all": N_("All")}
_BAR: Final = {"open": "$calm", "appended": "$calm", "unassigned": "$wait", "suspended": "$wait"}
_STATE: Final = {
    "open": "bold $calm",
    "appended": "bold $calm",
    "unassigned": "bold $wait",
    "suspended": "bold $wait",
}
_FRESH_S: Final = 1.0
"""Facts that come within it are one reading."""


def exam_row(view: View, entry: tuple[state.Exam, dict[str, int]], width: int) -> Row:
    """Time, patient and state; birth date, ID, pictures and what became of them."""
    exam, counts = entry
    t, patient = view.t, exam.patient
    opened = words.when(exam.opened_at)
    at = ""
    if opened is not None:
        local = view.clock.local(opened)
        at = t.clock(local) if local.date() == view.now.date() else t.date(local.date())
    known = [words.born(t, patient, view.now.date()), t("ID {id}", id=patient.id) if patient.id else ""]
    known += [exam.procedure, t.n("{count} picture", "{count} pictures", exam.instances)]
    by_hand = counts.get("held", 0) if exam.state == "closed" else 0  # what is held then waits for Send
    what, style = words.delivered(t, counts, under_way=exam.state in ("open", "appended"), by_hand=by_hand)
    if exam.held:
        what, style = "■ " + t("held back"), "$wait"
    if exam.merged_into:
        what, style = t("moved to another exam"), "$dim"
    elif not patient.id and exam.instances:
        what, style = t("waits for a name"), "bold $wait"
    return Row(
        Content.assemble((f"{at}  ", "$dim"), (words.who(t, exam), "bold")),
        Content.styled(t(words.EXAM.get(exam.state, exam.state)), _STATE.get(exam.state, "$dim")),
        Content.styled(" · ".join(part for part in known if part), ""),
        Content.styled(what, style),
        "bold $red" if exam.emergency is not None else _BAR.get(exam.state, ""),
    )


class ExamsScreen(OpensExam):
    """A touch opens the exam; with a purpose it is the one that the pictures go to."""

    BINDINGS = [
        ("escape", "back", ""),
        ("1", "tab('today')", ""),
        ("2", "tab('open')", ""),
        ("3", "tab('unassigned')", ""),
        ("4", "tab('all')", ""),
        ("up", "move(-1)", ""),
        ("down", "move(1)", ""),
        ("pageup", "page(-1)", ""),
        ("pagedown", "page(1)", ""),
        ("enter", "tap", ""),
    ]
    AUTO_FOCUS = "#list"

    DEFAULT_CSS = """
    ExamsScreen #tabs { height: 3; }
    ExamsScreen #tabs BigButton { width: 1fr; margin-right: 1; }
    ExamsScreen #lists { height: 1fr; }
    ExamsScreen #pages { width: 10; height: 1fr; }
    ExamsScreen #pages BigButton { height: 1fr; width: 10; }
    """

    def __init__(self, tab: str = "today", purpose: Purpose = NEW) -> None:
        super().__init__(purpose)
        self._tab = tab
        self._found: list[tuple[state.Exam, dict[str, int]]] = []
        self._said = N_("One moment …")
        self._asked_s = 0.0
        self._seen: object = None

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(id="tabs"):
            for key, (name, label) in enumerate(TABS.items(), 1):
                yield BigButton(label, f"screen.tab('{name}')", str(key), id=f"tab-{name}")
        yield WhoseLine(self.purpose)
        with Horizontal(id="lists"):
            yield BigList(exam_row, empty=lambda view: view.t(self._said), id="list")
            with Vertical(id="pages"):
                yield BigButton("▲", "screen.page(-1)", id="page-up")
                yield BigButton("▼", "screen.page(1)", id="page-down")

    @property
    def _list(self) -> BigList:
        return self.query_one("#list", BigList)

    def on_mount(self) -> None:
        super().on_mount()
        self.action_tab(self._tab)

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self.is_mounted:
            self._ask()

    def action_tab(self, name: str) -> None:
        self._tab = name
        for each in TABS:
            self.query_one(f"#tab-{each}").set_class(each == name, "-on")
        self._found, self._said = [], N_("One moment …")
        self._fill(self.console.view())
        self._ask()

    def _target(self) -> str:
        day = self.console.view().now.date().isoformat()
        targets = {"today": f"?date={day}", "open": "?open=1", "unassigned": "?unassigned=1"}
        return "/v1/exams" + targets.get(self._tab, "")

    def _ask(self) -> None:
        self._asked_s = self.console.view().now_s
        self.console.read(self._target(), self)

    @on(StateWasRead)
    def _was_read(self, message: StateWasRead) -> None:
        message.stop()
        if message.target != self._target():
            return  # of the tab before
        exams = msgspec.convert(message.value["exams"], list[state.Exam])
        counts = message.value.get("deliveries") or {}
        self.console.remember_exams(exams)
        if self.purpose.exam is not None:  # not into itself, not into what belongs to another, not to nobody
            exams = [exam for exam in exams if exam.id != self.purpose.exam and exam.patient.id]
            exams = [exam for exam in exams if not exam.merged_into]
        self._found = [(exam, counts.get(exam.id) or {}) for exam in exams]
        self._said = N_("There is none.")
        self._fill(self.console.view())

    @on(ReadingFailed)
    def _failed(self, message: ReadingFailed) -> None:
        if message.target != self._target():
            return  # of the tab before
        self._said = sentence(self.console.view().t, message.error.code)[0]
        self._fill(self.console.view())

    def show(self, view: View) -> None:
        super().show(view)
        box = view.box
        seen = (box.exam, len(box.pictures), box.status.queue if box.status else None, view.t.language)
        if self.is_mounted and self._seen is not None and seen != self._seen:
            self._list.fill(view, self._found, _key)
            if view.now_s - self._asked_s >= _FRESH_S:
                self._ask()
        self._seen = seen

    def _fill(self, view: View) -> None:
        self._list.fill(view, self._found, _key)

    def action_move(self, step: int) -> None:
        self._list.move(step)

    def action_page(self, step: int) -> None:
        self._list.page(step)

    def action_tap(self) -> None:
        self._list.tap(by_key=True)

    @on(BigList.Tapped)
    def _tapped(self, message: BigList.Tapped) -> None:
        message.stop()
        exam, counts = message.entry
        if self.purpose.exam is None:
            self.app.push_screen(ExamScreen(exam, counts))
        else:
            self.open(commands.ExamReassign(id=new_id(), exam=self.purpose.exam, to_exam=exam.id), side_of(exam))


def _key(entry: Any) -> str:
    return str(entry[0].id)
