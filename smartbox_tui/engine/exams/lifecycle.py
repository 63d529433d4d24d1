"""Exams: opened, closed, released, resumed. The spool's file first, then the row, then capture, then the answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from smartbox_tui.engine import view
from smartbox_tui.engine.exams.adopt import Adopter
from smartbox_tui.engine.ports import CapturePort, PerformedPort
from smartbox_tui.engine.who import Registry
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model import exam as states
from smartbox_tui.model.exam import ExamState
from smartbox_tui.model.performed import REASONS
from smartbox_tui.model.uids import study_uid
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool.clock import box_clock
from smartbox_tui.spool.examfile import (
    ExamFile,
    RevisionFile,
    create_exam,
    read_exam,
    read_revision,
    said,
    write_exam,
)
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.store import queries, queue, records
from smartbox_tui.store.database import Store
from smartbox_tui.wire import commands, current, events, state, times

T = TypeVar("T")
log = logging.getLogger(__name__)


class Exams:
    """The exam that is current, and all changes to exams. One lock: commands come one after the other."""

    def __init__(
        self,
        *,
        spool: Path,
        runtime: Path,
        store: Store,
        settings: Callable[[], Settings],
        adopter: Adopter,
        spool_thread: ThreadPoolExecutor,
        capture: CapturePort,
        registry: Registry,
        performed: PerformedPort,
        publish: Callable[[msgspec.Struct], None],
        wake_delivery: Callable[[], None],
    ) -> None:
        self.spool, self.runtime, self.store, self.settings = spool, runtime, store, settings
        self._adopter, self._thread, self.capture = adopter, spool_thread, capture
        self.registry, self.performed = registry, performed
        self.publish, self.wake_delivery = publish, wake_delivery
        self.lock = asyncio.Lock()
        self.current: str | None = None
        self.suspended: str | None = None
        self.unfinished: set[str] = set()  # exams with pictures that could not be adopted yet
        self.clock = box_clock(spool, current.boot_id())
        self.dates_open: Callable[[str], None] = lambda exam_id: None  # its dates may follow a clock known by now

    # ---- helpers, for recovery.py too

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Runs something that touches the spool on the spool's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    async def write(self, job: Callable[[Any], T]) -> T:
        return await asyncio.wrap_future(self.store.write(job))

    def view(self, exam_id: str) -> state.Exam:
        """Raises not-found."""
        row = queries.exam(self.store.reader, exam_id)
        if row is None:
            raise SmartBoxError("not-found", f"There is no exam {exam_id}.", "See `ctl exam list`.")
        return view.exam(self.store.reader, row)

    def folder(self, exam_id: str) -> Path:
        try:
            return exam_dir(self.spool, exam_id)
        except ValueError:
            raise SmartBoxError("not-found", f"There is no exam {exam_id}.", "An exam id is a UUID.") from None

    def announce(self, exam_id: str) -> state.Exam:
        """Publishes the exam as it stands, and returns it."""
        exam = self.view(exam_id)
        self.publish(events.ExamChanged(exam=exam, current=exam_id == self.current))
        return exam

    def tell_delivery(self, identity: int) -> None:
        """Publishes a row of the queue as it stands."""
        row = queries.delivery(self.store.reader, identity)
        if row is not None:
            self.publish(events.DeliveryChanged(delivery=view.delivery(row)))

    async def save(self, exam: ExamFile) -> None:
        """exam.json, then the row."""
        folder = self.folder(exam.id)

        def files() -> RevisionFile:
            write_exam(folder, exam)
            return read_revision(folder, exam.revision)

        revision = await self.run(files)
        await self.write(lambda database: records.put_exam(database, exam, revision))

    async def import_exam(self, exam_id: str) -> ExamFile | None:
        """Takes an exam that lies in the spool (made by capture) into the store; None when it is unreadable."""
        folder = self.folder(exam_id)
        try:
            exam = await self.run(read_exam, folder)
            revision = await self.run(read_revision, folder, exam.revision)
        except (OSError, ValueError) as exc:
            log.error("exam %s in the spool is unreadable: %s", exam_id, type(exc).__name__)
            return None
        await self.write(lambda database: records.put_exam(database, exam, revision))
        return exam

    async def adopt(self, exam_id: str, only: list[str] | None = None) -> list[str]:
        """Adopts what is closed in the exam's folder, publishes it, wakes delivery."""
        self.unfinished.add(exam_id)
        done = await self.run(self._adopter.exam, exam_id, only)
        if not done.unreadable:
            self.unfinished.discard(exam_id)
        for identity in done.instances:
            row = queries.instance(self.store.reader, identity)
            if row is not None:
                self.publish(events.InstanceAdopted(instance=view.instance(row)))
                for item in queries.deliveries(self.store.reader, instance_id=identity):
                    self.publish(events.DeliveryChanged(delivery=view.delivery(item)))
        if done.instances:
            self.announce(exam_id)
            if queries.has_unsure(self.store.reader, exam_id):
                self.dates_open(exam_id)
            self.wake_delivery()
        return list(done.instances)

    # ---- commands

    async def open(self, command: commands.ExamOpen) -> state.Exam:
        """Opens an exam; a repeated id finds the one it made. Raises exam-open, bad-value, not-found, disk-full."""
        exam_id = _exam_id(command.id)
        async with self.lock:
            if (
                queries.exam(self.store.reader, exam_id) is not None
                or (self.folder(exam_id) / "exam.json").exists()
            ):
                return await self._reopen_after_crash(exam_id)
            # nothing is closed for a patient or an order that is wrong
            who = self.registry.identity(command, self.settings(), datetime.now(UTC).astimezone())
            await self.make_room()
            if self.suspended is not None:
                await self.close_exam(self.suspended, "")
            unsure = self.clock.unsure_now()
            exam = ExamFile(
                id=exam_id,
                state=ExamState.OPEN,
                study_instance_uid=who.study_instance_uid or study_uid(UUID(exam_id)),
                opened_at=times.now(),
                opened_by="engine",
                boot_id=current.boot_id(),
                emergency=who.emergency,
                unsure={"opened_at": unsure} if unsure else {},
            )
            study = await self.study_time(exam, exam.study_instance_uid)
            revision = who.revision(1, exam.opened_at, exam.study_instance_uid, performed=self.performed.wanted)
            revision = replace(revision, **study, anchors=self.clock.anchors)
            await self.run(create_exam, self.folder(exam_id), exam, revision)
            await self.write(lambda database: records.put_exam(database, exam, revision))
            await self.make_current(exam)
            await self.run(self.performed.opened, exam, revision)
            return self.announce(exam_id)

    async def study_time(self, exam: ExamFile, study_uid: str) -> dict[str, Any]:
        """Study date and time for a revision of `exam`, as fields of it: those of the study's first exam."""
        first = queries.first_of_study(self.store.reader, study_uid)
        if first is None or first.id == exam.id:
            return {"study_at": exam.opened_at, "study_unsure": exam.unsure.get("opened_at", {})}
        theirs = await self.run(read_revision, self.folder(first.id), first.revision)
        return {"study_at": theirs.study_at, "study_unsure": theirs.study_unsure}

    async def make_room(self) -> None:
        """Closes an unassigned current exam: its pictures never slip to the next patient. Raises exam-open when the
        current exam has a patient."""
        if self.current is None:
            return
        row = queries.exam(self.store.reader, self.current)
        if row is not None and row.state not in (ExamState.UNASSIGNED, ExamState.CLOSED):  # closed: not to its end
            raise SmartBoxError(
                "exam-open", "An exam is already open.", "Close it first (`ctl exam close`), then open the next."
            )
        await self.close_exam(self.current, "")

    async def _reopen_after_crash(self, exam_id: str) -> state.Exam:
        """The exam of a repeated command: what a crash, or a full disk, left undone of its opening is done."""
        exam = await self.import_exam(exam_id)
        if exam is not None and exam.state in states.CURRENT and self.current in (None, exam_id):
            await self.make_current(exam)
            revision = await self.run(read_revision, self.folder(exam_id), exam.revision)
            await self.run(self.performed.opened, exam, revision)
        return self.announce(exam_id)

    async def make_current(self, exam: ExamFile) -> None:
        """Capture holds the exam, or it stands in current.json when capture is away."""
        self.current = exam.id
        if self.suspended == exam.id:
            self.suspended = None
        try:
            answer = await self.capture.hold(exam.id, exam.revision)
        except SmartBoxError as exc:
            if exc.code not in ("no-engine", "timeout"):
                raise
            current.write_current(self.runtime, current.Current(exam.id, exam.revision, current.boot_id()))
            return
        previous = answer.get("previous")
        if previous and previous["id"] != exam.id:  # capture made one while we opened this: it stays held
            found = await self.import_exam(previous["id"])
            if found is not None and found.state == ExamState.UNASSIGNED:
                unsure = said(found, "closed_at", self.clock.unsure_now())
                await self.save(replace(found, state=ExamState.CLOSED, closed_at=times.now(), unsure=unsure))
                await self.adopt(found.id)
                self.announce(found.id)

    async def close(self, command: commands.ExamClose) -> state.Exam:
        """Closes the current (or suspended) exam; answers when its deliveries exist. Raises no-exam."""
        async with self.lock:
            done = queries.exam_by_close(self.store.reader, command.id)
            if done is not None and done.id not in (self.current, self.suspended):
                return self.view(done.id)
            exam_id = self.current or self.suspended
            if exam_id is None:
                raise SmartBoxError("no-exam", "No exam is open.", "Open one first (`ctl exam open`).")
            if command.discontinued and command.discontinued not in REASONS:
                raise SmartBoxError(
                    "bad-value", f"'{command.discontinued}' is no reason.", f"One of {', '.join(REASONS)}."
                )
            await self.close_exam(exam_id, command.id, command.discontinued)
            return self.view(exam_id)

    async def close_exam(self, exam_id: str, command: str, discontinued: str = "") -> None:
        if exam_id == self.current:
            try:
                await self.capture.drop(exam_id)  # stops a running recording and waits for its sidecar
            except SmartBoxError as exc:
                if exc.code != "no-engine":
                    raise
                current.write_current(self.runtime, None)
        exam = await self.run(read_exam, self.folder(exam_id))
        revision = await self.run(read_revision, self.folder(exam_id), exam.revision)
        await self.adopt(exam_id)
        known = bool(revision.patient.get("id"))
        if exam.state == ExamState.CLOSED:  # a full disk stopped an earlier try after its file
            closed, discontinued = exam, str(exam.extra.get("discontinued", ""))
        else:
            states.check(ExamState(exam.state), ExamState.CLOSED)
            closed = replace(
                exam,
                state=ExamState.CLOSED,
                unsure=said(exam, "closed_at", self.clock.unsure_now()),
                closed_at=times.now(),
                close_command=command,
                released=exam.released or known,
                extra={**exam.extra, "discontinued": discontinued},
            )
        await self.save(closed)
        if known:
            await self.run(self.performed.ended, closed, revision, discontinued)
            await self.run_release(exam_id, by_hand=False)
        if exam_id == self.current:
            self.current = None
        if exam_id == self.suspended:
            self.suspended = None
        self.announce(exam_id)

    async def run_release(self, exam_id: str, *, by_hand: bool) -> None:
        """Queues what is held: for all destinations by hand, else for those that send at the exam's close; nothing
        of an exam that is held back."""
        row = queries.exam(self.store.reader, exam_id)
        if row is not None and row.held:
            return
        names = [item.name for item in self.settings().destinations if by_hand or item.send != "manual"]
        found = await self.write(lambda database: queue.release(database, exam_id, names))
        for identity in found:
            self.tell_delivery(identity)
        self.wake_delivery()

    async def release(self, command: commands.ExamRelease) -> state.Exam:
        """Sends the exam's pictures now, by hand. Raises not-found, refused (no patient assigned)."""
        async with self.lock:
            exam = await self.read(command.exam)
            revision = await self.run(read_revision, self.folder(exam.id), exam.revision)
            if not revision.patient.get("id"):
                raise SmartBoxError(
                    "refused",
                    "This exam has no patient: its pictures stay on the box.",
                    "Assign a patient to it first.",
                )
            await self.adopt(exam.id)
            extra = {key: value for key, value in exam.extra.items() if key != "held"}
            await self.save(replace(exam, released=True, extra={**extra, "sent_by_hand": True}))
            await self.write(lambda database: queue.pause_exam(database, exam.id, paused=False))
            await self.run_release(exam.id, by_hand=True)
            return self.announce(exam.id)

    async def hold(self, command: commands.ExamHold) -> state.Exam:
        """Keeps the exam's pictures on the box until it is released. Raises not-found."""
        async with self.lock:
            exam = await self.read(command.exam)
            await self.save(replace(exam, extra={**exam.extra, "held": True, "sent_by_hand": False}))
            for identity in await self.write(lambda database: queue.pause_exam(database, exam.id, paused=True)):
                self.tell_delivery(identity)
            return self.announce(exam.id)

    async def resume(self, command: commands.ExamResume) -> state.Exam:
        """Goes on with a suspended exam. Raises not-found, exam-open, refused."""
        async with self.lock:
            exam = await self.read(command.exam)
            if exam.id == self.current:
                return self.view(exam.id)
            if exam.state != ExamState.SUSPENDED:
                raise SmartBoxError("refused", f"This exam is {exam.state}, not suspended.", "See `ctl exam list`.")
            await self.make_room()
            going_on = ExamState.APPENDED if exam.parts else ExamState.OPEN
            opened = replace(exam, state=going_on, boot_id=current.boot_id())
            await self.save(opened)
            await self.make_current(opened)
            return self.announce(exam.id)

    async def append(self, command: commands.ExamAppend) -> state.Exam:
        """A closed exam takes pictures again: new series, new performed step, the same study (DESIGN section 2).

        Raises not-found, exam-open, refused (not closed, no patient, merged into another exam).
        """
        async with self.lock:
            exam = await self.read(command.exam)
            if exam.id == self.current and exam.state == ExamState.APPENDED:
                return self.view(exam.id)
            revision = await self.run(read_revision, self.folder(exam.id), exam.revision)
            if exam.state != ExamState.CLOSED or not revision.patient.get("id"):
                why = f"is {exam.state}" if exam.state != ExamState.CLOSED else "has no patient"
                raise SmartBoxError("refused", f"This exam {why}.", "Only a patient's closed exam is appended to.")
            if exam.merged_into:
                raise SmartBoxError(
                    "refused", "This exam's pictures belong to another exam now.", f"Append to {exam.merged_into}."
                )
            await self.make_room()
            if self.suspended is not None:
                await self.close_exam(self.suspended, "")
            unsure = self.clock.unsure_now()
            opened = replace(
                exam,
                state=ExamState.APPENDED,
                parts=exam.parts + 1,
                closed_at=None,
                close_command="",
                boot_id=current.boot_id(),
                unsure=said(replace(exam, unsure=said(exam, "closed_at", None)), "appended_at", unsure),
                extra={**exam.extra, "sent_by_hand": False, "appended_at": times.now()},
            )
            await self.save(opened)
            await self.make_current(opened)
            await self.run(self.performed.opened, opened, revision)
            return self.announce(exam.id)

    async def read(self, exam_id: str) -> ExamFile:
        folder = self.folder(exam_id)
        try:
            return await self.run(read_exam, folder)
        except FileNotFoundError:
            raise SmartBoxError("not-found", f"There is no exam {exam_id}.", "See `ctl exam list`.") from None


def _exam_id(command_id: str) -> str:
    try:
        return str(UUID(command_id))
    except ValueError:
        raise SmartBoxError(
            "bad-value", "A command's id must be a UUID.", "Make a new one for each command."
        ) from None
