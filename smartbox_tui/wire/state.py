"""The shapes of state, as CONTRACT's JSON has them. Times are RFC 3339 with offset."""

from __future__ import annotations

from typing import Any

import msgspec


class Patient(msgspec.Struct, frozen=True, kw_only=True):
    id: str = ""
    name: str = ""
    birth_date: str | None = None
    sex: str | None = None
    age: str | None = None


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    since: str
    seconds: float
    frames: int
    frames_lost: int


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """`preview` is the file name in the runtime folder; `preroll_s` what the ring holds right now."""

    id: str
    name: str
    kind: str
    device: str
    width: int
    height: int
    fps: float
    signal: bool
    signal_state: str
    signal_text: str
    recording: Recording | None = None
    preview: str = ""
    preroll_s: float = 0.0
    frames_lost: int = 0


class Exam(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    state: str
    study_instance_uid: str
    accession_number: str = ""
    opened_at: str
    closed_at: str | None = None
    released: bool = False
    patient: Patient
    instances: int = 0
    emergency: str | None = None


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    sop_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    kind: str
    source: str
    captured_at: str
    frames: int
    frames_lost: int
    duration_s: float | None
    trigger_ns: int
    frame_ns: int
    trigger_to_disk_ms: float | None
    bytes: int
    id: str = ""
    exam: str = ""
    discarded: bool = False


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    sop_instance_uid: str
    exam: str
    destination: str
    state: str
    reason: str = ""
    code: str = ""
    attempts: int = 0
    next_attempt_at: str | None = None
    bytes: int = 0
    bytes_sent: int = 0
    paused: bool = False
    priority: int = 0
    kind: str = ""
    created_at: str = ""
    changed_at: str = ""


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    kind: str
    state: str  # ok | unreachable | rejected | paused | unknown
    reason: str = ""
    code: str = ""  # the contract's error code of the reason
    open: int = 0


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    message: str
    since: str


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    free_bytes: int
    hours_left: float


class Status(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    exam: Exam | None
    sources: list[Source]
    queue: dict[str, Any]  # a count per state, and oldest_open_s
    storage: Storage
    destinations: list[Destination]
    clock: str  # trusted | unsure
    alarms: list[Alarm] = []
    suspended: Exam | None = None
    capture: bool = True  # whether the capture process answers


class HeldExam(msgspec.Struct, frozen=True, kw_only=True):
    """The exam that capture works for, as capture knows it from the spool: it works with the engine dead."""

    id: str
    state: str
    study_instance_uid: str
    revision: int
    opened_at: str
    patient: Patient
    stills: int = 0
    clips: int = 0


class EngineSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """First message of the engine's event stream. `deliveries`: open ones first, then the newest, 200 at most."""

    status: Status
    instances: list[Instance]  # of the current exam, oldest first
    deliveries: list[Delivery]


class CaptureSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """First message of capture's event stream."""

    sources: list[Source]
    exam: HeldExam | None
    instances: list[Instance]  # of the held exam, oldest first
