"""A picture's DICOM header: a complete Part 10 file but for its pixel data.

The same values always give the same bytes, so a header can be made anew and compared.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.dicom.charset import DEFINED_TERMS, check_values
from smartbox_tui.dicom.datasets import encode
from smartbox_tui.dicom.iods import iod_of
from smartbox_tui.dicom.lineage import Lineage
from smartbox_tui.dicom.privacy import keep_values_out_of_warnings
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import IMPLICIT_VR_LE, Equipment, Picture, StudyValues
from smartbox_tui.model.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from smartbox_tui.dicom.modules import Attribute, Inputs

PREAMBLE: Final = bytes(128) + b"DICM"
CAPTURED: Final = Lineage()


def build_header(study: StudyValues, picture: Picture, equipment: Equipment, lineage: Lineage = CAPTURED) -> bytes:
    """The Part 10 file (PS3.10 7.1) of `picture` without (7FE0,0010): preamble, group 2, data set.

    Explicit VR Little Endian with explicit-length sequences and items, so that archives give the data set
    back byte for byte (Implicit VR where that is the picture's transfer syntax). Times are wall time in the
    study's UTC offset, which TimezoneOffsetFromUTC states; `study_at` and `captured_at` must be aware.
    `lineage` is for a bitstream that is not the captured one: decoded, re-encoded, remuxed.
    Raises SmartBoxError invalid-object: SOP class or syntax not ours, a Type 1 attribute without value, a text
    that `study.charset` cannot hold, a value the attribute's VR does not allow. No message holds a value.
    """
    dataset = build_dataset(study, picture, equipment, lineage)
    return part10(dataset, picture.transfer_syntax_uid)


def build_dataset(
    study: StudyValues, picture: Picture, equipment: Equipment, lineage: Lineage = CAPTURED
) -> Dataset:
    """The data set of `build_header` before it is written. Raises the same."""
    from pydicom.dataset import Dataset

    from smartbox_tui.dicom.modules import MODULES, Inputs
    from smartbox_tui.dicom.worklist_values import Order

    keep_values_out_of_warnings()
    iod = iod_of(picture.sop_class_uid, picture.transfer_syntax_uid)
    _check_values(study, picture)
    inputs = Inputs(iod, study, picture, equipment, Order(study.worklist), lineage)
    dataset = Dataset()
    for module in iod.modules:
        for attribute in MODULES[module]:
            set_attribute(dataset, attribute, inputs)
    check_values(dataset, study.charset)
    return dataset


def check_study(study: StudyValues, made_at: datetime) -> None:
    """Raises invalid-object: a character set that the box does not write, a time without its offset."""
    if study.charset not in DEFINED_TERMS:
        raise SmartBoxError(
            "invalid-object",
            f"'{study.charset}' is no character set the box writes.",
            f"One of: {', '.join(DEFINED_TERMS)}.",
        )
    if study.study_at.utcoffset() is None or made_at.utcoffset() is None:
        raise SmartBoxError("invalid-object", "A time without UTC offset.", "Give aware times.")


def _check_values(study: StudyValues, picture: Picture) -> None:
    check_study(study, picture.captured_at)
    if picture.number_of_frames < 1 or picture.bitstream_bytes < 1:
        raise SmartBoxError("invalid-object", "The picture holds no frame.", "An empty recording is not sent.")
    if not (0 < picture.columns < 65536 and 0 < picture.rows < 65536):
        raise SmartBoxError("invalid-object", "Rows and Columns must be 1 to 65535.", "Check the source's size.")


def set_attribute(dataset: Dataset, attribute: Attribute, inputs: Inputs) -> None:
    """Writes one line of a module's table. Raises invalid-object as `build_header` does."""
    value = attribute.value(inputs)
    keyword, kind = attribute.keyword, attribute.type
    if value is None and (kind.endswith("C") or kind == "3"):
        return
    empty = value is None or value == "" or value == []
    if empty and kind == "3":
        return
    if empty and kind.startswith("1"):
        raise SmartBoxError(
            "invalid-object", f"{keyword} has no value, and must have one.", "The exam's values are incomplete."
        )
    if keyword in dataset:
        raise AssertionError(f"{keyword} stands in two modules' tables of one IOD")
    if isinstance(value, str) and "\\" in value:  # pydicom would make several values of it
        raise SmartBoxError("invalid-object", f"{keyword} holds a backslash.", "Correct the text.")
    setattr(dataset, keyword, _items(value) if isinstance(value, list) and _is_sequence(keyword) else value)


def _is_sequence(keyword: str) -> bool:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    tag = tag_for_keyword(keyword)
    return tag is not None and dictionary_VR(tag) == "SQ"


def _items(items: list[Any]) -> list[Dataset]:
    from pydicom.dataset import Dataset

    result = []
    for item in items:
        if isinstance(item, dict):
            made = Dataset()
            for keyword, value in item.items():
                setattr(made, keyword, value)
            item = made
        result.append(item)
    return result


def part10(dataset: Dataset, transfer_syntax_uid: str) -> bytes:
    """The file of `dataset`, whose values are checked (PS3.10 7.1): preamble, group 2, and all of it with explicit
    lengths, in Implicit VR for that syntax, else Explicit VR Little Endian."""
    _explicit_lengths(dataset)
    head = group_2(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), transfer_syntax_uid)
    return head + encode(dataset, explicit=transfer_syntax_uid != IMPLICIT_VR_LE)


def _explicit_lengths(dataset: Dataset) -> None:
    """Undefined lengths read from a worklist item would come back from an archive in other bytes."""
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = False
            for item in element.value:
                item.is_undefined_length_sequence_item = False
                _explicit_lengths(item)


def _element(element: int, vr: bytes, value: bytes, pad: bytes = b"\0") -> bytes:
    """One element of group 2, Explicit VR Little Endian (PS3.5 7.1.2)."""
    value += pad * (len(value) % 2)
    length = len(value).to_bytes(4, "little") if vr == b"OB" else len(value).to_bytes(2, "little")
    return b"\x02\0" + element.to_bytes(2, "little") + vr + (b"\0\0" if vr == b"OB" else b"") + length + value


def group_2(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """What stands before the data set (PS3.10 7.1): preamble and file meta information."""
    rest = b"".join(
        (
            _element(0x0001, b"OB", b"\0\x01"),
            _element(0x0002, b"UI", sop_class_uid.encode("ascii")),
            _element(0x0003, b"UI", sop_instance_uid.encode("ascii")),
            _element(0x0010, b"UI", transfer_syntax_uid.encode("ascii")),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID.encode("ascii")),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode("ascii"), b" "),
        )
    )
    return PREAMBLE + _element(0x0000, b"UL", len(rest).to_bytes(4, "little")) + rest
