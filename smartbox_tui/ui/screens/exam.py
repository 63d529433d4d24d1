"""One exam: whose it is, its pictures, what became of them, and all that can be done with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from textual import on
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget

from smartbox_tui.ui import words
from smartbox_tui.ui.i18n import N_, Texts
from smartbox_tui.ui.link import (
    CommandWasAnswered,
    ReadingFailed,
    StateWasRead,
    new_id,
)
from smartbox_tui.ui.purpose import Purpose
from smartbox_tui.ui.screens.choice import ChoiceScreen, Option
from smartbox_tui.ui.screens.listing import AskingScreen
from smartbox_tui.ui.screens.pictures import PicturesScreen
from smartbox_tui.ui.screens.where import WhereScreen
from smartbox_tui.ui.state import NOTE, BoxState, Process, current_exam
from smartbox_tui.ui.view import Shown, View
from smartbox_tui.ui.widgets.big_button import BigButton
from smartbox_tui.ui.widgets.thumbs import Thumbs
from smartbox_tui.wire import commands, state

_CURRENT: Final = frozenset({"open", "unassigned", "appended"})
_SENT: Final = frozenset({"stored", "committed"})
_RANK: Final = ("bold $red", "bold $wait", "$wait", "$calm", "$dim")
"""Styles of words.delivered, what needs a hand first."""


def waiting_for_send(deliveries: Iterable[state.Delivery]) -> list[state.Delivery]:
    """Those that go out when somebody says so."""
    return [item for item in deliveries if item.state == "held" and item.code in ("manual", "exam-held")]


class ExamText(Shown):
    """Who, when, what, and the deliveries for each archive."""

    DEFAULT_CSS = """
    ExamText { height: 7; padding: 0 1; background: $raised; color: $text; border: round $key-line; }
    """

    def __init__(self) -> None:
        super().__init__(id="exam-text")
        self.exam: state.Exam | None = None
        self.deliveries: list[state.Delivery] = []
        self.counts: Mapping[str, int] = {}

    def text(self, view: View, width: int, height: int) -> Content:
        exam, t = self.exam, view.t
        if exam is None:
            return Content("")
        patient = exam.patient
        sex = t(words.SEX[patient.sex]) if patient.sex in words.SEX else ""
        known = [words.born(t, patient, view.now.date()), sex, t("ID {id}", id=patient.id) if patient.id else ""]
        order = t("Order {number}", number=exam.accession_number) if exam.accession_number else ""
        opened, closed = words.when(exam.opened_at), words.when(exam.closed_at)
        times = [
            t("from {time}", time=t.clock(view.clock.local(opened))) if opened else "",
            t("to {time}", time=t.clock(view.clock.local(closed))) if closed else "",
        ]
        day = t.date(view.clock.local(opened).date()) if opened else ""
        condition = t(words.EXAM.get(exam.state, exam.state))
        count = t.n("{count} picture", "{count} pictures", exam.instances)
        parts = [t("EXAM") if width >= 62 else "", day, " ".join(part for part in times if part), condition]
        headline = self._headline(t, parts)
        if closed and headline.cell_length > width:  # that it has an end says that it is closed
            headline = self._headline(t, parts[:-1])
        lines = [
            headline,
            Content.styled(words.who(t, exam), "bold"),
            Content(" · ".join(part for part in known if part)),
            Content(" · ".join(part for part in (exam.procedure, order) if part)),
            Content.assemble(count, "   ", *self._deliveries(view)),
        ]
        return Content("\n").join([line.truncate(max(1, width), ellipsis=True) for line in lines])

    def _headline(self, t: Texts, parts: Iterable[str]) -> Content:
        """That the times are those of a clock which was not set stands first: what comes last may be cut off."""
        unsure = self.exam is not None and self.exam.dates
        first = Content.styled(t("time not sure") + " · ", "$wait") if unsure else Content("")
        return Content.assemble(first, (" · ".join(part for part in parts if part), "$hint"))

    def _deliveries(self, view: View) -> list[Content]:
        t, told = view.t, []
        if self.exam is not None and self.exam.held:
            told.append(Content.styled("■ " + t("held back") + "   ", "$wait"))
        if self.exam is not None and not self.exam.patient.id:
            told.append(Content.styled(t("waits for a name"), "bold $wait"))
            return told
        under_way = self.exam is not None and self.exam.state in _CURRENT
        found: list[tuple[int, Content]] = []
        for name in sorted({item.destination for item in self.deliveries}):
            counts: dict[str, int] = {}
            for item in self.deliveries:
                if item.destination == name:
                    counts[item.state] = counts.get(item.state, 0) + 1
            mine = [item for item in self.deliveries if item.destination == name]
            by_hand = sum(item.code == "manual" for item in waiting_for_send(mine))
            what, style = words.delivered(t, counts, under_way=under_way, by_hand=by_hand)
            rank = _RANK.index(style) if style in _RANK else len(_RANK)
            found.append((rank, Content.assemble((f"{name} ", "$dim"), (what, style), "   ")))
        # what needs a hand stands first: with many archives the end of the line is cut off
        told += [line for _rank, line in sorted(found, key=lambda item: item[0])]
        if not self.deliveries and self.counts:
            told.append(Content.styled(*words.delivered(t, self.counts)))
        return told


class ExamScreen(AskingScreen):
    """Its pictures at the left, what can be done at the right."""

    BINDINGS = [
        ("escape", "back", ""),
        ("enter", "pictures", ""),
        ("g", "go_on", ""),
        ("w", "reassign", ""),
        ("t", "send", ""),
        ("h", "hold", ""),
        ("i", "discontinue", ""),
        ("z", "where", ""),
        ("pageup", "page(-1)", ""),
        ("pagedown", "page(1)", ""),
    ]

    DEFAULT_CSS = """
    ExamScreen #body { layout: horizontal; }
    ExamScreen #left { width: 1fr; height: 1fr; }
    ExamScreen #grid { margin: 1 1 0 1; }
    ExamScreen.-low #grid { margin: 0 1; }
    ExamScreen #side { width: 26; height: 1fr; padding-left: 1; }
    ExamScreen.-wide #side { width: 32; }
    ExamScreen #side BigButton { height: 3; }
    ExamScreen #side Horizontal { height: auto; }
    ExamScreen #pages { display: none; }
    ExamScreen.-many #pages { display: block; }
    ExamScreen.-tall #side BigButton { margin-bottom: 1; }
    """

    def __init__(self, exam: state.Exam, counts: Mapping[str, int] | None = None) -> None:
        super().__init__()
        self._exam = exam
        self._counts = counts or {}
        self._pictures: list[state.Instance] = []
        self._deliveries: list[state.Delivery] = []
        self._seen: object = None

    def compose_body(self) -> Iterable[Widget]:
        engine = Process.ENGINE
        with Vertical(id="left"):
            yield ExamText()
            yield Thumbs(newest_first=False, grows=True, id="grid")
        with Vertical(id="side"):
            large = N_("Large pictures")
            some = self._has_pictures
            yield BigButton(large, "screen.pictures", N_("Enter"), usable=some, id="large", classes="-first")
            yield BigButton(self._go_on_label, "screen.go_on", "g", needs=engine, id="go-on")
            yield BigButton(self._whose_label, "screen.reassign", "w", needs=engine, id="reassign")
            with Horizontal(id="sending"):
                yield BigButton(N_("Send"), "screen.send", "t", needs=engine, id="send")
                yield BigButton(N_("Hold"), "screen.hold", "h", needs=engine, id="hold")
            yield BigButton(N_("Discontinue …"), "screen.discontinue", "i", needs=engine, id="discontinue")
            with Horizontal(id="pages"):
                yield BigButton("▲", "screen.page(-1)", id="page-up")
                yield BigButton("▼", "screen.page(1)", id="page-down")

    def compose_nav(self) -> Iterable[Widget]:
        yield from super().compose_nav()
        yield BigButton(N_("Where is it?"), "screen.where", "z", id="where")

    # ---- what is shown

    @property
    def _target(self) -> str:
        return f"/v1/exams/{self._exam.id}"

    @on(StateWasRead)
    def _was_read(self, message: StateWasRead) -> None:
        message.stop()
        self._exam = msgspec.convert(message.value["exam"], state.Exam)
        pictures = msgspec.convert(message.value["instances"], list[state.Instance])
        self._pictures = [item for item in pictures if item.kind != NOTE]
        self._deliveries = msgspec.convert(message.value["deliveries"], list[state.Delivery])
        self.console.remember_exams([self._exam])
        self._put()

    @on(ReadingFailed)
    def _failed(self, message: ReadingFailed) -> None:
        self.console.tell_error(message.error)

    def _put(self) -> None:
        text = self.query_one(ExamText)
        text.exam, text.deliveries, text.counts = self._exam, self._deliveries, self._counts
        self.query_one(Thumbs).fill(self._pictures)
        mine = bool(self._exam.patient.id) and self._exam.merged_into is None
        going_on = self._condition in ("closed", "suspended") and mine
        self.query_one("#go-on").display = going_on or self._is_current
        self.query_one("#discontinue").display = self._is_current
        self.query_one("#reassign").display = self._exam.merged_into is None
        for name in ("#send", "#hold"):
            self.query_one(name).display = mine
        waits = mine and bool(waiting_for_send(self._deliveries))
        self.query_one("#send").set_class(waits, "-first")
        self.query_one("#large").set_class(not waits, "-first")
        self.draw()

    def show(self, view: View) -> None:
        super().show(view)
        known = self.console.known_exam(self._exam.id)
        seen = (known, len(view.box.pictures), view.box.status.queue if view.box.status else None)
        if self.is_mounted and self._seen is not None and seen != self._seen:
            self._ask()
        self._seen = seen
        if self.is_mounted:
            self.set_class(len(self._pictures) > self.query_one(Thumbs).room > 0, "-many")

    @property
    def _condition(self) -> str:
        return self._exam.state

    @property
    def _is_current(self) -> bool:
        current = current_exam(self.console.view().box)
        return current is not None and current.id == self._exam.id and self._condition in _CURRENT

    def _go_on_label(self, view: View) -> str:
        current = current_exam(view.box)
        if current is not None and current.id == self._exam.id:
            return view.t("Close exam")
        return view.t("Go on") if self._condition == "suspended" else view.t("Append pictures")

    def _has_pictures(self, _box: BoxState) -> bool:
        return bool(self._pictures)

    def _whose_label(self, view: View) -> str:
        return view.t("Wrong patient?") if self._exam.patient.id else view.t("Assign a patient")

    # ---- what can be done

    @on(Thumbs.Touched)
    def _touched(self, message: Thumbs.Touched) -> None:
        message.stop()
        self._show_picture(message.at)

    def action_page(self, step: int) -> None:
        self.query_one(Thumbs).page(step)

    def action_pictures(self) -> None:
        if self._pictures:
            self._show_picture(len(self._pictures) - 1)

    def _show_picture(self, at: int) -> None:
        self.app.push_screen(
            PicturesScreen(self._pictures, at, self._deliveries, exam=self._exam.id, of=self._exam)
        )

    def action_go_on(self) -> None:
        """Goes on with a suspended one, appends to a closed one; the current one is closed."""
        if self._is_current:
            self.app.call_next(self.app.run_action, "app.close_exam")
        elif self._condition == "suspended":
            self.console.order(commands.ExamResume(id=new_id(), exam=self._exam.id))
        elif self._condition == "closed":
            self._confirm_append()

    def _confirm_append(self) -> None:
        exam = self._exam

        def details(view: View) -> str:
            born = words.born(view.t, exam.patient, view.now.date())
            number = view.t("ID {id}", id=exam.patient.id)
            why = view.t("What is taken then is a new series of the same study.")
            return " · ".join(part for part in (born, number) if part) + "\n" + why

        def go(_value: str) -> None:
            self.console.order(commands.ExamAppend(id=new_id(), exam=exam.id), self)

        self.app.push_screen(
            ChoiceScreen(
                lambda view: view.t("Take more pictures of {name}?", name=words.who(view.t, exam)),
                details,
                (Option("append", N_("Yes, go on with this exam"), "Enter"),),
                go,
                enter="append",
            )
        )

    def action_reassign(self) -> None:
        self.console.choose_other(Purpose(self._exam.id))

    def action_send(self) -> None:
        self.console.order(commands.ExamRelease(id=new_id(), exam=self._exam.id), self)

    def action_hold(self) -> None:
        self.console.order(commands.ExamHold(id=new_id(), exam=self._exam.id), self)

    def action_where(self) -> None:
        """Each picture at each archive."""
        self.app.push_screen(WhereScreen(self._exam, self._pictures, self._deliveries))

    def action_discontinue(self) -> None:
        if self._is_current:
            self.console.ask_reason()

    @on(CommandWasAnswered)
    def _answered(self, message: CommandWasAnswered) -> None:
        if isinstance(message.command, (commands.ExamRelease, commands.ExamHold)):
            self._exam = words.exam_of(message.answer)
            self._ask()
