"""Can every text of a data set be written in its character set? Asked before writing, not after.

pydicom writes what it cannot encode as "?" with only a warning: in a name that is another patient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from smartbox_tui.errors import SmartBoxError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

DEFINED_TERMS: Final = {"utf-8": "ISO_IR 192", "latin-1": "ISO_IR 100"}
"""The settings' words (`charset`) and the defined terms of PS3.3 C.12.1.1.2."""

_TEXT_VRS: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # PS3.5 6.1.2.3
_PARAGRAPHS: Final = frozenset({"LT", "ST", "UT"})
_DEFAULT_REPERTOIRE_VRS: Final = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})


def encodable(text: str, charset: str) -> bool:
    """True when `text` can be written in `charset` (utf-8 | latin-1) without loss or control characters.

    Raises invalid-object for another word.
    """
    try:
        text.encode({"utf-8": "utf-8", "latin-1": "latin-1"}[charset])
    except UnicodeEncodeError:
        return False
    except KeyError:
        raise SmartBoxError(
            "invalid-object",
            f"'{charset}' is no character set the box writes.",
            f"One of: {', '.join(DEFINED_TERMS)}.",
        ) from None
    return not any(0x7F <= ord(char) < 0xA0 for char in text)


def check_encodable(dataset: Dataset, charset: str) -> None:
    """Raises invalid-object naming the attribute, never its value, for the first text that cannot be written.

    A backslash is refused as well: it would split one value into two (PS3.5 6.2).
    """
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                check_encodable(item, charset)
            continue
        values = element.value if isinstance(element.value, list) or element.VM > 1 else [element.value]
        if element.VR in _DEFAULT_REPERTOIRE_VRS:
            if not all(str(value).isascii() for value in values):
                raise _refused(element.keyword, "a character outside ASCII", "Only ASCII is allowed there.")
        elif element.VR in _TEXT_VRS:
            for value in values:
                _check_text(element.keyword, element.VR, str(value), charset)


def _check_text(keyword: str, vr: str, text: str, charset: str) -> None:
    if not encodable(text, charset):
        raise _refused(
            keyword,
            f"a character that {DEFINED_TERMS[charset]} cannot hold",
            'Set charset = "utf-8" for this destination, or correct the text.',
        )
    allowed = "\t\n\f\r" if vr in _PARAGRAPHS else ""
    if any(ord(char) < 32 and char not in allowed for char in text):
        raise _refused(keyword, "a control character", "Correct the text.")
    if "\\" in text and vr not in _PARAGRAPHS:
        raise _refused(keyword, "a backslash, which DICOM reads as two values", "Correct the text.")


def _refused(keyword: str, what: str, hint: str) -> SmartBoxError:
    return SmartBoxError("invalid-object", f"{keyword} holds {what}.", hint)
