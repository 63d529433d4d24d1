"""What a worklist item gives to the header: IHE RAD TF-2 Appendix A, "attribute consistency".

The item is a dict in the DICOM JSON model (PS3.18 F), kept as it came; keys that are no tags are passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.instance import StudyValues

if TYPE_CHECKING:
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
_NOT_IN_ITEMS: Final = ("SpecificCharacterSet", "TimezoneOffsetFromUTC")


class Order:
    """One worklist item, or none. Raises invalid-object for an item that is not DICOM JSON."""

    def __init__(self, worklist: dict[str, Any]) -> None:
        from pydicom.dataset import Dataset

        tags = {key: value for key, value in worklist.items() if len(key) == 8 and _is_hex(key)}
        try:
            self._item: Dataset = Dataset.from_json(tags) if tags else Dataset()
            for dataset in _walk(self._item):
                for keyword in _NOT_IN_ITEMS:  # their values are text here; the header states its own
                    if keyword in dataset:
                        delattr(dataset, keyword)
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


def _is_hex(text: str) -> bool:
    return all(char in "0123456789abcdefABCDEF" for char in text)


def _walk(dataset: Dataset) -> list[Dataset]:
    found = [dataset]
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                found.extend(_walk(item))
    return found
