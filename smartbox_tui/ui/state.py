"""What the screens show, as one value, and how facts from the two processes change it. No Textual in here.

`reduce` is pure: (state, fact, when it was heard) -> state. A fact is the data of a wire event, a snapshot, or
`Gone`. Capture is believed about sources, recording and the exam that pictures go to; the engine about patients'
orders, deliveries and archives. With one of them away the other's word is used, as far as it goes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import singledispatch
from typing import Final

import msgspec

from smartbox_tui.model.delivery import OPEN
from smartbox_tui.model.instance import taken_order
from smartbox_tui.wire import events
from smartbox_tui.wire import state as wire

TAKEN_S: Final = 2.0
"""How long what was just taken stands out on the screen."""
NOTE: Final = "note"
"""The kind of a rejection note: an instance, but no picture."""
MARKS: Final = "marks"
"""The kind of a delivery that is about a clip, and not the clip."""


class Process(StrEnum):
    ENGINE = "engine"
    CAPTURE = "capture"


class Presence(StrEnum):
    """UNKNOWN only until the first answer: nothing is claimed about a process that was never asked."""

    UNKNOWN = "unknown"
    HERE = "here"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Gone:
    """The process went away, or was not there to begin with. `why`: in English, of one that cannot do its work."""

    process: Process
    why: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was just taken: shown for two seconds. `kind`: still, burst, clip, mark. `number` counts its kind."""

    kind: str
    number: int
    heard_s: float
    picture: wire.Instance | None = None
    at_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxState:
    """`heard_s` values are monotonic seconds. `pictures` are the current exam's, oldest first."""

    engine: Presence = Presence.UNKNOWN
    capture: Presence = Presence.UNKNOWN
    why_away: dict[Process, str] = field(default_factory=dict)
    """Why a process that is away does nothing, where it says so itself: its settings cannot be read."""
    status: wire.Status | None = None
    sources: tuple[wire.Source, ...] = ()
    sources_heard_s: dict[str, float] = field(default_factory=dict)
    pedals: tuple[wire.Pedal, ...] = ()
    status_heard_s: float = 0.0
    exam: wire.Exam | None = None
    held: wire.HeldExam | None = None
    pictures: tuple[wire.Instance, ...] = ()
    deliveries: dict[int, wire.Delivery] = field(default_factory=dict)
    taken: Taken | None = None
    marks: int = 0
    interrupted: bool = False
    """The recorder went away in a recording and has not said yet what became of it."""
    touch: str = ""
    """What is wrong with this console's touch panel, as `touching.TouchBecame` has it; empty: nothing."""

    @property
    def source(self) -> wire.Source | None:
        """The one on the screen: that which records, else the first configured one. Folders are not live."""
        live = [source for source in self.sources if source.kind != "folder"]
        return next((source for source in live if source.recording), live[0] if live else None)

    @property
    def recording(self) -> wire.Recording | None:
        source = self.source
        return source.recording if source and self.capture is not Presence.AWAY else None

    def recording_seconds(self, now_s: float) -> float:
        """How long the recording runs, counted on from what was last heard."""
        source, recording = self.source, self.recording
        if source is None or recording is None:
            return 0.0
        return recording.seconds + max(0.0, now_s - self.sources_heard_s.get(source.id, now_s))

    @property
    def stills(self) -> int:
        return sum(picture.kind == "still" for picture in self.pictures)

    @property
    def bursts(self) -> int:
        return sum(picture.kind == "burst" for picture in self.pictures)

    @property
    def clips(self) -> int:
        return sum(picture.kind == "clip" for picture in self.pictures)


@dataclass(frozen=True, slots=True)
class CurrentExam:
    """The exam that the next picture goes to, from whichever process knows it."""

    id: str
    state: str
    patient: wire.Patient
    opened_at: str
    accession: str = ""
    emergency: str | None = None
    procedure: str = ""
    last_picture_at: str = ""

    @property
    def unassigned(self) -> bool:
        return self.state == "unassigned"


def current_exam(box: BoxState) -> CurrentExam | None:
    """None: nobody is chosen. Capture's word counts while it is there, for it is capture that takes the picture."""
    held, exam = box.held, box.exam
    if box.capture is not Presence.HERE:
        held = None
    elif held is None:
        return None
    if held is None:
        if exam is None:
            return None
        return CurrentExam(
            exam.id,
            exam.state,
            exam.patient,
            exam.opened_at,
            exam.accession_number,
            exam.emergency,
            exam.procedure,
            exam.last_picture_at or "",
        )
    known = exam if exam is not None and exam.id == held.id else None
    return CurrentExam(
        held.id,
        held.state,
        held.patient,
        held.opened_at,
        held.accession_number or (known.accession_number if known else ""),
        held.emergency or (known.emergency if known else None),
        known.procedure if known else "",
        (known.last_picture_at if known else None) or "",
    )


