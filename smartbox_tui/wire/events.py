"""Events: past-tense facts, numbered. The envelope is CONTRACT's; `data` has the shape that DATA names."""

from __future__ import annotations

from typing import Final

import msgspec

from smartbox_tui.wire import state


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """`seq` grows by one within a process's life; the first message of a stream is `snapshot` with the
    number of the last event it already contains."""

    seq: int
    time: str
    type: str
    data: msgspec.Raw


class SourceChanged(msgspec.Struct, frozen=True, kw_only=True):
    source: state.Source


class StillTaken(msgspec.Struct, frozen=True, kw_only=True):
    exam: str
    instance: state.Instance


class RecordingStarted(msgspec.Struct, frozen=True, kw_only=True):
    exam: str
    source: str
    picture: str
    note: str = ""


class RecordingStopped(msgspec.Struct, frozen=True, kw_only=True):
    exam: str
    source: str
    instances: list[state.Instance]
    note: str = ""


class MarkSet(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    at_s: float
    text: str


class PictureDiscarded(msgspec.Struct, frozen=True, kw_only=True):
    exam: str
    sop_instance_uid: str
    picture: str
    reason: str


class ExamHeld(msgspec.Struct, frozen=True, kw_only=True):
    """Capture's current exam changed; None: there is no exam now."""

    exam: state.HeldExam | None


class PedalUsed(msgspec.Struct, frozen=True, kw_only=True):
    """`gesture`: short, long, double; stuck, free (it has come up again), gone, busy, back."""

    pedal: str
    gesture: str


class PedalChanged(msgspec.Struct, frozen=True, kw_only=True):
    pedal: state.Pedal


class TriggerFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A pedal asked for something that could not be done: nobody waits for an answer, so it is told to all.

    `trigger` as in the sidecar (pedal:<id>), `function` the pedal's, `error` {"code", "message", "hint"}."""

    trigger: str
    function: str
    error: dict[str, str]


class EmergencyAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A pedal said emergency. Capture has made `exam`, unassigned, with the picture of the press, and holds it;
    the engine makes it the emergency patient's."""

    pedal: str
    exam: str


class ExamChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Opened, closed, released, resumed: `exam.state` says which. `current`: it is the one pictures go to."""

    exam: state.Exam
    current: bool


class InstanceAdopted(msgspec.Struct, frozen=True, kw_only=True):
    instance: state.Instance


class DeliveryChanged(msgspec.Struct, frozen=True, kw_only=True):
    delivery: state.Delivery


class WorklistChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A refresh has ended, well or not. `arrived`: entries that were not in the last complete list."""

    service: state.ServiceState
    arrived: list[state.WorklistItem] = []


class SettingsChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The settings on disk are others now; `paths` those that changed, `user` by whom (`pid` the process; nobody:
    the box by itself)."""

    paths: list[str]
    user: str = ""
    pid: int = 0


class CodeSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A QR or Data Matrix code was held before the camera; what it says may be a patient's."""

    source: str
    text: str


class StatusChanged(msgspec.Struct, frozen=True, kw_only=True):
    status: state.Status


class SettingsUnreadable(msgspec.Struct, frozen=True, kw_only=True):
    """The process is there, but waits for settings that hold; said instead of a snapshot, of capture or engine."""

    code: str
    message: str
    hint: str


DATA: Final[dict[str, type[msgspec.Struct]]] = {
    # of capture
    "source-changed": SourceChanged,
    "still-taken": StillTaken,
    "recording-started": RecordingStarted,
    "recording-stopped": RecordingStopped,
    "mark-set": MarkSet,
    "picture-discarded": PictureDiscarded,
    "exam-held": ExamHeld,
    "pedal-used": PedalUsed,
    "pedal-changed": PedalChanged,
    "trigger-failed": TriggerFailed,
    "emergency-asked": EmergencyAsked,
    # of the engine
    "worklist-changed": WorklistChanged,
    "settings-changed": SettingsChanged,
    "code-seen": CodeSeen,
    "exam-changed": ExamChanged,
    "instance-adopted": InstanceAdopted,
    "delivery-changed": DeliveryChanged,
    "status-changed": StatusChanged,
    # of either, as long as it does nothing else
    "settings-unreadable": SettingsUnreadable,
}


def typed(event: Event) -> msgspec.Struct | None:
    """The event's data as its struct; None for a type this version does not know. Raises ValidationError."""
    kind = DATA.get(event.type)
    return None if kind is None else msgspec.json.decode(event.data, type=kind)


def type_of(data: msgspec.Struct) -> str:
    """The event type whose data this is."""
    for name, kind in DATA.items():
        if type(data) is kind:
            return name
    raise KeyError(type(data).__name__)
