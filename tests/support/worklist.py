"""Real worklist servers: files in any character set, DCMTK's wlmscpfs over them. Patients are invented."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from tests.support.dcmtk import free_port, need, wait_for_port

MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"


@dataclass(frozen=True)
class Scheduled:
    """One Scheduled Procedure Step. `name` a PN with its groups; `charset` the values of (0008,0005), "" none."""

    patient_id: str
    name: str
    charset: str | tuple[str, ...] = "ISO_IR 192"
    birth_date: str = "19610314"
    sex: str = "F"
    accession: str = "A1"
    study_uid: str = ""
    procedure: str = "Koloskopie"
    date: str = ""
    time: str = "083000"
    modality: str = "ES"
    station_aet: str = "SMARTBOX"
    step_id: str = ""
    priority: str = "ROUTINE"

    def dataset(self) -> Dataset:
        """As the file holds it; text not yet encoded."""
        item = Dataset()
        item.SpecificCharacterSet = list(self.charset) if isinstance(self.charset, tuple) else self.charset or None
        item.AccessionNumber = self.accession
        item.ReferringPhysicianName = "Arzt^Anna"
        item.PatientName, item.PatientID = self.name, self.patient_id
        item.IssuerOfPatientID = "HOSPITAL"
        item.PatientBirthDate, item.PatientSex = self.birth_date, self.sex
        item.StudyInstanceUID = self.study_uid or f"1.2.3.{sum(self.patient_id.encode())}.{len(self.patient_id)}"
        item.RequestingPhysician = "Arzt^Bert"
        item.RequestedProcedureDescription = self.procedure
        item.RequestedProcedureCodeSequence = [_code("P1-1", "LOCAL", self.procedure)]
        item.ReferencedStudySequence = []
        item.RequestedProcedureID = f"R{self.patient_id}"[:16]
        item.RequestedProcedurePriority = self.priority
        step = Dataset()
        step.Modality, step.ScheduledStationAETitle = self.modality, self.station_aet
        step.ScheduledProcedureStepStartDate = self.date or f"{date.today():%Y%m%d}"
        step.ScheduledProcedureStepStartTime = self.time
        step.ScheduledPerformingPhysicianName = "Arzt^Carla"
        step.ScheduledProcedureStepDescription = self.procedure
        step.ScheduledProtocolCodeSequence = [_code("S1-1", "LOCAL", self.procedure)]
        step.ScheduledProcedureStepID = self.step_id or f"S{self.patient_id}"[:16]
        step.ScheduledStationName = "ENDO1"
        step.ScheduledProcedureStepLocation = "Raum 1"
        item.ScheduledProcedureStepSequence = [step]
        return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def write_worklist(folder: Path, steps: list[Scheduled], aet: str = "RIS") -> Path:
    """Makes `folder`/`aet` with a lockfile and one .wl file a step, as wlmscpfs and Orthanc's plugin read them.

    Replaces the files of an earlier call. Each text is in the step's own character set.
    """
    inside = folder / aet
    inside.mkdir(parents=True, exist_ok=True)
    (inside / "lockfile").touch()
    for old in inside.glob("*.wl"):
        old.unlink()
    for index, step in enumerate(steps):
        item = step.dataset()
        item.file_meta = FileMetaDataset()
        item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        item.file_meta.MediaStorageSOPClassUID = UID(MODALITY_WORKLIST)
        item.file_meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.4.{index + 1}")
        temporary = inside / f"{index:05d}.tmp"
        item.save_as(temporary, enforce_file_format=True)
        temporary.rename(temporary.with_suffix(".wl"))
    return inside


@dataclass(frozen=True)
class WorklistServer:
    port: int
    aet: str
    folder: Path

    def write(self, steps: list[Scheduled]) -> None:
        """What it answers from now on."""
        write_worklist(self.folder, steps, self.aet)


@contextlib.contextmanager
def wlmscpfs(
    folder: Path, steps: list[Scheduled] | None = None, *options: str, csk: bool = True, aet: str = "RIS"
) -> Iterator[WorklistServer]:
    """DCMTK's worklist server over `folder`/`aet`. csk: it keeps the files' character sets, else it names none."""
    program = need("wlmscpfs")
    write_worklist(folder, steps or [], aet)
    port = free_port()
    command = [program, *(["-csk"] if csk else []), "-dfr", "-dhl", "-dfp", str(folder), *options, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield WorklistServer(port, aet, folder)
    finally:
        process.terminate()
        process.wait(10)


def orthanc_worklist(folder: Path) -> dict[str, Any]:
    """Keys of Orthanc's configuration (tests.support.orthanc) for its worklist plugin over `folder` (…/AET)."""
    plugin = Path("/usr/share/orthanc/plugins/libModalityWorklists.so")
    if not plugin.exists():
        import pytest

        pytest.skip("Orthanc's worklist plugin is not installed")
    return {
        "Plugins": [str(plugin)],
        "Worklists": {"Enable": True, "Database": str(folder)},
        "DicomAlwaysAllowFindWorklist": True,
    }
