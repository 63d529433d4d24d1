"""Times that a clock said which nobody trusted, as they are once the anchor of their boot is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from smartbox_tui.spool import clock
from smartbox_tui.spool.examfile import ExamFile, RevisionFile


def exam_times(exam: ExamFile, anchors: Mapping[str, int]) -> ExamFile:
    """The exam with its times put right, as far as the anchors (boot id -> spool.clock's) know."""
    changes: dict[str, Any] = {}
    extra, unsure = dict(exam.extra), dict(exam.unsure)
    for name, moment in exam.unsure.items():
        anchor_ns = anchors.get(moment["boot_id"])
        if anchor_ns is not None:
            del unsure[name]
            (extra if name in extra else changes)[name] = clock.wall(anchor_ns + moment["boottime_ns"])
    return replace(exam, **changes, extra=extra, unsure=unsure)


def study_time(revision: RevisionFile, anchors: Mapping[str, int]) -> RevisionFile:
    """The revision with study date and time put right, as far as the anchors know."""
    moment = revision.study_unsure
    anchor_ns = anchors.get(moment["boot_id"]) if moment else None
    if anchor_ns is None:
        return revision
    return replace(revision, study_at=clock.wall(anchor_ns + moment["boottime_ns"]), study_unsure={})
