"""Attribute tables, one a module of PS3.3 Annex C: keyword, type, and where its value comes from.

Types (PS3.5 7.4): "1" must have a value, "2" is there and may be empty, "3" is left out when empty; "1C"
and "2C" are left out when their source answers None (the condition does not hold), "2C" may be empty.
Condensed by hand: only what the box knows, or must say. `build.py` walks these tables, nothing else does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from smartbox_tui.dicom.charset import encodable
from smartbox_tui.dicom.iods import JPEG_FAMILY, LOSSY_METHODS, NATIVE, Iod
from smartbox_tui.dicom.lineage import Lineage, LossyStep
from smartbox_tui.dicom.worklist_values import Order
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import Equipment, Picture, StudyValues


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that an attribute's value can come from."""

    iod: Iod
    study: StudyValues
    picture: Picture
    equipment: Equipment
    order: Order
    lineage: Lineage

    def local(self, at: datetime) -> datetime:
        """`at` in the offset that the whole data set states (PS3.3 C.12.1, TimezoneOffsetFromUTC).

        It is the study's: study date and time must be the same in every instance of a study, also when
        the clocks change during an exam.
        """
        return at.astimezone(whole_minutes(self.study.study_at))


def whole_minutes(at: datetime) -> timezone:
    """The UTC offset of an aware time as (0008,0201) and DT can say it: a zone's own offset had seconds once, and a
    clock that was never set may stand in that time."""
    offset = at.utcoffset() or timedelta()
    return timezone(timedelta(minutes=round(offset.total_seconds() / 60)))


@dataclass(frozen=True, slots=True)
class Attribute:
    keyword: str
    type: str
    value: Callable[[Inputs], Any]


def _date(at: datetime) -> str:
    return at.strftime("%Y%m%d")


def _time(at: datetime) -> str:
    return at.strftime("%H%M%S.%f")


def _datetime(at: datetime) -> str:
    return at.strftime("%Y%m%d%H%M%S.%f%z")


def _decimal(value: float) -> str:
    """DS holds 16 characters (PS3.5 6.2): ten significant digits always fit."""
    return f"{value:.10g}"


def _birth_date(i: Inputs) -> str:
    birth = i.study.patient.birth_date
    return f"{birth:%Y%m%d}" if birth else ""


def _device(i: Inputs, text: str, maximum: int = 64) -> str:
    """A device's or station's own text, without what DICOM or the character set cannot hold.

    USB descriptors hold anything; a grabber's name must not keep a picture from its patient.
    """
    kept = (char for char in text if char.isprintable() and char != "\\" and encodable(char, i.study.charset))
    return "".join(kept).strip()[:maximum]


def _photometric(i: Inputs) -> str:
    """What the bitstream really is (PS3.5 table 8.2.1-1; 8.2.5 to 8.2.12 for video). Grey is for single images:
    a Multi-frame True Color one has three samples (PS3.3 A.8.5.4), a VL image one or three (C.8.12.1.1)."""
    syntax, sampling = i.picture.transfer_syntax_uid, i.picture.sampling
    if sampling == "grey":
        return "MONOCHROME2"
    if syntax in NATIVE or (syntax in JPEG_FAMILY and sampling == "rgb"):
        return "RGB"
    if syntax not in JPEG_FAMILY:
        return "YBR_PARTIAL_420"
    if sampling == "422":
        return "YBR_FULL_422"
    if sampling == "444":
        return "YBR_FULL"
    raise SmartBoxError(
        "invalid-object",
        f"A JPEG with {sampling or 'unknown'} chroma sampling has no photometric interpretation in DICOM.",
        "Encode the picture with 4:2:2 or 4:4:4 sampling.",
    )


def _lossy_steps(i: Inputs) -> tuple[LossyStep, ...]:
    """Every lossy compression the pixels went through, the last one last (PS3.3 C.7.6.1.1.5.2)."""
    method = LOSSY_METHODS.get(i.picture.transfer_syntax_uid)
    steps = (*(LossyStep(*step) for step in i.picture.lossy_before), *i.lineage.before)
    if method is not None:
        steps += (LossyStep(method, i.picture.uncompressed_bytes / max(i.picture.bitstream_bytes, 1)),)
    if not steps:
        raise SmartBoxError(
            "invalid-object",
            "Decoded pixels must say from which compression they come.",
            "Give the JPEG's compression with the picture.",
        )
    return steps


def _ratios(i: Inputs) -> list[str] | None:
    """As measured; three digits say all there is to say. Never below 1, which would not be a compression."""
    return None if i.picture.lossless else [f"{max(step.ratio, 1.0):.4g}" for step in _lossy_steps(i)]


def _methods(i: Inputs) -> list[str] | None:
    return None if i.picture.lossless else [step.method for step in _lossy_steps(i)]


def _image_type(i: Inputs) -> list[str]:
    return ["DERIVED" if i.lineage.source else "ORIGINAL", "PRIMARY"]


def _source_image(i: Inputs) -> list[dict[str, str]]:
    source = i.lineage.source
    if source is None:
        return []
    return [
        {
            "ReferencedSOPClassUID": source.sop_class_uid,
            "ReferencedSOPInstanceUID": source.sop_instance_uid,
        }
    ]


