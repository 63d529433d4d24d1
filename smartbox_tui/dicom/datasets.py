"""Data sets of messages: a received one as DICOM JSON (PS3.18 F), in pure Unicode, and one to be sent as bytes.

Reading is small, strict, and guesses nothing. Not pydicom's reader: that one takes "?" for what it cannot decode
and cuts Japanese names at bytes that look like delimiters.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.dicom.charset import check_values
from smartbox_tui.dicom.decoding import Repertoire, Undecodable, fallback, repertoire
from smartbox_tui.dicom.privacy import keep_values_out_of_warnings
from smartbox_tui.errors import SmartBoxError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_CHARSET: Final = 0x00080005
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED: Final = 0xFFFFFFFF
_DEPTH_MAX: Final = 8
_TEXT: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_ONE_VALUE: Final = frozenset({"LT", "ST", "UT", "UR"})  # a backslash is no delimiter there (PS3.5 6.2)
_ASCII: Final = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
_NUMBERS: Final = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d", "SV": "q", "UV": "Q"}
_LONG_FORM: Final = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
_DECIMAL: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([Ee][+-]?\d{1,2})?", re.ASCII)  # PS3.5 6.2, DS and IS
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")


@dataclass(frozen=True, slots=True)
class Element:
    """As it stands in the data set: `value` its bytes, or the elements of each item of a sequence."""

    tag: int
    vr: str
    value: bytes | list[list[Element]]


def encode(dataset: Dataset, *, explicit: bool) -> bytes:
    """`dataset` in Implicit or Explicit VR Little Endian and its own SpecificCharacterSet, which must hold all of
    its text: the caller has made sure."""
    from pydicom.charset import convert_encodings
    from pydicom.filebase import DicomFileLike
    from pydicom.filewriter import write_dataset

    buffer = BytesIO()
    target = DicomFileLike(buffer)
    target.is_little_endian, target.is_implicit_VR = True, not explicit
    write_dataset(target, dataset, convert_encodings(dataset.SpecificCharacterSet))
    return buffer.getvalue()


def from_json(value: dict[str, Any], *, explicit: bool) -> bytes:
    """The data set of a DICOM JSON value, in ISO_IR 192. Raises invalid-object: not DICOM JSON, or a value that its
    VR does not allow; the message names the attribute alone."""
    from pydicom.dataset import Dataset

    keep_values_out_of_warnings()
    try:
        dataset = Dataset.from_json(value)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise SmartBoxError(
            "invalid-object",
            f"A data set to be sent is not in the DICOM JSON model ({type(exc).__name__}).",
            "This is a defect of the box: keep its log.",
        ) from None
    dataset.SpecificCharacterSet = "ISO_IR 192"
    check_values(dataset, "utf-8")
    return encode(dataset, explicit=explicit)


def to_json(
    data: bytes, *, explicit: bool = False, charset: str = "latin-1", needed: frozenset[int] = frozenset()
) -> dict[str, Any]:
    """The data set, Implicit or Explicit VR Little Endian, in the DICOM JSON model.

    Character sets are resolved and (0008,0005) is left out. So are empty values, private attributes, binary
    values, and text that cannot be decoded. charset: of what names none and is not ASCII (`decoding.fallback`).
    Raises ValueError: no data set, or one of the tags `needed` cannot be decoded. Memory: a few times `data`.
    """
    elements, _ = _parse(data, 0, len(data), explicit, depth=0, delimiter=None)
    undeclared = list(_undeclared(elements, Repertoire()))
    return _convert(elements, Repertoire(), fallback(charset, undeclared), needed)


def parse_until(data: bytes, stop: int, *, explicit: bool) -> tuple[list[Element], int]:
    """The elements before the first one whose tag is `stop` or higher, and where that one begins.

    Private attributes are left out. Raises ValueError: no data set, cut off, or not in ascending order.
    """
    elements: list[Element] = []
    position, last = 0, 0
    while position < len(data):
        if position + 8 > len(data):
            raise ValueError("cut off in an element's head")
        group, element = struct.unpack_from("<HH", data, position)
        tag = group << 16 | element
        if tag >= stop:
            break
        if tag <= last:
            raise ValueError("elements that do not ascend")
        last = tag
        _, vr, length, start = _head(data, position, len(data), explicit)
        if length == _UNDEFINED:
            items, end = _items(data, start, len(data), length, explicit and vr == "SQ", 1)
            if not group & 1:
                elements.append(Element(tag, "SQ", items))
        else:
            end = start + length
            found, _ = _parse(data, position, end, explicit, depth=0, delimiter=None)
            elements += found
        position = end
    return elements, position


def _parse(
    data: bytes, position: int, end: int, explicit: bool, *, depth: int, delimiter: int | None
) -> tuple[list[Element], int]:
    """The elements up to `end`, or to `delimiter`; and where they ended."""
    if depth > _DEPTH_MAX:
        raise ValueError("sequences nested too deeply")
    elements: list[Element] = []
    seen: set[int] = set()
    while position < end:
        tag, vr, length, position = _head(data, position, end, explicit)
        if tag == delimiter:
            return elements, position
        if tag in seen or tag >> 16 == 0xFFFE:
            raise ValueError("an element that cannot stand here")
        seen.add(tag)
        value: bytes | list[list[Element]]
        if vr == "SQ" or length == _UNDEFINED:
            # Undefined length of an unknown attribute: a sequence in Implicit VR (PS3.5 6.2.2).
            inside = explicit and vr == "SQ"
            value, position = _items(data, position, end, length, inside, depth + 1)
            vr = "SQ"
        else:
            value, position = data[position : position + length], position + length
        if not tag >> 16 & 1:
            elements.append(Element(tag, vr, value))
    if delimiter is not None:
        raise ValueError("an item without its end")
    return elements, position


def _head(data: bytes, position: int, end: int, explicit: bool) -> tuple[int, str, int, int]:
    """Tag, VR, length, and where the value begins."""
    if position + 8 > end:
        raise ValueError("cut off in an element's head")
    group, element, length = struct.unpack_from("<HHL", data, position)
    tag = group << 16 | element
    if tag in (_ITEM, _ITEM_END, _SEQUENCE_END):
        return tag, "", length, position + 8
    if not explicit:
        vr, start = _vr_of(tag), position + 8
    else:
        code = data[position + 4 : position + 6]
        if not code.isalpha() or not code.isupper():
            raise ValueError("no value representation")
        vr, start = code.decode("ascii"), position + 8
        if code in _LONG_FORM:
            if position + 12 > end:
                raise ValueError("cut off in an element's head")
            (length,) = struct.unpack_from("<L", data, position + 8)
            start = position + 12
        else:
            length >>= 16
    if length != _UNDEFINED and start + length > end:
        raise ValueError("a value longer than the data set")
    return tag, vr, length, start


def _items(
    data: bytes, position: int, end: int, length: int, explicit: bool, depth: int
) -> tuple[list[list[Element]], int]:
    stop = end if length == _UNDEFINED else position + length
    items: list[list[Element]] = []
    while position < stop:
        tag, _, size, position = _head(data, position, stop, explicit=False)
        if tag == _SEQUENCE_END and length == _UNDEFINED:
            return items, position
        if tag != _ITEM or (size != _UNDEFINED and position + size > stop):
            raise ValueError("a sequence without items")
        last = stop if size == _UNDEFINED else position + size
        delimiter = _ITEM_END if size == _UNDEFINED else None
        item, position = _parse(data, position, last, explicit, depth=depth, delimiter=delimiter)
        items.append(item)
    if length == _UNDEFINED:
        raise ValueError("a sequence without its end")
    return items, position


@lru_cache(maxsize=1024)
def _vr_of(tag: int) -> str:
    from pydicom.datadict import dictionary_VR

    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return "UN"


def _declared(elements: list[Element], outer: Repertoire | None) -> Repertoire | None:
    """The character set of a data set or item: its own, or that of what holds it (PS3.3 C.12.1.1.2)."""
    for element in elements:
        if element.tag == _CHARSET and isinstance(element.value, bytes):
            terms = element.value.decode("ascii", "replace").strip("\0 ").split("\\")
            return repertoire(terms)
    return outer


def _undeclared(elements: list[Element], outer: Repertoire | None) -> Iterator[bytes]:
    own = _declared(elements, outer)
    for element in elements:
        if isinstance(element.value, list):
            for item in element.value:
                yield from _undeclared(item, own)
        elif element.vr in _TEXT and own is not None and own.ascii_only:
            yield element.value


def _convert(
    elements: list[Element], outer: Repertoire | None, default: Repertoire, needed: frozenset[int]
) -> dict[str, Any]:
    own = _declared(elements, outer)
    result: dict[str, Any] = {}
    for element in elements:
        if element.tag == _CHARSET:
            continue
        try:
            if isinstance(element.value, list):
                values: list[Any] = [_convert(item, own, default, frozenset()) for item in element.value]
            else:
                values = _values(element.vr, element.value, own, default)
        except ValueError:
            if element.tag in needed:
                raise
            continue
        while values and values[-1] in (None, "", {}):
            values.pop()
        if values:
            result[f"{element.tag:08X}"] = {
                "vr": element.vr,
                "Value": [None if value in ("", {}) else value for value in values],
            }
    return result


def _values(vr: str, raw: bytes, own: Repertoire | None, default: Repertoire) -> list[Any]:
    if vr in _TEXT:
        text = _text(raw, own, default, name=vr == "PN").rstrip("\0 ")
        if vr in _ONE_VALUE:
            return [text]
        return [_name(value) if vr == "PN" else value.strip(" ") for value in text.split("\\")]
    if vr in _ASCII:
        text = raw.decode("ascii").strip("\0 ")
        values = [text] if vr in _ONE_VALUE else [value.strip("\0 ") for value in text.split("\\")]
        if vr in ("DS", "IS"):
            return [_number(value, vr) for value in values]
        return list(values)
    if vr in _NUMBERS:
        count, rest = divmod(len(raw), struct.calcsize(f"<{_NUMBERS[vr]}"))
        if rest:
            raise ValueError("half a number")
        numbers = list(struct.unpack(f"<{count}{_NUMBERS[vr]}", raw))
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError("no number that JSON could hold")
        return numbers
    return []


def _text(raw: bytes, own: Repertoire | None, default: Repertoire, *, name: bool) -> str:
    if own is None:  # a character set nobody knows
        if not raw.isascii() or b"\x1b" in raw:
            raise Undecodable("text in an unknown character set")
        own = Repertoire()
    return (default if own.ascii_only else own).decode(raw, name=name)


def _number(value: str, vr: str) -> float | int | None:
    if not value:
        return None
    if not _DECIMAL.fullmatch(value):  # Python reads more than DICOM writes: "nan", "1_000"
        raise ValueError("no number")
    number = int(value) if vr == "IS" else float(value)
    if not math.isfinite(number):
        raise ValueError("no number that JSON could hold")
    return number


def _name(value: str) -> dict[str, str]:
    """PS3.18 F.2.2: a name's component groups; empty trailing components say nothing."""
    groups = [group.rstrip(" ^").lstrip(" ") for group in value.split("=")]
    if len(groups) > len(_GROUPS):
        raise ValueError("a name of more than three groups")
    return {key: group for key, group in zip(_GROUPS, groups, strict=False) if group}
