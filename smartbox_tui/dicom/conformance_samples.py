"""What the code really writes, found by running it on invented values: for the conformance statement.

A worklist entry in which everything is filled goes through the box's own functions; where a key's value comes out
again is where it is used. Nothing of it is read from a list that could be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from smartbox_tui.dicom import performed
from smartbox_tui.dicom.build import build_dataset
from smartbox_tui.dicom.iods import Iod
from smartbox_tui.dicom.lineage import Lineage, LossyStep, Source
from smartbox_tui.dicom.marks import build_marks
from smartbox_tui.dicom.rejection import build_rejection_note
from smartbox_tui.dicom.scu import query
from smartbox_tui.dicom.worklist import entry_of
from smartbox_tui.model.instance import KEY_OBJECT_SELECTION, Equipment, Kind, Picture, StudyValues
from smartbox_tui.model.marks import Mark, MarkedFrames
from smartbox_tui.model.patient import Patient
from smartbox_tui.model.performed import REASONS, PerformedSeries, StepBegin, StepEnd, StepIdentity, StepState
from smartbox_tui.model.rejection import RejectionNote

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Path = tuple[str, ...]
"""Keywords from the data set down to the attribute."""

_AT: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))
_EQUIPMENT: Final = Equipment("STATION", "Hospital", "Maker", "Model", "42", "1")
_FIXED: Final = {"DA": "19770707", "TM": "070707", "DS": 77, "US": 3, "SQ": []}
_SHOWN_IN_LIST: Final = frozenset(
    {"patient", "accession_number", "procedure", "scheduled_at", "modality", "station", "station_name", "priority"}
    | {"study_instance_uid", "step_id", "requested_procedure_id", "referring_physician", "issuer"}
)


def _sample(keyword: str) -> Any:
    """A value of the attribute's VR, where that is a text another one for every attribute."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    tag = tag_for_keyword(keyword) or 0
    vr = dictionary_VR(tag)
    return _FIXED.get(vr, f"1.2.{tag}" if vr == "UI" else f"S{tag:08X}")


def _filled(keywords: tuple[str, ...], sequences: Mapping[str, tuple[str, ...]]) -> Dataset:
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for keyword in keywords:
        setattr(dataset, keyword, _sample(keyword))
    for keyword, inside in sequences.items():
        setattr(dataset, keyword, [_filled(inside, {})])
    return dataset


@lru_cache(maxsize=1)
def return_keys() -> list[Path]:
    """Every key that a query asks for, in the order of the tags."""
    return [path for path, _ in walk(_worklist()) if path != ("ScheduledProcedureStepSequence",)]


def _worklist() -> Dataset:
    item = _filled(query.RETURN_KEYS, query.SEQUENCES)
    item.PatientSex = "F"
    item.ScheduledProcedureStepSequence = [_filled(query.STEP_KEYS, query.STEP_SEQUENCES)]
    return item


