"""One file of a watched folder: into the spool once, for the right patient, then out of the way.

The order is the law's: bitstream, sidecar, fsyncs; then the row; then the file goes to done/. A picture's UUID
follows from its bytes: whatever is done twice, by a crash or by who copies a card a second time, finds it there.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, Protocol
from uuid import uuid4

from smartbox_tui.engine import children
from smartbox_tui.engine.exams.lifecycle import Exams
from smartbox_tui.engine.watched.folder import Candidate, Changed, Folder, Grabbed, Key
from smartbox_tui.engine.watched.patients import Patients, Said
from smartbox_tui.engine.watched.places import Places
from smartbox_tui.engine.watched.session import Code, Session, Used
from smartbox_tui.engine.who import Identity
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import JPEG_BASELINE
from smartbox_tui.settings.schema import Settings, Source
from smartbox_tui.spool import clock
from smartbox_tui.spool.durable import write_new
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, write_sidecar
from smartbox_tui.store import queries
from smartbox_tui.wire import commands, current

log = logging.getLogger(__name__)

CHILD_S: Final = 120.0
INCOMPLETE_S: Final = 60.0
"""A torn picture may still be on its way, over a radio link that stalls: so long it is waited for."""
AGAIN_S: Final = 10.0
TRIES: Final = 3
"""So many children may die of one picture."""
CODE_SHARE: Final = 0.04
"""A picture of which a code covers that much shows a code and nothing else; a wrist band beside a wound is less."""
OFF: Final = timedelta(days=1)

Blocking = Callable[..., Awaitable[Any]]
"""Runs a function of the folder's on the folder's thread."""

_GERMAN: Final = {
    "invalid-object": "Diese Datei ist kein Bild, das übernommen werden kann. Sie ist unverändert.",
    "child": "Das Einlesen dieser Datei ist mehrmals abgebrochen. Sie ist unverändert.",
}


class Outcome(Enum):
    TAKEN = "taken"
    KNOWN = "known"
    CODE = "code"
    QUARANTINED = "quarantined"
    LATER = "later"


class Adoption(Protocol):
    """The desk, as far as it is needed here."""

    async def adopt(self, exam_id: str, only: list[str] | None = None) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Whose:
    """What was found out about a picture. `code` the picture of the code that said it; `is_code`: it shows a code
    and is no picture of anybody."""

    said: Said
    code: str = ""
    is_code: bool = False

    @property
    def identity(self) -> Identity | None:
        return self.said.identity


class Intake:
    """Of one source. One file at a time."""

    def __init__(
        self,
        exams: Exams,
        adoption: Adoption,
        patients: Patients,
        folder: Folder,
        session: Session,
        blocking: Blocking,
        settings: Callable[[], Settings],
    ) -> None:
        self._exams, self._adoption, self._patients = exams, adoption, patients
        self._places = Places(exams)
        self._folder, self._session, self._blocking, self._settings = folder, session, blocking, settings
        self._written: set[str] = set()
        self._died: dict[str, int] = {}
        self._not_before_s: dict[Key, float] = {}

    def wait(self, candidate: Candidate, seconds: float = AGAIN_S) -> None:
        """This file is left alone for a while."""
        now_s = time.monotonic()
        self._not_before_s = {key: at_s for key, at_s in self._not_before_s.items() if at_s > now_s}
        self._not_before_s[candidate.key] = now_s + seconds

    def waits(self, candidate: Candidate) -> bool:
        return self._not_before_s.get(candidate.key, 0.0) > time.monotonic()

    async def take(self, source: Source, candidate: Candidate) -> Outcome:
        """Raises OSError (the folder), SmartBoxError disk-full: the file stays, and is taken later."""
        try:
            grabbed: Grabbed = await self._blocking(self._folder.grab, candidate)
        except Changed:
            return Outcome.LATER
        try:
            if await self._is_known(grabbed.id):
                await self._blocking(self._folder.put_away, candidate, grabbed)
                return Outcome.KNOWN
            try:
                ready = await self._ready(source, grabbed)
            except SmartBoxError as exc:
                return await self._refused(source, candidate, grabbed, exc)
            outcome = await self._place(source, candidate, grabbed, ready)
            await self._blocking(self._folder.put_away, candidate, grabbed)
            return outcome
        finally:
            self._folder.drop(grabbed)

    async def _is_known(self, picture: str) -> bool:
        """Whether the picture is in the spool. The whole spool was walked before the first file: what is not in the
        store lies in an exam that could not be adopted."""
        if picture in self._written or queries.instance(self._exams.store.reader, picture) is not None:
            return True
        folders = [self._exams.folder(exam) for exam in self._exams.unfinished]
        return bool(folders) and await self._exams.run(
            lambda: any((folder / f"{picture}.json").exists() for folder in folders)
        )

    # ---- the picture

    async def _ready(self, source: Source, grabbed: Grabbed) -> dict[str, Any]:
        """What the child says of the picture. Raises invalid-object; refused, timeout when the child died."""
        trim = [f"--crop={source.crop}", f"--mask={source.mask}"]
        made = str(self._folder.made(grabbed))
        answer: dict[str, Any] = await children.ask(
            "camera", str(grabbed.work), "--out", made, *trim, timeout_s=CHILD_S
        )
        return answer

    async def _refused(self, source: Source, candidate: Candidate, grabbed: Grabbed, exc: SmartBoxError) -> Outcome:
        german, english = _GERMAN["child"], "Reading this file broke off several times. It is as it was."
        if exc.code == "invalid-object":
            if candidate.quiet_s < INCOMPLETE_S:
                self.wait(candidate, INCOMPLETE_S - candidate.quiet_s)
                return Outcome.LATER
            german, english = _GERMAN["invalid-object"], f"{exc.message} {exc.hint}"
        else:
            self._died[grabbed.id] = self._died.get(grabbed.id, 0) + 1
            log.warning("source %s: picture %s: %s", source.id, grabbed.id, exc.message)
            if self._died[grabbed.id] < TRIES:
                self.wait(candidate)
                return Outcome.LATER
        await self._blocking(self._folder.quarantine, candidate, german, english, grabbed.sha256)
        self._died.pop(grabbed.id, None)
        log.warning("source %s: a file goes to the quarantine (%s)", source.id, exc.code)
        return Outcome.QUARANTINED

    # ---- the patient

    async def _place(
        self, source: Source, candidate: Candidate, grabbed: Grabbed, ready: dict[str, Any]
    ) -> Outcome:
        camera, at = candidate.peek.camera, candidate.moment
        minutes = self._settings().watched.session_min
        whose = await self._whose(source, grabbed.id, camera, at, ready)
        if whose.is_code:
            log.info("source %s: picture %s is a code", source.id, grabbed.id)
            return Outcome.CODE
        data = self._folder.made(grabbed).read_bytes()
        taken, note = taken_at(candidate)
        async with self._exams.lock:
            if whose.identity is not None:
                exam = await self._places.of_patient(source.id, whose.identity, taken)
            else:
                known = self._session.loose_exam(camera, whose.code, at, minutes)
                exam = await self._places.of_nobody(source.id, grabbed.id, taken, known)
            used = Used(grabbed.id, camera, at.isoformat(), whose.code, exam)
            await self._exams.run(self._session.use, used)
            sidecar = sidecar_of(source, exam, grabbed, ready, taken, data, note or whose.said.unclear)
            await self._exams.run(self._write, sidecar, data)
            self._written.add(grabbed.id)
        try:
            await self._adoption.adopt(exam, [grabbed.id])
            if (final := self._places.belongs_to(exam)) != exam:
                self._exams.announce(final)
        except SmartBoxError as exc:  # it is safe in the spool, and the engine tries again by itself
            log.error("source %s: picture %s is not adopted yet: %s", source.id, grabbed.id, exc.code)
        why = (
            "" if whose.identity is not None else f" without a patient: {whose.said.unclear or 'nothing names one'}"
        )
        log.info("source %s: picture %s into exam %s%s", source.id, grabbed.id, exam, why)
        return Outcome.TAKEN

    def _write(self, sidecar: Sidecar, data: bytes) -> None:
        folder = self._exams.folder(sidecar.exam)
        write_new(folder / sidecar.file, data, sync_folder=False)
        write_sidecar(folder, sidecar)

    async def _whose(self, source: Source, picture: str, camera: str, at: datetime, ready: dict[str, Any]) -> Whose:
        """The picture's own EXIF first, then a code in the picture, then the code photographed before it."""
        minutes = self._settings().watched.session_min
        own = self._patients.of_texts(ready["exif"]["texts"])
        seen = [(item, self._patients.of_code(item["text"])) for item in ready["codes"]]
        people = [(item, said) for item, said in seen if not said.nothing]
        before = self._session.code_for(camera, at, minutes)
        if people:
            first, said = people[0]
            if any(not _agree(said, other) for _, other in people[1:]):
                first, said = {"text": "", "share": 0.0}, Said(unclear="the picture shows codes of two people")
            await self._add_code(source, Code(picture, camera, at.isoformat(), first["text"]), said)
            if own.nothing:
                return Whose(said, picture, said.identity is not None and first["share"] >= CODE_SHARE)
            if said.identity is not None and not _agree(own, said):
                own = Said(unclear="the picture shows a code of somebody else than its EXIF names")
        if not own.nothing:
            if not people and before is not None and not _agree(own, self._of_code(before)):
                # somebody else was before this camera since: the old code is over
                await self._add_code(source, Code(picture, camera, at.isoformat(), ""), own)
            return Whose(own)
        if before is None:
            return Whose(own)
        if self._session.is_before_a_code(camera, at):  # came late, or the camera's clock was set back: who knows
            return Whose(Said(unclear="the picture came after a code that was taken later"), before.picture)
        return Whose(self._of_code(before), before.picture)

    def _of_code(self, code: Code) -> Said:
        return self._patients.of_code(code.text) if code.text else Said(unclear="a code that is over")

    async def _add_code(self, source: Source, code: Code, said: Said) -> None:
        late = await self._exams.run(self._session.add_code, code, self._settings().watched.session_min)
        await self._hold_late(source, late, said)

    async def _hold_late(self, source: Source, late: list[Used], said: Said) -> None:
        """Pictures that were given to somebody before another's code came which had been photographed before them:
        what of their exams has not left stays on the box until somebody has looked."""
        patient = said.identity.patient.id if said.identity is not None else ""
        exams = [
            exam
            for exam in sorted({self._places.belongs_to(item.exam) for item in late})
            if (row := queries.exam(self._exams.store.reader, exam)) is not None
            and row.patient_id not in ("", patient)
        ]
        if not exams:
            return
        await self._exams.run(self._session.hold_late, exams)
        for exam in exams:
            try:
                await self._exams.hold(commands.ExamHold(id=str(uuid4()), exam=exam))
                log.warning("source %s: exam %s is held back: a code came late", source.id, exam)
            except SmartBoxError as exc:
                log.error("source %s: exam %s cannot be held back: %s", source.id, exam, exc.code)


