"""Attributes of a data set held against their definitions: presence (PS3.5 7.4), VR, VM, form, allowed values.

Works on the raw elements: what is read leniently cannot be judged strictly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from smartbox_tui.dicom.datasets import Element
from smartbox_tui.dicom.decoding import Repertoire, Undecodable, repertoire
from smartbox_tui.dicom.iods import IODS
from smartbox_tui.dicom.validate_report import Report
from smartbox_tui.dicom.validate_table import CLASSES, INSIDE, MODULES, SECTIONS
from smartbox_tui.model.instance import KEY_OBJECT_SELECTION

CHARSET: Final = 0x00080005
_TEXT: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_STRINGS: Final = _TEXT | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_ONE_VALUE: Final = frozenset({"LT", "ST", "UT", "UR"})
_SIZES: Final = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "AT": 4, "SV": 8, "UV": 8}
_ELEMENTS_MAX: Final = 20_000
_VALUES_MAX: Final = 10_000
"""Of a data set, and of an element: what is made to be read for ever is not looked at to its end."""
_UID: Final = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*", re.ASCII)

ENUMERATED: Final[dict[int, tuple[str, frozenset[str]]]] = {
    0x00100040: ("C.7.1.1", frozenset({"M", "F", "O"})),
    0x00200060: ("C.7.3.1", frozenset({"L", "R"})),
    0x00280301: ("C.7.6.1", frozenset({"YES", "NO"})),
    0x00282110: ("C.7.6.1", frozenset({"00", "01"})),
    0x0040A050: ("C.18.8", frozenset({"SEPARATE", "CONTINUOUS"})),
}
"""Enumerated values (PS3.3), by tag: another one is an error."""

DEFINED: Final[dict[int, tuple[str, frozenset[str]]]] = {
    0x00080060: ("C.7.3.1", frozenset("CR CT DX ES GM IO KO MG MR NM OP OT PX RF RG SM SR US XA XC".split())),
    0x00080064: ("C.8.6.1", frozenset("DV DI DF WSD SD SI DRW SYN".split())),
    0x00282114: (
        "C.7.6.1.1.5.1",
        frozenset(
            "ISO_10918_1 ISO_14495_1 ISO_15444_1 ISO_15444_15 ISO_13818_2 ISO_14496_10 ISO_23008_2".split()
        ),
    ),
}  # fmt: skip
"""Defined terms: another one is legal and rarely meant."""


def attribute(tag: int) -> str:
    """The keyword, or the tag of what has none."""
    return _dictionary(tag)[0] or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@lru_cache(maxsize=1024)
def _dictionary(tag: int) -> tuple[str, tuple[str, ...], str]:
    """Keyword, VRs and VM (PS3.6)."""
    from pydicom.datadict import get_entry

    try:
        vr, vm, _, _, keyword = get_entry(tag)
    except KeyError:
        return "", (), ""
    return keyword, tuple(vr.split(" or ")), vm


class Values:
    """A data set's elements by tag, and its text decoded. Nothing here raises for what the elements hold."""

    def __init__(self, elements: Iterable[Element]) -> None:
        self.elements = {element.tag: element for element in elements}
        terms = self.text(CHARSET).split("\\") if CHARSET in self.elements else []
        self.repertoire = repertoire(terms)
        self.named = bool(terms)

    def text(self, tag: int) -> str:
        """ASCII text without padding; empty when absent, not ASCII or no text."""
        element = self.elements.get(tag)
        if element is None or not isinstance(element.value, bytes):
            return ""
        return element.value.decode("ascii", "replace").strip("\0 ")

    def number(self, tag: int) -> int | None:
        """The first value of US, UL or AT."""
        element = self.elements.get(tag)
        if element is None or not isinstance(element.value, bytes) or len(element.value) < 2:
            return None
        raw = element.value
        if element.vr == "AT" and len(raw) >= 4:
            return int.from_bytes(raw[:2], "little") << 16 | int.from_bytes(raw[2:4], "little")
        return int.from_bytes(raw[: _SIZES.get(element.vr, 2)], "little")

    def decimal(self, tag: int) -> float | None:
        """The last value of DS, IS or FD that is a number."""
        try:
            value = float(self.text(tag).split("\\")[-1])
        except ValueError:
            return None
        return value if abs(value) < 1e15 else None  # also for nan and infinity, which DICOM does not know

    def is_empty(self, tag: int) -> bool:
        element = self.elements[tag]
        if isinstance(element.value, bytes) and element.vr in _STRINGS:
            return not element.value.strip(b"\0 ")
        return not element.value


