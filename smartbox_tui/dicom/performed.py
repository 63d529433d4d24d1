"""The attributes of a performed procedure step: its N-CREATE and its final N-SET (PS3.4 table F.7.2-1)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.dicom.charset import check_values
from smartbox_tui.dicom.privacy import keep_values_out_of_warnings
from smartbox_tui.dicom.worklist_values import Order
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import KEY_OBJECT_SELECTION, StudyValues
from smartbox_tui.model.performed import PerformedSeries, StepBegin, StepEnd, StepState

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_NO_PROTOCOL: Final = "Unspecified"
"""Protocol Name is Type 1 (PS3.4 table F.7.2-1), also where nobody planned anything."""


def created(study: StudyValues, begin: StepBegin) -> dict[str, Any]:
    """The attribute list of N-CREATE, status IN PROGRESS, in the DICOM JSON model.

    Every Type 1 and 2 attribute for the SCU of PS3.4 table F.7.2-1; what is only known at the end is there and
    empty. An exam without order has one item of Scheduled Step Attributes with its study and else empty values (IHE
    RAD TF-2 4.6, unscheduled case). Times are wall time in the study's UTC offset. Raises invalid-object: a value
    that DICOM does not allow, no modality or AE title, a time without offset.
    """
    from pydicom.dataset import Dataset

    order, at = Order(study.worklist), _local(study, begin.started_at)
    step = Dataset()
    step.SpecificCharacterSet = "ISO_IR 192"
    step.ScheduledStepAttributesSequence = [_scheduled(study, order)]
    step.PatientName = study.patient.name
    step.PatientID = study.patient.id
    step.PatientBirthDate = f"{study.patient.birth_date:%Y%m%d}" if study.patient.birth_date else ""
    step.PatientSex = study.patient.sex or ""
    step.ReferencedPatientSequence = order.sequence("ReferencedPatientSequence")
    if issuer := order.issuer_of(study.patient.id):
        step.IssuerOfPatientID = issuer
    step.PerformedProcedureStepID = _needed("PerformedProcedureStepID", begin.identity.id)
    step.PerformedStationAETitle = _needed("PerformedStationAETitle", begin.station_aet)
    step.PerformedStationName = begin.station_name[:16]
    step.PerformedLocation = order.step_text("ScheduledProcedureStepLocation")
    step.PerformedProcedureStepStartDate = f"{at:%Y%m%d}"
    step.PerformedProcedureStepStartTime = f"{at:%H%M%S}"
    step.PerformedProcedureStepStatus = StepState.IN_PROGRESS.value
    step.PerformedProcedureStepDescription = order.step_description() or _description(study, order)
    step.PerformedProcedureTypeDescription = ""
    step.ProcedureCodeSequence = order.sequence("RequestedProcedureCodeSequence")
    step.PerformedProcedureStepEndDate = ""
    step.PerformedProcedureStepEndTime = ""
    step.PerformedProcedureStepDiscontinuationReasonCodeSequence = []
    step.Modality = _needed("Modality", begin.modality)
    step.StudyID = study.study_id or order.study_id()
    step.PerformedProtocolCodeSequence = order.step_sequence("ScheduledProtocolCodeSequence")
    step.PerformedSeriesSequence = []
    return _json(step)


def ended(study: StudyValues, end: StepEnd) -> dict[str, Any]:
    """The modification list of the final N-SET, in the DICOM JSON model: end, status, reason, series with their
    instances (PS3.4 table F.7.2-1, "Final State" column). Raises invalid-object as `created` does, and for a
    completed step without series, a discontinued one without reason, or another status.
    """
    from pydicom.dataset import Dataset

    if end.state is StepState.IN_PROGRESS or (end.state is StepState.COMPLETED and not end.series):
        raise SmartBoxError(
            "invalid-object",
            "A performed step can be completed only with a series.",
            "A step in which nothing was taken is discontinued.",
        )
    if end.state is StepState.DISCONTINUED and end.reason is None:
        raise SmartBoxError(
            "invalid-object", "A step is discontinued for a reason.", "See model.performed.REASONS."
        )
    order, at = Order(study.worklist), _local(study, end.ended_at)
    step = Dataset()
    step.SpecificCharacterSet = "ISO_IR 192"
    step.PerformedProcedureStepStatus = end.state.value
    step.PerformedProcedureStepEndDate = f"{at:%Y%m%d}"
    step.PerformedProcedureStepEndTime = f"{at:%H%M%S}"
    if end.state is StepState.DISCONTINUED and end.reason is not None:
        step.PerformedProcedureStepDiscontinuationReasonCodeSequence = [_code(end.reason.code, end.reason.meaning)]
    step.PerformedSeriesSequence = [_series(study, order, item) for item in end.series]
    return _json(step)


def _scheduled(study: StudyValues, order: Order) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.StudyInstanceUID = _needed("StudyInstanceUID", study.study_instance_uid)
    item.ReferencedStudySequence = order.sequence("ReferencedStudySequence")
    item.AccessionNumber = study.accession_number
    item.RequestedProcedureID = order.text("RequestedProcedureID")
    item.RequestedProcedureDescription = order.text("RequestedProcedureDescription")
    item.ScheduledProcedureStepID = order.step_text("ScheduledProcedureStepID")
    item.ScheduledProcedureStepDescription = order.step_description()
    item.ScheduledProtocolCodeSequence = order.step_sequence("ScheduledProtocolCodeSequence")
    for keyword in ("PlacerOrderNumberImagingServiceRequest", "FillerOrderNumberImagingServiceRequest"):
        if value := order.text(keyword):
            setattr(item, keyword, value)
    return item


def _series(study: StudyValues, order: Order, series: PerformedSeries) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.PerformingPhysicianName = order.step_text("ScheduledPerformingPhysicianName")
    item.ProtocolName = _cut(order.step_description() or _description(study, order)) or _NO_PROTOCOL
    item.OperatorsName = ""
    item.SeriesInstanceUID = _needed("SeriesInstanceUID", series.uid)
    item.SeriesDescription = _cut(series.description)
    item.RetrieveAETitle = ""  # where they can be had is the archive's to say (RAD-10), not the box's
    item.ReferencedImageSequence = [_reference(*pair) for pair in series.instances if not _is_document(pair[0])]
    item.ReferencedNonImageCompositeSOPInstanceSequence = [
        _reference(*pair) for pair in series.instances if _is_document(pair[0])
    ]
    return item


def _is_document(sop_class_uid: str) -> bool:
    return sop_class_uid == KEY_OBJECT_SELECTION


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    return item


def _code(value: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _description(study: StudyValues, order: Order) -> str:
    return _cut(study.study_description or order.text("RequestedProcedureDescription"))


def _cut(text: str) -> str:
    """LO: 64 characters (PS3.5 6.2); a long description must not keep a step from its server."""
    return "".join(char if char.isprintable() and char != "\\" else " " for char in text).strip()[:64].strip()


def _needed(keyword: str, value: str) -> str:
    if not value:
        raise SmartBoxError(
            "invalid-object", f"{keyword} has no value, and must have one.", "The exam's values are incomplete."
        )
    return value


def _local(study: StudyValues, at: datetime) -> datetime:
    if at.utcoffset() is None or study.study_at.utcoffset() is None:
        raise SmartBoxError("invalid-object", "A time without UTC offset.", "Give aware times.")
    return at.astimezone(study.study_at.tzinfo)


def _json(step: Dataset) -> dict[str, Any]:
    keep_values_out_of_warnings()
    check_values(step, "utf-8")
    value: dict[str, Any] = step.to_json_dict()
    return value