def walk(dataset: Dataset, above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """(keywords, element) of every attribute, in the order of the tags, a sequence before its items' attributes."""
    for element in dataset:
        path = (*above, element.keyword)
        yield path, element
        if element.VR == "SQ":
            seen = set()
            for item in element.value:
                for inner, found in walk(item, path):
                    if inner not in seen:
                        seen.add(inner)
                        yield inner, found


def study(*, ordered: bool = True, without: Path = ()) -> StudyValues:
    """As the engine makes it of an entry, or typed; `without` one key of the entry, as if it had come empty."""
    if not ordered:
        return StudyValues(1, Patient("Sample", "Sample^Name", date(1977, 7, 7), "F"), "1.2.78", _AT, "Sample")
    item = _worklist()
    node = item
    for keyword in without[:-1]:
        node = getattr(node, keyword)[0]
    if without:
        delattr(node, without[-1])
    entry = entry_of(item.to_json_dict())
    return StudyValues(
        1,
        replace(entry.patient, age="008Y", comments="Sample"),
        entry.study_instance_uid or "1.2.78",
        _AT,
        entry.accession_number,
        entry.referring_physician,
        entry.procedure,
        worklist=entry.source,
    )


def _picture(iod: Iod, syntax: str) -> Picture:
    return Picture(
        sop_instance_uid="1.2.1",
        series_instance_uid="1.2.2",
        sop_class_uid=iod.sop_class_uid,
        transfer_syntax_uid=syntax,
        kind=Kind.CLIP if iod.video else Kind.STILL,
        series_number=1,
        instance_number=1,
        captured_at=_AT,
        columns=640,
        rows=480,
        bitstream_bytes=10_000,
        sampling="420" if iod.video else "422",
        number_of_frames=2 if iod.multi_frame else 1,
        frame_time_ms=40.0 if iod.multi_frame else None,
        duration_s=0.08 if iod.video else None,
        frames_lost=1,
        performed_step=("1.2.3", "P1"),
    )


@lru_cache(maxsize=1024)
def object_values(iod: Iod, without: Path = ()) -> dict[Path, str]:
    """Every attribute that the header of such an object can hold, and its value in the sample."""
    lineage = Lineage((LossyStep("ISO_10918_1", 9.0),), Source(iod.sop_class_uid, "1.2.9", "Sample"))
    syntax = iod.transfer_syntaxes[0]
    dataset = build_dataset(study(without=without), _picture(iod, syntax), _EQUIPMENT, lineage)
    return _flat(dataset)


def _flat(dataset: Dataset) -> dict[Path, str]:
    return {path: "" if element.VR == "SQ" else str(element.value) for path, element in walk(dataset)}


def note_values(*, ordered: bool = True) -> dict[Path, str]:
    """The same of a rejection note."""
    from pydicom import dcmread

    rejected = (("1.2.2", KEY_OBJECT_SELECTION, "1.2.5"), ("1.2.2", "1.2.840.10008.5.1.4.1.1.7", "1.2.1"))
    note = RejectionNote("1.2.6", "1.2.7", 1, 1, _AT, rejected)
    return _flat(dcmread(BytesIO(build_rejection_note(study(ordered=ordered), note, _EQUIPMENT))))


def marks_values(*, ordered: bool = True) -> dict[Path, str]:
    """The same of the marks of a clip."""
    from pydicom import dcmread

    clip = ("1.2.2", "1.2.840.10008.5.1.4.1.1.77.1.1.1", "1.2.1")
    marked = MarkedFrames("1.2.6", "1.2.7", 1, 1, _AT, clip, (Mark(1.0, 31, "Sample"),))
    return _flat(dcmread(BytesIO(build_marks(study(ordered=ordered), marked, _EQUIPMENT))))


@lru_cache(maxsize=1024)
def step_values(word: str, *, ordered: bool = True, without: Path = ()) -> dict[Path, str]:
    """The attributes of N-CREATE (`created`) or of the N-SET that completes or discontinues a step."""
    from pydicom.dataset import Dataset

    values = study(ordered=ordered, without=without)
    identity = StepIdentity("1.2.3", "P1")
    if word == "created":
        made = performed.created(values, StepBegin(identity, "STATION", "SMARTBOX", "ES", _AT))
    else:
        state = StepState.COMPLETED if word == "completed" else StepState.DISCONTINUED
        reason = None if word == "completed" else REASONS["unspecified"]
        instances = (("1.2.840.10008.5.1.4.1.1.7", "1.2.1"),)
        series = (PerformedSeries("1.2.2", "Sample", instances),)
        made = performed.ended(values, StepEnd(identity, state, _AT, reason, series))
    return _flat(Dataset.from_json(made))


def _differs(before: dict[Path, str], after: dict[Path, str]) -> list[Path]:
    """What is gone or empty without the key, or other; of an attribute and its sequence only the attribute."""
    found = [path for path, value in before.items() if after.get(path) != value]
    return [path for path in found if not any(other[: len(path)] == path != other for other in found)]


@lru_cache(maxsize=512)
def uses(key: Path, iod: Iod) -> tuple[bool, tuple[Path, ...], tuple[Path, ...]]:
    """Where the value of a worklist key goes: into the list that people see or that is searched, into the
    attributes of an object, into those of the performed step."""
    full, less = (entry_of(study(without=path).worklist) for path in ((), key))
    listed = any(getattr(full, name) != getattr(less, name) for name in _SHOWN_IN_LIST)
    into_object = _differs(object_values(iod), object_values(iod, without=key))
    into_step = []
    for word in ("created", "completed"):
        into_step += _differs(step_values(word), step_values(word, without=key))
    return listed, tuple(into_object), tuple(dict.fromkeys(into_step))


def tag_of(keyword: str) -> str:
    """(gggg,eeee)."""
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword) or 0
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def vr_of(keyword: str) -> str:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    return dictionary_VR(tag_for_keyword(keyword) or 0)


def name_of(keyword: str) -> str:
    """As PS3.6 has it, "Patient's Name"."""
    from pydicom.datadict import dictionary_description, tag_for_keyword

    return dictionary_description(tag_for_keyword(keyword) or 0)