def _comment(i: Inputs) -> str:
    """What whoever reads the picture has to know (PS3.3 C.7.6.1); of a time that nobody vouches for it is said
    here, too. Acquisition Time Synchronized (0018,1800) would be the attribute for it, but it is of the
    Synchronization module (C.7.4.2), which the VL and Video Endoscopic IODs do not have."""
    comments = []
    if i.picture.frames_lost:
        comments.append(f"{i.picture.frames_lost} frames lost while recording")
    if i.picture.clock_unsure:
        comments.append("the clock was not synchronised: date and time may be wrong")
    return "; ".join(comments)


def _frame_time(i: Inputs) -> str | None:
    milliseconds = i.picture.frame_time_ms
    if not milliseconds:
        if i.iod.multi_frame and i.picture.number_of_frames > 1:
            raise SmartBoxError(
                "invalid-object",
                "The clip has no frame time, so no viewer could play it at its speed.",
                "Give the picture's frame_time_ms.",
            )
        # A single frame of a multi-frame class: the video IODs still demand a frame time.
        return "40" if i.iod.video else None
    return _decimal(milliseconds)


def _rate(i: Inputs) -> int | None:
    """Whole frames a second: CineRate and RecommendedDisplayFrameRate are IS."""
    return max(1, round(1000 / i.picture.frame_time_ms)) if i.picture.frame_time_ms else None


def _increment(i: Inputs) -> int | None:
    return 0x00181063 if _frame_time(i) else None  # (0018,1063) FrameTime


def _performed_step(i: Inputs) -> list[dict[str, str]]:
    if i.picture.performed_step is None:
        return []
    return [
        {
            "ReferencedSOPClassUID": "1.2.840.10008.3.1.2.3.3",  # Modality Performed Procedure Step
            "ReferencedSOPInstanceUID": i.picture.performed_step[0],
        }
    ]


