"""Attributes that a person gives in a JSON file, written over those of a data set (`dicom build --attributes`).

Both forms are read, the DICOM JSON model (PS3.18 F) and plain `{"PatientName": "Test^Eins"}`. What the bitstream
decides is refused by name, and so is what nobody knows: a value that is silently left out is a wrong object.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.errors import SmartBoxError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SIZE_MAX: Final = 1 << 20
_DEPTH_MAX: Final = 8
_TAG: Final = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?", re.ASCII)
_TEXTS: Final = frozenset("AE AS CS DA DT LO LT PN SH ST TM UC UI UR UT".split())
_ONE_VALUE: Final = frozenset({"LT", "ST", "UR", "UT"})
_WHOLE: Final = {
    "US": (0, 2**16 - 1),
    "SS": (-(2**15), 2**15 - 1),
    "UL": (0, 2**32 - 1),
    "SL": (-(2**31), 2**31 - 1),
    "UV": (0, 2**64 - 1),
    "SV": (-(2**63), 2**63 - 1),
    "IS": (-(2**31), 2**31 - 1),
}
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")

_BY_BITSTREAM: Final = "The picture decides it."
DECIDED: Final[dict[int, str]] = {
    0x00080005: "--charset decides it.",
    0x00080016: "--sop-class decides it.",
    0x00080201: "The offset of --study-date decides it.",
    0x00181063: "--frame-time decides it, and a video's own rate.",
    0x00181065: _BY_BITSTREAM,
    0x00280002: _BY_BITSTREAM,
    0x00280004: _BY_BITSTREAM,
    0x00280006: _BY_BITSTREAM,
    0x00280008: _BY_BITSTREAM,
    0x00280009: _BY_BITSTREAM,
    0x00280010: _BY_BITSTREAM,
    0x00280011: _BY_BITSTREAM,
    0x00280034: _BY_BITSTREAM,
    0x00280100: _BY_BITSTREAM,
    0x00280101: _BY_BITSTREAM,
    0x00280102: _BY_BITSTREAM,
    0x00280103: _BY_BITSTREAM,
}
"""What no file may set, and who does."""

_LATERALITY: Final = 0x00200060
_REGION: Final = frozenset({0x00180015, 0x00082218})
"""BodyPartExamined and AnatomicRegionSequence."""

_LOSSY: Final = frozenset({0x00282110, 0x00282112, 0x00282114})


def read_attributes(text: bytes) -> dict[str, Any]:
    """The object in a file of attributes. Raises bad-value naming the place, never the content."""
    if len(text) > SIZE_MAX:
        raise _bad("The file of attributes is larger than 1 MiB", "Is it the right file?")
    try:
        value = json.loads(text.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as exc:
        place = f"line {exc.lineno}" if isinstance(exc, json.JSONDecodeError) else "its encoding, or its depth"
        raise _bad(f"The file of attributes is not JSON in UTF-8 ({place})", "See `dicom build --help`.") from None
    if not isinstance(value, dict):
        raise _bad("The file of attributes must hold one JSON object", '{"PatientID": "4711", …}')
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise SmartBoxError("bad-value", f"{_shown(key)} is given twice.", "Leave one of them out.")
        found[key] = value
    return found


def apply(dataset: Dataset, given: Mapping[str, Any], by_option: Mapping[int, str]) -> None:
    """Writes `given` over `dataset`. Forms, lengths and character set are judged by `charset.check_values`.

    by_option: tags that an option of the command line gives, and its name; those may not be given twice.
    Raises unknown-key, bad-value; the messages hold names of attributes, no values.
    """
    seen: set[int] = set()
    compressed = dataset.LossyImageCompression != "00"
    for key, value in given.items():
        tag = _tag(key, "")
        name = _name(tag)
        if tag in seen:
            raise _bad(f"{name} is given twice", "Leave one of them out.")
        seen.add(tag)
        if tag in by_option:
            raise _bad(f"{name} is in the file and given by {by_option[tag]}", "Leave one of them out.")
        if tag in DECIDED:
            raise _bad(f"{name} cannot be given", DECIDED[tag])
        if tag in _LOSSY and compressed:
            raise _bad(f"{name} cannot be given for a compressed picture", _BY_BITSTREAM)
        _set(dataset, tag, value, name, 0)
    if seen & _REGION and _LATERALITY not in seen:
        # Empty says that nobody knows whether it is a paired one (PS3.3 C.7.3.1): whoever names the part knows.
        del dataset[_LATERALITY]


def _set(dataset: Dataset, tag: int, value: Any, path: str, depth: int) -> None:
    from pydicom.datadict import dictionary_VR
    from pydicom.dataelem import DataElement

    vr = dictionary_VR(tag)
    if vr not in _TEXTS and vr not in _WHOLE and vr not in ("DS", "FL", "FD", "SQ"):
        raise _bad(f"{path} cannot be given: its value is binary ({vr})", "Leave it out.")
    values = _values(value, vr, path)
    if vr == "SQ":
        if depth >= _DEPTH_MAX:
            raise _bad(f"{path} is nested too deeply", "Eight levels are enough.")
        items = [_item(item, f"{path}[{count}]", depth) for count, item in enumerate(values, 1)]
        dataset[tag] = DataElement(tag, vr, items)
        return
    checked = [_value(item, vr, path) for item in values]
    empty = "" if vr in _TEXTS or vr in ("DS", "IS") else None
    dataset[tag] = DataElement(tag, vr, checked[0] if len(checked) == 1 else checked or empty)


def _item(value: Any, path: str, depth: int) -> Dataset:
    from pydicom.dataset import Dataset

    if not isinstance(value, dict):
        raise _bad(f"{path} is no object", "A sequence is a list of objects.")
    item = Dataset()
    for key, inner in value.items():
        tag = _tag(key, f" in {path}")
        if tag in item:
            raise _bad(f"{path}.{_name(tag)} is given twice", "Leave one of them out.")
        _set(item, tag, inner, f"{path}.{_name(tag)}", depth + 1)
    return item


def _values(value: Any, vr: str, path: str) -> list[Any]:
    """The values of one attribute: a list in either form; None, "" and [] are no value."""
    if isinstance(value, dict) and "vr" in value:
        if value["vr"] != vr:
            raise _bad(f"{path} has another VR in the file", f"It is {vr} (PS3.6).")
        if unknown := set(value) - {"vr", "Value"}:
            raise _bad(f"{path} holds {_shown(min(unknown))}", 'Give "Value": binary data is not taken.')
        value = value.get("Value", [])
        if not isinstance(value, list):
            raise _bad(f"{path}: Value is no list", "See PS3.18 F.2.")
    elif value is None or value == "":
        return []
    elif not isinstance(value, list):
        value = [value]
    return [] if value in ([None], [""]) else value


def _value(value: Any, vr: str, path: str) -> Any:
    if vr == "PN" and isinstance(value, dict):
        if unknown := set(value) - set(_GROUPS):
            raise _bad(f"{path} holds {_shown(min(unknown))}", f"One of: {', '.join(_GROUPS)}.")
        groups = [value.get(key, "") for key in _GROUPS]
        if not all(isinstance(group, str) and "=" not in group for group in groups):
            raise _bad(f"{path} is no name", "Each of its groups is a text without '='.")
        value = "=".join(groups).rstrip("=")
    if vr in _TEXTS:
        if value is None:
            return ""
        if not isinstance(value, str):
            # 00123 would have become 123
            raise _bad(f"{path} must be a text ({vr})", "Write it in quotes.")
        if "\\" in value and vr not in _ONE_VALUE:
            raise _bad(f"{path} holds a backslash", "Give several values as a list.")
        return value
    return _number(value, vr, path)


def _number(value: Any, vr: str, path: str) -> Any:
    number = value
    if isinstance(value, str) and vr in ("DS", "IS"):
        try:
            number = int(value) if vr == "IS" else float(value)
        except ValueError:
            raise _bad(f"{path} is no number ({vr})", "Write it as 12.5.") from None
    if isinstance(number, bool) or not isinstance(number, int | float) or not _is_finite(number):
        raise _bad(f"{path} must be a number ({vr})", "Write it without quotes.")
    if vr in _WHOLE:
        low, high = _WHOLE[vr]
        if number != int(number) or not low <= number <= high:
            raise _bad(f"{path} must be a whole number from {low} to {high} ({vr})", "Correct it.")
        return int(number)
    if vr == "DS":
        text = str(value).strip()
        return text if len(text) <= 16 else f"{number:.10g}"
    if vr == "FL" and abs(number) > 3.4e38:
        raise _bad(f"{path} is too large ({vr})", "Correct it.")
    return float(number)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond every float
        return False


def _tag(key: str, where: str) -> int:
    """The tag of a keyword, `0010,0010`, `(0010,0010)` or `00100010`. Raises unknown-key, bad-value."""
    from pydicom.datadict import dictionary_has_tag, tag_for_keyword

    match = _TAG.fullmatch(key)
    tag = int(match[1] + match[2], 16) if match else tag_for_keyword(key)
    if tag is None:
        near = _nearest(key)
        raise SmartBoxError(
            "unknown-key",
            f"{_shown(key)}{where} is no attribute of DICOM.",
            f"Is it {near}?" if near else "Keywords are in PS3.6, as PatientName; a tag is written 0010,0010.",
        )
    group = tag >> 16
    if group & 1:
        raise _bad(f"{_shown(key)}{where} is private", "Only attributes of the standard are written.")
    if group in (0x0000, 0x0002, 0x0004, 0x0006) or not tag & 0xFFFF or tag in (0xFFFCFFFC, 0x00041220):
        raise _bad(
            f"{_shown(key)}{where} is none of a data set", "The file's own information is written by itself."
        )
    if group in (0x7FE0, 0xFFFE) or 0x5000 <= group < 0x5100 or 0x6000 <= group < 0x6100:
        raise _bad(f"{_shown(key)}{where} cannot be given", "Pixels, overlays and curves are not taken from JSON.")
    if not dictionary_has_tag(tag):
        raise SmartBoxError("unknown-key", f"{_shown(key)}{where} is no attribute of DICOM.", "See PS3.6.")
    return tag


def _nearest(key: str) -> str:
    import difflib

    from pydicom.datadict import keyword_dict

    by_small = {word.lower(): word for word in keyword_dict}
    near = difflib.get_close_matches(key.lower()[:64], by_small, n=1, cutoff=0.75)
    return by_small[near[0]] if near else ""


def _name(tag: int) -> str:
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _shown(key: str) -> str:
    """A key as an error may show it: a word, not a sentence that somebody put there by mistake."""
    return f"'{key}'" if re.fullmatch(r"[A-Za-z0-9_.,() -]{1,64}", key) else "A key"


def _bad(what: str, hint: str) -> SmartBoxError:
    return SmartBoxError("bad-value", f"{what}.", hint)
