"""The exam that pictures go to: held for the engine, found again after a restart, or made by a trigger."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from smartbox_tui.capture.clock import NS
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.exam import CURRENT, ExamState
from smartbox_tui.model.patient import UNKNOWN
from smartbox_tui.model.uids import uid_of
from smartbox_tui.spool.clock import box_clock
from smartbox_tui.spool.examfile import (
    ExamFile,
    RevisionFile,
    create_exam,
    read_exam,
    read_revision,
)
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.wire import times
from smartbox_tui.wire.current import Current, boot_id, read_current, write_current
from smartbox_tui.wire.state import HeldExam, Patient

log = logging.getLogger(__name__)

_REMEMBER_NS: Final = 60 * NS
_SETTLE_S: Final = 5.0
"""A picture under way when the exam changes is finished first; a slower one keeps its exam all the same."""

_PATIENT_KEYS: Final = ("id", "name", "birth_date", "sex", "age")


@dataclass(frozen=True, slots=True)
class Held:
    """An exam as the spool tells it.

    `since_ns` (CLOCK_MONOTONIC): no frame from before it may go into this exam, or a pre-roll would show the
    patient before.
    """

    id: str
    folder: Path
    revision: int
    state: str
    study_instance_uid: str
    opened_at: str
    parts: int
    patient: Patient
    since_ns: int
    accession_number: str = ""
    emergency: str | None = None
    generation: int = 0
    uids: Mapping[str, str] = field(default_factory=dict)
    made_for_ns: int | None = None  # the trigger that this exam was made for, by capture itself

    def shown(self, stills: int, clips: int, bursts: int = 0) -> HeldExam:
        return HeldExam(
            id=self.id,
            state=self.state,
            study_instance_uid=self.study_instance_uid,
            revision=self.revision,
            opened_at=self.opened_at,
            patient=self.patient,
            accession_number=self.accession_number,
            emergency=self.emergency,
            stills=stills,
            clips=clips,
            bursts=bursts,
        )


def read_held(spool: Path, exam: str, revision: int, since_ns: int) -> Held:
    """The exam with the revision that its file names, or the newer `revision`. Raises not-found, bad-value."""
    try:
        folder = exam_dir(spool, exam)
    except ValueError:
        raise SmartBoxError("bad-value", f"{exam!r} is not the id of an exam.", "It is a UUID.") from None
    try:
        file = read_exam(folder)
        newest = max(revision, file.revision)
        values = read_revision(folder, newest)
    except (OSError, ValueError) as exc:
        raise SmartBoxError(
            "not-found",
            f"Exam {exam} is not in the spool: {exc}",
            "Open it again; `smartbox store check` tells more.",
        ) from exc
    return Held(
        id=file.id,
        folder=folder,
        revision=newest,
        state=file.state,
        study_instance_uid=file.study_instance_uid,
        opened_at=file.opened_at,
        parts=file.parts,
        patient=_patient(values.patient),
        since_ns=since_ns,
        accession_number=values.accession_number,
        emergency=file.emergency,
        generation=values.generation,
        uids=values.uids,
    )


def _patient(value: dict[str, Any]) -> Patient:
    return Patient(**{key: value[key] for key in _PATIENT_KEYS if value.get(key) is not None})


class ExamDesk:
    """Which exam is held now, and which one was at a trigger's time. Thread-safe.

    `changed` is called, without a lock, with the exam now held.
    """

    def __init__(
        self, spool: Path, runtime: Path, *, refuse_without: bool, changed: Callable[[Held | None], None]
    ) -> None:
        self._spool, self._runtime = spool, runtime
        self._refuse = refuse_without
        self._changed = changed
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._held: Held | None = None
        self._past: list[tuple[int, Held | None]] = []  # (until when, what was held)
        self._busy: dict[str, int] = {}
        self._free_since_ns = 0

    @property
    def held(self) -> Held | None:
        return self._held

    def restore(self) -> Held | None:
        """Takes the exam of `current.json` up again, at the start."""
        current = read_current(self._runtime)
        if current is None:
            return None
        try:
            held = read_held(self._spool, current.exam, current.revision, 0)
        except SmartBoxError as exc:
            log.error("the current exam cannot be taken up: %s", exc)
            return None
        if held.state not in CURRENT:
            log.info("exam %s is %s: nothing is held", held.id, held.state)
            write_current(self._runtime, None)
            return None
        self._held = held
        return held

    def catch_up(self) -> None:
        """Takes over what the engine wrote into `current.json` while capture was not yet to be reached."""
        with self._lock:
            current = read_current(self._runtime)
            if current is None or (self._held is not None and self._held.id == current.exam):
                return
            try:
                self.hold(current.exam, current.revision)
            except SmartBoxError as exc:
                log.error("the current exam cannot be taken up: %s", exc)

    def hold(self, exam: str, revision: int) -> tuple[Held, Held | None]:
        """(the exam now held, the one before). The same exam again takes over its newest revision.

        What is under way for the one before goes on: see `settle`. Raises not-found, bad-value.
        """
        now_ns = time.monotonic_ns()
        with self._lock:
            before = self._held
            same = before if before and before.id == exam.lower() else None
            held = read_held(self._spool, exam, revision, same.since_ns if same else now_ns)
            self._change(replace(held, made_for_ns=same.made_for_ns) if same else held, now_ns)
        self._changed(held)
        return held, before

    def drop(self, exam: str) -> Held | None:
        """Nothing is held any more; answers what was. None, and nothing happens, when another exam is held."""
        with self._lock:
            before = self._held
            if before is None or before.id != exam.lower():
                return None
            self._change(None, time.monotonic_ns())
        self._changed(None)
        return before

    def settle(self, exam: str) -> None:
        """Waits until no picture of the exam is under way."""
        with self._idle:
            self._idle.wait_for(lambda: exam not in self._busy, _SETTLE_S)

    @contextlib.contextmanager
    def picture(self, at_ns: int) -> Iterator[Held]:
        """The exam held at a moment; `settle` does not return for it before the picture is on disk.

        With none, an unassigned exam is made. Raises no-exam where that is not wanted, disk-full.
        """
        made = False
        with self._lock:
            held = self._at(at_ns)
            if held is None:
                held = self._make(at_ns)
                made = held is self._held
            self._begin(held)
        with self._using(held, made=made):
            yield held

    @contextlib.contextmanager
    def emergency(self, at_ns: int, made_for_ns: int | None) -> Iterator[Held]:
        """A new unassigned exam, held from the press on, whichever unassigned one was held before; as `picture`.

        An exam that was made for just this press (`made_for_ns`, the moment of its pinned picture) is the new one
        already. Raises exam-open where an exam with a patient is held, disk-full.
        """
        with self._lock:
            before = self._held
            if before is not None and before.state != ExamState.UNASSIGNED:
                raise SmartBoxError(
                    "exam-open", "An exam is open: no emergency was begun.", "Close it; its pictures stay with it."
                )
            if before is not None and made_for_ns is not None and before.made_for_ns == made_for_ns:
                held, made = before, False
            else:
                since_ns = max(at_ns, self._past[-1][0] if self._past else 0)
                held, made = self._new(since_ns, None), True
                self._change(held, since_ns)
            self._begin(held)
        with self._using(held, made=made):
            yield held

    @contextlib.contextmanager
    def _using(self, held: Held, *, made: bool) -> Iterator[None]:
        """What has begun ends, whatever happens; an exam made for it is told first."""
        try:
            if made:
                self._changed(held)
            yield
        finally:
            self._end(held)

    def belongs(self, held: Held, at_ns: int) -> bool:
        """Whether a frame of that moment may follow a picture of `held`: its exam was still the one."""
        with self._lock:
            then = self._at(at_ns)
        return held.made_for_ns is not None if then is None else then.id == held.id

    def _begin(self, held: Held) -> None:
        self._busy[held.id] = self._busy.get(held.id, 0) + 1

    def _end(self, held: Held) -> None:
        with self._idle:
            self._busy[held.id] -= 1
            if not self._busy[held.id]:
                del self._busy[held.id]
            self._idle.notify_all()

    def _at(self, at_ns: int) -> Held | None:
        for until_ns, held in self._past:
            if at_ns < until_ns:
                return held
        return self._held

    def _make(self, at_ns: int) -> Held:
        """An unassigned exam; the current one unless another was opened since the trigger."""
        if self._refuse:
            raise SmartBoxError(
                "no-exam", "No patient is chosen, and this box takes no picture without.", "Choose a patient."
            )
        held = self._new(self._free_since_ns, at_ns)
        if self._held is None:
            self._set(held)
        return held

    def _new(self, since_ns: int, made_for_ns: int | None) -> Held:
        """The folder of an unassigned exam, durable. Raises disk-full."""
        exam = uuid4()
        clock = box_clock(self._spool, boot_id())
        unsure = clock.unsure_now()
        opened_at = times.now()
        file = ExamFile(
            id=str(exam),
            state=ExamState.UNASSIGNED,
            study_instance_uid=uid_of(exam),
            opened_at=opened_at,
            opened_by="capture",
            boot_id=clock.boot_id,
            unsure={"opened_at": unsure} if unsure else {},
        )
        patient = {**UNKNOWN.to_json(), "comments": ""}
        folder = exam_dir(self._spool, str(exam))
        revision = RevisionFile(
            1,
            patient=patient,
            study_at=opened_at,
            study_unsure=unsure or {},
            made_at=opened_at,
            anchors=clock.anchors,
        )
        create_exam(folder, file, revision)
        return Held(
            id=file.id,
            folder=folder,
            revision=1,
            state=file.state,
            study_instance_uid=file.study_instance_uid,
            opened_at=opened_at,
            parts=0,
            patient=Patient(),
            since_ns=since_ns,
            made_for_ns=made_for_ns,
        )

    def _change(self, held: Held | None, now_ns: int) -> None:
        before = self._held
        if (before and before.id) != (held and held.id):
            self._past = [each for each in self._past if now_ns - each[0] < _REMEMBER_NS]
            self._past.append((now_ns, before))
            if held is None:
                self._free_since_ns = now_ns
        self._set(held)

    def _set(self, held: Held | None) -> None:
        self._held = held
        try:
            write_current(self._runtime, Current(held.id, held.revision, boot_id()) if held else None)
        except OSError:
            # Needed only by the next start; this one knows what it holds.
            log.exception("current.json is not written")
