"""Invented patients for the simulated archive's worklist. No living person is meant."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_PEOPLE: Final = (
    # ID, name with its component groups, born, sex, procedure, priority
    ("D-1001", "MÜLLER^Jörg", "19610314", "M", "Koloskopie", "ROUTINE"),
    ("D-1002", "ŁUKASZEWSKA^Zofia", "19780922", "F", "Gastroskopie", "ROUTINE"),
    ("D-1003", "DEMIR^Ayşe", "19900105", "F", "Bronchoskopie", "ROUTINE"),
    ("D-1004", "WEISS^Gerda", "19440730", "F", "ERCP", "STAT"),
    # The same name twice: only birth date and ID tell who is who.
    ("D-1005", "SCHMIDT^Anna", "19530611", "F", "Koloskopie", "ROUTINE"),
    ("D-1006", "SCHMIDT^Anna", "19871102", "F", "Koloskopie", "HIGH"),
    ("D-1007", "ПЕТРОВ^Иван", "19700228", "M", "Gastroskopie", "ROUTINE"),
    ("D-1008", "ΠΑΠΑΔΟΠΟΥΛΟΥ^Ελένη", "19660519", "F", "Koloskopie", "ROUTINE"),
    ("D-1009", "YAMADA^Tarou=山田^太郎=やまだ^たろう", "19820817", "M", "Bronchoskopie", "ROUTINE"),
    ("D-1010", "WANG^Xiaodong=王^小东", "19951224", "M", "Gastroskopie", "ROUTINE"),
    ("D-1011", "HONG^Gildong=洪^吉洞=홍^길동", "19740403", "M", "Koloskopie", "ROUTINE"),
    ("D-1012", "حداد^ليلى", "19890915", "F", "Gastroskopie", "ROUTINE"),
)


def items(today: date) -> list[dict[str, Any]]:
    """Scheduled Procedure Steps of today in the DICOM JSON model (PS3.18 F)."""
    return [_item(today, index, *person) for index, person in enumerate(_PEOPLE)]


def _item(
    today: date, index: int, patient_id: str, name: str, born: str, sex: str, procedure: str, priority: str
) -> dict[str, Any]:
    day = today.strftime("%Y%m%d")
    step = {
        "00080060": _value("CS", "ES"),
        "00400001": _value("AE", "SMARTBOX"),
        "00400002": _value("DA", day),
        "00400003": _value("TM", f"{8 + index // 2:02d}{index % 2 * 30:02d}00"),
        "00400007": _value("LO", procedure),
        "00400009": _value("SH", f"S{index + 1}"),
    }
    return {
        "00080005": _value("CS", "ISO_IR 192"),
        "00080050": _value("SH", f"A{day[2:]}{index + 1:02d}"),
        "00100010": {"vr": "PN", "Value": [dict(zip(_GROUPS, name.split("="), strict=False))]},
        "00100020": _value("LO", patient_id),
        "00100030": _value("DA", born),
        "00100040": _value("CS", sex),
        "0020000D": _value("UI", f"2.25.{int(day) * 1000 + index + 1}"),
        "00321060": _value("LO", procedure),
        "00400100": {"vr": "SQ", "Value": [step]},
        "00401001": _value("SH", f"R{index + 1}"),
        "00401003": _value("SH", priority),
    }


def _value(vr: str, text: str) -> dict[str, Any]:
    return {"vr": vr, "Value": [text]}
