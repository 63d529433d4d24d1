"""The patient of an exam, and the emergency patient made from a template."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final

from smartbox_tui.errors import SmartBoxError

SEXES: Final = ("M", "F", "O")
EMERGENCY_KINDS: Final = ("male", "female", "child")
BY_PEDAL: Final = "unknown"
"""The emergency of a pedal: nobody has said yet who it is."""
_SEX_OF: Final = {"male": "M", "female": "F", "child": None, BY_PEDAL: None}
_AGE: Final = re.compile(r"(\d{1,3})([DWMY])", re.ASCII)
_DATE: Final = re.compile(r"\d{4}(-?)\d{2}\1\d{2}", re.ASCII)
_PN_MAX: Final = 64  # characters in each component group (PS3.5 6.2, PN)
_LO_MAX: Final = 64
_SH_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Patient:
    """`name` a DICOM PN, `birth_date` None where unknown, `sex` M, F, O or None, `age` a DICOM AS or None."""

    id: str
    name: str
    birth_date: date | None = None
    sex: str | None = None
    age: str | None = None
    comments: str = ""

    def to_json(self) -> dict[str, Any]:
        """PATIENT of the contract."""
        value = asdict(self)
        value.pop("comments")
        value["birth_date"] = self.birth_date.isoformat() if self.birth_date else None
        return value


UNKNOWN: Final = Patient(id="", name="")
"""The patient of an unassigned exam: both names are Type 2, empty is allowed and honest."""


def _bad(key: str, why: str, hint: str) -> SmartBoxError:
    return SmartBoxError("bad-value", f"{key}: {why}", hint)


def is_torn(text: str) -> bool:
    """Traces of a text that was decoded wrongly: half a surrogate pair, U+FFFD, which stands for what could not be
    read, and the noncharacters. No character set holds them, and in a name they are another patient."""
    return any(
        0xD800 <= ord(char) < 0xE000
        or 0xFDD0 <= ord(char) < 0xFDF0
        or ord(char) & 0xFFFE == 0xFFFE
        or char == "\ufffd"
        for char in text
    )


def has_control(text: str) -> bool:
    """C0, DEL or C1: none of them belongs into a one-line text (PS3.5 6.1.3)."""
    return any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in text)


def _text(key: str, value: Any, maximum: int) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _bad(key, "must be a text", f"Give {key} as a text.")
    text: str = value.strip()
    if "\\" in text or has_control(text):
        raise _bad(key, "a backslash or control character is not allowed in DICOM", "Leave that character out.")
    if is_torn(text):
        raise _bad(key, "a broken character, from a text that was read wrongly", "Type it anew.")
    if len(text) > maximum:
        raise _bad(key, f"longer than {maximum} characters", f"Shorten it to {maximum} characters.")
    return text


def _person_name(value: Any, key: str = "name") -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _bad(key, "must be a text", f"Give {key} as a text.")
    groups = value.split("=")
    if len(groups) > 3:
        raise _bad(key, "more than three component groups", "A name has at most two '='.")
    for group in groups:
        _text(key, group, _PN_MAX)
        if group.count("^") > 4:
            raise _bad(key, "more than five components", "FAMILY^GIVEN^MIDDLE^PREFIX^SUFFIX")
    name = "=".join(group.strip() for group in groups)
    return name.rstrip("=") if name.strip("^= ") else ""  # delimiters alone name nobody


def _birth_date(value: Any) -> date | None:
    if value is None or value == "":
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if not isinstance(value, str) or not _DATE.fullmatch(value):  # fromisoformat also takes weeks: 2026-W01-1
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise _bad("birth_date", "not a date", "Write it as YYYY-MM-DD.") from None


def age_string(value: str) -> str:
    """A DICOM AS (PS3.5 6.2: nnnD, nnnW, nnnM, nnnY) from `8Y` or `008Y`. Raises bad-value."""
    match = _AGE.fullmatch(value.strip().upper())
    if not match:
        raise _bad("age", "not an age", "A number and D, W, M or Y, as in 8Y.")
    return f"{int(match[1]):03d}{match[2]}"


def patient_from(values: dict[str, Any], today: date) -> Patient:
    """A patient from PATIENT's keys. Raises bad-value naming the key (never the value: it is patient data)."""
    known = {"id", "name", "birth_date", "sex", "age"}
    for key in values:
        if key not in known:
            raise SmartBoxError(
                "unknown-key", f"'{key}' is not a patient key", f"Known: {', '.join(sorted(known))}."
            )
    patient_id, name = _text("id", values.get("id"), _LO_MAX), _person_name(values.get("name"))
    if not patient_id:
        raise _bad("id", "a patient needs an ID", "Give the hospital's patient ID, or open an emergency exam.")
    if not name:
        raise _bad("name", "a patient needs a name", "Give the name as FAMILY^GIVEN.")
    birth = _birth_date(values.get("birth_date"))
    if birth is not None and (birth > today or birth.year < 1850):
        raise _bad("birth_date", "in the future or before 1850", "Check the year.")
    sex = values.get("sex")
    sex = None if sex == "" else sex
    if sex is not None and sex not in SEXES:
        raise _bad("sex", "must be M, F, O or empty", "M male, F female, O other.")
    age = _text("age", values.get("age"), _SH_MAX)
    return Patient(patient_id, name, birth, sex, age_string(age) if age else None)


def accession_from(value: Any) -> str:
    """An Accession Number: SH, at most 16 characters (PS3.5 6.2). Raises bad-value."""
    return _text("accession", value, _SH_MAX)


def physician_from(value: Any) -> str:
    """A Referring Physician's Name: PN. Raises bad-value."""
    return _person_name(value, "referring_physician")


def emergency_patient(
    kind: str,
    age: str | None,
    *,
    name: str,
    id: str,
    station_name: str,
    sex_text: str,
    now: datetime,
    taken: frozenset[str],
) -> Patient:
    """The patient of an emergency exam: name and ID from templates with date and time.

    `taken` holds the IDs given so far: within one second the ID gets a counter, so that two never collide.
    A child's birth date stays empty (an invented one gets merged with somebody), the age carries the estimate.
    """
    if kind not in (*EMERGENCY_KINDS, BY_PEDAL):
        raise _bad("emergency", "must be male, female or child", "ctl exam open --emergency male|female|child")
    estimate = age_string(age) if age else None
    for count in range(1000):
        fields = {
            "sex_text": sex_text,
            "date": now.strftime("%Y%m%d"),
            "time": now.strftime("%H%M%S"),
            "station_name": station_name,
        }
        suffix = f"-{count + 1}" if count else ""
        patient_id = id.format(**fields)[: _LO_MAX - len(suffix)] + suffix
        if patient_id not in taken:
            break
    else:
        raise _bad("emergency", "a thousand emergencies in one second", "Wait a second.")
    comments = "Emergency, identity not yet known."
    if kind == "child":
        comments = "Emergency, identity not yet known. Child, the age is an estimate, the birth date is unknown."
    return Patient(
        id=patient_id,
        name=name.format(**fields) + suffix.replace("-", "^") if suffix else name.format(**fields),
        birth_date=None,
        sex=_SEX_OF[kind],
        age=estimate,
        comments=comments,
    )