def sending(box: BoxState) -> list[wire.Delivery]:
    """The deliveries under way."""
    return [delivery for delivery in box.deliveries.values() if delivery.state == "sending"]


# ---- the reducer

Fact = msgspec.Struct | Gone
_KEPT: Final = 400
"""Deliveries that the console remembers: what goes on just now. The others are asked for."""


def reduce(box: BoxState, fact: Fact, heard_s: float) -> BoxState:
    """A fact of a kind this version does not know changes nothing."""
    return _reduce(fact, box, heard_s)


@singledispatch
def _reduce(fact: object, box: BoxState, heard_s: float) -> BoxState:
    return box


@_reduce.register
def _(fact: Gone, box: BoxState, heard_s: float) -> BoxState:
    box = replace(box, why_away={**box.why_away, fact.process: fact.why})
    if fact.process is Process.ENGINE:
        return replace(box, engine=Presence.AWAY)
    sources = box.status.sources if box.engine is Presence.HERE and box.status else box.sources
    return replace(
        box,
        capture=Presence.AWAY,
        interrupted=box.interrupted or box.recording is not None,
        sources=tuple(msgspec.structs.replace(source, recording=None) for source in sources),
        pedals=(),
    )


@_reduce.register
def _(fact: wire.EngineSnapshot, box: BoxState, heard_s: float) -> BoxState:
    box = replace(box, engine=Presence.HERE, deliveries={item.id: item for item in fact.deliveries})
    box = _with_status(box, fact.status, heard_s)
    return _with_pictures(replace(box, exam=fact.status.exam), fact.instances)


@_reduce.register
def _(fact: wire.CaptureSnapshot, box: BoxState, heard_s: float) -> BoxState:
    box = _holding(replace(box, capture=Presence.HERE, interrupted=False, pedals=tuple(fact.pedals)), fact.exam)
    box = replace(box, sources=tuple(fact.sources), sources_heard_s={source.id: heard_s for source in fact.sources})
    return _with_pictures(box, fact.instances)


@_reduce.register
def _(fact: events.SourceChanged, box: BoxState, heard_s: float) -> BoxState:
    return _with_source(box, fact.source, heard_s)


@_reduce.register
def _(fact: events.PedalChanged, box: BoxState, heard_s: float) -> BoxState:
    others = tuple(pedal for pedal in box.pedals if pedal.id != fact.pedal.id)
    return replace(box, pedals=(*others, fact.pedal))


@_reduce.register
def _(fact: events.StillTaken, box: BoxState, heard_s: float) -> BoxState:
    box = _with_pictures(box, [fact.instance])
    number = box.bursts if fact.instance.kind == "burst" else box.stills
    return replace(box, taken=Taken(fact.instance.kind, number, heard_s, fact.instance))


@_reduce.register
def _(fact: events.RecordingStarted, box: BoxState, heard_s: float) -> BoxState:
    source = _source(box, fact.source)
    box = replace(box, marks=0)
    if source is None or source.recording is not None:
        return box
    running = wire.Recording(since="", seconds=0.0, frames=0, frames_lost=0)
    return _with_source(box, msgspec.structs.replace(source, recording=running), heard_s)


@_reduce.register
def _(fact: events.RecordingStopped, box: BoxState, heard_s: float) -> BoxState:
    source = _source(box, fact.source)
    if source is not None:
        box = _with_source(box, msgspec.structs.replace(source, recording=None), heard_s)
    box = _with_pictures(box, fact.instances)
    if not fact.instances:
        return box
    return replace(box, taken=Taken("clip", box.clips, heard_s, fact.instances[-1]))


@_reduce.register
def _(fact: events.MarkSet, box: BoxState, heard_s: float) -> BoxState:
    return replace(box, marks=box.marks + 1, taken=Taken("mark", box.marks + 1, heard_s, at_s=fact.at_s))


@_reduce.register
def _(fact: events.PictureDiscarded, box: BoxState, heard_s: float) -> BoxState:
    gone = (fact.picture, fact.sop_instance_uid)
    left = tuple(item for item in box.pictures if key_of(item) not in gone and item.sop_instance_uid not in gone)
    return replace(box, pictures=left, taken=None)


