"""What a worklist item gives to the header: IHE RAD TF-2 Appendix A, "attribute consistency".

The item is a dict in the DICOM JSON model (PS3.18 F), kept as it came; keys that are no tags are passed over.
Information systems send descriptions and codes longer than DICOM allows. That must not keep a picture from
its archive: descriptions are cut to length, other values that DICOM does not allow are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import StudyValues
from smartbox_tui.model.patient import has_control, is_torn

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

_FROM_REQUEST: Final = (
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "RequestedProcedureCodeSequence",
    "ReasonForTheRequestedProcedure",
    "ReasonForRequestedProcedureCodeSequence",
    "ReferencedStudySequence",
)
_FROM_STEP: Final = (
    "ScheduledProcedureStepID",
    "ScheduledProcedureStepDescription",
    "ScheduledProtocolCodeSequence",
)
_DESCRIPTIONS: Final = frozenset(
    {
        "RequestedProcedureDescription",
        "ReasonForTheRequestedProcedure",
        "ScheduledProcedureStepDescription",
        "CodeMeaning",
    }
)
"""Free text, LO, 64 characters: the first of them say what was meant."""

_CODE: Final = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")  # PS3.3 table 8.8-1
_REFERENCE: Final = ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID")  # PS3.3 table 10-11
_REFERENCES: Final = frozenset({"ReferencedStudySequence", "ReferencedPatientSequence"})
"""Servers fill a sequence that was asked for with an item that says nothing, or half of it."""

_NOT_IN_ITEMS: Final = ("SpecificCharacterSet", "TimezoneOffsetFromUTC")


class Order:
    """One worklist item, or none. Raises invalid-object for an item that is not DICOM JSON."""

    def __init__(self, worklist: dict[str, Any]) -> None:
        from pydicom.dataset import Dataset

        tags = {key: value for key, value in worklist.items() if len(key) == 8 and _is_hex(key)}
        try:
            self._item: Dataset = Dataset.from_json(tags) if tags else Dataset()
            _mend(self._item)
            steps = self._item.get("ScheduledProcedureStepSequence") or []
            self._step: Dataset = steps[0] if steps else Dataset()
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise SmartBoxError(
                "invalid-object",
                f"The exam's worklist item cannot be read ({type(exc).__name__}).",
                "Choose the worklist item again, or take the patient without it.",
            ) from exc

    def text(self, keyword: str) -> str:
        return str(self._item.get(keyword) or "")

    def issuer_of(self, patient_id: str) -> str:
        """The issuer belongs to the item's own ID: after a correction by hand it would be a lie."""
        return self.text("IssuerOfPatientID") if patient_id and patient_id == self.text("PatientID") else ""

    def study_id(self) -> str:
        """The Requested Procedure ID, as IHE recommends; SH, both."""
        return self.text("RequestedProcedureID")[:16]

    def modality(self) -> str:
        return str(self._step.get("Modality") or "")

    def step_description(self) -> str:
        return str(self._step.get("ScheduledProcedureStepDescription") or "")

    def sequence(self, keyword: str) -> list[Dataset]:
        return list(self._item.get(keyword) or [])

    def step_text(self, keyword: str) -> str:
        return str(self._step.get(keyword) or "")

    def step_sequence(self, keyword: str) -> list[Dataset]:
        return list(self._step.get(keyword) or [])

    def request_attributes(self, study: StudyValues) -> list[Dataset]:
        """The one item of RequestAttributesSequence (PS3.3 table 10-9), empty without an order."""
        from pydicom.dataset import Dataset

        item = Dataset()
        for source, keywords in ((self._item, _FROM_REQUEST), (self._step, _FROM_STEP)):
            for keyword in keywords:
                value = source.get(keyword)
                if value is not None and value != "" and value != []:
                    setattr(item, keyword, value)
        if not len(item):
            return []
        if study.accession_number:
            item.AccessionNumber = study.accession_number
        item.StudyInstanceUID = study.study_instance_uid
        return [item]


def description(text: str) -> str:
    """Free text as LO holds it: one line, no backslash, its first 64 characters."""
    kept = (char if char.isprintable() and char != "\\" and not is_torn(char) else " " for char in text)
    return "".join(kept).strip()[:64].rstrip()


def _is_hex(text: str) -> bool:
    return all(char in "0123456789abcdefABCDEF" for char in text)


def _mend(dataset: Dataset) -> None:
    """Makes every value of the item one that DICOM allows, or takes it out; goes into sequences."""
    for element in list(dataset):
        keyword = element.keyword
        if element.VR == "SQ":
            for item in element.value:
                _mend(item)
            needed = _CODE if keyword.endswith("CodeSequence") else _REFERENCE if keyword in _REFERENCES else ()
            element.value = [item for item in element.value if all(item.get(key) for key in needed)]
        elif keyword in _DESCRIPTIONS:
            values = element.value if element.VM > 1 else [element.value]
            element.value = description(" / ".join(str(value) for value in values if value))
        elif keyword in _NOT_IN_ITEMS or not _is_valid(element):  # the header states its own character set
            del dataset[element.tag]


def _is_valid(element: DataElement) -> bool:
    from pydicom import config
    from pydicom.valuerep import validate_value

    if element.VM > 1 or element.VR not in ("CS", "LO", "PN", "SH", "UI"):
        return element.VM <= 1
    text = str(element.value or "")
    if has_control(text) or is_torn(text) or "\\" in text:
        return False
    try:
        if text:
            validate_value(element.VR, text, config.RAISE)
    except ValueError:
        return False
    return True
