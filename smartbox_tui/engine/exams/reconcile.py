"""Reassigning an exam, exactly as DESIGN section 7 says: stop claiming, wait for or abort what is being sent, then
the spool, then the rows. A crash anywhere leaves the old exam or the new one, never half of each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

from aiohttp import web

from smartbox_tui.engine import audit
from smartbox_tui.engine.area import Handlers
from smartbox_tui.engine.exams import anchored
from smartbox_tui.engine.exams.lifecycle import Exams
from smartbox_tui.engine.exams.reassign import Done, Reassigner
from smartbox_tui.engine.view import instance as instance_view
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.exam import ExamState
from smartbox_tui.model.patient import BY_PEDAL
from smartbox_tui.model.uids import study_uid
from smartbox_tui.spool import clock, release
from smartbox_tui.spool.examfile import ExamFile, RevisionFile, next_revision, read_exam, read_revision
from smartbox_tui.store import queries, reconcile, retention
from smartbox_tui.wire import commands, events, state

log = logging.getLogger(__name__)

GENTLE_S: Final = 1.0
"""So long may what is being sent end by itself: a still is answered by then."""
CANCEL_S: Final = 2.0
"""So long after that it may end between two buffers; then its association is cut."""
PATIENCE_S: Final = 30.0
_POLL_S: Final = 0.03


class Sender(Protocol):
    """The delivery, as far as it is needed here."""

    def interrupt(self, delivery: int, reason: str, *, hard: bool) -> None: ...

    def wake(self) -> None: ...


class Reconcile:
    """An area of the API: the command that gives pictures to somebody else, and what a crash left of it."""

    def __init__(self, exams: Exams, reassigner: Reassigner, sender: Sender) -> None:
        self._exams, self._reassigner, self._sender = exams, reassigner, sender

    def handlers(self) -> Handlers:
        return {commands.ExamReassign: self._command}

    def routes(self) -> list[web.RouteDef]:
        return []

    async def _command(self, command: commands.ExamReassign) -> Any:
        return {"exam": await self.reassign(command)}

    # ---- the command

    async def reassign(self, command: commands.ExamReassign) -> state.Exam:
        """The exam's pictures are somebody else's: answers the exam that they belong to now.

        Raises not-found, bad-value, refused, timeout (an archive that neither answers nor lets go), disk-full; the
        exam is as it was then. Repeated with the same id it finds what it did.
        """
        exams = self._exams
        async with exams.lock:
            old = await exams.read(command.exam)
            before = await exams.run(read_revision, exams.folder(old.id), old.revision)
            if before.command == command.id:
                return exams.announce(old.merged_into or old.id)
            target = await self._target(old, command)
            await exams.run(self._check_here, [old.id, *self._follows(old, target)])
            if target is not None and old.id in (exams.current, exams.suspended):
                await exams.close_exam(old.id, "")  # no picture may come to it once it is part of another
                old = await exams.read(old.id)
            who = audit.who()
            now = datetime.now(UTC).astimezone()
            if target is None:
                identity = exams.registry.identity(command, exams.settings(), now)
                generation = before.generation + 1
                study = identity.study_instance_uid or study_uid(UUID(old.id), generation)
                new = await exams.run(self._timed, replace(old, merged_into=None, emergency=identity.emergency))
                revision = identity.revision(
                    0, new.opened_at, study, performed=exams.performed.wanted, generation=generation
                )
                revision = replace(revision, **await exams.study_time(new, study))
            else:
                revision, new = await self._of_target(target, old, before)
            await self._change(old, new, replace(revision, command=command.id), who)
            return exams.announce(new.merged_into or new.id)

    def _follows(self, old: ExamFile, target: ExamFile | None) -> list[str]:
        """The other folders whose pictures go with this exam's."""
        return reconcile.folders_of(self._exams.store.reader, old.id) if target is None else []

    def _check_here(self, folders: list[str]) -> None:
        """Every picture that an archive has gets a new UID, under which it must be sent again: without its pixels
        it would be rejected there and lost. Nothing is done by halves. Raises refused."""
        count = retention.released_in(self._exams.store.reader, folders)
        if not count:
            return
        names = {name for item in folders for name in self._holders(item)}
        who = ", ".join(sorted(names)) or "an archive"
        raise SmartBoxError(
            "refused",
            f"{count} pictures of this exam are no longer on the box ({who} has them): they cannot be sent again"
            " for somebody else.",
            "Have the patient corrected there; what is still on the box can be cancelled in the queue.",
        )

    def _holders(self, folder: str) -> set[str]:
        try:
            known = release.read(self._exams.folder(folder))
        except OSError:
            return set()
        return {name for item in known.values() for name, _, _ in item.holders}

    async def _target(self, old: ExamFile, command: commands.ExamReassign) -> ExamFile | None:
        """The exam that the pictures are to go into. Raises bad-value, not-found, refused."""
        if command.to_exam is None:
            return None
        if command.patient is not None or command.worklist is not None or command.emergency is not None:
            raise SmartBoxError(
                "bad-value", "Either another exam, or a person.", "--exam, --worklist, --patient-file"
            )
        target = await self._exams.read(command.to_exam)
        if target.id == old.id:
            raise SmartBoxError("bad-value", "These are the exam's pictures already.", "Name another exam.")
        if target.merged_into:
            raise SmartBoxError(
                "refused", "That exam's pictures belong to another exam.", f"Name that one: {target.merged_into}."
            )
        if reconcile.folders_of(self._exams.store.reader, old.id):
            raise SmartBoxError(
                "refused",
                "Other exams' pictures were moved into this exam.",
                "Move those first, or give this exam another patient.",
            )
        revision = await self._exams.run(read_revision, self._exams.folder(target.id), target.revision)
        if not revision.patient.get("id"):
            raise SmartBoxError("refused", "That exam has no patient.", "Assign a patient to it first.")
        return target

    async def _of_target(
        self, target: ExamFile, old: ExamFile, before: RevisionFile
    ) -> tuple[RevisionFile, ExamFile]:
        """The other exam's person, order and study, for pictures that lie in this exam's folder."""
        theirs = await self._exams.run(read_revision, self._exams.folder(target.id), target.revision)
        study = theirs.study_instance_uid or target.study_instance_uid
        revision = replace(
            theirs,
            revision=0,
            study_instance_uid=study,
            generation=before.generation + 1,
            uids={},
            notes=[],
            redated=False,
            made_at=datetime.now(UTC).astimezone().isoformat(timespec="milliseconds"),
        )
        new = await self._exams.run(self._timed, old)
        return revision, replace(new, merged_into=target.id, emergency=target.emergency)

    def _timed(self, exam: ExamFile) -> ExamFile:
        """The exam with its times as they are known by now: under new UIDs nothing of it was seen with others."""
        extra = {key: value for key, value in exam.extra.items() if key != "dates_final"}
        return anchored.exam_times(replace(exam, extra=extra), clock.anchors(self._exams.spool))

    async def _change(self, old: ExamFile, new: ExamFile, revision: RevisionFile, who: str) -> None:
        exams = self._exams
        reader = exams.store.reader
        merged = reconcile.folders_of(reader, old.id) if new.merged_into is None else []
        ids = list(dict.fromkeys([old.id, old.merged_into or old.id, new.merged_into or old.id, *merged]))
        mine = [item for item in ids if item != new.merged_into]  # the target's own deliveries go on
        await exams.write(lambda database: reconcile.block(database, ids))
        try:
            await exams.run(self._check_here, [old.id, *merged])  # nothing is let go of from here on
            await self._quiet(mine)
            if new.state == ExamState.UNASSIGNED:
                new = replace(new, state=ExamState.OPEN)
            if new.closed_at:
                new = replace(new, released=True)
            revision = replace(revision, revision=await exams.run(next_revision, exams.folder(old.id)))
            new, revision = await exams.run(self._reassigner.prepare, old, new, revision)
        except BaseException:
            await exams.write(lambda database: reconcile.unblock(database, ids))
            raise
        await self.finish([item for item in ids if item not in merged], [old.id], who)
        if merged:
            try:
                await self._follow(merged, who)
            finally:
                await exams.write(lambda database: reconcile.unblock(database, merged))
        if new.id == exams.current:
            await exams.make_current(new)

    async def finish(self, blocked: Iterable[str], folders: Iterable[str], who: str) -> None:
        """Rows, events, and delivery goes on. A crash in here is finished at the next start."""
        exams = self._exams
        for folder in folders:
            done: Done = await exams.run(self._reassigner.finish, folder, who)
            self._tell(done)
        await exams.write(lambda database: reconcile.unblock(database, blocked))
        self._sender.wake()

    def _tell(self, done: Done) -> None:
        exams = self._exams
        for identity in done.instances:
            row = queries.instance(exams.store.reader, identity)
            if row is not None:
                exams.publish(events.InstanceAdopted(instance=instance_view(row)))
        for delivery in done.deliveries:
            exams.tell_delivery(delivery)

    async def _follow(self, folders: Iterable[str], who: str) -> None:
        """Pictures that had been moved into the exam go with it: each folder is corrected in the same way."""
        exams = self._exams
        for folder in folders:
            moved = await exams.read(folder)
            if moved.merged_into is None:
                continue
            target = await exams.read(moved.merged_into)
            before = await exams.run(read_revision, exams.folder(moved.id), moved.revision)
            revision, new = await self._of_target(target, moved, before)
            if before.study_instance_uid != revision.study_instance_uid:
                await self._change(moved, new, revision, who)

    async def _quiet(self, ids: list[str]) -> None:
        """Nothing of these exams is on its way when this returns. Raises timeout."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while rows := reconcile.sending(self._exams.store.reader, ids):
            waited = loop.time() - begin
            if waited > PATIENCE_S:
                raise SmartBoxError(
                    "timeout",
                    f"{len(rows)} pictures of this exam are being sent and cannot be stopped.",
                    "Nothing was changed. Pause the destination, then try again.",
                )
            if waited > GENTLE_S:
                for row in rows:
                    self._sender.interrupt(row.id, "the exam was reassigned", hard=waited > GENTLE_S + CANCEL_S)
            await asyncio.sleep(_POLL_S)

    # ---- a pedal's emergency

    async def declare_emergency(self, exam_id: str) -> None:
        """The unassigned exam that a pedal made becomes the emergency patient's."""
        kind = self._exams.settings().emergency.pedal
        row = queries.exam(self._exams.store.reader, exam_id)
        if row is None and await self._exams.import_exam(exam_id) is None:
            return
        row = queries.exam(self._exams.store.reader, exam_id)
        if row is not None and not row.patient_id:
            await self.reassign(commands.ExamReassign(id=str(uuid4()), exam=exam_id, emergency=kind or BY_PEDAL))

    # ---- after a crash

    async def recover(self) -> None:
        """What a crash left blocked: finished when exam.json names the new revision, as before otherwise."""
        exams = self._exams
        left = reconcile.blocked(exams.store.reader)
        if not left:
            return
        log.warning("%d exams were being reassigned when the engine ended", len(left))
        folders = []
        for exam_id in left:
            try:
                await exams.run(read_exam, exams.folder(exam_id))
            except (OSError, ValueError):
                log.error("exam %s is not readable in the spool", exam_id)
                continue
            folders.append(exam_id)
        await self.finish(left, [item for item in folders if await exams.run(self._reassigned, item)], "box")
        for exam_id in folders:
            await self._follow(reconcile.folders_of(exams.store.reader, exam_id), "box")

    def _reassigned(self, exam_id: str) -> bool:
        """Whether its rows have to be held against a newer revision: finishing twice changes nothing."""
        return read_exam(self._exams.folder(exam_id)).revision > 1
