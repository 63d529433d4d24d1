"""A fake engine and a fake capture on the real sockets, scriptable: what the console is tried against.

`async with FakeBox(runtime) as box:` in a test; `python -m tests.support.fakebox --runtime DIR` by hand, then
start a console with the same folder. Commands that arrived are in `box.commands`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from msgspec.structs import replace

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.schema import Loaded, Pedal, Settings, Source
from smartbox_tui.wire import commands, events, serve, state
from smartbox_tui.wire.hub import Hub
from smartbox_tui.wire.preview import preview_name
from tests.support import fakepeople
from tests.support.fake_settings import FakeSettings
from tests.support.fakequeue import START as START
from tests.support.fakequeue import QueuePages
from tests.support.fakequeue import assorted as assorted
from tests.support.fakequeue import delivery as delivery
from tests.support.moving import MovingPreview

PATIENT = state.Patient(id="4711-22", name="Müller^Jörg", birth_date="1961-03-14", sex="M")
SOURCE = state.Source(
    id="endo",
    name="Endoskop",
    kind="pattern",
    device="pattern",
    width=1920,
    height=1080,
    fps=30.0,
    signal=True,
    signal_state="ok",
    signal_text="ok",
    preview=preview_name("endo"),
    preroll_s=10.0,
)


def loaded() -> Loaded:
    """Settings that go with the fake."""
    settings = Settings(
        sources=(Source(id="endo", kind="pattern", name="Endoskop"),),
        pedals=(Pedal(id="demo", kind="key"),),
        destinations=(Destination(name="archive", host="localhost", aet="PACS"),),
    )
    return Loaded(settings, {}, ())


@dataclass
class FakeBox(fakepeople.People, QueuePages):
    """`now` is the box's wall clock. State is changed by the methods, which publish what they changed."""

    runtime: Path
    now: Callable[[], datetime] = lambda: START
    sources: list[state.Source] = field(default_factory=lambda: [SOURCE])
    destinations: list[state.Destination] = field(
        default_factory=lambda: [state.Destination(name="archive", kind="dimse", state="ok", open=0)]
    )
    deliveries: dict[int, state.Delivery] = field(default_factory=dict)
    alarms: list[state.Alarm] = field(default_factory=list)
    pedals: list[state.Pedal] = field(default_factory=list)
    hours_left: float = 41.3
    storage: dict[str, Any] = field(default_factory=dict)
    clock: str = "trusted"
    exam: state.Exam | None = None
    suspended: state.Exam | None = None
    pictures: list[state.Instance] = field(default_factory=list)
    commands: list[commands.Command] = field(default_factory=list)
    moving: bool = False
    worklist: state.ServiceState | None = None
    performed: list[state.ServiceState] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = FakeSettings(self.runtime)
        fakepeople.People.__init__(self)
        QueuePages.__init__(self)
        self.answering = asyncio.Event()
        """Cleared, a query of the worklist server waits for it, or for being cancelled."""
        self.answering.set()
        self.engine = Hub(lambda: state.EngineSnapshot(**self._engine_snapshot()))
        self.capture = Hub(lambda: state.CaptureSnapshot(**self._capture_snapshot()))
        self.preview = MovingPreview(self.runtime / SOURCE.preview)
        self.arrived = asyncio.Event()
        self._refusal: SmartBoxError | None = None
        self._runners: dict[str, web.AppRunner] = {}
        self._count = 0
        self._started: datetime | None = None

    async def __aenter__(self) -> FakeBox:
        self.runtime.mkdir(parents=True, exist_ok=True)
        self.preview.start(self.moving)
        await self.back("engine")
        await self.back("capture")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.away("engine")
        await self.away("capture")
        self.preview.stop()

    # ---- scripting

    async def back(self, process: str) -> None:
        """Starts the process, again or for the first time."""
        hub, kinds = {
            "engine": (self.engine, commands.EngineCommand),
            "capture": (self.capture, commands.CaptureCommand),
        }[process]
        routes = [
            web.post("/v1/command", self._command_handler(kinds)),
            web.get("/v1/events", hub.serve),
            web.get("/v1/queue", self._queue),
            *((*self.routes(), *self.queue_routes(), *self.settings.routes()) if process == "engine" else ()),
        ]
        self._runners[process] = await serve.serve_unix(routes, self.runtime / f"{process}.sock")

    async def away(self, process: str) -> None:
        """Ends the process: its socket is gone, its clients are hung up."""
        runner = self._runners.pop(process, None)
        if runner is not None:
            (self.runtime / f"{process}.sock").unlink(missing_ok=True)
            hub = {"engine": self.engine, "capture": self.capture}[process]
            for client in list(hub._clients):
                client.put_nowait(None)  # hung up, as by a process that dies: cleanup would wait for them
            await runner.cleanup()

    def refuse_next(self, error: SmartBoxError) -> None:
        """The next command is answered with this error."""
        self._refusal = error

    def signal(self, signal_state: str) -> None:
        source = replace(self.sources[0], signal=signal_state == "ok", signal_state=signal_state)
        self._source(source)

    def deliver(self, *changed: state.Delivery) -> None:
        for item in changed:
            self.deliveries[item.id] = item
            self.engine.publish(events.DeliveryChanged(delivery=item))
        self.tell()

    def tell(self) -> None:
        """Publishes the status as it is now."""
        self.engine.publish(events.StatusChanged(status=self.status()))

    def status(self) -> state.Status:
        queue: dict[str, Any] = {}
        for item in self.deliveries.values():
            queue[item.state] = queue.get(item.state, 0) + 1
        queue["oldest_open_s"] = 200.0 if any(key in queue for key in ("queued", "waiting", "blocked")) else None
        return state.Status(
            version="0.1.0",
            exam=self.exam,
            sources=self.sources,
            queue=queue,
            storage=state.Storage(**{"free_bytes": 412_000_000_000, "hours_left": self.hours_left, **self.storage}),
            destinations=self.destinations,
            clock=self.clock,
            alarms=self.alarms,
            suspended=self.suspended,
            worklist=self.worklist,
            performed=self.performed,
            unassigned=sum(not exam.patient.id and bool(self.taken.get(exam.id)) for exam in self.exams.values()),
            capture="capture" in self._runners,
        )

    def open_exam(self, patient: state.Patient, **values: Any) -> state.Exam:
        """Opens it in both processes."""
        self._count += 1
        made = {
            "id": f"exam-{self._count}",
            "state": "open",
            "study_instance_uid": f"2.25.9{self._count}",
            "opened_at": self.now().isoformat(),
            "patient": patient,
        }
        exam = state.Exam(**{**made, **values})
        self.exam, self.pictures = exam, []
        self.exams[exam.id], self.taken[exam.id] = exam, self.pictures
        self.engine.publish(events.ExamChanged(exam=exam, current=True))
        self.capture.publish(events.ExamHeld(exam=self._held()))
        self.tell()
        return exam

    def close_exam(self) -> state.Exam:
        if self.exam is None:
            raise SmartBoxError("no-exam", "No exam is open.", "Open one.")
        closed = replace(self.exam, state="closed", closed_at=self.now().isoformat(), instances=len(self.pictures))
        self.exam, self.exams[closed.id] = None, closed
        self.engine.publish(events.ExamChanged(exam=closed, current=False))
        self.capture.publish(events.ExamHeld(exam=None))
        self.tell()
        return closed

    def take(self, kind: str = "still", duration_s: float | None = None, frames: int = 0) -> state.Instance:
        """A picture, of the unassigned exam when there is no other."""
        if self.exam is None:
            self.open_exam(state.Patient(), state="unassigned")
        assert self.exam is not None
        made = fakepeople.picture(self.exam.id, len(self.pictures), self.now(), kind, duration_s)
        number = len(self.pictures) + 1
        uid = f"2.25.7{self._count:03d}{number:03d}"
        picture: state.Instance = replace(made, sop_instance_uid=uid, frames=frames or made.frames)
        self.pictures.append(picture)
        at = {"instances": len(self.pictures), "last_picture_at": picture.captured_at}
        self.exam = self.exams[self.exam.id] = replace(self.exam, **at)
        if kind != "clip":
            self.capture.publish(events.StillTaken(exam=self.exam.id, instance=picture))
        return picture

    def record(self, seconds: float = 0.0) -> None:
        if self.exam is None:
            self.open_exam(state.Patient(), state="unassigned")
        self._started = self.now()
        running = state.Recording(
            since=self.now().isoformat(), seconds=seconds, frames=int(seconds * 30), frames_lost=0
        )
        self._source(replace(self.sources[0], recording=running))
        assert self.exam is not None
        self.capture.publish(events.RecordingStarted(exam=self.exam.id, source="endo", picture="p"))

    def stop(self) -> state.Instance:
        assert self._started is not None
        assert self.exam is not None
        picture = self.take("clip", max(1.0, (self.now() - self._started).total_seconds()))
        self._source(replace(self.sources[0], recording=None))
        self.capture.publish(events.RecordingStopped(exam=self.exam.id, source="endo", instances=[picture]))
        return picture

    # ---- the protocol

    def _source(self, source: state.Source) -> None:
        self.sources[0] = source
        self.capture.publish(events.SourceChanged(source=source))

    def _held(self) -> state.HeldExam | None:
        if self.exam is None:
            return None
        exam = self.exam
        return state.HeldExam(
            id=exam.id,
            state=exam.state,
            study_instance_uid=exam.study_instance_uid,
            revision=1,
            opened_at=exam.opened_at,
            patient=exam.patient,
            accession_number=exam.accession_number,
            emergency=exam.emergency,
        )

    def tell_exam(self, exam: state.Exam, current: bool) -> None:
        """Publishes it; the current one by capture, too."""
        self.exams[exam.id] = exam
        if current:
            self.exam = exam
        self.engine.publish(events.ExamChanged(exam=exam, current=current))
        if current:
            self.capture.publish(events.ExamHeld(exam=self._held()))
        self.tell()

    def _engine_snapshot(self) -> dict[str, Any]:
        rows = list(self.deliveries.values())
        return {"status": self.status(), "instances": self.pictures, "deliveries": rows}

    def _capture_snapshot(self) -> dict[str, Any]:
        return {
            "sources": self.sources,
            "exam": self._held(),
            "instances": self.pictures,
            "pedals": self.pedals,
        }

    async def _queue(self, request: web.Request) -> web.StreamResponse:
        return serve.reply({"deliveries": list(self.deliveries.values())})

    def _command_handler(self, kinds: Any) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            command: commands.Command = msgspec.json.decode(await request.read(), type=kinds)
            self.commands.append(command)
            self.arrived.set()
            if self._refusal is not None:
                error, self._refusal = self._refusal, None
                raise error
            if isinstance(command, commands.WorklistQuery) and not command.cached:
                await self.answering.wait()
            return serve.reply(self._obey(command))

        return handle

    def _obey(self, command: commands.Command) -> dict[str, Any]:
        recording = self.sources[0].recording is not None
        if (settled := self.settings.obey(command)) is not None:
            answer, paths = settled
            if paths:
                self.engine.publish(events.SettingsChanged(paths=paths))
            return answer
        match command:
            case commands.Still() | commands.PedalPress():
                if not self.sources[0].signal:
                    raise SmartBoxError("no-signal", "The source endo has no signal.", "Check the cable.")
                if isinstance(command, commands.Still) and command.burst > 1:
                    return {"instance": self.take("burst", command.burst / 30, command.burst)}
                return {"instance": self.take()}
            case commands.RecordStart():
                self.record()
                return {"recording": self.sources[0].recording}
            case commands.RecordStop() if recording:
                return {"instances": [self.stop()], "frames": 30, "frames_lost": 0}
            case commands.RecordStop() | commands.RecordMark() if not recording:
                raise SmartBoxError("not-recording", "No recording is running.", "Start one.")
            case commands.RecordMark():
                self.capture.publish(events.MarkSet(source="endo", at_s=12.0, text=command.text))
                return {"mark": {"at_s": 12.0, "text": command.text}}
            case commands.DiscardLast():
                return self._discard(command)
            case commands.ExamOpen():
                return {"exam": self._open(command)}
            case commands.ExamClose():
                if recording:
                    self.stop()
                return {"exam": self.close_exam()}
            case commands.ExamResume():
                assert self.suspended is not None
                patient, self.suspended = self.suspended.patient, None
                return {"exam": self.open_exam(patient)}
            case commands.QueueChange():
                return {"changed": len(command.deliveries)}
            case commands.DestinationEject():
                return {"destination": command.name, "safe": True, "objects": 12, "unmounted": True}
            case commands.WorklistQuery():
                return self.find(command)
            case commands.WorklistCancel():
                self.partial = True
                self.answering.set()
            case commands.ExamReassign():
                return {"exam": self.reassign(command)}
            case commands.ExamAppend():
                exam = replace(self.known(command.exam), state="appended", closed_at=None)
                self.pictures = self.taken.setdefault(exam.id, [])
                self.tell_exam(exam, True)
                return {"exam": exam}
            case commands.ExamHold() | commands.ExamRelease():
                held = isinstance(command, commands.ExamHold)
                exam = replace(self.known(command.exam), held=held, released=not held)
                self.tell_exam(exam, self.exam is not None and self.exam.id == exam.id)
                return {"exam": exam}
        return {}

    def _discard(self, command: commands.DiscardLast) -> dict[str, Any]:
        if not self.pictures or self.exam is None:
            raise SmartBoxError("not-found", "There is no picture to discard.", "Take one.")
        gone = self.pictures.pop()
        uid = gone.sop_instance_uid
        self.capture.publish(
            events.PictureDiscarded(exam=self.exam.id, sop_instance_uid=uid, picture=gone.id, reason=command.reason)
        )
        return {"instance": gone}

    def _open(self, command: commands.ExamOpen) -> state.Exam:
        if self.exam is not None and self.exam.state != "unassigned":
            raise SmartBoxError("exam-open", "The exam exam-1 is still open.", "Close it first.")
        return self.open_exam(**self.patient_for(command))


async def _by_hand(runtime: Path) -> None:
    box = FakeBox(runtime, now=lambda: datetime.now().astimezone(), moving=True)
    box.deliveries = {item.id: item for item in assorted()}
    box.items, box.worklist = fakepeople.worklist(), fakepeople.service(box.now())
    async with box:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtime", type=Path, required=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_by_hand(parser.parse_args().runtime))
