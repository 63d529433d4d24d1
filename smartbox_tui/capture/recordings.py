"""Starting, marking and stopping recordings; what became of one that ended by itself."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec

from smartbox_tui.capture.desk import (
    Sessions,
    draft,
    picture_id,
    preroll_from,
    trigger_ns,
    used_before,
)
from smartbox_tui.capture.exams import ExamDesk
from smartbox_tui.capture.pictures import Pictures, instance_of
from smartbox_tui.capture.recorder import Recorder
from smartbox_tui.capture.room import Guard
from smartbox_tui.capture.session import Session
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.spool.sidecar import Sidecar, write_sidecar
from smartbox_tui.wire import commands, events
from smartbox_tui.wire.state import Instance

log = logging.getLogger(__name__)

MOST_BYTES: Final = 2 << 30
"""The cap where no destination has one."""

_FRAGMENT_BYTES: Final = (1 << 32) - 2
"""An item of the Pixel Data (PS3.5 A.4)."""

_HEADER_BYTES: Final = 64 << 10
"""A cap is of the whole object: what stands around its pixel data is a few kilobytes."""


class Recordings:
    """Thread-safe. `max_bytes`: the smallest cap of all destinations."""

    def __init__(
        self,
        spool: Path,
        sessions: Sessions,
        exams: ExamDesk,
        pictures: Pictures,
        guard: Guard,
        publish: Callable[[msgspec.Struct], None],
        *,
        max_bytes: int = MOST_BYTES,
    ) -> None:
        self._spool = spool
        self._sessions = sessions
        self._exams = exams
        self._pictures = pictures
        self._publish = publish
        self._max_bytes = min(max_bytes, _FRAGMENT_BYTES) - _HEADER_BYTES
        self._guard = guard
        self.gate = threading.Lock()
        """Held while a recording starts and while the exam changes: none starts for an exam that is just left."""
        self._unseen: dict[str, list[Sidecar]] = {}

    def start(self, command: commands.RecordStart) -> dict[str, Any]:
        """The answer to a start: the recording, or what became of it when the command came before."""
        identity = picture_id(command.id)
        known = self._pictures.of_command(identity)
        if known and known[0].kind != "clip":
            raise used_before(identity)
        if not known:
            session = self._sessions.named(command.source)
            at_ns = trigger_ns(command.at_ns)
            session.check_recordable()
            self._pictures.wait_scanned()
            if not self._pictures.of_command(identity):
                self.begin(session, identity, command.trigger, at_ns, preroll_from(session, at_ns))
        return self._started(identity)

    def begin(
        self, session: Session, identity: str, trigger: str, at_ns: int, from_ns: int, note: str = ""
    ) -> None:
        """Starts a recording with the first frame from `from_ns` on; durable when it returns. Raises
        already-recording, disk-full, no-signal, no-exam."""
        with self.gate:
            if session.recorder is not None:
                raise SmartBoxError(
                    "already-recording", f"Source {session.id} is recording.", "Stop that recording first."
                )
            self._guard.check_recording()
            self._pictures.claim(identity)
            # Of the exam held now, not at the trigger: what it shows is yet to come.
            with self._exams.picture(time.monotonic_ns()) as held:
                sheet = draft(
                    session, held, identity=identity, command=identity, trigger=trigger, at_ns=at_ns, clip=True
                )
                recorder = Recorder(
                    held.folder,
                    sheet.with_(note=note),
                    max_bytes=self._max_bytes,
                    begun=self._pictures.put,
                    ended=lambda recorder, reason: self._ended(session, recorder, reason),
                    drained=lambda: session.drained,
                    must_end=self._guard.must_end,
                )
                self._unseen.pop(session.id, None)
                session.attach(recorder, from_ns, held.since_ns)
                try:
                    recorder.start()
                except SmartBoxError:
                    session.detach(recorder)
                    raise
        self._publish(events.RecordingStarted(exam=held.id, source=session.id, picture=identity, note=note))

    def stop(self, command: commands.RecordStop) -> dict[str, Any]:
        """The answer to a stop. A recording that has ended by itself is answered once, with its note."""
        at_ns = trigger_ns(command.at_ns)
        identity = picture_id(command.id)
        parts = self._pictures.stopped_by(identity)
        if not parts:
            if (running := self._sessions.recording(command.source)) is not None:
                parts = running[1].stop(at_ns, identity)
            elif not (parts := self._take_unseen(command.source, identity)):
                self._pictures.wait_scanned()
                parts = self._pictures.stopped_by(identity)
        if not parts:
            raise SmartBoxError("not-recording", "Nothing is being recorded.", "Start a recording first.")
        return self._stopped(parts)

    def mark(self, command: commands.RecordMark) -> dict[str, Any]:
        """The answer to a mark. Raises not-recording."""
        identity = picture_id(command.id)
        at_ns = trigger_ns(command.at_ns)
        mark = self._pictures.marked_by(identity)
        if mark is None:
            if (running := self._sessions.recording(command.source)) is not None:
                mark = running[1].mark(identity, command.text, at_ns)
                self._publish(events.MarkSet(source=running[0].id, at_s=mark["at_s"], text=mark["text"]))
            else:
                self._pictures.wait_scanned()
                mark = self._pictures.marked_by(identity)
        if mark is None:
            raise SmartBoxError("not-recording", "There is no recording to mark.", "Start one first.")
        return {"mark": {"at_s": mark["at_s"], "text": mark["text"]}}

    def toggle(self, session: Session, trigger: str, at_ns: int) -> None:
        """What a pedal's `record` does; both, the start and the end, are at the press."""
        if (recorder := session.recorder) is not None:
            recorder.stop(at_ns, str(uuid4()))
        else:
            self.start(commands.RecordStart(id=str(uuid4()), source=session.id, at_ns=at_ns, trigger=trigger))

    def stop_others(self, exam: str | None, at_ns: int | None = None) -> list[Instance]:
        """Ends the recordings that do not belong to `exam`, now or at a moment just past. With the gate held."""
        at_ns = time.monotonic_ns() if at_ns is None else at_ns
        instances: list[Instance] = []
        for session in self._sessions:
            recorder = session.recorder
            if recorder is not None and recorder.first.exam != exam:
                instances += [
                    instance_of(part, self._exams.held) for part in recorder.stop(at_ns, "", "the exam ended")
                ]
        return instances

    def stop_all(self, note: str) -> None:
        """At the end of the process."""
        for session in self._sessions:
            if (recorder := session.recorder) is not None:
                recorder.stop(time.monotonic_ns(), "", note)

    def _started(self, identity: str) -> dict[str, Any]:
        for session in self._sessions:
            recorder = session.recorder
            if recorder is not None and recorder.first.id == identity:
                return {"recording": recorder.state(), "picture": identity}
        instances = [instance_of(part, self._exams.held) for part in self._pictures.of_command(identity)]
        return {"recording": None, "picture": identity, "instances": instances}

    def _stopped(self, parts: list[Sidecar]) -> dict[str, Any]:
        held = self._exams.held
        parts = [each for each in parts if each.frames] or parts  # a part that a stop took back is none
        answer: dict[str, Any] = {
            "instances": [instance_of(part, held) for part in parts],
            "frames": sum(part.frames for part in parts),
            "frames_lost": sum(part.frames_lost for part in parts),
        }
        if note := parts[-1].note:
            answer["note"] = note
        return answer

    def _take_unseen(self, source: str | None, command: str) -> list[Sidecar]:
        """The recording that ended by itself and was not yet asked for; from now on it is this stop's."""
        names = [source] if source is not None else list(self._unseen)
        parts = next((parts for name in names if (parts := self._unseen.pop(name, []))), [])
        if parts:
            last = parts[-1].with_(stop_command=command)
            parts = [*parts[:-1], last]
            self._pictures.put(last)
            with contextlib.suppress(SmartBoxError):  # the disk may still be full; it is told all the same
                write_sidecar(exam_dir(self._spool, last.exam), last)
        return parts

    def _ended(self, session: Session, recorder: Recorder, reason: str) -> None:
        """From the recorder's thread."""
        session.detach(recorder)
        if reason:
            log.error("recording of %s ended by itself: %s", session.id, reason)
            if recorder.closed:
                self._unseen[session.id] = recorder.closed
        if recorder.closed:
            self._publish(
                events.RecordingStopped(
                    exam=recorder.first.exam,
                    source=session.id,
                    instances=[instance_of(part, self._exams.held) for part in recorder.closed],
                    note=recorder.closed[-1].note,
                )
            )
