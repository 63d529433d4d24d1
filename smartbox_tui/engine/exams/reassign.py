"""Reassigning in the spool: everything that the new header revision needs is durable before exam.json names it.

Two rules hold whatever happens in between (DESIGN section 7): every picture that ever entered `sending` gets a new
SOP Instance UID, the others keep theirs; study and series UIDs change for all. Until exam.json is replaced the exam
is the old one, from then on the new one, and `finish` can be done again and again until the rows agree.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.headers import numbers_of
from smartbox_tui.engine import rendition
from smartbox_tui.engine.delivery import routes, variants
from smartbox_tui.engine.exams.adopt import Adopter, first_state
from smartbox_tui.engine.ports import PerformedPort
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.model.instance import Equipment
from smartbox_tui.model.rejection import RejectionNote
from smartbox_tui.model.uids import reissued, uid_of
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool import clock, ledger
from smartbox_tui.spool.durable import fsync_dir, write_new
from smartbox_tui.spool.examfile import (
    ExamFile,
    RevisionFile,
    read_exam,
    read_revision,
    write_exam,
    write_revision,
)
from smartbox_tui.spool.layout import exam_dir, header_name
from smartbox_tui.spool.sidecar import Sidecar, read_sidecar
from smartbox_tui.store import audit, queries, reconcile, records
from smartbox_tui.store.database import Store
from smartbox_tui.wire import times

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """What `finish` changed: rows of the queue, and the pictures that belong to the exam."""

    deliveries: tuple[int, ...]
    instances: tuple[str, ...]


class Reassigner:
    """Blocks; belongs to the spool's thread, like the Adopter, so that no adoption falls between two steps."""

    def __init__(
        self,
        spool: Path,
        store: Store,
        settings: Callable[[], Settings],
        adopter: Adopter,
        performed: PerformedPort,
    ) -> None:
        self._spool, self._store, self._settings = spool, store, settings
        self._adopter, self._performed = adopter, performed

    # ---- the spool

    def prepare(self, old: ExamFile, new: ExamFile, revision: RevisionFile) -> tuple[ExamFile, RevisionFile]:
        """Writes header revision, headers and notes, then exam.json; returns the two as they were written.

        `new` and `revision` say who it is; UIDs of pictures and notes are put in here. Nothing of the exam is in
        `sending` and nothing can be claimed. Raises disk-full, invalid-object: the exam then is as it was.
        """
        folder = exam_dir(self._spool, old.id)
        self._adopter.exam(old.id)  # what lies there closed becomes a row of the old exam first
        before = read_revision(folder, old.revision)
        rows = [row for row in queries.instances_in(self._store.reader, old.id) if row.kind != queries.NOTE]
        seen = reconcile.seen_outside(self._store.reader, old.id)
        promised = self._promised(folder)
        outside = {item.instance.id for items in seen.values() for item in items}
        outside |= {row.id for row in rows if promised & variants.everything_of(row.sop_uid, row.kind).keys()}
        uids = dict(before.uids)
        for row in rows:
            if row.id in outside:
                uids[row.id] = reissued(UUID(row.id), revision.generation)
        notes = self._write_notes(folder, old, before, revision, seen)
        anchors = before.anchors | revision.anchors | self._anchors(folder, rows)
        revision = replace(revision, uids=uids, notes=notes, before=old.revision, anchors=anchors)
        belongs_to = new.merged_into or new.id
        for row in rows:
            sidecar = read_sidecar(folder / f"{row.id}.json")
            series = rendition.series_uid(sidecar, revision)
            number = self._series_number(belongs_to, row, series)
            picture = rendition.picture_values(sidecar, revision, number, row.instance_number)
            settings = self._settings()
            equipment = rendition.equipment_values(settings.station_name, settings.institution_name, sidecar)
            try:
                header = build_header(rendition.study_values(new, revision), picture, equipment)
            except SmartBoxError:
                if (folder / header_name(row.id, old.revision)).exists():
                    raise  # it is this patient that cannot be written
                continue  # this picture has no header under any patient: it stays blocked
            write_new(folder / header_name(row.id, revision.revision), header, sync_folder=False)
        fsync_dir(folder)
        write_revision(folder, revision)
        written = replace(
            new,
            revision=revision.revision,
            study_instance_uid=revision.study_instance_uid or new.study_instance_uid,
        )
        write_exam(folder, written)  # from here on the exam is the new one
        return written, revision

    def _anchors(self, folder: Path, rows: list[Any]) -> dict[str, int]:
        """Of the boots whose clock was not known when the pictures were taken, and is now: what was seen under its
        old UID with another time has a new one in this revision."""
        wanted = {read_sidecar(folder / f"{row.id}.json").boot_id for row in rows if row.unsure}
        known = clock.anchors(self._spool) if wanted else {}
        return {boot_id: known[boot_id] for boot_id in wanted & known.keys()}

    def promised(self, exam_id: str) -> bool:
        """Whether an archive has something of the exam's folder under a UID that is still in use."""
        promised = self._promised(exam_dir(self._spool, exam_id))
        rows = queries.instances_in(self._store.reader, exam_id) if promised else []
        return any(promised & variants.everything_of(row.sop_uid, row.kind).keys() for row in rows)

    @staticmethod
    def _promised(folder: Path) -> frozenset[str]:
        """What an archive has, as the ledger tells, also when the database was lost."""
        return frozenset(item.uid for item in ledger.read(folder) if item.state in ("stored", "committed"))

    def _series_number(self, belongs_to: str, row: Any, series_uid: str) -> int:
        """The same as before in the exam's own study; the next free one among another exam's series."""
        if belongs_to == row.exam:
            return int(row.series_number)
        taken, _ = records.next_numbers(self._store.reader, belongs_to, series_uid)
        own = sorted({item.series_number for item in queries.instances_in(self._store.reader, row.folder)})
        return taken + own.index(row.series_number)

    def _write_notes(
        self,
        folder: Path,
        old: ExamFile,
        before: RevisionFile,
        revision: RevisionFile,
        seen: dict[str, list[reconcile.Seen]],
    ) -> list[dict[str, str]]:
        """One rejection note for each destination that wants it and has seen something."""
        settings = self._settings()
        wanted = {
            item.name: item.charset for item in settings.destinations if item.rejection_note and seen.get(item.name)
        }
        notes = []
        for name, charset in wanted.items():
            from smartbox_tui.dicom.rejection import build_rejection_note  # seldom needed

            uuid = uuid5(UUID(old.id), f"note:{revision.revision}:{name}")
            series = uid_of(uuid5(uuid, "series"))
            rejected = tuple(
                (*variants.series_and_class(item.instance, item.variant), item.sop_uid) for item in seen[name]
            )
            note = RejectionNote(
                sop_instance_uid=uid_of(uuid),
                series_instance_uid=series,
                series_number=9000 + revision.generation,
                instance_number=1,
                made_at=times.parse(revision.made_at),
                instances=rejected,
            )
            equipment = Equipment(settings.station_name, settings.institution_name)
            file = f"{uuid}.note.dcm"
            # in the study of the pictures that it rejects (IHE RAD TF-3 4.66): it is there that they are looked for
            study = rendition.study_values(old, before, charset)
            write_new(folder / file, build_rejection_note(study, note, equipment))
            notes.append({"id": str(uuid), "destination": name, "file": file, "series": series})
        return notes

    # ---- the rows

    def finish(self, exam_id: str, who: str) -> Done:
        """Makes ledger, rows, performed steps and audit agree with exam.json. Can be repeated after any crash."""
        folder = exam_dir(self._spool, exam_id)
        exam = read_exam(folder)
        revision = read_revision(folder, exam.revision)
        reader = self._store.reader
        rows = [row for row in queries.instances_in(reader, exam_id) if row.kind != queries.NOTE]
        belongs_to = exam.merged_into or exam.id
        changes = [self._change(folder, exam, revision, row, belongs_to) for row in rows]
        gone = [row for row, item in zip(rows, changes, strict=True) if row.sop_uid != item.sop_uid]
        self._supersede(folder, {uid for row in gone for uid in variants.everything_of(row.sop_uid, row.kind)})

        def job(database: Any) -> list[int]:
            if exam.merged_into:
                self._put(database, exam.merged_into)
            records.put_exam(database, exam, revision)
            changed = reconcile.apply(database, changes, 1 if exam.emergency else 0, "the exam was reassigned")
            audit.add(
                database, who, "exam-redated" if revision.redated else "exam-reassigned", exam.id,
                {"revision": revision.revision, "before": revision.before, "into": exam.merged_into,
                 "pictures": len(changes), "notes": len(revision.notes)},
            )  # fmt: skip
            return changed

        changed = self._store.write(job).result()
        self._adopter.notes(folder, exam)
        self._steps(folder, exam, revision)
        return Done(tuple(changed), tuple(item.id for item in changes))

    def _put(self, database: Any, exam_id: str) -> None:
        """The row of another exam, which the pictures' rows name."""
        folder = exam_dir(self._spool, exam_id)
        exam = read_exam(folder)
        records.put_exam(database, exam, read_revision(folder, exam.revision))

    def _change(
        self, folder: Path, exam: ExamFile, revision: RevisionFile, row: Any, belongs_to: str
    ) -> reconcile.Change:
        sidecar = read_sidecar(folder / f"{row.id}.json")
        header = folder / header_name(row.id, exam.revision)
        series_number, number = numbers_of(header) if header.exists() else (row.series_number, row.instance_number)
        return reconcile.Change(
            id=row.id,
            sop_uid=rendition.sop_uid(row.id, revision),
            series_uid=rendition.series_uid(sidecar, revision),
            series_number=series_number,
            instance_number=number,
            revision=exam.revision,
            exam=belongs_to,
            births=() if revision.redated else tuple(self._births(folder, exam, revision, sidecar)),
            captured_at=rendition.captured_at(sidecar, revision),
            unsure=rendition.is_unsure(sidecar, revision),
        )

    def _births(
        self, folder: Path, exam: ExamFile, revision: RevisionFile, sidecar: Sidecar
    ) -> Iterator[reconcile.Birth]:
        patient_known = bool(revision.patient.get("id"))
        taken = routes.picture_of(exam, revision, sidecar)
        for item in self._settings().destinations:
            variant = variants.variant_for(item, sidecar)
            prepare = variants.prepare_of(folder, sidecar, variant)
            state, reason, code = first_state(exam, patient_known, item.send)
            fits = routes.at_once(item, taken)
            yield reconcile.Birth(item.name, state, reason, code, str(variant), prepare, fits)

    @staticmethod
    def _supersede(folder: Path, gone: set[str]) -> None:
        """A promise about a UID that is no more is taken back in the ledger, before the first row says so."""
        last = {(item.uid, item.destination): item for item in ledger.read(folder) if item.uid in gone}
        ledger.append(
            folder,
            [
                ledger.Promise(times.now(), item.uid, item.destination, State.SUPERSEDED.value, "reassigned")
                for item in last.values()
                if item.state != State.SUPERSEDED.value
            ],
        )

    def _steps(self, folder: Path, exam: ExamFile, revision: RevisionFile) -> None:
        if revision.redated:
            self._performed.redated(exam, revision)
            return
        before = read_revision(folder, revision.before) if revision.before else None
        if before is not None and before.patient.get("id"):
            old = replace(exam, study_instance_uid=before.study_instance_uid or exam.study_instance_uid)
            self._performed.corrected(old, before, exam, revision)
            return
        self._performed.opened(exam, revision)
        if exam.closed_at:
            self._performed.ended(exam, revision, "")
