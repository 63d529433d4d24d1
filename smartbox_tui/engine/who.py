"""Whose exam it is: from what was typed, from a worklist entry, from the emergency's templates."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from smartbox_tui.engine.ports import WorklistPort
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model import patient as patients
from smartbox_tui.model.patient import Patient
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool.examfile import RevisionFile
from smartbox_tui.store import queries
from smartbox_tui.wire import commands, times

_SEX_TEXT = {
    "de": {"male": "MANN", "female": "FRAU", "child": "KIND", patients.BY_PEDAL: "UNBEKANNT"},
    "en": {"male": "MALE", "female": "FEMALE", "child": "CHILD", patients.BY_PEDAL: "UNKNOWN"},
}


@dataclass(frozen=True, slots=True)
class Identity:
    """All that an exam's header revision takes from whoever was chosen. `study_instance_uid` is empty where no
    worklist entry names one; `emergency` the kind of an emergency."""

    patient: Patient
    accession_number: str = ""
    referring_physician: str = ""
    study_description: str = ""
    study_instance_uid: str = ""
    worklist: dict[str, Any] | None = None
    worklist_id: str = ""
    emergency: str | None = None

    def revision(
        self, number: int, study_at: str, study_instance_uid: str, *, performed: bool, generation: int = 0
    ) -> RevisionFile:
        """The header revision that says so; `study_at` RFC 3339."""
        values = asdict(self.patient)
        values["birth_date"] = self.patient.birth_date.isoformat() if self.patient.birth_date else None
        return RevisionFile(
            revision=number,
            patient=values,
            study_at=study_at,
            accession_number=self.accession_number,
            referring_physician=self.referring_physician,
            study_description=self.study_description,
            worklist=self.worklist or {},
            worklist_id=self.worklist_id,
            study_instance_uid=study_instance_uid,
            generation=generation,
            performed=performed,
            made_at=times.now(),
        )


class Registry:
    """Finds out who is meant by a command."""

    def __init__(self, reader: Any, worklist: WorklistPort) -> None:
        self._reader, self._worklist = reader, worklist

    def identity(
        self, command: commands.ExamOpen | commands.ExamReassign, settings: Settings, now: datetime
    ) -> Identity:
        """Raises bad-value (not exactly one is named, a value that no VR allows, an entry that names nobody),
        unknown-key, not-found."""
        given = [command.patient is not None, command.emergency is not None, command.worklist is not None]
        if sum(given) != 1:
            raise SmartBoxError(
                "bad-value",
                "An exam is a patient's, a worklist entry's or an emergency's: exactly one of them.",
                "--patient-file, --worklist, --emergency",
            )
        accession = patients.accession_from(command.accession)
        physician = patients.physician_from(command.referring_physician)
        if command.patient is not None:
            return Identity(patients.patient_from(command.patient, now.date()), accession, physician)
        if command.emergency is not None:
            patient = self._emergency(command.emergency, command.age, settings, now)
            return Identity(patient, accession, physician, emergency=command.emergency)
        assert command.worklist is not None
        entry = self._worklist.entry(command.worklist)
        if not entry.patient.id or not entry.patient.name:
            missing = "ID" if entry.patient.name else "name"
            raise SmartBoxError(
                "bad-value",
                f"This worklist entry has no patient {missing}.",
                "Have it completed in the information system, or type the patient.",
            )
        return Identity(
            entry.patient,
            accession or entry.accession_number,
            physician or entry.referring_physician,
            entry.procedure,
            entry.study_instance_uid,
            entry.source,
            entry.id,
        )

    def _emergency(self, kind: str, age: str | None, settings: Settings, now: datetime) -> Patient:
        prefix = settings.emergency.id.split("{time}")[0].split("{date}")[0]
        return patients.emergency_patient(
            kind,
            age,
            name=settings.emergency.name,
            id=settings.emergency.id,
            station_name=settings.station_name,
            sex_text=_SEX_TEXT[settings.language].get(kind, ""),
            now=now,
            taken=queries.patient_ids_like(self._reader, prefix),
        )
