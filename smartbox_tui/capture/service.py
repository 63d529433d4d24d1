"""The commands of capture: one method answers them all, each only once however often it comes."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from hw.pedal.teach import Taught
from smartbox_tui.capture.desk import Sessions, picture_id
from smartbox_tui.capture.exams import ExamDesk, Held
from smartbox_tui.capture.frames import Hold
from smartbox_tui.capture.once import Once
from smartbox_tui.capture.pictures import Pictures, instance_of
from smartbox_tui.capture.recordings import Recordings
from smartbox_tui.capture.taking import Stills
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool.sidecar import SidecarState
from smartbox_tui.wire import commands, events
from smartbox_tui.wire.state import CaptureSnapshot, HeldExam, Instance, Pedal, Source

log = logging.getLogger(__name__)

_PRESSES: Final = 256
"""A press makes no picture of the command's own name: the newest are remembered, so that a repeat is none."""


class Pedals(Protocol):
    """What the service needs of the pedals."""

    def press(self, pedal: str, edge: str, at_ns: int | None) -> None:
        """A press by software. Raises bad-value for a pedal that is not configured."""

    def teach(self, seconds: float) -> Taught:
        """What was pressed, on anything that could be a pedal. Raises timeout, bad-value, in-use."""

    def states(self) -> list[Pedal]:
        """In the settings' order."""

    def end(self) -> None:
        """Ends a teaching that is under way."""


class Service:
    """Thread-safe: each command runs in the thread that calls `answer`."""

    def __init__(
        self,
        sessions: Sessions,
        exams: ExamDesk,
        pictures: Pictures,
        stills: Stills,
        recordings: Recordings,
        pedals: Pedals,
        publish: Callable[[msgspec.Struct], None],
    ) -> None:
        self._sessions = sessions
        self._exams = exams
        self._pictures = pictures
        self._stills = stills
        self._recordings = recordings
        self._pedals = pedals
        self._publish = publish
        self._once = Once()
        self._restarting = False
        self._pressed: deque[str] = deque(maxlen=_PRESSES)

    def hold(self, command: commands.CaptureCommand) -> Hold | None:
        """The frame of a still, kept from when its command has come; for `answer`, which may begin late. Never
        waits."""
        return self._stills.hold(command) if isinstance(command, commands.Still) else None

    def answer(self, command: commands.CaptureCommand, hold: Hold | None = None) -> dict[str, Any]:
        """The command's answer as CONTRACT has it. Raises SmartBoxError."""
        # hold-exam and drop-exam are repeatable as they are, and only they may come with another exam each time.
        return self._once.run(picture_id(command.id), lambda: self._answer(command, hold))  # type: ignore[no-any-return]

    def _answer(self, command: commands.CaptureCommand, hold: Hold | None) -> dict[str, Any]:
        match command:
            case commands.Still():
                return self._stills.take(command, hold)
            case commands.RecordStart():
                return self._recordings.start(command)
            case commands.RecordStop():
                return self._recordings.stop(command)
            case commands.RecordMark():
                return self._recordings.mark(command)
            case commands.DiscardLast():
                return self._stills.discard_last(command)
            case commands.PedalPress():
                if command.id not in self._pressed:
                    self._pressed.append(command.id)
                    self._pedals.press(command.pedal, command.edge, command.at_ns)
                return {"pedal": command.pedal, "edge": command.edge}
            case commands.HoldExam():
                return self._hold(command)
            case commands.DropExam():
                return self._drop(command)
            case commands.TeachPedal():
                taught = self._pedals.teach(command.seconds)
                return {"pedal": {"kind": taught.kind, "device": taught.device, "name": taught.name}}
            case commands.SourceAsk():
                return {"source": self._sessions.named(command.source).device_told()}
            case commands.Restart():
                return self._restart()
            case _:
                raise SmartBoxError("bad-value", "This recorder does not know the command.", "Update the box.")

    def _hold(self, command: commands.HoldExam) -> dict[str, Any]:
        with self._recordings.gate:
            held, before = self._exams.hold(command.exam, command.revision)
            changed = before is None or before.id != held.id
            if changed:
                self._begin_gops()
                self._recordings.stop_others(held.id)
        if before is not None and changed:
            self._exams.settle(before.id)
        return {"exam": self.shown(held), "previous": self.shown(before)}

    def _drop(self, command: commands.DropExam) -> dict[str, Any]:
        instances: list[Instance] = []
        with self._recordings.gate:
            before = self._exams.drop(command.exam)
            if before is not None:
                self._begin_gops()
                instances = self._recordings.stop_others(None)
        if before is not None:
            self._exams.settle(before.id)
        return {"exam": self.held(), "instances": instances}

    def _restart(self) -> dict[str, Any]:
        self._restarting = True
        if (running := self._sessions.recording(None)) is not None:
            raise SmartBoxError(
                "in-use",
                f"Source {running[0].id} is recording: capture is started anew when that is over.",
                "Nothing is to be done; to have it sooner, stop the recording.",
            )
        return {"restarting": True}

    @property
    def restart_due(self) -> bool:
        """A restart was asked for, and nothing is recorded: the process may end."""
        return self._restarting and self._sessions.recording(None) is None

    def end(self) -> None:
        """Ends the commands that wait for a person."""
        self._pedals.end()

    def _begin_gops(self) -> None:
        """No pre-roll reaches back over the change: from here on there is something to begin with."""
        for session in self._sessions:
            session.new_gop()

    # ---- state

    def shown(self, held: Held | None) -> HeldExam | None:
        """The exam with the counts of its pictures; a clip of several parts counts once, so does a burst."""
        if held is None:
            return None
        kept = [each for each in self._pictures.of_exam(held.id) if each.state is SidecarState.CLOSED]
        stills = sum(1 for each in kept if each.kind == "still")
        bursts = sum(1 for each in kept if each.kind == "burst")
        return held.shown(stills, len({each.command for each in kept if each.kind == "clip"}), bursts)

    def sources(self) -> list[Source]:
        return [session.state() for session in self._sessions]

    def want_preview(self, source: str, width: int, height: int) -> Source:
        """A panel shows the source's preview in so many pixels. Raises unknown-source."""
        session = self._sessions.named(source)
        session.want_preview(width, height)
        return session.state()

    def pedals(self) -> list[Pedal]:
        return self._pedals.states()

    def held(self) -> HeldExam | None:
        return self.shown(self._exams.held)

    def snapshot(self) -> CaptureSnapshot:
        """First message of the event stream."""
        held = self._exams.held
        taken = self._pictures.of_exam(held.id) if held else []
        return CaptureSnapshot(
            sources=self.sources(),
            exam=self.shown(held),
            instances=[instance_of(each, held) for each in taken],
            pedals=self.pedals(),
        )

    def exam_changed(self, held: Held | None) -> None:
        """Called by the exam desk."""
        if held is not None:
            self._pictures.load_exam(held.folder)
        self._publish(events.ExamHeld(exam=self.shown(held)))