def _region(i: Inputs) -> list[dict[str, str]] | None:
    """What the picture shows is not known to the box, and a guess would be read as a finding.

    PS3.3 C.8.12.1 demands an item. A code known as unpaired would also forbid Laterality, which is Type 2C
    and empty for the same reason: not known.
    """
    if not i.iod.anatomic_region:
        return None
    return [{"CodeValue": "261665006", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Unknown"}]


A = Attribute

PATIENT: Final = (
    A("PatientName", "2", lambda i: i.study.patient.name),
    A("PatientID", "2", lambda i: i.study.patient.id),
    A("IssuerOfPatientID", "3", lambda i: i.order.issuer_of(i.study.patient.id)),
    A("PatientBirthDate", "2", _birth_date),
    A("PatientSex", "2", lambda i: i.study.patient.sex or ""),
    A("PatientComments", "3", lambda i: i.study.patient.comments),
)

PATIENT_STUDY: Final = (A("PatientAge", "3", lambda i: i.study.patient.age),)

GENERAL_STUDY: Final = (
    A("StudyInstanceUID", "1", lambda i: i.study.study_instance_uid),
    A("StudyDate", "2", lambda i: _date(i.local(i.study.study_at))),
    A("StudyTime", "2", lambda i: _time(i.local(i.study.study_at))),
    A(
        "ReferringPhysicianName",
        "2",
        lambda i: i.study.referring_physician or i.order.text("ReferringPhysicianName"),
    ),
    A("StudyID", "2", lambda i: i.study.study_id or i.order.study_id()),
    A("AccessionNumber", "2", lambda i: i.study.accession_number),
    A(
        "StudyDescription",
        "3",
        lambda i: i.study.study_description or i.order.text("RequestedProcedureDescription"),
    ),
    A("ReferencedStudySequence", "3", lambda i: i.order.sequence("ReferencedStudySequence")),
    A("ProcedureCodeSequence", "3", lambda i: i.order.sequence("RequestedProcedureCodeSequence")),
)

GENERAL_SERIES: Final = (
    A("Modality", "1", lambda i: i.iod.modality or i.picture.modality or i.order.modality() or "OT"),
    A("SeriesInstanceUID", "1", lambda i: i.picture.series_instance_uid),
    A("SeriesNumber", "2", lambda i: i.picture.series_number),
    A("Laterality", "2C", lambda i: ""),
    A("SeriesDescription", "3", lambda i: i.order.step_description() or i.study.study_description),
    A("RequestAttributesSequence", "3", lambda i: i.order.request_attributes(i.study)),
    A("ReferencedPerformedProcedureStepSequence", "3", _performed_step),
    A("PerformedProcedureStepID", "3", lambda i: i.picture.performed_step[1] if i.picture.performed_step else ""),
)

GENERAL_EQUIPMENT: Final = (
    A("Manufacturer", "2", lambda i: _device(i, i.equipment.manufacturer)),
    A("InstitutionName", "3", lambda i: _device(i, i.equipment.institution_name)),
    A("StationName", "3", lambda i: _device(i, i.equipment.station_name, 16)),
    A("ManufacturerModelName", "3", lambda i: _device(i, i.equipment.model_name)),
    A("DeviceSerialNumber", "3", lambda i: _device(i, i.equipment.serial_number)),
    A("SoftwareVersions", "3", lambda i: _device(i, i.equipment.software_version)),
)

GENERAL_ACQUISITION: Final = (
    A("AcquisitionDateTime", "3", lambda i: _datetime(i.local(i.picture.captured_at))),
    A("AcquisitionDuration", "3", lambda i: i.picture.duration_s),
)

GENERAL_IMAGE: Final = (
    A("ImageType", "1", _image_type),
    A("DerivationDescription", "3", lambda i: i.lineage.source.description if i.lineage.source else ""),
    A("SourceImageSequence", "3", _source_image),
    A("InstanceNumber", "2", lambda i: i.picture.instance_number),
    A("PatientOrientation", "2C", lambda i: ""),
    A("ContentDate", "2", lambda i: _date(i.local(i.picture.captured_at))),
    A("ContentTime", "2", lambda i: _time(i.local(i.picture.captured_at))),
    A("BurnedInAnnotation", "1", lambda i: "YES" if i.picture.burned_in_annotation else "NO"),
    A("LossyImageCompression", "1", lambda i: "00" if i.picture.lossless else "01"),
    A("LossyImageCompressionRatio", "1C", _ratios),
    A("LossyImageCompressionMethod", "1C", _methods),
    A("ImageComments", "3", _comment),
)

IMAGE_PIXEL: Final = (
    A("SamplesPerPixel", "1", lambda i: i.picture.samples),
    A("PhotometricInterpretation", "1", _photometric),
    A("PlanarConfiguration", "1C", lambda i: 0 if i.picture.samples > 1 else None),
    A("Rows", "1", lambda i: i.picture.rows),
    A("Columns", "1", lambda i: i.picture.columns),
    A("BitsAllocated", "1", lambda i: 8),
    A("BitsStored", "1", lambda i: 8),
    A("HighBit", "1", lambda i: 7),
    A("PixelRepresentation", "1", lambda i: 0),
)

CINE: Final = (
    A("FrameTime", "1C", _frame_time),
    A("CineRate", "3", _rate),
    A("RecommendedDisplayFrameRate", "3", _rate),
)

MULTI_FRAME: Final = (
    A("NumberOfFrames", "1", lambda i: i.picture.number_of_frames),
    A("FrameIncrementPointer", "1C", _increment),
)

ACQUISITION_CONTEXT: Final = (A("AcquisitionContextSequence", "2", lambda i: []),)

VL_IMAGE: Final = (A("AnatomicRegionSequence", "1C", _region),)

SC_EQUIPMENT: Final = (
    A("ConversionType", "1", lambda i: "DV"),  # digitised video: what a grabber does (PS3.3 C.8.6.1)
    A("SecondaryCaptureDeviceManufacturer", "3", lambda i: _device(i, i.equipment.manufacturer)),
    A("SecondaryCaptureDeviceManufacturerModelName", "3", lambda i: _device(i, i.equipment.model_name)),
    A("SecondaryCaptureDeviceSoftwareVersions", "3", lambda i: _device(i, i.equipment.software_version)),
)

SC_IMAGE: Final = (
    A("DateOfSecondaryCapture", "3", lambda i: _date(i.local(i.picture.captured_at))),
    A("TimeOfSecondaryCapture", "3", lambda i: _time(i.local(i.picture.captured_at))),
)

SOP_COMMON: Final = (
    A("SpecificCharacterSet", "1", lambda i: {"utf-8": "ISO_IR 192", "latin-1": "ISO_IR 100"}[i.study.charset]),
    A("SOPClassUID", "1", lambda i: i.picture.sop_class_uid),
    A("SOPInstanceUID", "1", lambda i: i.picture.sop_instance_uid),
    # The moment of capture, not of this call: the same revision must always come out as the same bytes.
    A("InstanceCreationDate", "3", lambda i: _date(i.local(i.picture.captured_at))),
    A("InstanceCreationTime", "3", lambda i: _time(i.local(i.picture.captured_at))),
    A("TimezoneOffsetFromUTC", "3", lambda i: i.local(i.study.study_at).strftime("%z")),
)

MODULES: Final[dict[str, tuple[Attribute, ...]]] = {
    "Patient": PATIENT,
    "Patient Study": PATIENT_STUDY,
    "General Study": GENERAL_STUDY,
    "General Series": GENERAL_SERIES,
    "General Equipment": GENERAL_EQUIPMENT,
    "General Acquisition": GENERAL_ACQUISITION,
    "General Image": GENERAL_IMAGE,
    "Image Pixel": IMAGE_PIXEL,
    "Cine": CINE,
    "Multi-frame": MULTI_FRAME,
    "Acquisition Context": ACQUISITION_CONTEXT,
    "VL Image": VL_IMAGE,
    "SC Equipment": SC_EQUIPMENT,
    "SC Image": SC_IMAGE,
    "SC Multi-frame Image": (),  # its one Type 1, BurnedInAnnotation, and the pointer stand above
    "SOP Common": SOP_COMMON,
}