def _agree(one: Said, other: Said) -> bool:
    """Whether two texts mean the same person."""
    if one.identity is None or other.identity is None:
        return one.identity is other.identity
    first, second = one.identity.patient, other.identity.patient
    return (first.id, first.birth_date) == (second.id, second.birth_date)


def taken_at(candidate: Candidate) -> tuple[datetime, str]:
    """When the picture was taken, and what is odd about it. The camera's word counts, but for a time that is yet to
    come: then it is the file's."""
    said = candidate.peek.taken
    if said is None:
        return candidate.changed_at, ""
    taken = said.astimezone()
    if taken - datetime.now().astimezone() > OFF and clock.synchronised():
        return candidate.changed_at, "the camera's clock is ahead: the file's time is used"
    off = candidate.changed_at - taken
    if abs(off) > OFF:
        return taken, f"the camera's time and the file's are {abs(off).days} days apart"
    return taken, ""


def sidecar_of(
    source: Source,
    exam: str,
    grabbed: Grabbed,
    ready: dict[str, Any],
    taken: datetime,
    data: bytes,
    note: str,
) -> Sidecar:
    """Its time is the camera's: no clock of the box has a say in it, and its place in the order follows from it."""
    exif = ready["exif"]
    before = ready["before"]
    return Sidecar(
        id=grabbed.id,
        exam=exam,
        revision=1,
        source=source.id,
        kind="still",
        file=f"{grabbed.id}.jpg",
        state=SidecarState.CLOSED,
        command=grabbed.id,
        trigger="watched",
        trigger_ns=0,
        frame_ns=0,
        captured_at=taken.isoformat(timespec="milliseconds"),
        boot_id=current.boot_id(),
        clock="trusted",
        width=ready["width"],
        height=ready["height"],
        fps_num=0,
        fps_den=1,
        sop_class=source.still_class,
        sampling=ready["sampling"],
        media="jpeg",
        transfer_syntax_uid=JPEG_BASELINE,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        burned_in_annotation=source.burned_in_annotation,
        device={"manufacturer": exif["make"], "model": exif["model"], "serial": exif["serial"]},
        lossy_before=(("ISO_10918_1", float(before)),) if before is not None else (),
        note=note,
    )
