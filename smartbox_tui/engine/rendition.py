"""From what lies in the spool to what DICOM is made of: header values, and the object composed on the way out."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from smartbox_tui import __version__
from smartbox_tui.dicom.iods import IODS
from smartbox_tui.model import performed, uids
from smartbox_tui.model.instance import (
    JPEG_BASELINE,
    SOP_CLASSES,
    Equipment,
    Kind,
    Picture,
    StudyValues,
    taken_order,
)
from smartbox_tui.model.patient import Patient
from smartbox_tui.spool import clock
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, read_sidecar


def patient_values(value: dict[str, Any]) -> Patient:
    """The patient of a revision file; empty for an unassigned exam."""
    born = value.get("birth_date")
    return Patient(
        id=value.get("id", ""),
        name=value.get("name", ""),
        birth_date=date.fromisoformat(born) if born else None,
        sex=value.get("sex"),
        age=value.get("age"),
        comments=value.get("comments", ""),
    )


def study_values(exam: ExamFile, revision: RevisionFile, charset: str = "utf-8") -> StudyValues:
    return StudyValues(
        revision=revision.revision,
        patient=patient_values(revision.patient),
        study_instance_uid=revision.study_instance_uid or exam.study_instance_uid,
        study_at=datetime.fromisoformat(revision.study_at),
        accession_number=revision.accession_number,
        referring_physician=revision.referring_physician,
        study_description=revision.study_description,
        study_id=revision.study_id,
        charset=charset,
        worklist=revision.worklist,
    )


def series_uid(sidecar: Sidecar, revision: RevisionFile) -> str:
    return uids.uid_of(uids.series_uuid(UUID(sidecar.exam), sidecar.source, sidecar.appended, revision.generation))


def sop_uid(picture_id: str, revision: RevisionFile) -> str:
    """What the picture is called outside, as of this revision."""
    return revision.uids.get(picture_id) or uids.uid_of(UUID(picture_id))


def is_unsure(sidecar: Sidecar, revision: RevisionFile) -> bool:
    """Whether the picture's time was said by a clock not synchronised, and this revision knows no better."""
    return sidecar.clock == "unsure" and sidecar.boot_id not in revision.anchors


def captured_at(sidecar: Sidecar, revision: RevisionFile) -> str:
    """When the picture was taken, RFC 3339, as of this revision: what the clock said, or, where it was not
    synchronised then, what the boot's anchor makes of the monotonic time."""
    anchor_ns = revision.anchors.get(sidecar.boot_id)
    if sidecar.clock != "unsure" or anchor_ns is None:
        return sidecar.captured_at
    return clock.wall(anchor_ns + sidecar.frame_ns + sidecar.suspended_ns)


def taken(sidecar: Sidecar) -> tuple[int, float, int, int, int]:
    """Sorts pictures as `taken_order` says."""
    return taken_order(sidecar.boot, sidecar.captured_at, sidecar.trigger_ns, sidecar.frame_ns, sidecar.part)


def picture_values(sidecar: Sidecar, revision: RevisionFile, series_number: int, instance_number: int) -> Picture:
    """Raises ValueError for a sidecar whose SOP class word this version does not know."""
    if sidecar.sop_class not in SOP_CLASSES:
        raise ValueError(f"unknown SOP class word {sidecar.sop_class!r}")
    clip = sidecar.kind == "clip"
    return Picture(
        sop_instance_uid=sop_uid(sidecar.id, revision),
        series_instance_uid=series_uid(sidecar, revision),
        sop_class_uid=SOP_CLASSES[sidecar.sop_class],
        transfer_syntax_uid=sidecar.transfer_syntax_uid or JPEG_BASELINE,
        kind=Kind(sidecar.kind),
        series_number=series_number,
        instance_number=instance_number,
        captured_at=datetime.fromisoformat(captured_at(sidecar, revision)),
        clock_unsure=is_unsure(sidecar, revision),
        columns=sidecar.width,
        rows=sidecar.height,
        bitstream_bytes=sidecar.bytes,
        sampling=sidecar.sampling,
        number_of_frames=sidecar.frames,
        frame_time_ms=1000.0 * sidecar.fps_den / sidecar.fps_num if clip else sidecar.frame_time_ms,
        duration_s=sidecar.duration_s,
        burned_in_annotation=sidecar.burned_in_annotation,
        modality=_series_modality(sidecar),
        frames_lost=sidecar.frames_lost,
        performed_step=_performed_step(sidecar, revision),
        lossy_before=sidecar.lossy_before,
    )


def _series_modality(sidecar: Sidecar) -> str:
    """One for all pictures of a source: Modality belongs to the series (PS3.3 C.7.3.1), and a burst's class has
    none of its own. Empty: the sidecar is of an older version."""
    iod = IODS.get(SOP_CLASSES.get(sidecar.series_class, ""))
    return (iod.modality if iod else None) or ""


def _performed_step(sidecar: Sidecar, revision: RevisionFile) -> tuple[str, str] | None:
    if not revision.performed:
        return None
    step = performed.step_of(sidecar.exam, sidecar.appended, revision.generation)
    return step.uid, step.id


def equipment_values(station_name: str, institution_name: str, sidecar: Sidecar) -> Equipment:
    device = sidecar.device
    return Equipment(
        station_name=station_name,
        institution_name=institution_name,
        manufacturer=device.get("manufacturer") or "SmartBox",
        model_name=device.get("model") or "SmartBox",
        serial_number=device.get("serial", ""),
        software_version=__version__,
    )


def is_discarded(folder: Path, picture_id: str) -> bool:
    """What the sidecar says now; False when it cannot be read (composing the object then says why)."""
    try:
        return read_sidecar(folder / f"{picture_id}.json").state is SidecarState.DISCARDED
    except (OSError, ValueError):
        return False
