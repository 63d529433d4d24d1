"""What keys, buttons and answers do. A press becomes exactly one command with one id."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.app import App
from textual.binding import Binding
from textual.message_pump import MessagePump
from textual.screen import Screen

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.schema import Settings
from smartbox_tui.ui import words
from smartbox_tui.ui.i18n import N_, Texts
from smartbox_tui.ui.link import (
    BoxLink,
    CommandWasAnswered,
    CommandWasRefused,
    PedalWasUsed,
    RecordingHasStarted,
    TriggerHasFailed,
    new_id,
    process_for,
)
from smartbox_tui.ui.screens.choice import ChoiceScreen, Option
from smartbox_tui.ui.screens.emergency import EmergencyScreen
from smartbox_tui.ui.screens.patient import PatientScreen
from smartbox_tui.ui.screens.queue import QueueScreen
from smartbox_tui.ui.screens.status import StatusScreen
from smartbox_tui.ui.sentences import CAPTURE_AWAY, ENGINE_AWAY, error_texts
from smartbox_tui.ui.state import BoxState, Presence, Process, current_exam
from smartbox_tui.ui.view import View
from smartbox_tui.wire import commands, events

DISCARD_REASONS = (
    Option("blurred", N_("Blurred"), "1"),
    Option("wrong moment", N_("Wrong moment"), "2"),
    Option("wrong patient", N_("Wrong patient"), "3"),
    Option("other", N_("Other reason"), "4"),
)


class Actions(App[int]):
    """The actions of the app; the rest of it is in `app.py`."""

    box: BoxState
    t: Texts
    link: BoxLink
    settings: Settings

    BINDINGS = [
        Binding("space", "still", show=False),
        Binding("r", "record", show=False),
        Binding("m", "mark", show=False),
        Binding("d", "discard", show=False),
        Binding("p", "pedal", show=False),
        Binding("e", "emergency", show=False),
        Binding("n", "patient", show=False),
        Binding("c", "close_exam", show=False),
        Binding("q", "queue", show=False),
        Binding("s", "status", show=False),
        Binding("l", "language", show=False),
        Binding("f10", "quit", show=False, priority=True),
        Binding("ctrl+q", "quit", show=False, priority=True),
    ]

    @property
    def pressed_ns(self) -> int:
        """CLOCK_MONOTONIC of the last key or touch."""
        raise NotImplementedError

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

        self.go(ChoiceScreen(N_("Discard the last picture?"), which, DISCARD_REASONS, self._discard_because))

    def _discard_because(self, reason: str) -> None:
        last = self.box.pictures[-1].id if self.box.pictures else None
        self.order(commands.DiscardLast(id=new_id(), reason=reason, picture=last))

    # ---- exam

    def action_patient(self) -> None:
        """The form; after a reboot first the question that is still open."""
        if self.box.status is not None and self.box.status.suspended is not None:
            self.ask_suspended()
        else:
            self.go(PatientScreen())

    def action_emergency(self) -> None:
        self.go(EmergencyScreen())

    def action_close_exam(self) -> None:
        """Asks once when a recording runs, for it is stopped with the exam."""
        if current_exam(self.box) is None:
            self.say(self.t("No exam is open."), self.t("There is nothing to close."))
            return
        if self.box.recording is None:
            self.order(commands.ExamClose(id=new_id()))
            return
        self.go(
            ChoiceScreen(
                N_("Close the exam?"),
                N_("A recording is running. It will be stopped and kept."),
                (Option("close", N_("Stop and close"), "Enter", "-red"),),
                lambda _choice: self.order(commands.ExamClose(id=new_id())),
                enter="close",
            )
        )

    def ask_suspended(self) -> None:
        """After a reboot: go on with the exam that was open, or with another patient."""

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
            self.go(PatientScreen())

    # ---- screens

    def action_queue(self) -> None:
        self.go(QueueScreen())

    def action_status(self) -> None:
        self.go(StatusScreen())

    def action_language(self) -> None:
        self.speak(self.t.next_language())

    def go(self, screen: Screen[None]) -> None:
        """Shows it above the capture screen, in place of whatever was there. Notices are about what was before."""
        self.clear_notifications()
        while len(self.screen_stack) > 2:
            self.pop_screen()
        self.push_screen(screen)

    # ---- commands and their outcome

    def order(self, command: commands.Command, reply_to: MessagePump | None = None) -> None:
        """Gives the command; its outcome comes to `reply_to`, to the screen in front by default. That the process
        it needs is away is told at once, and the command is given all the same: it may be coming back."""
        process = process_for(command)
        presence = {Process.ENGINE: self.box.engine, Process.CAPTURE: self.box.capture}[process]
        if presence is Presence.AWAY:
            away = ENGINE_AWAY if process is Process.ENGINE else CAPTURE_AWAY
            self.say(self.t(away.what), self.t(away.hint), "error")
        self.link.order(command, reply_to or self.screen)

    def say(self, what: str, hint: str = "", severity: Any = "warning") -> None:
        """A sentence and what to do, for some seconds, on whatever screen is in front."""
        self.notify(hint, title=what, severity=severity, markup=False)

    @on(CommandWasRefused)
    def tell_refusal(self, message: CommandWasRefused) -> None:
        """What no screen has taken for itself."""
        self.tell_error(message.error)

    def tell_error(self, error: SmartBoxError) -> None:
        what, below = error_texts(self.t, error)
        self.say(what, below, "error")

    @on(CommandWasAnswered)
    def tell_outcome(self, message: CommandWasAnswered) -> None:
        """Most outcomes are seen as facts; these are not."""
        if isinstance(message.command, commands.DiscardLast):
            self.say(self.t("The picture was discarded."), self.t("It is kept for seven days."), "information")

    def _tell_recorder(self, interrupted: bool, records: bool) -> None:
        if not interrupted:
            self.say(self.t("The recorder is back."), severity="information")
        elif records:
            self.say(self.t("The recording goes on in a new clip."), self.t("The recorder was restarted."))
        else:
            self.say(self.t("The recording was interrupted."), self.t("What was recorded is kept. Start it again."))

    @on(RecordingHasStarted)
    def tell_recording(self, message: RecordingHasStarted) -> None:
        """Only one that nobody started: the recorder went on with the exam after it was restarted."""
        fact = message.fact
        if isinstance(fact, events.RecordingStarted) and fact.note:
            self.say(self.t("The recording goes on in a new clip."), self.t("The recorder was restarted."))

    def tell_change(self, before: BoxState, after: BoxState) -> None:
        """News that is no event of its own: a process is back, an exam waits for an answer."""
        if before.capture is Presence.AWAY and after.capture is Presence.HERE:
            self._tell_recorder(before.interrupted, after.recording is not None)
        if before.engine is Presence.AWAY and after.engine is Presence.HERE:
            self.say(self.t("The engine is back."), severity="information")
        waited = before.status.suspended if before.status else None
        waits = after.status.suspended if after.status else None
        if waits is not None and (waited is None or waited.id != waits.id):
            self.ask_suspended()

    @on(TriggerHasFailed)
    def tell_trigger(self, message: TriggerHasFailed) -> None:
        """A pedal asked for something that could not be done: whoever pressed it looks at this screen."""
        if isinstance(message.fact, events.TriggerFailed):
            self.tell_error(SmartBoxError.from_dict(message.fact.error))

    @on(PedalWasUsed)
    def tell_pedal(self, message: PedalWasUsed) -> None:
        fact = message.fact
        if isinstance(fact, events.PedalUsed) and fact.gesture in words.PEDAL:
            self.say(self.t(words.PEDAL[fact.gesture], pedal=fact.pedal))
