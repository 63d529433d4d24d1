"""What is asked of a worklist, and what it answers: Scheduled Procedure Steps (PS3.4 K.6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from uuid import UUID, uuid5

from smartbox_tui.model.patient import Patient

_ITEMS: Final = UUID("6f6d5c0e-2f7b-4c55-9d7c-9f2f5c1f3e1a")
EMERGENCY_PRIORITIES: Final = frozenset({"STAT"})
"""Requested Procedure Priority (0040,1003) of a patient who cannot wait; HIGH is only early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistKeys:
    """Matching keys; an empty one matches everything, `name` and `patient_id` may hold * and ?."""

    date_from: date | None = None
    date_to: date | None = None
    name: str = ""
    patient_id: str = ""
    accession: str = ""
    modality: str = ""
    station_aet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistEntry:
    """One answer. `source` is the whole of it in the DICOM JSON model (PS3.18 F), already Unicode, names with all
    their component groups; `scheduled_at` local time YYYY-MM-DDTHH:MM:SS without offset, or empty."""

    id: str
    patient: Patient
    accession_number: str = ""
    study_instance_uid: str = ""
    procedure: str = ""
    scheduled_at: str = ""
    modality: str = ""
    station: str = ""
    station_name: str = ""
    step_id: str = ""
    requested_procedure_id: str = ""
    referring_physician: str = ""
    priority: str = ""
    issuer: str = ""
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def emergency(self) -> bool:
        return self.priority in EMERGENCY_PRIORITIES


def entry_id(study_instance_uid: str, step_id: str, accession: str, patient_id: str, scheduled_at: str) -> str:
    """The same step has the same id in every query. Where a server gives neither a study UID nor a step's ID the
    time tells two steps of one patient apart."""
    own = "|".join((study_instance_uid, step_id, accession, patient_id))
    return str(uuid5(_ITEMS, own if study_instance_uid and step_id else f"{own}|{scheduled_at}"))