@_reduce.register
def _(fact: events.ExamHeld, box: BoxState, heard_s: float) -> BoxState:
    return _holding(box, fact.exam)


@_reduce.register
def _(fact: events.ExamChanged, box: BoxState, heard_s: float) -> BoxState:
    if fact.current:
        return _of_exam(replace(box, exam=fact.exam))
    if box.exam is not None and box.exam.id == fact.exam.id:
        return _of_exam(replace(box, exam=None))
    return box


@_reduce.register
def _(fact: events.InstanceAdopted, box: BoxState, heard_s: float) -> BoxState:
    return _with_pictures(box, [fact.instance])


@_reduce.register
def _(fact: events.DeliveryChanged, box: BoxState, heard_s: float) -> BoxState:
    deliveries = {**box.deliveries, fact.delivery.id: fact.delivery}
    if len(deliveries) > _KEPT:
        rest = [key for key, item in deliveries.items() if item.state != "sending" and key != fact.delivery.id]
        # those that are over first: the queue's screen reads its rows by pages, nothing else needs all of them
        rest.sort(key=lambda key: deliveries[key].state in OPEN)
        for key in rest[: len(deliveries) - _KEPT]:
            del deliveries[key]
    return replace(box, deliveries=deliveries)


@_reduce.register
def _(fact: events.StatusChanged, box: BoxState, heard_s: float) -> BoxState:
    return _of_exam(replace(_with_status(box, fact.status, heard_s), exam=fact.status.exam))


@_reduce.register
def _(fact: events.WorklistChanged, box: BoxState, heard_s: float) -> BoxState:
    if box.status is None:
        return box
    return replace(box, status=msgspec.structs.replace(box.status, worklist=fact.service))


def _with_status(box: BoxState, status: wire.Status, heard_s: float) -> BoxState:
    box = replace(box, status=status, status_heard_s=heard_s)
    if box.capture is Presence.HERE:
        return box
    heard = {source.id: heard_s for source in status.sources}
    return replace(box, sources=tuple(status.sources), sources_heard_s=heard)


def _source(box: BoxState, source_id: str) -> wire.Source | None:
    return next((source for source in box.sources if source.id == source_id), None)


def _with_source(box: BoxState, source: wire.Source, heard_s: float) -> BoxState:
    known = any(item.id == source.id for item in box.sources)
    sources = tuple(source if item.id == source.id else item for item in box.sources)
    return replace(
        box,
        sources=sources if known else (*sources, source),
        sources_heard_s={**box.sources_heard_s, source.id: heard_s},
    )


def _holding(box: BoxState, held: wire.HeldExam | None) -> BoxState:
    return _of_exam(replace(box, held=held))


def _of_exam(box: BoxState) -> BoxState:
    """Leaves only the current exam's pictures: one patient's never stand under another's name."""
    exam = current_exam(box)
    mine: Callable[[wire.Instance], bool] = lambda item: exam is not None and item.exam in ("", exam.id)  # noqa: E731
    pictures = tuple(item for item in box.pictures if mine(item))
    return box if len(pictures) == len(box.pictures) else replace(box, pictures=pictures)


def key_of(picture: wire.Instance) -> str:
    """What a picture is known by: its SOP Instance UID changes when it is another patient's, its own id never."""
    return picture.id or picture.sop_instance_uid


def is_of(delivery: wire.Delivery, picture: wire.Instance) -> bool:
    """Whether it is this picture's, in whichever rendition. An older one, for it was another patient's, is not."""
    if delivery.state == "superseded" or delivery.kind == MARKS:
        return False
    if delivery.instance and picture.id:
        return delivery.instance == picture.id
    return delivery.sop_instance_uid == picture.sop_instance_uid


def _taken(picture: wire.Instance) -> tuple[int, float, int, int, int]:
    return taken_order(picture.boot, picture.captured_at, picture.trigger_ns, picture.frame_ns)


def _with_pictures(box: BoxState, new: list[wire.Instance]) -> BoxState:
    """Adds those that are not yet there: capture and engine both tell of each picture, in either order."""
    pictures = {key_of(item): item for item in box.pictures}
    for item in new:
        if item.kind == NOTE:
            continue
        known = pictures.get(key_of(item))
        if item.discarded:
            pictures.pop(key_of(item), None)
        elif known is not None and known.released_at and not item.released_at:  # of which capture knows nothing
            pictures[key_of(item)] = msgspec.structs.replace(item, released_at=known.released_at)
        else:
            pictures[key_of(item)] = item
    ordered = tuple(sorted(pictures.values(), key=_taken))
    return _of_exam(replace(box, pictures=ordered))
