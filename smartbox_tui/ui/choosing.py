"""Whose pictures these are: the worklist, its codes, the emergency, assigning and reassigning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from textual import on
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from smartbox_tui.ui import codes, people, words
from smartbox_tui.ui.asks import Undo
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import (
    CodeWasSeen,
    CommandWasAnswered,
    EngineCameBack,
    ExamHasChanged,
    WorklistHasChanged,
    new_id,
)
from smartbox_tui.ui.news import News
from smartbox_tui.ui.people import NOBODY, People
from smartbox_tui.ui.purpose import NEW, Purpose
from smartbox_tui.ui.screens.choice import ChoiceScreen, Option
from smartbox_tui.ui.screens.emergency import EmergencyScreen
from smartbox_tui.ui.screens.exam import ExamScreen
from smartbox_tui.ui.screens.exams import ExamsScreen
from smartbox_tui.ui.screens.patient import PatientScreen
from smartbox_tui.ui.screens.worklist import WorklistScreen
from smartbox_tui.ui.state import current_exam
from smartbox_tui.ui.view import View
from smartbox_tui.wire import commands, events, state

_SAME_CODE_S: Final = 3.0
"""A code that stays before the camera is one code."""


class PeopleWereHeard(Message):
    """The list is ready for the screen."""

    def __init__(self, heard: People) -> None:
        super().__init__()
        self.heard = heard


class Choosing(News):
    """See the module. `people` is the worklist as the engine last had it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.people: People = NOBODY
        self._undo: commands.ExamReassign | None = None
        self._before: dict[str, state.Exam] = {}
        self._last_code = ("", 0.0)

    # ---- the worklist

    @property
    def has_worklist(self) -> bool:
        return self.box.status is not None and self.box.status.worklist is not None

    def known_people(self) -> list[state.WorklistItem]:
        """Everybody on the list: what a field may be completed to."""
        return [entry.item for entry in self.people.entries]

    @on(EngineCameBack)
    @on(WorklistHasChanged)
    def ask_for_list(self) -> None:
        """What is on the box now; nobody waits for it."""
        fact_says = self.has_worklist
        if fact_says:
            self.link.order(commands.WorklistQuery(id=new_id(), cached=True), self)

    @on(CommandWasAnswered)
    def take_list(self, message: CommandWasAnswered) -> None:
        """An answer of the worklist: made ready beside the screens, thousands take a moment."""
        command = message.command
        if isinstance(command, commands.WorklistQuery):
            asked = command.name or command.patient or command.patient_id or command.date
            work = self._make_ready(message.answer, asked)
            self.run_worker(work, name="worklist", group="worklist", exit_on_error=False)

    async def _make_ready(self, answer: Any, asked: str) -> None:
        self.post_message(PeopleWereHeard(await asyncio.to_thread(heard, answer, asked, self.wall.monotonic_s())))

    @on(PeopleWereHeard)
    def keep_people(self, message: PeopleWereHeard) -> None:
        """The list itself replaces the last one; what was searched for belongs to the screen that asked."""
        if not message.heard.asked:
            self.people = message.heard
        if isinstance(self.screen, WorklistScreen):
            self.screen.heard(message.heard)
        self.redraw()

    def point_at(self, entry: str) -> None:
        """Selects an entry of the list, where the list is in front."""
        if isinstance(self.screen, WorklistScreen):
            self.screen.point_at(entry)

    # ---- a patient for a new exam, or for pictures that are there

    def action_patient(self) -> None:
        """The worklist where there is one, the form otherwise; after a reboot first the question still open."""
        if self.box.status is not None and self.box.status.suspended is not None:
            self.ask_suspended()
        else:
            self.choose(NEW)

    def choose(self, purpose: Purpose) -> None:
        """Whom is it for?"""
        self.go(WorklistScreen(purpose) if self.has_worklist else PatientScreen(purpose))

    def action_emergency(self) -> None:
        self.go(EmergencyScreen())

    def action_assign(self) -> None:
        """The pictures of the current exam have no name yet; or, with none open, the list of those that wait."""
        exam = current_exam(self.box)
        if exam is None:
            self.go(ExamsScreen("unassigned"))
        elif self.has_worklist:
            self.choose(Purpose(exam.id))
        else:
            self.choose_other(Purpose(exam.id))

    def choose_other(self, purpose: Purpose) -> None:
        """All the ways to the right patient, in front of the screen that asks."""
        assert purpose.exam is not None
        options = [Option("list", N_("From the worklist"), "1")] if self.has_worklist else []
        options += [
            Option("typed", N_("Type patient"), "2"),
            Option("exam", N_("Another exam"), "3"),
            Option("emergency", N_("Emergency patient"), "4"),
        ]
        screens: dict[str, Callable[[], Screen[None]]] = {
            "list": lambda: WorklistScreen(purpose),
            "typed": lambda: PatientScreen(purpose),
            "exam": lambda: ExamsScreen("today", purpose),
            "emergency": lambda: EmergencyScreen(purpose),
        }
        exam = self.known_exam(purpose.exam)

        def whose(view: View) -> str:
            return words.exam_line(view.t, view.clock, exam) if exam else ""

        def chosen(value: str) -> None:
            self.push_screen(screens[value]())

        self.push_screen(ChoiceScreen(N_("Whose pictures are these?"), whose, options, chosen))

    # ---- reassigning

    def order_reassign(self, command: commands.ExamReassign) -> None:
        """Remembers who it was: the way back."""
        before = self.known_exam(command.exam)
        if before is not None:
            self._before[command.id] = before

    def was_reassigned(self, command: commands.ExamReassign, exam: state.Exam) -> None:
        self.remember_exams([exam])
        before = self._before.pop(command.id, None)
        self._undo = back_to(before, command) if before is not None else None
        if before is not None and self._undo is not None:
            told = (words.who(self.t, before), words.who(self.t, exam))
            self.asks.offer_undo(Undo(f"undo:{command.id}", *told), self.wall.monotonic_s())
        else:
            name = words.who(self.t, exam)
            self.say(self.t("Reassigned to {name}", name=name), severity="information")
        current = current_exam(self.box)
        if current is not None and current.id == exam.id:
            self.home()
        else:
            self.go(ExamScreen(exam))

    def action_undo(self) -> None:
        """The same way back: a reassignment to whom it was before."""
        if self._undo is not None:
            command = msgspec.structs.replace(self._undo, id=new_id())
            self.order_reassign(command)
            self.order(command, self)

    # ---- after a reboot

    def ask_suspended(self) -> None:
        """Go on with the exam that was open, or with another patient?"""

        def who(view: View) -> str:
            exam = view.box.status.suspended if view.box.status else None
            return view.t("Go on with {name}?", name=words.person(exam.patient.name)) if exam else ""

        def details(view: View) -> str:
            exam = view.box.status.suspended if view.box.status else None
            if exam is None:
                return ""
            born = words.born(view.t, exam.patient, view.now.date())
            why = view.t("The box was restarted in this exam.")
            return " · ".join(part for part in (born, view.t("ID {id}", id=exam.patient.id), why) if part)

        options = (Option("yes", N_("Yes, go on"), "1"), Option("no", N_("Another patient"), "2"))
        self.go(ChoiceScreen(who, details, options, self._answer_suspended))

    def _answer_suspended(self, answer: str) -> None:
        exam = self.box.status.suspended if self.box.status else None
        if answer == "yes" and exam is not None:
            self.order(commands.ExamResume(id=new_id(), exam=exam.id))
        else:
            self.choose(NEW)

    # ---- exams

    def action_exams(self, tab: str = "") -> None:
        """Those that wait for a name first, where there are any."""
        waits = self.box.status.unassigned if self.box.status else 0
        exam = current_exam(self.box)
        waits -= exam is not None and exam.unassigned and bool(self.box.pictures)
        self.go(ExamsScreen(tab or ("unassigned" if waits > 0 else "today")))

    @on(ExamHasChanged)
    def keep_exam(self, message: ExamHasChanged) -> None:
        if isinstance(message.fact, events.ExamChanged):
            self.remember_exams([message.fact.exam])

    # ---- codes

    @on(codes.CodeScanned)
    def take_scan(self, message: codes.CodeScanned) -> None:
        """Of the scanner: into the field that waits for one, else it means a patient."""
        field = self.focused
        if isinstance(field, Input) and not isinstance(self.screen, WorklistScreen):
            field.value = codes.clean(message.text)
            field.cursor_position = len(field.value)
            return
        self.take_code(message.text)

    @on(CodeWasSeen)
    def take_sight(self, message: CodeWasSeen) -> None:
        """Of the camera: never into a field, for nobody pointed at one."""
        if isinstance(message.fact, events.CodeSeen):
            self.take_code(message.fact.text)

    def take_code(self, text: str) -> None:
        """Selects who it means. No exam is opened by a code alone."""
        code, now = codes.clean(text), self.wall.monotonic_s()
        before, self._last_code = self._last_code, (code, now)
        if not code or (before[0] == code and now - before[1] < _SAME_CODE_S):
            return
        if not self.has_worklist:
            self.type_patient(code, NEW)
            return
        if not isinstance(self.screen, WorklistScreen):
            self.go(WorklistScreen(NEW))
        screen = self.screen
        assert isinstance(screen, WorklistScreen)
        screen.take_code(code)

    def type_patient(self, patient_id: str, purpose: Purpose) -> None:
        """The form, with what is known: nobody on the list has this ID."""
        screen = PatientScreen(purpose)
        self.go(screen)

        def fill() -> None:
            for field in screen.query("#input-id").results(Input):
                field.value = patient_id[:64]

        screen.call_after_refresh(fill)


def heard(answer: Any, asked: str, now_s: float) -> People:
    """An answer to WorklistQuery, ready for the screen. Raises ValidationError for another version's."""
    error = answer.get("trouble") or {}
    return People(
        entries=people.entries(msgspec.convert(answer.get("items", []), list[state.WorklistItem])),
        age_s=answer.get("age_s"),
        heard_s=now_s,
        complete=answer.get("complete", True),
        error=error.get("code", "") if isinstance(error, dict) else str(error),
        from_cache=answer.get("from_cache", True),
        asked=asked,
    )


def back_to(before: state.Exam, done: commands.ExamReassign) -> commands.ExamReassign | None:
    """The reassignment that takes it back; None where there is no way: nobody had a name, or they lie in another
    exam's study now."""
    if not before.patient.id or done.to_exam:
        return None
    if before.worklist:
        return commands.ExamReassign(id=done.id, exam=before.id, worklist=before.worklist)
    patient = {
        "id": before.patient.id,
        "name": before.patient.name,
        "birth_date": before.patient.birth_date,
        "sex": before.patient.sex,
        "age": before.patient.age,
    }
    return commands.ExamReassign(id=done.id, exam=before.id, patient=patient, accession=before.accession_number)
