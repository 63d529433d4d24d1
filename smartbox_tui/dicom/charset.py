"""Is every value one that DICOM allows, and can it be written in the character set? Asked before writing.

pydicom writes what it cannot encode as "?" with only a warning: in a name that is another patient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.patient import is_torn

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

DEFINED_TERMS: Final = {"utf-8": "ISO_IR 192", "latin-1": "ISO_IR 100"}
"""The settings' words (`charset`) and the defined terms of PS3.3 C.12.1.1.2."""

_TEXT_VRS: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # PS3.5 6.1.2.3
_PARAGRAPHS: Final = frozenset({"LT", "ST", "UT"})
_DEFAULT_REPERTOIRE_VRS: Final = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})


def encodable(text: str, charset: str) -> bool:
    """True when `text` can be written in `charset` (utf-8 | latin-1) without loss, and holds neither control
    characters nor what is left of a text that was decoded wrongly (U+FFFD), which no reader takes for text.

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
    return not any(0x7F <= ord(char) < 0xA0 for char in text) and not is_torn(text)


def check_values(dataset: Dataset, charset: str) -> None:
    """Raises invalid-object for the first value that its VR does not allow or `charset` cannot hold.

    Goes into sequences. The message names the attribute, never its value: it may be a patient's.
    """
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                check_values(item, charset)
            continue
        values = element.value if element.VM > 1 else [element.value]
        for value in values:
            if element.VR in _TEXT_VRS:
                _check_text(element.keyword, element.VR, str(value), charset)
            if element.VR in _TEXT_VRS or element.VR in _DEFAULT_REPERTOIRE_VRS:
                _check_form(element.keyword, element.VR, str(value))


def _check_form(keyword: str, vr: str, text: str) -> None:
    """Length, repertoire and form of one value (PS3.5 6.2)."""
    from pydicom import config
    from pydicom.valuerep import validate_value

    try:
        if text:
            validate_value(vr, text, config.RAISE)
    except ValueError:
        # The cause quotes the value: not in the chain either.
        raise _refused(
            keyword, f"a value that is no {vr}", "Correct it in the patient's or the order's data."
        ) from None


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
