"""Whom a text names: of a picture's EXIF, or of a code that was photographed (docs/watched-folder.md).

A wrong patient is worse than none: whatever is not clear is said so, and its pictures wait for somebody.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from smartbox_tui.dicom.worklist_values import description
from smartbox_tui.engine.ports import WorklistPort
from smartbox_tui.engine.who import Identity
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model import patient as patients
from smartbox_tui.model.matching import fold
from smartbox_tui.model.patient import Patient
from smartbox_tui.model.worklist import WorklistEntry
from smartbox_tui.settings.schema import Settings
from smartbox_tui.store import worklist as kept

_SEXES: Final = {"": None, "M": "M", "F": "F", "W": "F", "O": "O", "D": "O", "U": None, "X": "O"}
"""English and German letters: weiblich, divers."""
_DATES: Final = (
    (re.compile(r"(\d{4})-(\d\d)-(\d\d)"), (1, 2, 3)),
    (re.compile(r"(\d{4})(\d\d)(\d\d)"), (1, 2, 3)),
    (re.compile(r"(\d\d)\.(\d\d)\.(\d{4})"), (3, 2, 1)),
)
_NO_PERSON: Final = re.compile(r"(?i)[a-z][a-z0-9+.-]{1,15}:\S|www\.|\(?01\)?\d{14}|\]?[cdQ]\d01\d{14}")
"""Links, and the GS1 number that implants and drugs carry."""
_MOST: Final = 256


@dataclass(frozen=True, slots=True)
class Said:
    """`identity` who it is. Without: `unclear` why a text that means a patient cannot be used; empty: it means
    nobody."""

    identity: Identity | None = None
    unclear: str = ""

    @property
    def nothing(self) -> bool:
        return self.identity is None and not self.unclear


NOTHING: Final = Said()


class Unclear(Exception):
    """A text that should name a patient, and does not for sure. The words hold nothing of it."""


class Patients:
    """Resolves texts. All methods read the store and belong to the event loop."""

    def __init__(self, reader: Any, worklist: WorklistPort, settings: Callable[[], Settings]) -> None:
        self._reader, self._worklist, self._settings = reader, worklist, settings

    def of_texts(self, texts: Iterable[str]) -> Said:
        """What the texts of one picture say together. Two of them that name different people name nobody."""
        unclear, found = "", list[Identity]()
        for text in texts:
            said = self.of_text(text, plain_is_unclear=False)
            unclear = unclear or said.unclear
            if said.identity is not None:
                found.append(said.identity)
        if not found:
            return Said(unclear=unclear)
        best = max(found, key=lambda item: (bool(item.worklist_id), bool(item.accession_number)))
        if any(_differ(best, other) for other in found):
            return Said(unclear="the picture names two patients")
        return Said(best)

    def of_code(self, text: str) -> Said:
        """What a photographed code says. A plain one that the worklist does not know means somebody all the same:
        it ends the one before. Links and the numbers of implants mean nobody."""
        return self.of_text(text, plain_is_unclear=not _NO_PERSON.match(text.strip()))

    def of_text(self, text: str, *, plain_is_unclear: bool) -> Said:
        text = text.strip().lstrip("\ufeff")
        try:
            if text.startswith("{"):
                return Said(self._of_json(text))
            if text.count("|") >= 2:
                return Said(self._of_fields([field.strip() for field in text.split("|")]))
            identity = self._of_plain(text)
        except Unclear as exc:
            return Said(unclear=str(exc))
        except SmartBoxError as exc:
            # of a wrong value the message names the key alone; of a key that we do not know, that one
            return Said(
                unclear=exc.message if exc.code == "bad-value" else "a code with keys that are no patient's"
            )
        if identity is None and plain_is_unclear:
            return Said(unclear="a code that the worklist does not know")
        return Said(identity)

    # ---- the forms

    def _of_json(self, text: str) -> Identity:
        """PATIENT's keys, and `accession`."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise Unclear("a code that is no whole JSON object") from None
        if not isinstance(value, dict):
            raise Unclear("a code that is no JSON object")
        accession = patients.accession_from(value.pop("accession", None))
        patient = patients.patient_from(value, _today())
        return self._with_order(Identity(patient, accession), accession or patient.id)

    def _of_fields(self, fields: list[str]) -> Identity:
        """first | name | birth date | sex | comment; the last two may be left out."""
        if not 3 <= len(fields) <= 6 or any(fields[5:]):
            raise Unclear("a code with | that has not three to five fields")
        first, name, born, sex, comment = [*fields, "", ""][:5]
        if sex.upper() not in _SEXES:
            raise Unclear("a code with | whose sex is none")
        values = {"id": first, "name": _pn(name), "birth_date": _date(born), "sex": _SEXES[sex.upper()]}
        patient = patients.patient_from(values, _today())
        described = description(comment)
        if self._settings().watched.first_field == "patient":
            return self._with_order(Identity(patient, study_description=described), first)
        found = self._entries(first)
        if not found:
            raise Unclear("an order that the worklist does not know")
        if any(not _same_person(patient, entry.patient) for entry in found):
            raise Unclear("the code and the worklist name different people")
        identity = self._of_entries(found, first)
        return replace(identity, study_description=identity.study_description or described)

    def _of_plain(self, text: str) -> Identity | None:
        """An accession number or patient ID of the worklist, alone; None when it is neither."""
        wanted = "".join(char for char in text if char.isprintable()).strip()
        if not wanted or len(wanted) > _MOST:
            return None
        found = self._entries(wanted)
        return self._of_entries(found, wanted) if found else None

    # ---- the worklist

    def _with_order(self, identity: Identity, wanted: str) -> Identity:
        """The worklist's entry where there is exactly one for it, else what was said itself."""
        found = self._entries(wanted)
        if any(not _same_person(identity.patient, entry.patient) for entry in found):
            raise Unclear("the code and the worklist name different people")
        known = self._of_entries(found, wanted) if found else None
        return known if known is not None and known.worklist_id else identity

    def _entries(self, wanted: str) -> list[WorklistEntry]:
        """Those with that accession number, and those on today's list with that patient ID."""
        rows = kept.named(self._reader, wanted)
        return [self._worklist.entry(row.id) for row in rows if row.listed or row.accession == wanted]

    @staticmethod
    def _of_entries(found: list[WorklistEntry], wanted: str) -> Identity:
        """The one entry, with its study; of several of one person that with the accession number, else only the
        person: which order it is nobody said."""
        first = found[0].patient
        if any((other.patient.id, other.patient.birth_date) != (first.id, first.birth_date) for other in found):
            raise Unclear("a code that several patients of the worklist have")
        if not first.id or not first.name:
            raise Unclear("a worklist entry without a patient's ID or name")
        exact = [entry for entry in found if entry.accession_number == wanted] or found
        if len(exact) > 1:
            return Identity(first)
        (entry,) = exact
        return Identity(
            entry.patient, entry.accession_number, entry.referring_physician, entry.procedure,
            entry.study_instance_uid, entry.source, entry.id,
        )  # fmt: skip


