"""What keys and buttons do. A press becomes exactly one command with one id."""

from __future__ import annotations

from textual.binding import Binding

from smartbox_tui.ui import words
from smartbox_tui.ui.choosing import Choosing
from smartbox_tui.ui.i18n import N_
from smartbox_tui.ui.link import new_id
from smartbox_tui.ui.screens.choice import ChoiceScreen, Option
from smartbox_tui.ui.screens.pictures import PicturesScreen
from smartbox_tui.ui.screens.queue import QueueScreen
from smartbox_tui.ui.screens.status import StatusScreen
from smartbox_tui.ui.state import current_exam
from smartbox_tui.ui.view import View
from smartbox_tui.ui.widgets.thumbs import Thumbs
from smartbox_tui.wire import commands

DISCARD_REASONS = (
    Option("blurred", N_("Blurred"), "1"),
    Option("wrong moment", N_("Wrong moment"), "2"),
    Option("wrong patient", N_("Wrong patient"), "3"),
    Option("other", N_("Other reason"), "4"),
)


class Actions(Choosing):
    """The actions of the app; the rest of it is in `app.py`."""

    BINDINGS = [
        Binding("space", "still", show=False),
        Binding("r", "record", show=False),
        Binding("m", "mark", show=False),
        Binding("d", "discard", show=False),
        Binding("p", "pedal", show=False),
        Binding("e", "emergency", show=False),
        Binding("n", "patient", show=False),
        Binding("a", "assign", show=False),
        Binding("x", "exams", show=False),
        Binding("c", "close_exam", show=False),
        Binding("q", "queue", show=False),
        Binding("s", "status", show=False),
        Binding("l", "language", show=False),
        Binding("f3", "ask_yes", show=False, priority=True),
        Binding("f4", "ask_no", show=False, priority=True),
        Binding("f10", "quit", show=False, priority=True),
        Binding("ctrl+q", "quit", show=False, priority=True),
    ]

    def speak(self, language: str) -> None:
        """Switches every text on the screen."""
        raise NotImplementedError

    # ---- triggers

    def action_still(self) -> None:
        self.order(commands.Still(id=new_id(), at_ns=self.pressed_ns, trigger="console"))

    def action_record(self) -> None:
        if self.box.recording is None:
            self.order(commands.RecordStart(id=new_id(), at_ns=self.pressed_ns, trigger="console"))
        else:
            self.order(commands.RecordStop(id=new_id(), at_ns=self.pressed_ns))

    def action_mark(self) -> None:
        self.order(commands.RecordMark(id=new_id(), at_ns=self.pressed_ns))

    def action_pedal(self) -> None:
        """The demo's pedal: the first one of kind `key`."""
        pedal = next((pedal for pedal in self.settings.pedals if pedal.kind == "key"), None)
        if pedal is not None:
            self.order(commands.PedalPress(id=new_id(), pedal=pedal.id, at_ns=self.pressed_ns))

    def action_discard(self) -> None:
        """Asks why; the picture is kept for some days, it only does not go out."""
        if not self.box.pictures:
            self.say(self.t("There is nothing to discard."), self.t("This exam has no pictures yet."))
            return

        def which(view: View) -> str:
            # named, and named anew when the pedal takes another one meanwhile: that is the last one then
            last = view.box.pictures[-1] if view.box.pictures else None
            why = view.t("It will not be sent. Why?")
            return f"{words.picture(view.t, view.clock, last)}. {why}" if last else why

        self.over(ChoiceScreen(N_("Discard the last picture?"), which, DISCARD_REASONS, self._discard_because))

    def _discard_because(self, reason: str) -> None:
        last = self.box.pictures[-1].id or None if self.box.pictures else None
        self.order(commands.DiscardLast(id=new_id(), reason=reason, picture=last))

    # ---- the end of an exam

    def action_close_exam(self) -> None:
        """One touch as a rule. Asked is once when a recording runs, for it is stopped with the exam, and for the
        reason when nothing was taken and somebody waits to be told."""
        if current_exam(self.box) is None:
            self.say(self.t("No exam is open."), self.t("There is nothing to close."))
        elif self.box.recording is not None:
            options = (
                Option("close", N_("Stop and close"), N_("Enter"), "-red"),
                Option("reason", N_("Discontinue …"), "i"),
            )
            question = N_("A recording is running. It will be stopped and kept.")
            self.over(ChoiceScreen(N_("Close the exam?"), question, options, self._close, enter="close"))
        elif not self.box.pictures and self.box.status is not None and self.box.status.performed:
            self.ask_reason()
        else:
            self._close("close")

    def _close(self, answer: str) -> None:
        if answer == "reason":
            self.ask_reason()
            return
        self.order(commands.ExamClose(id=new_id()))

    def ask_reason(self) -> None:
        """Why the procedure was not carried through: the performed step says so, and the exam is closed."""
        options = [Option(name, label, str(at)) for at, (name, label) in enumerate(words.REASON.items(), 1)]

        def whose(view: View) -> str:
            exam = current_exam(view.box)
            name = words.person(exam.patient.name) if exam else ""
            return " · ".join(part for part in (name, words.counters(view.t, view.box)) if part)

        def close(reason: str) -> None:
            self.order(commands.ExamClose(id=new_id(), discontinued=reason))

        self.over(ChoiceScreen(N_("Why is the exam ended?"), whose, options, close))

    def action_stop_recording(self) -> None:
        """Of the question whether it is still wanted: never starts one."""
        if self.box.recording is not None:
            self.order(commands.RecordStop(id=new_id(), at_ns=self.pressed_ns))

    # ---- screens

    def on_thumbs_touched(self, message: Thumbs.Touched) -> None:
        """One of the strip of the exam under way."""
        self._show_pictures(message.at)

    def action_pictures(self) -> None:
        """The last one, large."""
        self._show_pictures(len(self.box.pictures) - 1)

    def _show_pictures(self, at: int) -> None:
        exam = current_exam(self.box)
        if self.box.pictures and exam is not None and 0 <= at < len(self.box.pictures):
            self.go(PicturesScreen(self.box.pictures, at, exam=exam.id))
        else:
            self.action_exams()

    def action_show_arrived(self) -> None:
        """The list, with the new one under the cursor."""
        arrived = self.asks.newly_arrived()
        self.action_patient()
        if arrived:
            self.point_at(arrived[-1].id)

    def action_queue(self) -> None:
        self.go(QueueScreen())

    def action_status(self) -> None:
        self.go(StatusScreen())

    def action_language(self) -> None:
        """At once, and for the next start, as far as the engine can keep it."""
        language = self.t.next_language()
        self.speak(language)
        self.link.order(commands.SettingsPut(id=new_id(), changes={"language": language}), self)
