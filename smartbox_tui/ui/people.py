"""The worklist as the console holds it: folded for the filter, sorted, with those marked that share a name. Pure.

Ten thousand entries: everything that a keystroke needs is made once, when the list comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from smartbox_tui.ui.folding import SPELT_OUT, fold
from smartbox_tui.wire.state import Patient, WorklistItem


def name_key(name: str) -> str:
    """A DICOM PN for comparing: family and given name of its first group, folded, without punctuation."""
    parts = fold(name.split("=")[0]).split("^")[:2]
    return "^".join(" ".join(part.replace("-", " ").replace(".", " ").split()) for part in parts)


def like_key(name: str) -> str:
    """The same for names that are taken for each other: Müller, Mueller and Muller."""
    first = name.split("=")[0].casefold().translate(SPELT_OUT)
    return name_key(first).replace("ae", "a").replace("oe", "o").replace("ue", "u")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, ready for filter and sorting. `key` holds everything that can be searched for, folded; `differs`
    the values that tell it from those of the same name, empty where nobody shares it."""

    item: WorklistItem
    key: str
    name: str
    at: str
    day: date | None
    differs: frozenset[str] = frozenset()


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _entry(item: WorklistItem, name: str, differs: frozenset[str]) -> Entry:
    at = _moment(item.scheduled_at)
    patient = item.patient
    words = [patient.name.replace("^", " "), patient.id, item.accession_number, item.procedure, item.step_id]
    words += [item.requested_procedure_id, item.station_name, item.modality]
    folded = fold("\n".join(words))
    spelled = patient.name.casefold().translate(SPELT_OUT)
    if spelled != patient.name.casefold():
        folded += "\n" + fold(spelled.replace("^", " "))
    if patient.birth_date:
        year, _, rest = patient.birth_date.partition("-")
        month, _, day = rest.partition("-")
        folded += f"\n{patient.birth_date}\n{day}.{month}.{year}\n{day}/{month}/{year}"
    # sorted as text, without the offset: the hospital's own time, and none comes last
    return Entry(item, folded, name, (item.scheduled_at or "~")[:19], at.date() if at else None, differs)


def _differences(same: Sequence[Patient]) -> frozenset[str]:
    """What tells patients of one name apart; empty when it is one and the same patient."""
    told: dict[str, set[str | None]] = {
        "id": {patient.id for patient in same},
        "birth_date": {patient.birth_date for patient in same},
        "sex": {patient.sex for patient in same},
    }
    return frozenset(key for key, values in told.items() if len(values) > 1)


@dataclass(frozen=True, slots=True)
class People:
    """A list as it came. `age_s` at `heard_s` (monotonic), None: there never was one; `error` why it is not newer;
    `complete` False: the server broke off, or the query was cancelled. `asked`: what was searched for on the
    server, empty for the list itself."""

    entries: tuple[Entry, ...] = ()
    age_s: float | None = None
    heard_s: float = 0.0
    complete: bool = True
    error: str = ""
    from_cache: bool = True
    asked: str = ""

    def patients(self) -> list[Patient]:
        """Each patient once."""
        found = [entry.item.patient for entry in self.entries]
        return list({(patient.id, patient.name): patient for patient in found}.values())


NOBODY: Final = People()


def entries(items: Iterable[WorklistItem]) -> tuple[Entry, ...]:
    """Ready for `select`, in the order of time."""
    named = [(name_key(item.patient.name), item) for item in items]
    alike = [like_key(item.patient.name) for _name, item in named]
    same: dict[str, list[Patient]] = {}
    for like, (_name, item) in zip(alike, named, strict=True):
        same.setdefault(like, []).append(item.patient)
    differs = {like: _differences(patients) for like, patients in same.items() if len(patients) > 1}
    found = [
        _entry(item, name, differs.get(like, frozenset())) for like, (name, item) in zip(alike, named, strict=True)
    ]
    return tuple(sorted(found, key=_by_time))


def _by_time(entry: Entry) -> tuple[bool, str, str]:
    return (not entry.item.emergency, entry.at, entry.name)


def _by_name(entry: Entry) -> tuple[str, str, str]:
    return (entry.name, entry.item.patient.birth_date or "", entry.at)


def filtered(found: Iterable[Entry], text: str) -> list[Entry]:
    """Those that hold every word of the text, anywhere; an umlaut also as it is written without one."""
    kept = list(found)
    for word in text.casefold().replace(",", " ").split():
        plain, spelled = fold(word), fold(word.translate(SPELT_OUT))
        if plain == spelled:
            kept = [entry for entry in kept if plain in entry.key]
        else:
            kept = [entry for entry in kept if plain in entry.key or spelled in entry.key]
    return kept


def select(
    found: Sequence[Entry], text: str = "", *, by_name: bool = False, day: date | None = None, station: str = ""
) -> list[Entry]:
    """What the screen shows: emergencies first by time, or all by name. `day`: only of that day, or of none;
    `station`: only for that AE title, or for none."""
    chosen = filtered(found, text)
    if day is not None:
        chosen = [entry for entry in chosen if entry.day in (None, day)]
    if station:
        chosen = [entry for entry in chosen if entry.item.station in ("", station)]
    return sorted(chosen, key=_by_name) if by_name else chosen
