"""The marks of a clip: a Key Object Selection, "Of Interest", that names their frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from smartbox_tui.dicom.build import check_study
from smartbox_tui.dicom.keyobjects import KeyObject, build_key_object, item_of, reference_to
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import Equipment, StudyValues
from smartbox_tui.model.marks import Mark, MarkedFrames

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

TITLE: Final = ("113000", "DCM", "Of Interest")
"""CID 7010."""
DESCRIPTION: Final = ("113012", "DCM", "Key Object Description")
"""The concept of the text in TID 2010."""


def build_marks(study: StudyValues, marked: MarkedFrames, equipment: Equipment) -> bytes:
    """The complete Part 10 file (PS3.3 A.35.4, C.17.6, C.18.4; PS3.16 TID 2010), Explicit VR Little Endian.

    The same values always give the same bytes. Raises invalid-object: no mark, a frame before the first, the
    document itself as its clip, a time without offset, and what `build_header` refuses.
    """
    check_study(study, marked.made_at)
    if not marked.marks or min(mark.frame for mark in marked.marks) < 1:
        raise SmartBoxError(
            "invalid-object", "The marks of a clip name at least one frame, from 1 on.", "See the clip's sidecar."
        )
    if marked.sop_instance_uid == marked.clip[2]:
        raise SmartBoxError("invalid-object", "A Key Object Selection never names itself.", "This is a defect.")
    document = KeyObject(
        sop_instance_uid=marked.sop_instance_uid,
        series_instance_uid=marked.series_instance_uid,
        series_number=marked.series_number,
        instance_number=marked.instance_number,
        made_at=marked.made_at,
        title=TITLE,
        series_description="Marks",
        instances=(marked.clip,),
    )
    return build_key_object(study, document, equipment, [_text(marked), *_images(marked)])


def _text(marked: MarkedFrames) -> Dataset:
    code, scheme, meaning = DESCRIPTION
    concept = item_of(CodeValue=code, CodingSchemeDesignator=scheme, CodeMeaning=meaning)
    return item_of(
        RelationshipType="CONTAINS",
        ValueType="TEXT",
        ConceptNameCodeSequence=[concept],
        TextValue="\r\n".join(_line(mark) for mark in marked.marks),
    )


def _line(mark: Mark) -> str:
    """`0:01:23.400, frame 2086: bleeding`."""
    minutes, milliseconds = divmod(round(mark.at_s * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    place = f"{hours}:{minutes:02}:{milliseconds / 1000:06.3f}, frame {mark.frame}"
    text = " ".join("".join(each if each.isprintable() else " " for each in mark.text).split())
    return f"{place}: {text}" if text else place


def _images(marked: MarkedFrames) -> list[Dataset]:
    """An IMAGE item for each marked frame, in their order (C.18.4, Image SOP Instance Reference Macro)."""
    found = []
    for frame in sorted({mark.frame for mark in marked.marks}):
        reference = reference_to(*marked.clip[1:])
        reference.ReferencedFrameNumber = frame
        found.append(item_of(RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=[reference]))
    return found
