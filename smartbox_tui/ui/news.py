"""What is told without being asked: outcomes, a process that is back, a stuck pedal, what needs an answer."""

from __future__ import annotations

import os
from typing import Any, Final

from textual import on

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.ending import DISK_FULL
from smartbox_tui.model.exam import ExamState
from smartbox_tui.ui import setting_words, words
from smartbox_tui.ui.asks import Ask, Asks
from smartbox_tui.ui.link import (
    CommandWasAnswered,
    PedalWasUsed,
    RecordingHasStarted,
    RecordingHasStopped,
    SettingsHaveChanged,
    StillWasTaken,
    TriggerHasFailed,
    WorklistHasChanged,
)
from smartbox_tui.ui.moment import off_s, off_words
from smartbox_tui.ui.orders import Orders
from smartbox_tui.ui.screens.capture import CaptureScreen
from smartbox_tui.ui.state import BoxState, Presence, Process, current_exam
from smartbox_tui.wire import commands, events, state

_AGAIN_S: Final = 20.0
"""A signal that comes and goes is told of once in that time."""


def _here(box: BoxState) -> frozenset[Process]:
    """The processes that answer."""
    found = {Process.ENGINE: box.engine, Process.CAPTURE: box.capture}
    return frozenset(process for process, presence in found.items() if presence is Presence.HERE)