def _today() -> date:
    return datetime.now().astimezone().date()


def _pn(name: str) -> str:
    """FAMILY^GIVEN as it is; `Family, Given` in that form; anything else is the family name."""
    if "^" in name or "," not in name:
        return name
    family, _, given = name.partition(",")
    return f"{family.strip()}^{given.strip()}"


def _date(text: str) -> str | None:
    if not text:
        return None
    for form, (year, month, day) in _DATES:
        if match := form.fullmatch(text):
            return f"{match[year]}-{match[month]}-{match[day]}"
    raise Unclear("a code with | whose birth date is none")


def _same_person(said: Patient, known: Patient) -> bool:
    """By the birth dates where both have one, else by the family names: IDs of orders get used again."""
    if said.birth_date is not None and known.birth_date is not None:
        return said.birth_date == known.birth_date
    return _family(said.name) == _family(known.name)


def _family(name: str) -> str:
    """Letters only; ä and ae alike."""
    family = re.split(r"[\^,=]", name, maxsplit=1)[0]
    composed = unicodedata.normalize("NFC", family).casefold()
    spelt = composed.translate({ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue"})
    return "".join(char for char in fold(spelt) if char.isalnum())


def _differ(one: Identity, other: Identity) -> bool:
    return (one.patient.id, one.patient.birth_date) != (other.patient.id, other.patient.birth_date)
