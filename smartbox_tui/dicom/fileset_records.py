"""Directory records (PS3.3 F.5) of one object, made by pydicom from its header alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.privacy import keep_values_out_of_warnings
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import KEY_OBJECT_SELECTION

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

PATIENT: Final = "PATIENT"
STUDY: Final = "STUDY"
SERIES: Final = "SERIES"
IMAGE: Final = "IMAGE"
KEY_OBJECT_DOC: Final = "KEY OBJECT DOC"

_HEAD: Final = 4 << 20
"""A header is far below that; a document without pixel data, too."""
_IN_USE: Final = 0xFFFF
_NO_DATE: Final = "19000101"
_MODIFIES: Final = "HAS CONCEPT MOD"
_NO_TIME: Final = "000000"


@dataclass(frozen=True, slots=True)
class Record:
    """`body`: the record's elements in Explicit VR Little Endian, the two offsets in it still 0. `key` tells it
    from others of its type below the same record."""

    type: str
    key: str | bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Described:
    """What the File-set needs to know of an object. `header`: without pixel data."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    study_uid: str
    series_uid: str
    instance_number: int
    header: Dataset


def describe(composition: Composition) -> Described:
    """Of an object on its way out: reads its header, never its pixels. Raises invalid-object, OSError."""
    first = composition.segments[0] if composition.segments else b""
    if isinstance(first, bytes):
        head = composition.meta + first
    else:
        view = memoryview(bytearray(min(_HEAD, len(composition.meta) + composition.dataset_length)))
        with composition.reader(with_meta=True) as reader:
            head = bytes(view[: reader.readinto(view)])
    return _described(BytesIO(head), "The object")


def describe_file(path: Path | int, name: str) -> Described:
    """Of a file on a medium; an open file descriptor is read from its start and stays open. Raises invalid-object,
    OSError."""
    with open(path, "rb", closefd=isinstance(path, Path)) as file:
        return _described(file, name)


def _described(file: object, name: str) -> Described:
    from pydicom import dcmread

    keep_values_out_of_warnings()
    try:
        header = dcmread(file, stop_before_pixels=True)  # type: ignore[arg-type]
        meta = header.file_meta
        return Described(
            str(header.SOPClassUID),
            str(header.SOPInstanceUID),
            str(meta.TransferSyntaxUID),
            str(header.StudyInstanceUID),
            str(header.SeriesInstanceUID),
            int(header.get("InstanceNumber") or 0),
            header,
        )
    except OSError:
        raise
    except Exception as exc:  # noqa: BLE001 (pydicom raises whatever it stumbles over)
        raise SmartBoxError(
            "invalid-object",
            f"{name} cannot be entered into a DICOMDIR: {type(exc).__name__}.",
            "Check the medium.",
        ) from None


def records(described: Described, file_id: tuple[str, ...]) -> Iterator[Record]:
    """From the patient down to the object (PS3.3 F.4). What a record demands and the object may leave empty gets a
    value that tells nothing about anybody. Raises invalid-object."""
    from pydicom.fileset import DIRECTORY_RECORDERS

    header = _filled(described)
    leaf = KEY_OBJECT_DOC if described.sop_class_uid == KEY_OBJECT_SELECTION else IMAGE
    for kind in (PATIENT, STUDY, SERIES, leaf):
        try:
            record = DIRECTORY_RECORDERS[kind](header)
        except (ValueError, AttributeError) as exc:
            raise SmartBoxError(
                "invalid-object", f"No {kind} record can be made of the object: {type(exc).__name__}.", ""
            ) from None
        record.OffsetOfTheNextDirectoryRecord = 0
        record.RecordInUseFlag = _IN_USE
        record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
        record.DirectoryRecordType = kind
        if "SpecificCharacterSet" in header:
            record.SpecificCharacterSet = header.SpecificCharacterSet
        key: str | bytes = described.sop_instance_uid
        if kind == PATIENT:
            record.PatientBirthDate = header.get("PatientBirthDate")
            record.PatientSex = header.get("PatientSex")
        elif kind == STUDY:
            key = described.study_uid
        elif kind == SERIES:
            key = described.series_uid
        else:
            record.ReferencedFileID = list(file_id)
            record.ReferencedSOPClassUIDInFile = described.sop_class_uid
            record.ReferencedSOPInstanceUIDInFile = described.sop_instance_uid
            record.ReferencedTransferSyntaxUIDInFile = described.transfer_syntax_uid
        body = _encoded(record)
        # two that share an ID and not a name are two: nothing of the one may be shown as the other's
        yield Record(kind, body if kind == PATIENT else key, body)


def _filled(described: Described) -> Dataset:
    """A copy in which what is Type 1 in a record and may be empty in an object has a value (PS3.3 F.5)."""
    from pydicom.dataset import Dataset

    header = Dataset(described.header)
    code = short(described.study_uid)
    dates = (header.get(name) for name in ("StudyDate", "SeriesDate", "ContentDate", "AcquisitionDate"))
    times = (header.get(name) for name in ("StudyTime", "SeriesTime", "ContentTime", "AcquisitionTime"))
    for keyword, value in (
        ("PatientID", f"NONE-{code}"),
        ("StudyDate", next((str(item) for item in dates if item), _NO_DATE)),
        ("StudyTime", next((str(item) for item in times if item), _NO_TIME)),
        ("StudyID", code),
        ("Modality", "OT"),
        ("SeriesNumber", 0),
        ("InstanceNumber", 0),
    ):
        if header.get(keyword) in (None, ""):
            setattr(header, keyword, value)
    if "ContentSequence" in header:  # only what modifies the title belongs into a record (PS3.3 F.5)
        modifiers = [item for item in header.ContentSequence if item.get("RelationshipType") == _MODIFIES]
        del header.ContentSequence
        if modifiers:
            header.ContentSequence = modifiers
    return header


def short(text: str, salt: int = 0) -> str:
    """8 characters of A-F and 0-9 that stand for a UID: no UID, no patient can be read from them."""
    return hashlib.sha256(f"{text}/{salt}".encode() if salt else text.encode()).hexdigest()[:8].upper()


def _encoded(record: Dataset) -> bytes:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    fp = DicomBytesIO()
    fp.is_little_endian, fp.is_implicit_VR = True, False
    write_dataset(fp, record)
    return fp.getvalue()