def number_of_frames(values: Values) -> int:
    return int(values.decimal(0x00280008) or 1)


# ---- presence


def _region(values: Values, sop_class_uid: str) -> bool:
    iod = IODS.get(sop_class_uid)
    return iod is not None and iod.anatomic_region


CONDITIONS: Final[dict[tuple[str, str], Callable[[Values, str], bool]]] = {
    ("general-image", "PatientOrientation"): lambda values, _: 0x00200037 not in values.elements,
    ("image-pixel", "PlanarConfiguration"): lambda values, _: (values.number(0x00280002) or 1) > 1,
    ("vl-image", "PlanarConfiguration"): lambda values, _: (values.number(0x00280002) or 1) > 1,
    ("vl-image", "AnatomicRegionSequence"): _region,
    ("cine", "FrameTime"): lambda values, _: values.number(0x00280009) == 0x00181063,
    ("cine", "FrameTimeVector"): lambda values, _: values.number(0x00280009) == 0x00181065,
    ("sc-multi-frame-image", "FrameIncrementPointer"): lambda values, _: number_of_frames(values) > 1,
    ("sop-common", "SpecificCharacterSet"): lambda values, _: not values.named and not _ascii(values),
    ("sr-document-content", "ConceptNameCodeSequence"): lambda *_: True,
    ("sr-document-content", "ContinuityOfContent"): lambda *_: True,
    ("sr-document-content", "ContentTemplateSequence"): lambda *_: True,
    ("sr-document-content", "ContentSequence"): lambda *_: True,
}  # fmt: skip
"""Conditions of 1C and 2C that the object itself decides. PixelData is looked at with the bitstream."""


def _ascii(values: Values) -> bool:
    for element in values.elements.values():
        if isinstance(element.value, list):
            if not all(_ascii(Values(item)) for item in element.value):
                return False
        elif element.vr in _TEXT and not element.value.isascii():
            return False
    return True


def check_presence(values: Values, sop_class_uid: str, report: Report) -> None:
    """Types 1, 1C, 2 and 2C of the IOD's modules (PS3.3 A, C; PS3.5 7.4)."""
    rules: dict[int, tuple[str, str, str]] = {}
    for module in CLASSES[sop_class_uid]:
        for tag, keyword, kind in MODULES[module]:
            rules[tag] = (module, keyword, kind)
    for tag, (module, keyword, kind) in rules.items():
        section = f"PS3.3 {SECTIONS[module]}"
        if kind.endswith("C"):
            condition = CONDITIONS.get((module, keyword))
            holds = condition(values, sop_class_uid) if condition else False
        else:
            holds = True
        _present(values, tag, keyword, kind, holds, section, report)
    _check_items(values.elements.values(), (), report)


def _present(values: Values, tag: int, keyword: str, kind: str, holds: bool, section: str, report: Report) -> None:
    if tag not in values.elements:
        if holds:
            why = "Its condition holds here. " if kind.endswith("C") else ""
            hint = "Write it" + (", empty where the value is not known." if kind[0] == "2" else " with a value.")
            report.error("missing", section, f"{keyword} (Type {kind}) is missing.", why + hint)
    elif kind[0] == "1" and values.is_empty(tag):
        report.error("empty", section, f"{keyword} (Type {kind}) has no value.", "Give it one.")


