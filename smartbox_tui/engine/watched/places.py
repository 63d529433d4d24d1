"""The exams that pictures of a watched folder go into: one per patient, order, day and source, closed from its
first moment on, so that none is ever the operator's current one.

Where the operator has an exam of that patient and order on that day, the pictures belong to it, as if they had been
moved there by hand (`merged_into`): its study, a series of their own, and every correction of it takes them along.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from smartbox_tui.engine.exams.lifecycle import Exams
from smartbox_tui.engine.who import Identity
from smartbox_tui.model.exam import ExamState
from smartbox_tui.model.patient import UNKNOWN
from smartbox_tui.model.uids import study_uid
from smartbox_tui.spool.examfile import (
    ExamFile,
    RevisionFile,
    create_exam,
    read_exam,
    read_revision,
)
from smartbox_tui.store import queries, records
from smartbox_tui.wire import current, times

_NAMESPACE: Final = UUID("0b2f8f8e-63f0-4a0c-9a57-3c1df60c0f5b")
_TRIES: Final = 100
WATCHED: Final = "watched"
"""In `ExamFile.extra`: the source that the exam was made for."""


class Places:
    """The caller holds the exams' lock until the picture lies there: nobody corrects the exam in between."""

    def __init__(self, exams: Exams) -> None:
        self._exams = exams

    async def of_patient(self, source: str, identity: Identity, taken: datetime) -> str:
        """The exam's id; made where there is none. Raises disk-full."""
        day = taken.astimezone().date().isoformat()
        who = identity.patient
        key = "|".join((source, who.id, identity.accession_number, identity.study_instance_uid, day))
        for number in range(_TRIES):
            exam_id = str(uuid5(_NAMESPACE, f"{key}|{number}"))
            try:
                found = await self._read(exam_id)
            except ValueError:  # damaged, which the engine's start tells: its pictures stay, new ones go elsewhere
                continue
            if found is None:
                await self._create(exam_id, source, identity, taken)
                return exam_id
            exam, revision = found
            # Somebody may have given the exam to another patient: what names this one is no longer for it.
            if revision.patient.get("id") == who.id and _same_birth(revision.patient, identity):
                await self._follow_hold(exam)
                return exam_id
        raise RuntimeError("a hundred exams of one patient on one day were all given to others")

    async def of_nobody(self, source: str, picture: str, taken: datetime, known: str | None) -> str:
        """An exam without a patient: `known`, as long as nobody has assigned it, else one that begins with this
        picture. Raises disk-full."""
        first = str(uuid5(_NAMESPACE, f"nobody|{picture}"))
        further = (str(uuid5(UUID(first), str(number))) for number in range(1, _TRIES))
        for exam_id in (known, first, *further):
            if not exam_id:
                continue
            try:
                found = await self._read(exam_id)
            except ValueError:
                continue
            if found is None and exam_id != known:
                await self._create(exam_id, source, Identity(UNKNOWN), taken)
                return exam_id
            if found is not None and not found[1].patient.get("id") and not found[0].merged_into:
                return exam_id
        raise RuntimeError("a picture's exam was assigned a hundred times")

    def belongs_to(self, exam_id: str) -> str:
        row = queries.exam(self._exams.store.reader, exam_id)
        return (row.merged_into or exam_id) if row is not None else exam_id

    async def _read(self, exam_id: str) -> tuple[ExamFile, RevisionFile] | None:
        folder = self._exams.folder(exam_id)

        def read() -> tuple[ExamFile, RevisionFile] | None:
            try:
                exam = read_exam(folder)
                return exam, read_revision(folder, exam.revision)
            except FileNotFoundError:
                return None

        found = await self._exams.run(read)
        if found is not None and queries.exam(self._exams.store.reader, exam_id) is None:
            await self._exams.import_exam(exam_id)  # we died between the two
        return found

    async def _create(self, exam_id: str, source: str, identity: Identity, taken: datetime) -> None:
        exams = self._exams
        target = self._operators(identity, taken)
        known = bool(identity.patient.id)
        now = times.now()
        exam = ExamFile(
            id=exam_id,
            state=ExamState.CLOSED,
            study_instance_uid=identity.study_instance_uid or study_uid(UUID(exam_id)),
            opened_at=now,
            opened_by="engine",
            closed_at=now,
            released=known,
            boot_id=current.boot_id(),
            extra={WATCHED: source},
        )
        study_at = taken.isoformat(timespec="milliseconds")
        if target is not None:
            theirs = await self._revision(target.id)
            study = theirs.study_instance_uid or target.study_uid
            exam = replace(
                exam, study_instance_uid=study, merged_into=target.id, emergency=target.emergency,
                extra={**exam.extra, **({"held": True} if target.held else {})},
            )  # fmt: skip
            revision = RevisionFile(
                revision=1,
                patient=theirs.patient,
                study_at=theirs.study_at,
                accession_number=theirs.accession_number,
                referring_physician=theirs.referring_physician,
                study_description=theirs.study_description,
                study_id=theirs.study_id,
                worklist=theirs.worklist,
                worklist_id=theirs.worklist_id,
                study_instance_uid=study,
                made_at=now,
            )
        else:
            first = queries.first_of_study(exams.store.reader, exam.study_instance_uid)
            if first is not None:  # one study has one date
                study_at = (await self._revision(first.id)).study_at
            revision = identity.revision(1, study_at, exam.study_instance_uid, performed=False)
        await exams.run(create_exam, exams.folder(exam_id), exam, revision)
        await exams.write(lambda database: records.put_exam(database, exam, revision))
        exams.announce(exam_id)

    async def _revision(self, exam_id: str) -> RevisionFile:
        folder = self._exams.folder(exam_id)
        return await self._exams.run(lambda: read_revision(folder, read_exam(folder).revision))

    def _operators(self, identity: Identity, taken: datetime) -> Any | None:
        """The operator's exam of this patient and order on that day; None where there is none, or no single one."""
        if not identity.patient.id:
            return None
        day = taken.astimezone().date().isoformat()
        rows = [
            row
            for row in queries.exams(self._exams.store.reader, date=day)
            if row.patient_id == identity.patient.id and not row.merged_into and not self._is_ours(row.id)
        ]
        rows = [row for row in rows if _same_birth(json.loads(row.patient), identity)]
        study = [row for row in rows if identity.study_instance_uid == row.study_uid]
        order = [row for row in rows if identity.accession_number and row.accession == identity.accession_number]
        loose = [row for row in rows if not (identity.accession_number or identity.study_instance_uid)]
        for found in (study, order, loose):
            if found:
                return found[0] if len(found) == 1 else None
        return None

    def _is_ours(self, exam_id: str) -> bool:
        try:
            return WATCHED in read_exam(self._exams.folder(exam_id)).extra
        except (OSError, ValueError):
            return True

    async def _follow_hold(self, exam: ExamFile) -> None:
        """Pictures of an exam that is held back by hand are held back, too."""
        if exam.merged_into is None:
            return
        row = queries.exam(self._exams.store.reader, exam.merged_into)
        if row is not None and bool(row.held) != bool(exam.extra.get("held")):
            await self._exams.save(replace(exam, extra={**exam.extra, "held": bool(row.held)}))


def _same_birth(patient: dict[str, Any], identity: Identity) -> bool:
    """One ID with two birth dates is two people; where one is not known nothing speaks against it."""
    born, ours = patient.get("birth_date"), identity.patient.birth_date
    return not born or ours is None or born == ours.isoformat()
