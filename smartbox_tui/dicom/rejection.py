"""The rejection note: a Key Object Selection that names every object sent under the wrong worklist entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.dicom.build import check_study, part10, set_attribute
from smartbox_tui.dicom.charset import check_values
from smartbox_tui.dicom.iods import Iod
from smartbox_tui.dicom.lineage import Lineage
from smartbox_tui.dicom.modules import MODULES, Inputs
from smartbox_tui.dicom.privacy import keep_values_out_of_warnings
from smartbox_tui.dicom.worklist_values import Order
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import EXPLICIT_VR_LE, KEY_OBJECT_SELECTION, Equipment, Kind, Picture, StudyValues
from smartbox_tui.model.rejection import RejectionNote

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

TITLE: Final = ("113038", "DCM", "Incorrect Modality Worklist Entry")
"""CID 7011; what IHE IOCM asks for (RAD TF-3 4.66.4.1.2)."""

_MODULES: Final = ("Patient", "Patient Study", "General Study", "General Equipment", "SOP Common")
KEY_OBJECT: Final = Iod(
    "key-object-selection", "Key Object Selection Document", "A.35.4", _MODULES, (EXPLICIT_VR_LE,), "KO"
)


def build_rejection_note(study: StudyValues, note: RejectionNote, equipment: Equipment) -> bytes:
    """The complete Part 10 file (PS3.3 A.35.4, C.17.6; PS3.16 TID 2010), Explicit VR Little Endian.

    `study`: as the rejected objects had it, the wrong patient's: the note stands in their study, beside them.
    The same values always give the same bytes. Raises invalid-object: nothing rejected, the note among what it
    rejects, a time without offset, and what `build_header` refuses.
    """
    from pydicom.dataset import Dataset

    keep_values_out_of_warnings()
    _check(study, note)
    order = Order(study.worklist)
    inputs = Inputs(KEY_OBJECT, study, _stand_in(note), equipment, order, Lineage())
    dataset = Dataset()
    for module in _MODULES:
        for attribute in MODULES[module]:
            set_attribute(dataset, attribute, inputs)
    at = inputs.local(note.made_at)
    evidence, references = _evidence(study, note), [_reference(*item[1:]) for item in note.instances]
    for keyword, value in (
        # Key Object Document Series (C.17.6.1)
        ("Modality", "KO"),
        ("SeriesInstanceUID", note.series_instance_uid),
        ("SeriesNumber", note.series_number),
        ("SeriesDescription", "Rejection note"),
        ("ReferencedPerformedProcedureStepSequence", []),
        # Key Object Document (C.17.6.2)
        ("InstanceNumber", note.instance_number),
        ("ContentDate", f"{at:%Y%m%d}"),
        ("ContentTime", f"{at:%H%M%S.%f}"),
        ("CurrentRequestedProcedureEvidenceSequence", [evidence]),
        # SR Document Content (C.17.3), by TID 2010
        ("ValueType", "CONTAINER"),
        (
            "ConceptNameCodeSequence",
            [_item(CodeValue=TITLE[0], CodingSchemeDesignator=TITLE[1], CodeMeaning=TITLE[2])],
        ),
        ("ContinuityOfContent", "SEPARATE"),
        ("ContentTemplateSequence", [_item(MappingResource="DCMR", TemplateIdentifier="2010")]),
        ("ContentSequence", [_content(reference) for reference in references]),
    ):
        setattr(dataset, keyword, value)
    request = _request(study, order)
    if request is not None:
        dataset.ReferencedRequestSequence = [request]
    check_values(dataset, study.charset)
    return part10(dataset, EXPLICIT_VR_LE)


def _check(study: StudyValues, note: RejectionNote) -> None:
    check_study(study, note.made_at)
    rejected = [item[2] for item in note.instances]
    if not rejected or len(set(rejected)) != len(rejected) or note.sop_instance_uid in rejected:
        raise SmartBoxError(
            "invalid-object",
            "A rejection note names each rejected object once, at least one, and never itself.",
            "An archive that has seen nothing needs no note.",
        )


def _stand_in(note: RejectionNote) -> Picture:
    """The tables look at a picture's UIDs and time; a note has nothing else of one."""
    return Picture(
        sop_instance_uid=note.sop_instance_uid,
        series_instance_uid=note.series_instance_uid,
        sop_class_uid=KEY_OBJECT_SELECTION,
        transfer_syntax_uid=EXPLICIT_VR_LE,
        kind=Kind.STILL,
        series_number=note.series_number,
        instance_number=note.instance_number,
        captured_at=note.made_at,
        columns=0,
        rows=0,
        bitstream_bytes=0,
        sampling="",
    )


def _evidence(study: StudyValues, note: RejectionNote) -> Dataset:
    """Every object, series by series (C.17.2.1, Hierarchical SOP Instance Reference Macro)."""
    series: dict[str, list[Dataset]] = {}
    for series_uid, sop_class_uid, sop_instance_uid in note.instances:
        series.setdefault(series_uid, []).append(_reference(sop_class_uid, sop_instance_uid))
    return _item(
        StudyInstanceUID=study.study_instance_uid,
        ReferencedSeriesSequence=[
            _item(SeriesInstanceUID=uid, ReferencedSOPSequence=items) for uid, items in series.items()
        ],
    )


def _content(reference: Dataset) -> Dataset:
    """A content item of TID 2010; another Key Object Selection is no image but a composite object."""
    is_document = str(reference.ReferencedSOPClassUID) == KEY_OBJECT_SELECTION
    return _item(
        RelationshipType="CONTAINS",
        ValueType="COMPOSITE" if is_document else "IMAGE",
        ReferencedSOPSequence=[_reference(reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID)],
    )


def _request(study: StudyValues, order: Order) -> Dataset | None:
    """The order that was taken by mistake (C.17.2.1, Referenced Request Sequence); None without one."""
    if not order.text("RequestedProcedureID") and not study.accession_number:
        return None
    return _item(
        StudyInstanceUID=study.study_instance_uid,
        ReferencedStudySequence=order.sequence("ReferencedStudySequence"),
        AccessionNumber=study.accession_number,
        PlacerOrderNumberImagingServiceRequest=order.text("PlacerOrderNumberImagingServiceRequest"),
        FillerOrderNumberImagingServiceRequest=order.text("FillerOrderNumberImagingServiceRequest"),
        RequestedProcedureID=order.text("RequestedProcedureID"),
        RequestedProcedureDescription=order.text("RequestedProcedureDescription"),
        RequestedProcedureCodeSequence=order.sequence("RequestedProcedureCodeSequence"),
    )


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    return _item(ReferencedSOPClassUID=sop_class_uid, ReferencedSOPInstanceUID=sop_instance_uid)


def _item(**values: Any) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
