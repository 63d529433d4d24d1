"""Commands. `id` is a UUID made by the client: what the command makes takes its UID from it, a repeat finds it."""

from __future__ import annotations

from typing import Any

import msgspec


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    id: str


# ---- to capture


class Still(Command, frozen=True, kw_only=True, tag="still"):
    """Takes the frame of `at_ns` (CLOCK_MONOTONIC of the press; None: now); `burst` > 1: that many in a row."""

    source: str | None = None
    burst: int = 1
    at_ns: int | None = None
    trigger: str = "api"


class RecordStart(Command, frozen=True, kw_only=True, tag="record-start"):
    source: str | None = None
    at_ns: int | None = None
    trigger: str = "api"


class RecordStop(Command, frozen=True, kw_only=True, tag="record-stop"):
    """No source stops the one that records, whichever it is."""

    source: str | None = None


class RecordMark(Command, frozen=True, kw_only=True, tag="record-mark"):
    source: str | None = None
    text: str = ""
    at_ns: int | None = None


class DiscardLast(Command, frozen=True, kw_only=True, tag="discard-last"):
    """`picture`: the one that the operator was shown as the last; a pedal may have taken another meanwhile."""

    reason: str
    picture: str | None = None


class PedalPress(Command, frozen=True, kw_only=True, tag="pedal"):
    """A pedal pressed by software (the demo's key): `edge` is down, up, or tap for both."""

    pedal: str
    edge: str = "tap"
    at_ns: int | None = None


class HoldExam(Command, frozen=True, kw_only=True, tag="hold-exam"):
    """From the engine: pictures go to this exam from now on. Answers with the exam held before, if any."""

    exam: str
    revision: int


class DropExam(Command, frozen=True, kw_only=True, tag="drop-exam"):
    """From the engine: no current exam any more. Stops a running recording first. Nothing happens when another
    exam than `exam` is held."""

    exam: str


CaptureCommand = Still | RecordStart | RecordStop | RecordMark | DiscardLast | PedalPress | HoldExam | DropExam

# ---- to the engine


class ExamOpen(Command, frozen=True, kw_only=True, tag="exam-open"):
    """Exactly one of `patient` (PATIENT's keys), `emergency` (male, female, child) and `worklist`."""

    patient: dict[str, Any] | None = None
    emergency: str | None = None
    age: str | None = None
    worklist: str | None = None
    accession: str = ""


class ExamClose(Command, frozen=True, kw_only=True, tag="exam-close"):
    pass


class ExamRelease(Command, frozen=True, kw_only=True, tag="exam-release"):
    exam: str


class ExamResume(Command, frozen=True, kw_only=True, tag="exam-resume"):
    exam: str


class QueueChange(Command, frozen=True, kw_only=True, tag="queue-change"):
    """`action`: retry, cancel, prioritise, pause, resume. One of `deliveries`, `all`, `destination`."""

    action: str
    deliveries: list[int] = []
    all: bool = False
    destination: str | None = None


class DestinationTest(Command, frozen=True, kw_only=True, tag="destination-test"):
    name: str


class DestinationAdd(Command, frozen=True, kw_only=True, tag="destination-add"):
    """`values`: the keys of a [[destinations]] table."""

    name: str
    values: dict[str, Any]


class DestinationRemove(Command, frozen=True, kw_only=True, tag="destination-remove"):
    name: str


class Adopt(Command, frozen=True, kw_only=True, tag="adopt"):
    """Take these pictures (by UUID) into the store now; answers when their deliveries exist."""

    pictures: list[str]


EngineCommand = (
    ExamOpen
    | ExamClose
    | ExamRelease
    | ExamResume
    | QueueChange
    | DestinationTest
    | DestinationAdd
    | DestinationRemove
    | Adopt
)
