"""Key Object Selection documents: what the rejection note and the marks of a clip have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.dicom.build import part10, set_attribute
from smartbox_tui.dicom.charset import check_values
from smartbox_tui.dicom.iods import Iod
from smartbox_tui.dicom.lineage import Lineage
from smartbox_tui.dicom.modules import MODULES, Inputs
from smartbox_tui.dicom.privacy import keep_values_out_of_warnings
from smartbox_tui.dicom.worklist_values import Order
from smartbox_tui.model.instance import EXPLICIT_VR_LE, KEY_OBJECT_SELECTION, Equipment, Kind, Picture, StudyValues

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_MODULES: Final = ("Patient", "Patient Study", "General Study", "General Equipment", "SOP Common")
KEY_OBJECT: Final = Iod(
    "key-object-selection", "Key Object Selection Document", "A.35.4", _MODULES, (EXPLICIT_VR_LE,), "KO"
)


@dataclass(frozen=True, slots=True)
class KeyObject:
    """`title` (code, scheme, meaning) of CID 7010; `instances` (Series, SOP Class, SOP Instance UID) of all that it
    names; `made_at` aware."""

    sop_instance_uid: str
    series_instance_uid: str
    series_number: int
    instance_number: int
    made_at: datetime
    title: tuple[str, str, str]
    series_description: str
    instances: tuple[tuple[str, str, str], ...]


def build_key_object(
    study: StudyValues, document: KeyObject, equipment: Equipment, content: list[Dataset]
) -> bytes:
    """The complete Part 10 file (PS3.3 A.35.4, C.17.6; PS3.16 TID 2010), Explicit VR Little Endian; `content` the
    items of its Content Sequence. Raises invalid-object for what `build_header` refuses."""
    from pydicom.dataset import Dataset

    keep_values_out_of_warnings()
    order = Order(study.worklist)
    inputs = Inputs(KEY_OBJECT, study, _stand_in(document), equipment, order, Lineage())
    dataset = Dataset()
    for module in _MODULES:
        for attribute in MODULES[module]:
            set_attribute(dataset, attribute, inputs)
    at = inputs.local(document.made_at)
    code, scheme, meaning = document.title
    for keyword, value in (
        # Key Object Document Series (C.17.6.1)
        ("Modality", "KO"),
        ("SeriesInstanceUID", document.series_instance_uid),
        ("SeriesNumber", document.series_number),
        ("SeriesDescription", document.series_description),
        ("ReferencedPerformedProcedureStepSequence", []),
        # Key Object Document (C.17.6.2)
        ("InstanceNumber", document.instance_number),
        ("ContentDate", f"{at:%Y%m%d}"),
        ("ContentTime", f"{at:%H%M%S.%f}"),
        ("CurrentRequestedProcedureEvidenceSequence", [_evidence(study, document)]),
        # SR Document Content (C.17.3), by TID 2010
        ("ValueType", "CONTAINER"),
        (
            "ConceptNameCodeSequence",
            [item_of(CodeValue=code, CodingSchemeDesignator=scheme, CodeMeaning=meaning)],
        ),
        ("ContinuityOfContent", "SEPARATE"),
        ("ContentTemplateSequence", [item_of(MappingResource="DCMR", TemplateIdentifier="2010")]),
        ("ContentSequence", content),
    ):
        setattr(dataset, keyword, value)
    request = _request(study, order)
    if request is not None:
        dataset.ReferencedRequestSequence = [request]
    check_values(dataset, study.charset)
    return part10(dataset, EXPLICIT_VR_LE)


def _stand_in(document: KeyObject) -> Picture:
    """The tables look at a picture's UIDs and time; a document has nothing else of one."""
    return Picture(
        sop_instance_uid=document.sop_instance_uid,
        series_instance_uid=document.series_instance_uid,
        sop_class_uid=KEY_OBJECT_SELECTION,
        transfer_syntax_uid=EXPLICIT_VR_LE,
        kind=Kind.STILL,
        series_number=document.series_number,
        instance_number=document.instance_number,
        captured_at=document.made_at,
        columns=0,
        rows=0,
        bitstream_bytes=0,
        sampling="",
    )


def _evidence(study: StudyValues, document: KeyObject) -> Dataset:
    """Every object, series by series (C.17.2.1, Hierarchical SOP Instance Reference Macro)."""
    series: dict[str, list[Dataset]] = {}
    for series_uid, sop_class_uid, sop_instance_uid in document.instances:
        series.setdefault(series_uid, []).append(reference_to(sop_class_uid, sop_instance_uid))
    return item_of(
        StudyInstanceUID=study.study_instance_uid,
        ReferencedSeriesSequence=[
            item_of(SeriesInstanceUID=uid, ReferencedSOPSequence=items) for uid, items in series.items()
        ],
    )


def _request(study: StudyValues, order: Order) -> Dataset | None:
    """The order that the exam was opened for (C.17.2.1, Referenced Request Sequence); None without one."""
    if not order.text("RequestedProcedureID") and not study.accession_number:
        return None
    return item_of(
        StudyInstanceUID=study.study_instance_uid,
        ReferencedStudySequence=order.sequence("ReferencedStudySequence"),
        AccessionNumber=study.accession_number,
        PlacerOrderNumberImagingServiceRequest=order.text("PlacerOrderNumberImagingServiceRequest"),
        FillerOrderNumberImagingServiceRequest=order.text("FillerOrderNumberImagingServiceRequest"),
        RequestedProcedureID=order.text("RequestedProcedureID"),
        RequestedProcedureDescription=order.text("RequestedProcedureDescription"),
        RequestedProcedureCodeSequence=order.sequence("RequestedProcedureCodeSequence"),
    )


def reference_to(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    return item_of(ReferencedSOPClassUID=sop_class_uid, ReferencedSOPInstanceUID=sop_instance_uid)


def item_of(**values: Any) -> Dataset:
    """An item of a sequence, by keywords."""
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
