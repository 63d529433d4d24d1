"""What hooks can be told: every event with what its data say. docs/hooks.md has the same in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

TEST: Final = "hook.test"
"""Sent by hand; every hook gets it, whichever events it is for."""

_EXAM: Final = {
    "exam": "the exam's id",
    "study_instance_uid": "its study",
    "state": "open, unassigned, suspended, closed or appended",
    "emergency": "true for an emergency patient",
}
_INSTANCE: Final = {
    "exam": "the exam's id",
    "study_instance_uid": "its study",
    "series_instance_uid": "its series",
    "sop_instance_uid": "the picture's own UID; another rendition of it has another one",
    "kind": "still, burst or clip",
    "source": "the picture source's id",
}
_DELIVERY: Final = {
    "delivery": "the number of the queue's row",
    "exam": "the exam's id",
    "study_instance_uid": "its study",
    "sop_instance_uid": "the UID under which the archive has it, or gets it",
    "instance": "the picture's id: the same for all its renditions",
    "kind": "still, burst, clip, marks or note",
    "destination": "the archive's name in the settings",
    "state": "stored, committed or blocked",
    "code": "a word of the box's error codes; empty: none",
    "reason": "a sentence in English; what the archive itself wrote only for hooks that get patient data",
    "attempts": "answers of the archive so far",
    "bytes": "length of the picture",
}
_DESTINATION: Final = {
    "destination": "the archive's name in the settings",
    "state": "unreachable, rejected or ok",
    "code": "a word of the box's error codes; empty: none",
    "reason": "a sentence in English",
    "open": "pictures that are not delivered there yet",
}
_ALARM: Final = {
    "code": "the alarm's word, as in `ctl status`",
    "message": "a sentence in English",
    "since": "when it was raised",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """`when` it happens, `data` name to meaning. `patient`: hooks that may know get the exam's patient with it."""

    when: str
    data: dict[str, str] = field(default_factory=dict)
    patient: bool = False


EVENTS: Final[dict[str, Kind]] = {
    "exam.opened": Kind("an exam was opened, by a person or by a trigger with no patient chosen", _EXAM, True),
    "exam.assigned": Kind("an exam without a patient has one now", _EXAM, True),
    "exam.reassigned": Kind(
        "an exam's pictures are somebody else's now; what was sent before is wrong",
        {
            **_EXAM,
            "generation": "how often it was reassigned",
            "into": "the exam that they belong to now; null: still this one",
        },
        True,
    ),
    "exam.suspended": Kind("an exam was found open after the box had been off", _EXAM, True),
    "exam.resumed": Kind("a suspended exam goes on", _EXAM, True),
    "exam.appended": Kind("a closed exam takes pictures again", _EXAM, True),
    "exam.closed": Kind(
        "an exam was closed", {**_EXAM, "instances": "pictures of it, discarded ones not counted"}, True
    ),
    "exam.delivered": Kind(
        "nothing of a closed exam is to be delivered any more; again when something came later",
        {**_EXAM, "stored": "deliveries that an archive has", "cancelled": "deliveries that were cancelled"},
        True,
    ),
    "instance.captured": Kind(
        "a picture is safe on the box",
        {
            **_INSTANCE,
            "sop_class_uid": "its SOP class",
            "transfer_syntax_uid": "how it was captured",
            "captured_at": "when",
            "frames": "how many it has",
            "duration_s": "seconds of a clip; else null",
            "bytes": "its length",
        },
        True,
    ),
    "instance.discarded": Kind("a picture was taken back by the operator", _INSTANCE, True),
    "delivery.stored": Kind("an archive said that it has a picture", _DELIVERY, True),
    "delivery.committed": Kind("an archive promised to keep a picture", _DELIVERY, True),
    "delivery.blocked": Kind("a picture will not be sent before somebody has decided", _DELIVERY, True),
    "destination.away": Kind(
        "an archive cannot be reached, or refuses the box: once for each outage", _DESTINATION
    ),
    "destination.back": Kind("an archive that was away answers again", _DESTINATION),
    "disk.low": Kind(
        "little room is left on the box; again when it gets less",
        {
            "code": "how little: disk-low, disk-urgent, disk-no-recording",
            "free_bytes": "bytes that are free",
            "hours_left": "hours of recording that they are good for",
        },
    ),
    "alarm.raised": Kind("an alarm stands for some seconds", _ALARM),
    "alarm.cleared": Kind("an alarm is over", _ALARM),
    "settings.changed": Kind(
        "somebody has changed the settings",
        {"change": "its number in the history", "paths": "the settings that are others now, 100 at most"},
    ),
    "box.started": Kind("the box's engine has started", {"version": "of its program"}),
    TEST: Kind("somebody tests the hook"),
}


def patterns(text: str) -> list[str]:
    """`delivery.*, exam.closed` as a list."""
    return [part for part in (item.strip() for item in text.split(",")) if part]


def chosen(text: str) -> list[str]:
    """The events that such patterns are for."""
    wanted = patterns(text)
    return [name for name in EVENTS if name != TEST and any(fnmatchcase(name, item) for item in wanted)]


def unknown(text: str) -> list[str]:
    """The patterns that no event has."""
    return [item for item in patterns(text) if not any(fnmatchcase(name, item) for name in EVENTS if name != TEST)]
