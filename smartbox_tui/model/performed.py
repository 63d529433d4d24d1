"""Modality Performed Procedure Step (PS3.3 C.4.13 to C.4.15): what is said of an exam to those who planned it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from smartbox_tui.model.uids import uid_of


class StepState(StrEnum):
    """Defined terms of (0040,0252)."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


@dataclass(frozen=True, slots=True)
class Reason:
    """A code of CID 9300 or 9301, scheme DCM."""

    code: str
    meaning: str


REASONS: Final[dict[str, Reason]] = {
    "unspecified": Reason("110513", "Discontinued for unspecified reason"),
    "wrong-worklist-entry": Reason("110514", "Incorrect worklist entry selected"),
    "equipment": Reason("110501", "Equipment failure"),
    "cancelled": Reason("110500", "Doctor cancelled procedure"),
    "patient-refused": Reason("110506", "Patient refused to continue procedure"),
    "patient-condition": Reason("110505", "Patient condition prevented continuing"),
    "patient-did-not-arrive": Reason("110503", "Patient did not arrive"),
}
"""The words of `exam close --discontinued` and of the screens."""


@dataclass(frozen=True, slots=True)
class StepIdentity:
    """`uid` the SOP Instance UID of the step, `id` its Performed Procedure Step ID (SH)."""

    uid: str
    id: str


def step_of(exam_id: str, part: int, generation: int) -> StepIdentity:
    """One step for an exam, one more each time it is appended to, and others after a reassignment."""
    uuid = uuid5(UUID(exam_id), f"performed:{part}:{generation}")
    return StepIdentity(uid_of(uuid), f"P{uuid.hex[:12].upper()}")


@dataclass(frozen=True, slots=True)
class PerformedSeries:
    """One series with what was made in it: (SOP class, SOP instance) of each object. `videos` are listed among the
    images: the boxes that read it look for them there."""

    uid: str
    description: str
    instances: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class StepBegin:
    """What an N-CREATE needs beside the study's values; `started_at` aware."""

    identity: StepIdentity
    station_name: str
    station_aet: str
    modality: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class StepEnd:
    """What a final N-SET needs beside the study's values."""

    identity: StepIdentity
    state: StepState
    ended_at: datetime
    reason: Reason | None
    series: tuple[PerformedSeries, ...]
