"""Dates that follow the clock (DESIGN section 7): what was taken and opened before the clock was synchronised gets
its right time once that is known, by a new header revision, and only while nothing of it has ever been on its way.

UIDs stay: an object that nobody has seen may still change. What was sent keeps its dates, and the exam says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from smartbox_tui.engine.clock import ClockGate
from smartbox_tui.engine.exams import anchored
from smartbox_tui.engine.exams.lifecycle import Exams
from smartbox_tui.engine.exams.reassign import Reassigner
from smartbox_tui.engine.exams.reconcile import Reconcile
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool import clock
from smartbox_tui.spool.examfile import ExamFile, RevisionFile, next_revision, read_exam, read_revision
from smartbox_tui.store import audit, queries, reconcile, stepped
from smartbox_tui.wire import times

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
STEP_S: Final = 2.0
"""A wall clock that has moved by more against CLOCK_BOOTTIME was set; less is its being slewed."""
TELL_ROWS: Final = 200
TRIES: Final = 5
"""Then what could not be put right (a full disk) no longer keeps everything from being sent."""


Calls = Iterable[Callable[[], None]]


@dataclass(frozen=True, slots=True)
class _Plan:
    exam: ExamFile
    revision: RevisionFile


class Dates:
    """Belongs to the engine's event loop."""

    def __init__(self, exams: Exams, reassigner: Reassigner, reconciling: Reconcile, gate: ClockGate) -> None:
        self._exams, self._reassigner, self._reconciling, self._gate = exams, reassigner, reconciling, gate
        self._asked: set[str] = set()
        self._wake = asyncio.Event()
        self._explained = "not known yet"  # what an engine before this one left
        exams.dates_open = self.ask

    def ask(self, exam_id: str) -> None:
        """The exam has got a picture whose date may be put right."""
        self._asked.add(exam_id)
        self._wake.set()

    # ---- watching

    async def follow(self, wake: Calls, changed: Calls) -> None:
        """For ever. Each of `wake` is called when sending may begin, of `changed` when the clock is another."""
        offset = clock.anchor_ns()
        tries = 0
        while True:
            trusted = await asyncio.to_thread(self._gate.clock.look)
            if trusted != self._gate.settled:
                tries += 1
                if await self.all() or tries >= TRIES:
                    tries = 0
                    if self._gate.settled is False:
                        _call(changed)
                    self._gate.settle(trusted)
                    _call(wake)
            elif trusted and self._asked:
                asked, self._asked = self._asked, set()
                await self._each(asked)
                self._exams.wake_delivery()
            await self._explain()
            now = clock.anchor_ns()
            if abs(now - offset) > STEP_S * clock.NS:
                await self._stepped((now - offset) / clock.NS)
                _call(changed)
            offset = now
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), LOOK_S)
            except TimeoutError:
                pass

    async def _explain(self) -> None:
        """The queue says why nothing goes out."""
        reason = self._gate.waiting()
        if reason or self._explained:
            rows = await self._exams.write(lambda database: stepped.waits(database, reason))
            self._explained = reason
            for identity in rows[:TELL_ROWS]:
                self._exams.tell_delivery(identity)

    async def _stepped(self, by_s: float) -> None:
        log.warning("the wall clock was set by %+.1f seconds", by_s)
        now_ns, up_ns = clock.anchor_ns() + clock.boottime_ns(), clock.boottime_ns()
        await self._exams.write(
            lambda database: stepped.follow(database, by_s, now_ns / clock.NS, up_ns / clock.NS)
        )

    # ---- putting right

    async def all(self) -> bool:
        """Every exam whose dates may follow; False when one could not be changed now."""
        if not clock.anchors(self._exams.spool):
            return True
        return await self._each(queries.exams_with_unsure_dates(self._exams.store.reader))

    async def _each(self, exam_ids: Iterable[str]) -> bool:
        done = True
        for exam_id in exam_ids:
            try:
                await self.exam(exam_id)
            except (OSError, ValueError, SmartBoxError) as exc:
                log.error("the dates of exam %s cannot follow the clock: %s", exam_id, type(exc).__name__)
                done = False
        return done

    async def exam(self, exam_id: str) -> bool:
        """Puts an exam's dates right; True when they changed. Raises disk-full, invalid-object, OSError,
        ValueError: they are as they were then."""
        exams = self._exams
        async with exams.lock:
            exam = await exams.read(exam_id)
            belongs_to = exam.merged_into or exam.id
            ids = list(dict.fromkeys([exam.id, belongs_to]))
            plan = await exams.run(self._plan, exam)
            if plan is None:
                if set(ids) & set(reconcile.blocked(exams.store.reader)):  # by the adoption of a picture
                    await exams.write(lambda database: reconcile.unblock(database, ids))
                return False
            await exams.write(lambda database: reconcile.block(database, ids))
            try:
                if self._seen(exam.id):
                    await self._final(exam)
                    await exams.write(lambda database: reconcile.unblock(database, ids))
                    exams.wake_delivery()
                    return False
                number = await exams.run(next_revision, exams.folder(exam.id))
                revision = replace(plan.revision, revision=number)
                new, _ = await exams.run(self._reassigner.prepare, exam, plan.exam, revision)
            except BaseException:
                await exams.write(lambda database: reconcile.unblock(database, ids))
                raise
            await self._reconciling.finish(ids, [exam.id], "box")
            if new.id == exams.current:
                await exams.make_current(new)
            exams.announce(belongs_to)
            return True

    def _plan(self, exam: ExamFile) -> _Plan | None:
        """What exam and revision are to be; None when nothing would change. On the spool's thread."""
        if exam.extra.get("dates_final"):
            return None
        boots = clock.read_boots(self._exams.spool)
        anchors = {item.id: item.anchor_ns for item in boots.values() if item.anchor_ns is not None}
        numbers = queries.unsure_boots(self._exams.store.reader, exam.id)
        wanted = {item.id for item in boots.values() if item.number in numbers}
        wanted |= {moment["boot_id"] for moment in exam.unsure.values()}
        wanted &= anchors.keys()
        before = read_revision(self._exams.folder(exam.id), exam.revision)
        new = anchored.exam_times(exam, anchors)
        study = anchored.study_time(before, anchors)
        if study != before and not self._study_may_change(before, exam, study.study_at):
            study = before
        if not wanted and study == before:
            return None
        known = before.anchors | {boot_id: anchors[boot_id] for boot_id in wanted}
        return _Plan(new, replace(study, anchors=known, made_at=times.now(), redated=True, notes=[]))

    def _study_may_change(self, before: RevisionFile, exam: ExamFile, study_at: str) -> bool:
        """A study has one date: it stays when an archive has seen something of the study under the old one."""
        study = before.study_instance_uid or exam.study_instance_uid
        for other in queries.of_study(self._exams.store.reader, study):
            if self._seen(other):
                folder = self._exams.folder(other)
                theirs = read_revision(folder, read_exam(folder).revision)
                if theirs.study_at != study_at:
                    return False
        return True

    def _seen(self, exam_id: str) -> bool:
        reader = self._exams.store.reader
        return bool(reconcile.seen_outside(reader, exam_id)) or self._reassigner.promised(exam_id)

    async def _final(self, exam: ExamFile) -> None:
        """Something of it was sent: its dates stay, and it says that they are not sure."""
        exams = self._exams
        await exams.save(replace(exam, extra={**exam.extra, "dates_final": True}))
        await exams.write(lambda database: audit.add(database, "box", "exam-dates-stay", exam.id, {}))
        log.warning("exam %s was sent before the clock was known: its dates stay", exam.id)
        exams.announce(exam.id)


def _call(functions: Calls) -> None:
    for function in functions:
        function()
