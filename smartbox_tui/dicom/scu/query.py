"""The identifier of a worklist query: matching keys, and every return key that object and performed step need."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from smartbox_tui.dicom.datasets import encode
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.worklist import WorklistKeys

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_CODE: Final = ("CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning")
_REFERENCE: Final = ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID")

RETURN_KEYS: Final = (
    # PS3.4 table K.6-1; IHE RAD TF-2 4.5.4.1.2 (RAD-5) asks for all but the last few
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientWeight",
    "PatientSize",
    "MedicalAlerts",
    "Allergies",
    "PregnancyStatus",
    "SpecialNeeds",
    "PatientState",
    "CurrentPatientLocation",
    "AdmissionID",
    "StudyInstanceUID",
    "RequestingPhysician",
    "RequestingService",
    "RequestedProcedureDescription",
    "ReasonForTheRequestedProcedure",
    "RequestedProcedureID",
    "RequestedProcedurePriority",
    "RequestedProcedureComments",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
    "OtherPatientIDs",
    "EthnicGroup",
)
SEQUENCES: Final = {
    "ReferencedStudySequence": _REFERENCE,
    "ReferencedPatientSequence": _REFERENCE,
    "RequestedProcedureCodeSequence": _CODE,
    "ReasonForRequestedProcedureCodeSequence": _CODE,
}
STEP_KEYS: Final = (
    "Modality",
    "ScheduledStationAETitle",
    "ScheduledStationName",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "ScheduledPerformingPhysicianName",
    "ScheduledProcedureStepDescription",
    "ScheduledProcedureStepID",
    "ScheduledProcedureStepLocation",
    "ScheduledProcedureStepStatus",
    "PreMedication",
    "RequestedContrastAgent",
    "CommentsOnTheScheduledProcedureStep",
)
STEP_SEQUENCES: Final = {"ScheduledProtocolCodeSequence": _CODE}
MATCHING: Final = {"PatientName": "name", "PatientID": "patient_id", "AccessionNumber": "accession"}
"""Matching keys, and where WorklistKeys has their value."""
STEP_MATCHING: Final = {"Modality": "modality", "ScheduledStationAETitle": "station_aet"}
STEP_RANGE: Final = "ScheduledProcedureStepStartDate"
"""Matched by a day or a range of days (`date_from`, `date_to`)."""


@dataclass(frozen=True, slots=True)
class NameFilter:
    """What the server could not be asked for. `pattern` as in WorklistKeys.name; empty: everything."""

    pattern: str = ""

    def matches(self, name: str) -> bool:
        """Whether one of the name's component groups, or all of it, matches; case, accents and the two ways to
        write an umlaut make no difference: too many answers are no harm, one too few is."""
        if not self.pattern:
            return True
        expressions = [_expression(form) for form in _forms(self.pattern)]
        candidates = [form for text in (name, *name.split("=")) for form in _forms(text)]
        return any(expression.fullmatch(text) for expression in expressions for text in candidates)


_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "æ": "ae", "å": "aa"})
_LETTERS: Final = str.maketrans({"ß": "s", "ø": "o", "æ": "a", "ł": "l", "đ": "d", "ı": "i"})


def _forms(text: str) -> tuple[str, str]:
    composed = unicodedata.normalize("NFC", text).lower()
    return _plain(composed.translate(_LETTERS)), _plain(composed.translate(_UMLAUTS).translate(_LETTERS))


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text)
    return "".join(char for char in apart if not unicodedata.combining(char)).rstrip("^ ")


def _expression(pattern: str) -> re.Pattern[str]:
    parts = ({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.compile("".join(parts), re.DOTALL)


def identifier(keys: WorklistKeys, *, explicit: bool = False) -> tuple[bytes, NameFilter]:
    """The data set, Implicit or Explicit VR Little Endian, and what has to be looked for in the answers.

    Servers compare a key's bytes with what they store, in whatever character set that is: a name with other
    than ASCII letters is asked for with * in their place and filtered here, so it is found with every server. An
    ID that is not ASCII goes in ISO_IR 100 where that holds it, else in ISO_IR 192. Otherwise (0008,0005) is
    there and empty: some servers give it back only when it was asked for.
    Raises bad-value for a key with a backslash, a control character, or too long.
    """
    dataset = _dataset(keys)
    name = "".join(char if char.isascii() else "*" for char in keys.name)
    wanted = NameFilter("" if name == keys.name else keys.name)
    dataset.PatientName = re.sub(r"\*+", "*", name)
    for value, maximum in (
        (keys.name, 64 * 3),  # three component groups (PS3.5 6.2, PN)
        (keys.patient_id, 64),
        (keys.accession, 16),
        (keys.modality, 16),
        (keys.station_aet, 16),
    ):
        if len(value) > maximum or "\\" in value or not all(char.isprintable() for char in value):
            raise SmartBoxError(
                "bad-value", "A key of the worklist query is one that DICOM does not allow.", "Shorten it."
            )
    if not (keys.modality + keys.station_aet).isascii():
        raise SmartBoxError("bad-value", "Modality and station AE title have ASCII letters only.", "Correct it.")
    dataset.SpecificCharacterSet = _charset(keys.patient_id + keys.accession)
    return encode(dataset, explicit=explicit), wanted


def _charset(text: str) -> str:
    if text.isascii():
        return ""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return "ISO_IR 192"
    return "ISO_IR 100"


def _dataset(keys: WorklistKeys) -> Dataset:
    dataset = _empty(RETURN_KEYS, SEQUENCES)
    for keyword, field in MATCHING.items():
        setattr(dataset, keyword, getattr(keys, field))
    step = _empty(STEP_KEYS, STEP_SEQUENCES)
    for keyword, field in STEP_MATCHING.items():
        setattr(step, keyword, getattr(keys, field))
    setattr(step, STEP_RANGE, _range(keys.date_from, keys.date_to))
    dataset.ScheduledProcedureStepSequence = [step]
    return dataset


def _empty(keywords: tuple[str, ...], sequences: Mapping[str, tuple[str, ...]]) -> Dataset:
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for keyword in keywords:
        setattr(dataset, keyword, None)
    for keyword, inside in sequences.items():
        setattr(dataset, keyword, [_empty(inside, {})])
    return dataset


def _range(first: date | None, last: date | None) -> str:
    """Single value or range matching (PS3.4 C.2.2.2.1, C.2.2.2.5)."""
    if first == last:
        return f"{first:%Y%m%d}" if first else ""
    return f"{first:%Y%m%d}-{last:%Y%m%d}" if first and last else f"{first:%Y%m%d}-" if first else f"-{last:%Y%m%d}"
