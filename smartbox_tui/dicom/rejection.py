"""The rejection note: a Key Object Selection that names every object sent under the wrong worklist entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from smartbox_tui.dicom.build import check_study
from smartbox_tui.dicom.keyobjects import KEY_OBJECT, KeyObject, build_key_object, item_of, reference_to
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import KEY_OBJECT_SELECTION, Equipment, StudyValues
from smartbox_tui.model.rejection import RejectionNote

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ("KEY_OBJECT", "TITLE", "build_rejection_note")

TITLE: Final = ("113038", "DCM", "Incorrect Modality Worklist Entry")
"""CID 7011; what IHE IOCM asks for (RAD TF-3 4.66.4.1.2)."""


def build_rejection_note(study: StudyValues, note: RejectionNote, equipment: Equipment) -> bytes:
    """The complete Part 10 file (PS3.3 A.35.4, C.17.6; PS3.16 TID 2010), Explicit VR Little Endian.

    `study`: as the rejected objects had it, the wrong patient's: the note stands in their study, beside them.
    The same values always give the same bytes. Raises invalid-object: nothing rejected, the note among what it
    rejects, a time without offset, and what `build_header` refuses.
    """
    _check(study, note)
    document = KeyObject(
        sop_instance_uid=note.sop_instance_uid,
        series_instance_uid=note.series_instance_uid,
        series_number=note.series_number,
        instance_number=note.instance_number,
        made_at=note.made_at,
        title=TITLE,
        series_description="Rejection note",
        instances=note.instances,
    )
    return build_key_object(study, document, equipment, [_content(*item[1:]) for item in note.instances])


def _check(study: StudyValues, note: RejectionNote) -> None:
    check_study(study, note.made_at)
    rejected = [item[2] for item in note.instances]
    if not rejected or len(set(rejected)) != len(rejected) or note.sop_instance_uid in rejected:
        raise SmartBoxError(
            "invalid-object",
            "A rejection note names each rejected object once, at least one, and never itself.",
            "An archive that has seen nothing needs no note.",
        )


def _content(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """A content item of TID 2010; another Key Object Selection is no image but a composite object."""
    return item_of(
        RelationshipType="CONTAINS",
        ValueType="COMPOSITE" if sop_class_uid == KEY_OBJECT_SELECTION else "IMAGE",
        ReferencedSOPSequence=[reference_to(sop_class_uid, sop_instance_uid)],
    )
