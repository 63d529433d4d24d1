"""The statement's sections on media, made from what the box writes: the records of sample objects, read back."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Final

from smartbox_tui.dicom.conformance_objects import class_name, syntax
from smartbox_tui.dicom.conformance_page import Block, Heading, Text, table
from smartbox_tui.dicom.fileset import DIRECTORY_STORAGE, FILE_SET_ID, FOLDER
from smartbox_tui.dicom.fileset_records import Described, records
from smartbox_tui.dicom.iods import JPEG_FAMILY, NATIVE
from smartbox_tui.model.instance import (
    EXPLICIT_VR_LE,
    JPEG_BASELINE,
    KEY_OBJECT_SELECTION,
    SOP_CLASSES,
)

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

PROFILE: Final = "STD-GEN-USB-JPEG"
"""General Purpose USB and Flash Memory Interchange, with JPEG (PS3.11 Annex J)."""
AUGMENTED: Final = "AUG-GEN-USB-JPEG"
"""The same with transfer syntaxes that it does not have (PS3.11 7)."""

_OFFSETS: Final = frozenset({0x00041400, 0x00041410, 0x00041420})
_INVENTED: Final = "; a value that tells nothing where the object has none"
_NEVER_EMPTY: Final = frozenset({"PatientID", "StudyDate", "StudyTime", "StudyID", "Modality", "SeriesNumber"})


def overview() -> Iterator[Block]:
    yield Heading(2, "1.4 Media services")
    yield table(
        "Application profile | File-set Creator | File-set Reader | File-set Updater",
        [(f"{PROFILE}, with clips {AUGMENTED}", "yes", "no", "yes, of File-sets that it made itself")],
    )


def services(offered: tuple[tuple[str, str], ...]) -> Iterator[Block]:
    yield Heading(2, "5.4 Media services (File-set Creator, File-set Updater)")
    yield Text(
        "To a destination of kind folder: a USB medium, a share, or a folder, in the role of a File-set Creator of "
        "the Media Storage Service Class (PS3.4 Annex I, PS3.10). Each object is written under a temporary name, "
        "made durable, read back from the medium and compared, then named; then the DICOMDIR, in the same way. "
        "Only then it counts as stored. A DICOMDIR that another system has made, or that is damaged, is never "
        "changed: nothing is written to such a medium. `smartbox dicom export` writes single files in the DICOM "
        "File Format, without a DICOMDIR."
    )
    yield Text(
        "A File-set is gone on with until somebody has the medium ejected (`smartbox ctl destination eject NAME`): "
        "what is being written is finished, all of it is made durable, the DICOMDIR is read back and compared with "
        "what lies there, and the medium unmounted where the box may."
    )
    stills = [pair for pair in offered if pair[1] == JPEG_BASELINE]
    clips = [pair for pair in offered if pair[1] not in (*JPEG_FAMILY, *NATIVE)]
    rows = [(PROFILE, "Media Storage Directory Storage", syntax(EXPLICIT_VR_LE))]
    for name, pairs in ((PROFILE, stills), (AUGMENTED, clips)):
        by_class: dict[str, list[str]] = {}
        for sop_class, uid in pairs:
            by_class.setdefault(sop_class, []).append(uid)
        rows += [
            (name, class_name(sop_class), "; ".join(syntax(uid) for uid in dict.fromkeys(uids)))
            for sop_class, uids in by_class.items()
        ]
    rows.append((PROFILE, class_name(KEY_OBJECT_SELECTION), syntax(EXPLICIT_VR_LE)))
    yield table("Application profile | SOP Class | Transfer syntax, as captured", rows)


def media() -> Iterator[Block]:
    yield Heading(2, "7.4 Media")
    yield table(
        "File-set | Value",
        [
            ("DICOMDIR", f"in the root; SOP Class {DIRECTORY_STORAGE}, {syntax(EXPLICIT_VR_LE)}; always whole: "
             "replaced by renaming"),
            ("File-set ID", FILE_SET_ID),
            ("File-set UID", "2.25 and a UUID that the medium gets when the box first writes to it; it also stands "
             "in `.smartbox-medium` in the root, by which the box tells one medium from another"),
            ("File IDs", f"{FOLDER}/SSSSSSSS/EEEEEEEE/IIIIIIII: 8 characters of 0-9 and A-F each, from the UIDs of "
             "study, series and instance by SHA-256; no patient data"),
            ("Files that are no part of it", "PICTURES/SSSSSSSS/EEEEEEEE/NNNN-IIIIIIII.jpg, -FFFF.jpg for each "
             "frame of a burst, .ts or .mp4 (setting `plain`): the bitstreams as captured, without a DICOM header"),
            ("Media", "any file system that the operating system mounts; on FAT no object of 4 GiB or more"),
        ],
    )  # fmt: skip
    yield Text(
        "Directory records (PS3.3 F.5). Two objects whose patients share an ID but not name, birth date and sex "
        "get two PATIENT records: nothing of the one is ever shown as the other's."
    )
    yield table(
        "Record | Attribute | Tag | Value",
        [
            (kind, name, tag, "of the object" + (_INVENTED if keyword in _NEVER_EMPTY else ""))
            for kind, keyword, name, tag in _keys()
        ],
    )


def _keys() -> Iterator[tuple[str, str, str, str]]:
    """(record, keyword, name, tag) of what is really written, without the links between records."""
    from pydicom.filereader import read_dataset

    told = set()
    for sop_class in (SOP_CLASSES["vl-endoscopic"], KEY_OBJECT_SELECTION):
        for record in records(_sample(sop_class), (FOLDER, "0" * 8, "0" * 8, "0" * 8)):
            if record.type in told:
                continue
            told.add(record.type)
            for element in read_dataset(BytesIO(record.body), is_implicit_VR=False, is_little_endian=True):
                if element.tag not in _OFFSETS:
                    tag = f"({element.tag.group:04X},{element.tag.element:04X})"
                    yield record.type, element.keyword, element.name, tag


def _sample(sop_class: str) -> Described:
    from pydicom.dataset import Dataset

    header = Dataset()
    for keyword in ("PatientName", "StudyDescription", "AccessionNumber", "PatientBirthDate", "PatientSex"):
        setattr(header, keyword, "")
    header.SpecificCharacterSet = "ISO_IR 192"
    header.StudyInstanceUID = header.SeriesInstanceUID = header.SOPInstanceUID = "2.25.1"
    header.SOPClassUID = sop_class
    header.ContentDate, header.ContentTime = "20260101", "120000"
    header.ConceptNameCodeSequence = [_code()]
    syntax_uid = EXPLICIT_VR_LE if sop_class == KEY_OBJECT_SELECTION else JPEG_BASELINE
    return Described(sop_class, "2.25.1", syntax_uid, "2.25.1", "2.25.1", 1, header)


def _code() -> Dataset:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "113000", "DCM", "Of Interest"
    return code
