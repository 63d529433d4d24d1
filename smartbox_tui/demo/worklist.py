"""Invented patients for the simulated archive's worklist. No living person is meant."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

_PEOPLE: Final = (
    ("D-1001", "MÜLLER^Jörg", "19610314", "M", "Koloskopie"),
    ("D-1002", "ŁUKASZEWSKA^Zofia", "19780922", "F", "Gastroskopie"),
    ("D-1003", "DEMIR^Ayşe", "19900105", "F", "Bronchoskopie"),
    ("D-1004", "WEISS^Gerda", "19440730", "F", "ERCP"),
)


def items(today: date) -> list[dict[str, Any]]:
    """Scheduled Procedure Steps of today in the DICOM JSON model (PS3.18 F)."""
    return [_item(today, index, *person) for index, person in enumerate(_PEOPLE)]


def _item(
    today: date, index: int, patient_id: str, name: str, born: str, sex: str, procedure: str
) -> dict[str, Any]:
    day = today.strftime("%Y%m%d")
    step = {
        "00080060": _value("CS", "ES"),
        "00400001": _value("AE", "SMARTBOX"),
        "00400002": _value("DA", day),
        "00400003": _value("TM", f"{8 + index:02d}0000"),
        "00400007": _value("LO", procedure),
        "00400009": _value("SH", f"S{index + 1}"),
    }
    return {
        "00080005": _value("CS", "ISO_IR 192"),
        "00080050": _value("SH", f"A{day[2:]}{index + 1:02d}"),
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": name}]},
        "00100020": _value("LO", patient_id),
        "00100030": _value("DA", born),
        "00100040": _value("CS", sex),
        "0020000D": _value("UI", f"2.25.{int(day) * 1000 + index + 1}"),
        "00321060": _value("LO", procedure),
        "00400100": {"vr": "SQ", "Value": [step]},
        "00401001": _value("SH", f"R{index + 1}"),
    }


def _value(vr: str, text: str) -> dict[str, Any]:
    return {"vr": vr, "Value": [text]}
