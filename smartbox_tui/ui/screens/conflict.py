"""Opening an exam while another one is open: the engine says no, the operator may close that one first. Giving
pictures to another patient: from whom to whom is shown, and asked."""

from __future__ import annotations

import msgspec
from textual import on

from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import CommandWasAnswered, CommandWasRefused, new_id
from smartbox_tui.ui.purpose import NEW, Purpose
from smartbox_tui.ui.screens.base import BoxScreen
from smartbox_tui.ui.screens.choice import ChoiceScreen, Option
from smartbox_tui.ui.screens.reassign import ReassignScreen, Side
from smartbox_tui.wire import commands, state


class OpensExam(BoxScreen):
    """A screen that ends with an exam opened, or reassigned: `open` gives the command, the app leaves the screen
    when it was done."""

    def __init__(self, purpose: Purpose = NEW) -> None:
        super().__init__()
        self.purpose = purpose
        self._after_closing: commands.ExamOpen | None = None
        self._under_way = False

    def open(self, command: commands.ExamOpen | commands.ExamReassign, to: Side | None = None) -> None:
        """The answer comes back to this screen. A second press before it does nothing: it would ask for another
        exam, and be told that the first is open. `to`: who it is, where the command does not say it itself."""
        if self._under_way:
            return
        before = self.console.known_exam(command.exam) if isinstance(command, commands.ExamReassign) else None
        if isinstance(command, commands.ExamReassign) and before is not None and before.patient.id:
            self.app.push_screen(ReassignScreen(before, to or _side(command), lambda: self._order(command)))
        else:
            self._order(command)

    def _order(self, command: commands.ExamOpen | commands.ExamReassign) -> None:
        self._under_way = True
        if isinstance(command, commands.ExamReassign):
            self.console.order_reassign(command)
        self.console.order(command, self)

    @on(CommandWasAnswered)
    def _answered(self, message: CommandWasAnswered) -> None:
        if isinstance(message.command, (commands.ExamOpen, commands.ExamReassign)):
            self._under_way = False
        elif isinstance(message.command, commands.ExamClose) and self._after_closing is not None:
            waiting, self._after_closing = self._after_closing, None
            # the first id was answered with no: this is another press
            self._order(msgspec.structs.replace(waiting, id=new_id()))

    @on(CommandWasRefused)
    def _refused(self, message: CommandWasRefused) -> None:
        if not isinstance(message.command, (commands.ExamOpen, commands.ExamReassign, commands.ExamClose)):
            return
        self._after_closing, self._under_way = None, False
        if isinstance(message.command, commands.ExamOpen) and message.error.code == "exam-open":
            message.stop()
            self._ask_to_close(message.command)
        elif self.show_error(message):
            message.stop()

    def show_error(self, message: CommandWasRefused) -> bool:
        """Whether the screen has shown the error itself; the app tells it otherwise."""
        return False

    def _ask_to_close(self, command: commands.ExamOpen) -> None:
        def close(_value: str) -> None:
            self._after_closing = command
            self.console.order(commands.ExamClose(id=new_id()), self)

        records = self.console.view().box.recording is not None
        detail = N_("A recording is running. It will be stopped and kept.")
        self.app.push_screen(
            ChoiceScreen(
                N_("Another exam is still open."),
                detail if records else N_("Its pictures are complete with the closing."),
                (Option("close", N_("Close it, then open the new one"), "Enter", "-first"),),
                close,
                enter="close",
            )
        )


def _side(command: commands.ExamReassign) -> Side:
    """Who was typed, or which emergency."""
    if command.emergency:
        return Side(state.Patient(age=command.age), emergency=command.emergency)
    patient = msgspec.convert(command.patient or {}, state.Patient, strict=False)
    return Side(patient, order=command.accession)


def side_of(exam: state.Exam) -> Side:
    """An exam as the one that pictures come from or go to."""
    return Side(exam.patient, exam.procedure, exam.accession_number, exam.emergency, exam.opened_at)
