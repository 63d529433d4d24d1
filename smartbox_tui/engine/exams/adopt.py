"""Adoption: what capture has closed in the spool becomes an instance with a header and its deliveries.

The order is the spool's: header fsynced under its name, then the row with all its deliveries in one
transaction. Done twice it does nothing, so it can be repeated after any crash and on any doubt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.headers import numbers_of
from smartbox_tui.engine import marking, rendition
from smartbox_tui.engine.delivery import routes, variants
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model import routing, uids
from smartbox_tui.model.delivery import PROMISED
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.model.instance import EXPLICIT_VR_LE, KEY_OBJECT_SELECTION
from smartbox_tui.model.variant import AS_CAPTURED, Variant, sop_uid_of
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool import clock, ledger, release
from smartbox_tui.spool.bitstream import captured
from smartbox_tui.spool.durable import write_new
from smartbox_tui.spool.examfile import ExamFile, RevisionFile, read_exam, read_revision
from smartbox_tui.spool.layout import exam_dir, header_name, sidecar_paths
from smartbox_tui.spool.reserve import last_room
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, read_sidecar
from smartbox_tui.store import queries, queue, reconcile, records
from smartbox_tui.store.database import Store

Told = dict[tuple[str, str], ledger.Promise]
"""The last promise by (SOP Instance UID, destination)."""
Promised = dict[str, tuple[ledger.Promise, Variant]]
"""By destination: the last promise about a rendition of a picture, and which rendition it was."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Adopted:
    """What one pass did. `unreadable`: files of the exam that are not what they should be."""

    instances: tuple[str, ...]
    unreadable: tuple[str, ...]


def first_state(exam: ExamFile, patient_known: bool, send: str) -> tuple[State, str, str]:
    """The state a delivery is born in, why, and a word for the why (DESIGN section 2: `held`)."""
    if not patient_known:
        return State.HELD, "no patient is assigned", "no-patient"
    if exam.extra.get("held"):
        return State.HELD, "the exam is held back by hand", "exam-held"
    if exam.extra.get("sent_by_hand"):
        return State.QUEUED, "", ""
    if send == "manual":
        return State.HELD, "is sent by hand", "manual"
    if send == "exam-close" and exam.state != "closed":
        return State.HELD, "the exam is open", "exam-open"
    return State.QUEUED, "", ""


