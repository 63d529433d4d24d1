"""What a C-STORE status means for a delivery (PS3.4 B.2.3, PS3.7 Annex C): one table, in order of reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from smartbox_tui.model.answer import Meaning, Outcome


@dataclass(frozen=True, slots=True)
class Row:
    first: int
    last: int
    meaning: Meaning


_S, _W, _R, _B, _D = Outcome.STORED, Outcome.STORED_WITH_WARNING, Outcome.RETRY, Outcome.BLOCKED, Outcome.DUPLICATE
_LOG: Final = "The archive's log says more; the comment it sent stands beside."
_DEFECT: Final = "Check the object (smartbox dicom validate) and the archive's log."


def _row(first: int, last: int, outcome: Outcome, sentence: str, hint: str = "") -> Row:
    return Row(first, last, Meaning(outcome, sentence, hint))


TABLE: Final = (
    _row(0x0000, 0x0000, _S, "Stored."),
    _row(0xB000, 0xB000, _W, "Stored; the archive changed attributes (coercion).", "Compare name and ID there."),
    _row(0xB006, 0xB006, _W, "Stored; the archive dropped attributes.", "Its conformance statement names them."),
    _row(0xB007, 0xB007, _W, "Stored; the archive finds that the object does not match its SOP class.", _DEFECT),
    _row(0x0001, 0x0001, _W, "Stored, with a warning."),
    _row(0x0107, 0x0107, _W, "Stored; the archive does not know some attributes."),
    _row(0x0116, 0x0116, _W, "Stored; the archive finds a value out of range."),
    _row(0xB000, 0xBFFF, _W, "Stored, with a warning of the archive's own."),
    _row(0xA700, 0xA7FF, _R, "The archive is out of resources.", "Its disk may be full; the box tries again."),
    _row(0x0110, 0x0110, _R, "The archive failed while processing.", _LOG),
    _row(0x0210, 0x0210, _R, "The archive finds the message number used twice.", _LOG),
    _row(0x0213, 0x0213, _R, "The archive has reached a limit.", "The box tries again."),
    _row(
        0x0111,
        0x0111,
        _D,
        "The archive has an object with this UID already.",
        "Compare it there, then retry or cancel.",
    ),
    _row(0xA900, 0xA9FF, _B, "The archive finds that the data set does not match its SOP class.", _DEFECT),
    _row(0xC000, 0xCFFF, _B, "The archive cannot understand the object.", _DEFECT),
    _row(0x0105, 0x0106, _B, "The archive does not accept an attribute.", _DEFECT),
    _row(0x0112, 0x0112, _B, "The archive knows no such instance.", _LOG),
    _row(0x0115, 0x0115, _B, "The archive does not accept an argument.", _LOG),
    _row(0x0117, 0x0117, _B, "The archive finds the SOP Instance UID invalid.", _DEFECT),
    _row(0x0118, 0x0118, _B, "The archive knows no such SOP class.", "Choose another still_class or clip_class."),
    _row(0x0119, 0x0119, _B, "The archive holds this UID with another SOP class.", _LOG),
    _row(0x0120, 0x0121, _B, "The archive misses an attribute or its value.", _DEFECT),
    _row(
        0x0122,
        0x0122,
        _B,
        "The archive does not support this SOP class.",
        "Choose another still_class or clip_class.",
    ),
    _row(
        0x0124,
        0x0124,
        _B,
        "The archive does not authorise the box to store.",
        "Have our AE title given that right.",
    ),
    _row(0x0211, 0x0211, _B, "The archive does not know the operation C-STORE.", "Is this really an archive?"),
    _row(0x0212, 0x0212, _B, "The archive finds an argument of the wrong kind.", _LOG),
    _row(0xFE00, 0xFE00, _R, "The archive cancelled the operation.", _LOG),
    _row(0xA000, 0xAFFF, _B, "The archive refused the object.", _LOG),
)
UNKNOWN: Final = Meaning(Outcome.BLOCKED, "The archive answered with a status that DICOM does not define.", _LOG)


def meaning(status: int) -> Meaning:
    """The first row that holds `status` (0000H to FFFFH); a status nobody defined is blocked, not stored."""
    for row in TABLE:
        if row.first <= status <= row.last:
            return row.meaning
    return UNKNOWN
