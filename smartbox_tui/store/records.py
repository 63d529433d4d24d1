"""Exams and instances as rows. The writing functions run inside a write job and take its database."""

from __future__ import annotations

import json
from typing import Any

from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.store import hooks, queue
from smartbox_tui.store.tables import Delivery, Exam, Instance


def put_exam(database: Any, exam: ExamFile, revision: RevisionFile) -> None:
    """Inserts the exam or replaces what the row says: the spool's file is the truth."""
    before = hooks.exam_before(database, exam.id)
    row = {
        "id": exam.id, "state": exam.state, "study_uid": exam.study_instance_uid,
        "accession": revision.accession_number, "opened_at": exam.opened_at, "opened_by": exam.opened_by,
        "closed_at": exam.closed_at, "released": exam.released, "revision": exam.revision,
        "patient": json.dumps(revision.patient, ensure_ascii=False), "patient_id": revision.patient.get("id", ""),
        "emergency": exam.emergency, "close_command": exam.close_command, "parts": exam.parts,
        "generation": revision.generation, "merged_into": exam.merged_into, "held": bool(exam.extra.get("held")),
        "worklist": revision.worklist_id, "procedure": revision.study_description, "dates": _dates(exam, revision),
    }  # fmt: skip
    Exam.replace(row).execute(database)
    hooks.exam_put(database, before, row, queue.now_text(), queue.clock(), redated=revision.redated)


def _dates(exam: ExamFile, revision: RevisionFile) -> str:
    if exam.extra.get("dates_final"):
        return "final"
    return "unsure" if exam.unsure or revision.study_unsure else ""


def put_instance(database: Any, values: dict[str, Any], *, is_new: bool = True) -> bool:
    """Inserts an instance (columns as keys); False when it is there already (nothing changes). `is_new`: it was
    not in the tables before, either; hooks are told."""
    put = bool(Instance.insert(values).on_conflict_ignore().as_rowcount().execute(database))
    if put and is_new:
        hooks.of_instance(database, "instance.captured", values, queue.now_text(), queue.clock())
    return put


def set_bitstream(database: Any, instance: str, file: str, size: int) -> None:
    """The picture's own bitstream is this file now."""
    Instance.update(file=file, bytes=size).where(Instance.id == instance).execute(database)


def discard(database: Any, instance: str) -> list[int]:
    """Marks the instance discarded and cancels what is not on its way; returns the cancelled deliveries."""
    query = Instance.update(discarded=True).where((Instance.id == instance) & ~Instance.discarded)
    if query.execute(database):
        row = Instance.select().where(Instance.id == instance).execute(database)[0]
        hooks.of_instance(database, "instance.discarded", row.__data__, queue.now_text(), queue.clock())
    keep = [State.HELD.value, State.QUEUED.value, State.WAITING.value, State.BLOCKED.value, State.PREPARING.value]
    held = Delivery.select(Delivery.id).where((Delivery.instance == instance) & Delivery.state.in_(keep))
    found = [row[0] for row in held.tuples().execute(database)]
    for identity in found:
        queue.move(database, identity, State.CANCELLED, "discarded by the operator", "discarded")
    return found


def next_numbers(database: Any, exam: str, series_uid: str) -> tuple[int, int]:
    """(series number, next instance number) for an instance of this series of this exam.

    Two exams may be of one study, when a worklist entry is chosen a second time: series are numbered in the study.
    """
    rows = database.execute_sql(
        "SELECT i.series_uid, i.series_number, i.instance_number FROM instance i"
        " WHERE i.kind != 'note' AND i.exam IN"
        " (SELECT b.id FROM exam a JOIN exam b ON b.study_uid = a.study_uid WHERE a.id = ?)",
        (exam,),
    ).fetchall()
    own = [row for row in rows if row[0] == series_uid]
    if own:
        return own[0][1], max(row[2] for row in own) + 1
    return max((row[1] for row in rows), default=0) + 1, 1