class News(Orders):
    """The sentences; what may be answered stands in the line of `asks`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asks = Asks()
        self._signal_told_s = -_AGAIN_S
        self._met: frozenset[Process] = frozenset()

    def ask_suspended(self) -> None:
        """After a reboot: go on with the exam that was open?"""
        raise NotImplementedError

    def was_reassigned(self, command: commands.ExamReassign, exam: state.Exam) -> None:
        """The pictures are another patient's now."""
        raise NotImplementedError

    def was_opened(self) -> None:
        """An exam was opened, resumed or appended to: to the picture."""
        self.home()

    # ---- outcomes

    @on(CommandWasAnswered)
    def tell_outcome(self, message: CommandWasAnswered) -> None:
        """Most outcomes are seen as facts; these are not."""
        command, answer = message.command, message.answer
        if isinstance(command, commands.DiscardLast):
            self.say(self.t("The picture was discarded."), self.t("It is kept for seven days."), "information")
        elif isinstance(command, commands.ExamReassign):
            self.was_reassigned(command, words.exam_of(answer))
        elif isinstance(command, commands.ExamClose):
            self._tell_closed(words.exam_of(answer))
        elif isinstance(command, (commands.ExamOpen, commands.ExamResume, commands.ExamAppend)):
            self.was_opened()
        elif isinstance(command, commands.ExamRelease):
            self.say(self.t("The pictures are being sent."), self.t("The queue shows how far."), "information")
        elif isinstance(command, commands.ExamHold):
            self.say(self.t("The pictures stay on the box."), self.t("Until they are sent by hand."), "information")

    def _tell_closed(self, exam: state.Exam) -> None:
        """Whose exam it was and what becomes of the pictures: nothing else on the screen says so any more."""
        name = words.person(exam.patient.name) or self.t("no patient")
        count = self.t.n("{count} picture", "{count} pictures", exam.instances)
        archives = [item for item in self.settings.destinations if not item.route.backup]
        by_hand = [item.name for item in archives if item.send == "manual"]
        if not exam.instances:
            what = self.t("Nothing was taken.")
        elif exam.state == ExamState.UNASSIGNED or not exam.patient.id:
            what = self.t("{count}: kept until someone assigns them.", count=count)
        elif not archives:
            what = self.t("{count}: kept on the box, no archive is set up.", count=count)
        elif len(by_hand) == len(archives):
            what = self.t("{count}: kept until you touch Send, under Pictures.", count=count)
        elif by_hand:
            names = ", ".join(by_hand)
            what = self.t(
                "{count}: on the way; to {names} when you touch Send, under Pictures.", count=count, names=names
            )
        else:
            what = self.t("{count}: on the way to the archive.", count=count)
        self.say(self.t("Exam closed: {name}", name=name), what, "information")

    # ---- what changed

    def tell_change(self, before: BoxState, after: BoxState) -> None:
        """News that is no event of its own: a process is back, an exam waits for an answer, the signal is lost."""
        # what was not there when this console began is not back: it has come
        met, self._met = self._met, self._met | _here(after)
        known = Process.CAPTURE in met or before.interrupted
        if before.capture is Presence.AWAY and after.capture is Presence.HERE and known:
            self._tell_recorder(before.interrupted, after.recording is not None)
        if before.engine is Presence.AWAY and after.engine is Presence.HERE and Process.ENGINE in met:
            self.say(self.t("The engine is back."), severity="information")
        waited = before.status.suspended if before.status else None
        waits = after.status.suspended if after.status else None
        if waits is not None and (waited is None or waited.id != waits.id):
            self.ask_suspended()
        old, new = current_exam(before), current_exam(after)
        if new is not None and (old is None or old.id != new.id):
            self.asks.forget_undo()
        if after.exam is not None and after.exam is not before.exam:
            self.remember_exams([after.exam])
        self._tell_signal(before, after)

    def _tell_signal(self, before: BoxState, after: BoxState) -> None:
        """Once for each loss, and only in an exam: without one a dark processor is no news. The picture says it
        itself, louder, where it is in front."""
        old, new = before.source, after.source
        if old is None or new is None or old.id != new.id or current_exam(after) is None:
            return
        lost = old.signal_state == "ok" and new.signal_state not in ("ok", "starting") and new.picture != "still"
        now = self.wall.monotonic_s()
        if lost and now - self._signal_told_s >= _AGAIN_S and not isinstance(self.screen, CaptureScreen):
            self._signal_told_s = now
            self.say(words.signal_word(self.t, new), words.signal_help(self.t, new))

    def _tell_recorder(self, interrupted: bool, records: bool) -> None:
        if not interrupted:
            self.say(self.t("The recorder is back."), severity="information")
        elif records:
            self.say(self.t("The recording goes on in a new clip."), self.t("The recorder was restarted."))
        else:
            self.say(self.t("The recording was interrupted."), self.t("What was recorded is kept. Start it again."))

    @on(StillWasTaken)
    def tell_still(self, message: StillWasTaken) -> None:
        """Only one that shows another moment than that of its press: it looks like any other."""
        fact = message.fact
        if isinstance(fact, events.StillTaken) and (off := off_s(fact.instance)):
            which = words.picture(self.t, self.wall, fact.instance)
            what = self.t("{picture}: it shows what was {when}.", picture=which, when=off_words(self.t, off))
            self.say(what, self.t("The box has too much to do. Look at it, take another one if need be."), "error")

    @on(RecordingHasStarted)
    def tell_recording(self, message: RecordingHasStarted) -> None:
        """Only one that nobody started: the recorder went on with the exam after it was restarted."""
        fact = message.fact
        if isinstance(fact, events.RecordingStarted) and fact.note:
            self.say(self.t("The recording goes on in a new clip."), self.t("The recorder was restarted."))

    @on(RecordingHasStopped)
    def tell_ended(self, message: RecordingHasStopped) -> None:
        """Only one that the box ended: whoever believes that it runs on must hear it."""
        fact = message.fact
        if isinstance(fact, events.RecordingStopped) and DISK_FULL in fact.note:
            what = self.t("The recording was ended: the box is almost full.")
            self.say(what, self.t("What was recorded is kept. Photos still work."), "error")

    @on(SettingsHaveChanged)
    def tell_settings(self, message: SettingsHaveChanged) -> None:
        """What somebody else has changed: whoever works here must not find out by surprise."""
        fact = message.fact
        if isinstance(fact, events.SettingsChanged) and fact.user and fact.pid != os.getpid():
            tables = {path.partition(".")[0] for path in fact.paths}
            names = [name if name in setting_words.SECTIONS else "box" for name in sorted(tables)]
            what = ", ".join(dict.fromkeys(setting_words.section(self.t, name) for name in names))
            self.say(self.t("Settings were changed: {what}", what=what), fact.user, "information")

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

    # ---- what is asked once

    def ask(self) -> Ask | None:
        """What stands in the line above the buttons now."""
        return self.asks.current(self.t, self.box, self.settings, self.wall.now(), self.wall.monotonic_s())

    def action_ask_yes(self) -> None:
        ask = self.ask()
        if ask is not None:
            self.call_next(self._follow, ask)

    async def _follow(self, ask: Ask) -> None:
        # first the action, which may need what the line speaks of
        await self.run_action(ask.action)
        self.asks.answer(ask.key)
        self.redraw()

    def action_ask_no(self) -> None:
        ask = self.ask()
        if ask is not None:
            self.asks.answer(ask.key)
            self.redraw()

    @on(WorklistHasChanged)
    def tell_arrivals(self, message: WorklistHasChanged) -> None:
        """New entries for this station, where the settings want it."""
        fact = message.fact
        if not isinstance(fact, events.WorklistChanged) or not self.settings.exam.announce_arrivals:
            return
        ours = {"", self.settings.worklist.station_aet or self.settings.aet}
        self.asks.arrived([item for item in fact.arrived if item.station in ours], self.wall.monotonic_s())
