"""Rows of the store as the wire's structs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from smartbox_tui.store import queries
from smartbox_tui.wire import state


def patient(value: dict[str, Any]) -> state.Patient:
    return state.Patient(
        id=value.get("id", ""),
        name=value.get("name", ""),
        birth_date=value.get("birth_date"),
        sex=value.get("sex"),
        age=value.get("age"),
    )


def exam(database: Any, row: Any) -> state.Exam:
    return state.Exam(
        id=row.id,
        state=row.state,
        study_instance_uid=row.study_uid,
        accession_number=row.accession,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        released=bool(row.released),
        patient=patient(json.loads(row.patient)),
        instances=queries.instance_count(database, row.id),
        emergency=row.emergency,
        parts=row.parts,
        generation=row.generation,
        merged_into=row.merged_into,
        held=bool(row.held),
        worklist=row.worklist,
        procedure=row.procedure,
        last_picture_at=queries.last_picture_at(database, row.id),
        dates=row.dates or ("unsure" if queries.has_unsure(database, row.id) else ""),
    )


def instance(row: Any) -> state.Instance:
    return state.Instance(
        sop_instance_uid=row.sop_uid,
        series_instance_uid=row.series_uid,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        kind=row.kind,
        source=row.source,
        captured_at=row.captured_at,
        frames=row.frames,
        frames_lost=row.frames_lost,
        duration_s=row.duration_s,
        trigger_ns=row.trigger_ns,
        frame_ns=row.frame_ns,
        trigger_to_disk_ms=row.trigger_to_disk_ms,
        bytes=row.bytes,
        id=row.id,
        exam=row.exam,
        discarded=bool(row.discarded),
        boot=row.boot,
        released_at=row.released_at,
    )


def delivery(row: Any, bytes_sent: int | None = None) -> state.Delivery:
    next_at = None
    if row.next_at is not None:
        next_at = datetime.fromtimestamp(row.next_at, UTC).astimezone().isoformat(timespec="seconds")
    return state.Delivery(
        id=row.id,
        sop_instance_uid=row.sop_uid,
        exam=row.exam,
        destination=row.destination,
        kind=row.kind,
        state=row.state,
        reason=row.reason,
        code=row.code,
        attempts=row.attempts,
        next_attempt_at=next_at,
        bytes=row.bytes,
        bytes_sent=row.bytes_sent if bytes_sent is None else bytes_sent,
        paused=bool(row.paused),
        priority=row.priority,
        created_at=row.created_at,
        changed_at=row.changed_at,
        instance=row.instance,
        variant=row.variant,
        promise=row.promise if row.state == "stored" else "",
        promise_since=row.promise_at if row.state == "stored" else "",
    )


def changes(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """A delivery's history as JSON has it, oldest first."""
    return [{key: getattr(row, key) for key in ("at", "old", "new", "reason", "code")} for row in rows]