def _check_items(elements: Iterable[Element], path: tuple[int, ...], report: Report) -> None:
    for element in elements:
        if not isinstance(element.value, list):
            continue
        inner = (*path, element.tag)
        for item in element.value:
            values = Values(item)
            for tag, keyword, kind in INSIDE.get(inner, ()):
                name = f"{keyword} in {attribute(element.tag)}"
                _present(values, tag, name, kind, True, "PS3.3 10, C.17", report)
            if attribute(element.tag).endswith("CodeSequence") or element.tag == 0x00082218:
                _check_code(values, attribute(element.tag), report)
            if element.tag == 0x0040A730:
                _check_content(values, report)
            _check_items(item, inner, report)


def _check_code(values: Values, name: str, report: Report) -> None:
    """Basic Code Sequence Macro."""
    section = "PS3.3 8.8"
    filled = {tag for tag in values.elements if not values.is_empty(tag)}
    if not filled & {0x00080100, 0x00080119, 0x00080120}:
        report.error("code", section, f"An item of {name} has no code value.", "Give CodeValue.")
    if 0x00080100 in filled and 0x00080102 not in filled:
        report.error("code", section, f"An item of {name} names no coding scheme.", "Give CodingSchemeDesignator.")
    if 0x00080104 not in filled:
        report.error("code", section, f"An item of {name} has no CodeMeaning.", "Give it one.")


def _check_content(values: Values, report: Report) -> None:
    """An item of a Content Sequence."""
    for tag, keyword in ((0x0040A010, "RelationshipType"), (0x0040A040, "ValueType")):
        name = f"{keyword} in ContentSequence"
        _present(values, tag, name, "1", True, "PS3.3 C.17.3.2.4", report)
    if values.text(0x0040A040) in ("IMAGE", "COMPOSITE"):
        _present(values, 0x00081199, "ReferencedSOPSequence in ContentSequence", "1", True, "PS3.3 C.18.3", report)


# ---- values


def check_values(values: Values, report: Report) -> None:
    """VR, VM, length, repertoire, form and allowed values of every element, items included (PS3.5 6.1, 6.2)."""
    if values.repertoire is None:
        report.error(
            "charset",
            "PS3.3 C.12.1.1.2",
            "SpecificCharacterSet names a character set that DICOM does not know.",
            "Write text in ISO_IR 192.",
        )
    for count, element in enumerate(values.elements.values()):
        if count == _ELEMENTS_MAX:
            report.warning("elements", "PS3.5 7", "Too many elements to look at them all.", "None.")
            break
        _check_element(element, values.repertoire, report)


def _check_element(element: Element, charset: Repertoire | None, report: Report) -> None:
    name = attribute(element.tag)
    _, vrs, vm = _dictionary(element.tag)
    if vrs and element.vr not in vrs and not (element.vr == "UN" and isinstance(element.value, bytes)):
        report.error("vr", "PS3.6 6", f"{name} is written as {element.vr}.", f"Write it as {' or '.join(vrs)}.")
        return
    if isinstance(element.value, list):
        for item in element.value:
            inner = Values(item)
            own = inner.repertoire if inner.named else charset
            for child in inner.elements.values():
                _check_element(child, own, report)
        return
    if len(element.value) % 2:
        report.error("odd-length", "PS3.5 7.1.1", f"{name} has an odd length.", "Pad the value to an even length.")
    if element.vr in _SIZES:
        count, rest = divmod(len(element.value), _SIZES[element.vr])
        if rest:
            report.error("length", "PS3.5 6.2", f"{name} holds no whole {element.vr}.", "Write whole numbers.")
        elif element.value:
            _check_count(name, count, vm, report)
    elif element.vr in _STRINGS:
        _check_strings(element, name, vm, charset, report)


def _check_strings(element: Element, name: str, vm: str, charset: Repertoire | None, report: Report) -> None:
    text = _decoded(element, name, charset, report)
    if text is None or not text:
        return
    parts = [text] if element.vr in _ONE_VALUE else text.split("\\")
    _check_count(name, len(parts), vm, report)
    for part in parts[:_VALUES_MAX]:
        _check_form(element, name, part, report)
    _check_allowed(element.tag, name, [part.strip(" ") for part in parts], report)


