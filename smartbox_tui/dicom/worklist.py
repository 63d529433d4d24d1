"""A worklist answer as the box keeps it: who it is, what is planned, and the whole of it as DICOM JSON."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any, Final

from smartbox_tui.dicom.worklist_values import description
from smartbox_tui.model.patient import SEXES, Patient, has_control, is_torn
from smartbox_tui.model.worklist import WorklistEntry, entry_id

_STEP: Final = "00400100"


def entry_of(source: dict[str, Any]) -> WorklistEntry:
    """The entry of a data set in the DICOM JSON model, as `datasets.to_json` makes it.

    The patient is one whose object can be written: what the header would refuse later is refused here. An
    accession number, UID or physician that DICOM does not allow is left out (as `worklist_values` does), an
    impossible birth date or sex is unknown. Raises ValueError, without any value: neither ID nor name, or one
    of them not allowed.
    """
    step = _first_item(source, _STEP)
    patient = Patient(
        id=_strict(source, "00100020", "LO"),
        name=_strict(source, "00100010", "PN"),
        birth_date=_birth_date(_text(source, "00100030")),
        sex=_sex(_text(source, "00100040")),
    )
    if not patient.id and not patient.name:
        raise ValueError("an entry without patient")
    study_uid = _lenient(source, "0020000D", "UI")
    accession = _lenient(source, "00080050", "SH")
    step_id = _text(step, "00400009")
    scheduled_at = _moment(_text(step, "00400002"), _text(step, "00400003"))
    return WorklistEntry(
        id=entry_id(study_uid, step_id, accession, patient.id, scheduled_at),
        patient=patient,
        accession_number=accession,
        study_instance_uid=study_uid,
        procedure=_procedure(source, step),
        scheduled_at=scheduled_at,
        modality=_text(step, "00080060"),
        station=_text(step, "00400001"),
        station_name=_text(step, "00400010"),
        step_id=step_id,
        requested_procedure_id=_text(source, "00401001"),
        referring_physician=_lenient(source, "00080090", "PN"),
        priority=_text(source, "00401003").upper(),
        issuer=_text(source, "00100021"),
        source=source,
    )


def _values(source: dict[str, Any], tag: str) -> list[Any]:
    values = source.get(tag, {}).get("Value")
    return values if isinstance(values, list) else []


def _first_item(source: dict[str, Any], tag: str) -> dict[str, Any]:
    """A worklist answer has exactly one scheduled step (PS3.4 table K.6-1)."""
    values = _values(source, tag)
    return values[0] if values and isinstance(values[0], dict) else {}


def _text(source: dict[str, Any], tag: str) -> str:
    """The first value; a name with its component groups joined by "=" (PS3.5 6.2.1)."""
    values = _values(source, tag)
    value = values[0] if values else None
    if isinstance(value, dict):
        groups = (str(value.get(key, "")) for key in ("Alphabetic", "Ideographic", "Phonetic"))
        return "=".join(groups).rstrip("=")
    return "" if value is None else str(value).strip()


def _strict(source: dict[str, Any], tag: str, vr: str) -> str:
    text = _text(source, tag)
    if len(_values(source, tag)) > 1 or not _allowed(vr, text):
        raise ValueError("an ID or name that DICOM does not allow")
    return text


def _lenient(source: dict[str, Any], tag: str, vr: str) -> str:
    text = _text(source, tag)
    return text if len(_values(source, tag)) < 2 and _allowed(vr, text) else ""


def _allowed(vr: str, text: str) -> bool:
    """What `charset.check_values` lets into a header."""
    from pydicom import config
    from pydicom.valuerep import validate_value

    if has_control(text) or is_torn(text) or "\\" in text:
        return False
    try:
        if text:
            validate_value(vr, text, config.RAISE)
    except ValueError:
        return False
    return True


def _sex(text: str) -> str | None:
    return text.upper() if text.upper() in SEXES else None


def _birth_date(text: str) -> date | None:
    born = _day(text)
    today = datetime.now().astimezone().date()
    return born if born is not None and date(1850, 1, 1) <= born <= today else None


def _day(text: str) -> date | None:
    digits = text.replace(".", "")  # YYYY.MM.DD of ACR-NEMA (PS3.5 6.2, DA)
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if len(digits) == 8 else None
    except ValueError:
        return None


def _moment(day: str, clock: str) -> str:
    """YYYY-MM-DDTHH:MM:SS; a time that cannot be read is midnight, without a day there is none."""
    on = _day(day)
    if on is None:
        return ""
    digits = clock.partition(".")[0].replace(":", "").ljust(6, "0")
    try:
        at = time(int(digits[:2]), int(digits[2:4]), min(int(digits[4:6]), 59))  # 60 is a leap second
    except ValueError:
        at = time()
    return datetime.combine(on, at).isoformat(timespec="seconds")


def _procedure(source: dict[str, Any], step: dict[str, Any]) -> str:
    """What is to be done, in the words of who ordered it: either may be missing if its code is there (Type 1C).

    As a description that a header holds: one that is too long must not keep a picture from its archive."""
    for text in (
        _text(source, "00321060"),
        _text(step, "00400007"),
        _text(_first_item(source, "00321064"), "00080104"),
        _text(_first_item(step, "00400008"), "00080104"),
    ):
        if kept := description(text):
            return kept
    return ""
