"""A DICOM object of a bitstream that somebody else made and what a person says about it (`smartbox dicom build`).

What nobody knows is empty or absent, never invented: the time of a picture without one, who made it, whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.dicom import given
from smartbox_tui.dicom.build import build_dataset, part10
from smartbox_tui.dicom.charset import check_values
from smartbox_tui.dicom.compose import Composition, compose
from smartbox_tui.dicom.iods import IODS
from smartbox_tui.dicom.lineage import Lineage, LossyStep
from smartbox_tui.dicom.modules import whole_minutes
from smartbox_tui.dicom.validate import validate_composition
from smartbox_tui.dicom.validate_report import Finding
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import Equipment, Kind, Picture, StudyValues
from smartbox_tui.model.patient import Patient

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

WORKSTATION: Final = "WSD"
"""Conversion Type of what came as a file (PS3.3 C.8.6.1)."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A bitstream as it goes into the object, and what its file tells.

    path, length    of the bitstream, which may be a temporary one
    index           (offset, length) of each frame, for a multi-frame object of JPEGs
    sampling        as in Picture
    before          the lossy compressions before the bitstream's own (or all, of decoded pixels)
    derivation      what was done to the pixels, in words; empty when they are as they were
    taken_at        aware; None when the file does not say it
    """

    path: Path
    length: int
    transfer_syntax_uid: str
    columns: int
    rows: int
    sampling: str
    index: tuple[tuple[int, int], ...] = ()
    frames: int = 1
    frame_time_ms: float | None = None
    duration_s: float | None = None
    lossless: bool = False
    before: tuple[LossyStep, ...] = ()
    derivation: str = ""
    taken_at: datetime | None = None
    make: str = ""
    model: str = ""
    serial: str = ""
    notes: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says about it. `study_at` and `captured_at` aware or None; `study_time_known` False for a date
    alone; `given` the attributes of a file, `by_option` the tags that options give and their names."""

    sop_class_uid: str
    patient: Patient
    study_uid: str
    series_uid: str
    sop_uid: str
    now: datetime
    study_at: datetime | None = None
    study_time_known: bool = True
    captured_at: datetime | None = None
    accession_number: str = ""
    study_description: str = ""
    modality: str = ""
    series_number: int = 1
    instance_number: int = 1
    burned_in_annotation: bool = True
    charset: str = "utf-8"
    given: Mapping[str, Any] = field(default_factory=dict)
    by_option: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Built:
    composition: Composition
    study_instance_uid: str
    series_instance_uid: str
    findings: tuple[Finding, ...]


def object_of(said: Said, taken: Taken) -> Built:
    """The object, judged as everything that the box sends is, and what the judge and the file's reader have noted.

    Raises invalid-object (with the first error's sentence, and how many there are), bad-value, unknown-key.
    """
    dataset = _dataset(said, taken)
    header = part10(dataset, taken.transfer_syntax_uid)
    composition = compose(header, taken.path, taken.length, taken.index or None)
    findings = validate_composition(composition)
    errors = [item for item in findings if item.severity == "error"]
    if errors:
        first, more = errors[0], len(errors) - 1
        also = f" (and {more} more: {', '.join(sorted({item.rule for item in errors[1:]}))})" if more else ""
        raise SmartBoxError("invalid-object", f"{first.message} [{first.rule}, {first.section}]{also}", first.hint)
    return Built(
        composition,
        str(dataset.StudyInstanceUID),
        str(dataset.SeriesInstanceUID),
        (*taken.notes, *_notes(dataset), *findings),
    )


def _notes(dataset: Dataset) -> list[Finding]:
    if dataset.PatientID or dataset.PatientName:
        return []
    hint = "--patient-file -, or PatientName and PatientID in --attributes."
    return [Finding("warning", "no-patient", "PS3.3 C.7.1.1", "The object does not say whose it is.", hint)]


def _dataset(said: Said, taken: Taken) -> Dataset:
    iod = IODS[said.sop_class_uid]
    captured = said.captured_at or taken.taken_at
    study = StudyValues(
        revision=1,
        patient=said.patient,
        study_instance_uid=said.study_uid,
        study_at=said.study_at or captured or said.now,
        accession_number=said.accession_number,
        study_description=said.study_description,
        charset=said.charset,
    )
    picture = Picture(
        sop_instance_uid=said.sop_uid,
        series_instance_uid=said.series_uid,
        sop_class_uid=said.sop_class_uid,
        transfer_syntax_uid=taken.transfer_syntax_uid,
        kind=Kind.CLIP if iod.video else Kind.BURST if iod.multi_frame else Kind.STILL,
        series_number=said.series_number,
        instance_number=said.instance_number,
        captured_at=captured or said.now,
        columns=taken.columns,
        rows=taken.rows,
        bitstream_bytes=taken.length,
        sampling=taken.sampling,
        number_of_frames=taken.frames,
        frame_time_ms=taken.frame_time_ms,
        duration_s=taken.duration_s,
        burned_in_annotation=said.burned_in_annotation,
        modality=said.modality,
        lossless=taken.lossless,
    )
    equipment = Equipment("", manufacturer=taken.make, model_name=taken.model, serial_number=taken.serial)
    dataset = build_dataset(study, picture, equipment, Lineage(before=taken.before))
    _correct(dataset, said, taken, study.study_at, known=captured is not None)
    given.apply(dataset, said.given, said.by_option)
    check_values(dataset, said.charset)
    return dataset


def _correct(dataset: Dataset, said: Said, taken: Taken, study_at: datetime, *, known: bool) -> None:
    """What the box knows of its own pictures is not known of these, or is otherwise."""
    now = said.now.astimezone(whole_minutes(study_at))
    dataset.InstanceCreationDate = now.strftime("%Y%m%d")
    dataset.InstanceCreationTime = now.strftime("%H%M%S.%f")
    if "ConversionType" in dataset:
        dataset.ConversionType = WORKSTATION
    if "DateOfSecondaryCapture" in dataset:
        dataset.DateOfSecondaryCapture = now.strftime("%Y%m%d")
        dataset.TimeOfSecondaryCapture = now.strftime("%H%M%S.%f")
    if not known:
        # Types 2C and 1C, for images whose order in time matters (C.7.6.1, C.8.12.1): of these it is not known.
        del dataset.ContentDate, dataset.ContentTime, dataset.AcquisitionDateTime
    if not said.study_time_known:
        dataset.StudyTime = ""
    if said.modality:
        dataset.Modality = said.modality
    if taken.derivation:
        dataset.ImageType = ["DERIVED", "PRIMARY"]
        dataset.DerivationDescription = taken.derivation