def _decoded(element: Element, name: str, charset: Repertoire | None, report: Report) -> str | None:
    assert isinstance(element.value, bytes)
    raw = element.value.rstrip(b"\0 ") if element.vr == "UI" else element.value.rstrip(b" ")
    try:
        if element.vr not in _TEXT:
            return raw.decode("ascii")
        return charset.decode(raw, name=element.vr == "PN") if charset is not None else None
    except (Undecodable, UnicodeDecodeError):
        where = "its character set" if element.vr in _TEXT else "the default repertoire"
        report.error(
            "repertoire",
            "PS3.5 6.1",
            f"{name} holds bytes that are no text in {where}.",
            "Name the character set in SpecificCharacterSet, and write the text in it.",
        )
        return None


def _check_form(element: Element, name: str, text: str, report: Report) -> None:
    from pydicom import config
    from pydicom.valuerep import validate_value

    allowed = "\t\n\f\r" if element.vr in _ONE_VALUE else ""
    if any((ord(char) < 32 and char not in allowed) or ord(char) == 127 for char in text):
        report.error("control", "PS3.5 6.1.3", f"{name} holds a control character.", "Remove it.")
        return
    if element.vr == "UI":
        good = len(text) <= 64 and (not text or _UID.fullmatch(text) is not None)
    else:
        try:
            if text:
                validate_value(
                    element.vr, text.strip(" ") if element.vr in ("CS", "DS", "IS") else text, config.RAISE
                )
            good = True
        except ValueError:
            good = False
    if not good:
        section = "PS3.5 9.1" if element.vr == "UI" else "PS3.5 6.2"
        report.error("form", section, f"{name} holds a value that is no {element.vr}.", "Correct the value.")


def _check_count(name: str, count: int, vm: str, report: Report) -> None:
    if not vm:
        return
    least, _, most = vm.partition("-")
    low = int(least)
    step = int(most[:-1] or 1) if most.endswith("n") else 1
    high = None if most.endswith("n") else int(most or least)
    if count < low or (high is not None and count > high) or (high is None and count % step):
        report.error("vm", "PS3.6 6", f"{name} has {count} values.", f"It takes {vm}.")


def _check_allowed(tag: int, name: str, parts: list[str], report: Report) -> None:
    section, words = ENUMERATED.get(tag, ("", frozenset[str]()))
    if section and not words.issuperset(parts):
        report.error(
            "enumerated",
            f"PS3.3 {section}",
            f"{name} holds none of its values.",
            f"One of: {', '.join(sorted(words))}.",
        )
    section, words = DEFINED.get(tag, ("", frozenset[str]()))
    if section and not words.issuperset(parts):
        report.warning(
            "defined-term", f"PS3.3 {section}", f"{name} holds none of its defined terms.", "Use a defined term."
        )
    if tag == 0x00080008:
        first, second = (*parts, "", "")[:2]
        if first not in ("ORIGINAL", "DERIVED") or second not in ("PRIMARY", "SECONDARY"):
            report.error(
                "enumerated",
                "PS3.3 C.7.6.1.1.2",
                "ImageType says neither ORIGINAL nor DERIVED, or neither PRIMARY nor SECONDARY.",
                "Write ORIGINAL\\PRIMARY, or DERIVED for what was made from another instance.",
            )


def check_modality(values: Values, sop_class_uid: str, report: Report) -> None:
    """VL and video classes have a modality of their own (C.8.12.1 by A.32), Key Object Selection KO (C.17.6.1)."""
    iod = IODS.get(sop_class_uid)
    wanted = "KO" if sop_class_uid == KEY_OBJECT_SELECTION else iod.modality if iod else None
    found = values.text(0x00080060)
    if not wanted or not found or found == wanted:
        return
    if wanted == "KO":
        report.error("modality", "PS3.3 C.17.6.1", "Modality is not KO.", "Write KO.")
    else:
        report.warning(
            "modality", "PS3.3 A.32", f"Modality is not {wanted}.", f"Write {wanted} for this SOP class."
        )