class Adopter:
    """All methods block and belong to one thread (the engine's spool thread), so two never race."""

    def __init__(self, spool: Path, store: Store, settings: Callable[[], Settings]) -> None:
        self._spool, self._store, self._settings = spool, store, settings
        self._told: set[str] = set()  # damaged files stay damaged: the log has each once

    def exam(self, exam_id: str, only: Iterable[str] | None = None) -> Adopted:
        """Adopts the closed pictures of an exam that the store does not have; `only` these when given.

        Raises SmartBoxError not-found (no such exam), disk-full.
        """
        folder = exam_dir(self._spool, exam_id)
        try:
            exam = read_exam(folder)
            revision = read_revision(folder, exam.revision)
        except FileNotFoundError as exc:
            raise SmartBoxError("not-found", f"There is no exam {exam_id}.", "See `ctl exam list`.") from exc
        known = queries.instance_ids_in(self._store.reader, exam_id)
        paths = (
            [folder / f"{item}.json" for item in only if item not in known]
            if only is not None
            else [path for path in sidecar_paths(folder) if path.stem not in known]
        )
        sidecars, unreadable = [], []
        for path in paths:
            try:
                sidecar = read_sidecar(path)
            except (OSError, ValueError) as exc:
                if path.name not in self._told:
                    self._told.add(path.name)
                    log.warning("exam %s: %s is unreadable: %s", exam_id, path.name, exc)
                unreadable.append(path.name)
                continue
            if sidecar.state is SidecarState.CLOSED and sidecar.exam == exam_id:
                sidecars.append(sidecar)
        if exam.merged_into:
            self._know(exam.merged_into)
        if exam.revision > 1:
            self.notes(folder, exam)
        done = []
        told = {(item.uid, item.destination): item for item in ledger.read(folder)} if sidecars else {}
        for sidecar in sorted(sidecars, key=rendition.taken):
            try:
                self._adopt(folder, exam, revision, sidecar, told)
                done.append(sidecar.id)
            except ValueError as exc:
                if sidecar.id not in self._told:
                    self._told.add(sidecar.id)
                    log.exception("exam %s: picture %s cannot be adopted", exam_id, sidecar.id)
                unreadable.append(f"{sidecar.id}: {exc}")
        return Adopted(tuple(done), tuple(unreadable))

    def _adopt(self, folder: Path, exam: ExamFile, revision: RevisionFile, sidecar: Sidecar, told: Told) -> None:
        settings = self._settings()
        reader = self._store.reader
        path = folder / header_name(sidecar.id, exam.revision)
        if path.exists():  # the row was lost, or we died before it was written: the header keeps its meaning
            numbers = numbers_of(path)
        else:
            numbers = numbers_for(reader, exam, revision, sidecar)
        picture = rendition.picture_values(sidecar, revision, *numbers)
        block: SmartBoxError | None = None
        again = path.exists()  # what was adopted before may have been sent before
        if not again:
            equipment = rendition.equipment_values(settings.station_name, settings.institution_name, sidecar)
            try:
                header = build_header(rendition.study_values(exam, revision), picture, equipment)
                last_room(
                    self._spool, partial(write_new, path, header)
                )  # without it nothing of the picture goes out
            except SmartBoxError as exc:
                if exc.code != "invalid-object":
                    raise
                block = exc  # kept, shown and never sent until somebody has mended it
        uid = picture.sop_instance_uid
        belongs_to = exam.merged_into or exam.id
        promises = told_of(told, uid, sidecar.kind)
        own = variants.own(folder, sidecar) or captured(sidecar)
        gone = release.of_picture(folder, sidecar)
        values = {
            "id": sidecar.id, "sop_uid": picture.sop_instance_uid, "exam": belongs_to,
            "folder": exam.id,
            "series_uid": picture.series_instance_uid, "series_number": numbers[0], "instance_number": numbers[1],
            "sop_class_uid": picture.sop_class_uid, "transfer_syntax_uid": picture.transfer_syntax_uid,
            "kind": sidecar.kind, "source": sidecar.source, "captured_at": rendition.captured_at(sidecar, revision),
            "boot": sidecar.boot, "unsure": rendition.is_unsure(sidecar, revision),
            "frames": sidecar.frames, "frames_lost": sidecar.frames_lost, "duration_s": sidecar.duration_s,
            "trigger_ns": sidecar.trigger_ns, "frame_ns": sidecar.frame_ns,
            "trigger_to_disk_ms": sidecar.trigger_to_disk_ms, "bytes": own.bytes, "file": own.file,
            "revision": exam.revision, "discarded": False, "released_at": gone.at if gone else "",
        }  # fmt: skip
        if gone is not None:
            values |= {"bytes": gone.bytes, "file": gone.file}
        patient_known = bool(revision.patient.get("id"))

        births: list[dict[str, Any]] = []
        wanted = {item.name: item for item in settings.destinations}
        taken = routes.picture_of(exam, revision, sidecar)
        fitting = [item.name for item in settings.destinations if routes.at_once(item, taken)]
        for name in [*fitting, *(name for name in promises if name not in fitting)]:
            promise, variant = promises.get(name, (None, AS_CAPTURED))
            if promise is None and gone is not None:
                continue  # an archive that was set up since cannot have it from the box
            if promise is None:  # an archive that has a rendition of it gets no other one
                variant = variants.variant_for(wanted[name], sidecar)
            send = wanted[name].send if name in wanted else ""
            state, reason, code = self._born(exam, patient_known, send, promise, block)
            if promise is None and (keeper := routes.keeper(settings, name, promises)):
                state, reason, code = State.CANCELLED, f"{keeper}{routing.KEEPS}", routing.NEEDLESS
            made = variants.of_variant(folder, sidecar, variant)
            births.append({
                "instance": sidecar.id, "sop_uid": sop_uid_of(uid, variant), "exam": belongs_to,
                "destination": name, "kind": sidecar.kind, "state": state,
                "bytes_": gone.bytes if gone else (made or own).bytes,
                "reason": reason, "code": code, "priority": 1 if exam.emergency else 0,
                "uncertain": again and state is not State.HELD, "variant": str(variant),
                "prepare": "" if made is not None or gone is not None else variants.BITSTREAM,
            })  # fmt: skip

        births += self._marks(folder, exam, patient_known, values, told, promises)

        # its dates can be put right before it is first sent: nobody may claim it until that is done (dates.py)
        late = values["unsure"] and not exam.extra.get("dates_final")
        late = late and sidecar.boot_id in clock.anchors(self._spool)

        is_new = not again or exam.state != "closed"  # of a database that was lost nobody is told all once more

        def job(database: Any) -> None:
            if records.put_instance(database, values, is_new=is_new):
                if late:
                    reconcile.block(database, [belongs_to])
                for birth in births:
                    queue.enqueue(database, **birth)

        self._store.write(job).result()

    def _marks(
        self,
        folder: Path,
        exam: ExamFile,
        patient_known: bool,
        values: dict[str, Any],
        told: Told,
        promises: Promised,
    ) -> list[dict[str, Any]]:
        """The deliveries of a clip's marks to the archives that have the clip, after the database was lost."""
        settings = self._settings()
        documents = documents_told(told, values["sop_uid"], values["kind"])
        row = SimpleNamespace(**values)
        births = []
        for name, (promise, variant) in promises.items():
            destination = next((item for item in settings.destinations if item.name == name), None)
            promised = documents.get(name)
            if destination is None or promise.state not in PROMISED:
                continue
            if promised is not None:  # what it has is told, whatever it wants by now
                destination = replace(destination, marks=True)
            station = (settings.station_name, settings.institution_name)
            birth = marking.birth(folder, row, variant, destination, station)
            if birth is None:
                continue
            if promised is not None or birth["state"] is State.QUEUED:
                state, reason, code = self._born(exam, patient_known, destination.send, promised, None)
                birth |= {"state": state, "reason": reason, "code": code}
                birth |= {"uncertain": state is State.QUEUED, "priority": 1 if exam.emergency else 0}
            births.append(birth)
        return births

    def _know(self, exam_id: str) -> None:
        """The row of an exam that another one's pictures belong to; it may come later in the spool's order."""
        if queries.exam(self._store.reader, exam_id) is None:
            folder = exam_dir(self._spool, exam_id)
            exam = read_exam(folder)
            revision = read_revision(folder, exam.revision)
            self._store.write(lambda database: records.put_exam(database, exam, revision)).result()

    def notes(self, folder: Path, exam: ExamFile) -> None:
        """The rejection notes of all corrections of this exam that the store does not have."""
        known = queries.instance_ids_in(self._store.reader, exam.id)
        promised = {(item.uid, item.destination): item for item in ledger.read(folder)}
        number = exam.revision
        while number:
            revision = read_revision(folder, number)
            for note in revision.notes:
                if note["id"] not in known:
                    self._adopt_note(folder, exam, revision, note, promised)
            number = revision.before

    def _adopt_note(
        self, folder: Path, exam: ExamFile, revision: RevisionFile, note: dict[str, str], promised: Told
    ) -> None:
        uid = uids.uid_of(UUID(note["id"]))
        values = {
            "id": note["id"], "sop_uid": uid, "exam": exam.merged_into or exam.id, "folder": exam.id,
            "series_uid": note["series"], "series_number": 0, "instance_number": 1,
            "sop_class_uid": KEY_OBJECT_SELECTION, "transfer_syntax_uid": EXPLICIT_VR_LE, "kind": queries.NOTE,
            "source": "", "captured_at": revision.made_at, "frames": 0, "frames_lost": 0, "duration_s": None,
            "trigger_ns": 0, "frame_ns": 0, "trigger_to_disk_ms": None,
            "bytes": (folder / note["file"]).stat().st_size, "file": note["file"], "revision": revision.revision,
            "discarded": False,
        }  # fmt: skip
        promise = promised.get((uid, note["destination"]))
        state = State(promise.state) if promise else State.QUEUED
        reason = promise.detail if promise else ""
        self._store.write(
            lambda database: reconcile.put_note(database, values, note["destination"], state, reason)
        ).result()

    @staticmethod
    def _born(
        exam: ExamFile, patient_known: bool, send: str, promise: ledger.Promise | None, block: SmartBoxError | None
    ) -> tuple[State, str, str]:
        if promise is not None:  # an archive's word outlives the database
            return State(promise.state), promise.detail, ""
        if block is not None:
            return State.BLOCKED, block.message, block.code
        return first_state(exam, patient_known, send)


def told_of(told: Told, sop_uid: str, kind: str) -> Promised:
    """By destination: the last promise about a rendition of the picture, and which rendition it was."""
    if not told:
        return {}
    known = variants.renditions_of(sop_uid, kind)
    return {destination: (item, known[uid]) for (uid, destination), item in told.items() if uid in known}


def documents_told(told: Told, sop_uid: str, kind: str) -> dict[str, ledger.Promise]:
    """By destination: the last promise about a document of the picture."""
    known = variants.documents_of(sop_uid, kind) if told else {}
    return {destination: item for (uid, destination), item in told.items() if uid in known}


def numbers_for(reader: Any, exam: ExamFile, revision: RevisionFile, sidecar: Sidecar) -> tuple[int, int]:
    """Series and instance number of a picture that has none yet."""
    return records.next_numbers(reader, exam.merged_into or exam.id, rendition.series_uid(sidecar, revision))
