"""The shapes of state, as CONTRACT's JSON has them. Times are RFC 3339 with offset."""

from __future__ import annotations

from typing import Any, Final

import msgspec

ROLE_NEEDED: Final = "needs the role"
"""In the sentence of whatever is refused because of who asks (wire.access)."""


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
    """`preview` is the file name in the runtime folder; `preroll_s` what the ring holds right now; `trouble` why
    what the source delivers cannot be recorded, empty where it can.

    encoder         what makes the clips now, as in the settings; passthrough: the grabber itself
    encoder_note    why no other one does, for engineers; empty: nothing to say
    encoder_failed  which one has failed in use, and why; software does its work since
    picture         of a picture that says nothing: black, uniform (one colour), still; else empty
    facts           what comes in, where the grabber can tell, as in "1920×1080 60 Hz"; the same in all languages
    warning         which settings the grabber did not take, in English; pictures are taken all the same
    """

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
    trouble: str = ""
    encoder: str = ""
    encoder_note: str = ""
    encoder_failed: str = ""
    picture: str = ""
    facts: str = ""
    warning: str = ""


class Pedal(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: ok, starting, stuck (down for longer than a foot does), gone, busy (another program has it), refused
    (no permission), failed; `text` more of it, in English; `since` when it became that."""

    id: str
    kind: str
    device: str
    state: str
    text: str = ""
    since: str = ""


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
    parts: int = 0  # appended that many times
    generation: int = 0  # reassigned that many times
    merged_into: str | None = None  # its pictures belong to that exam now
    held: bool = False  # kept back by hand
    worklist: str = ""  # the id of the worklist entry it was opened from
    procedure: str = ""
    last_picture_at: str | None = None
    dates: str = ""  # unsure: said by a clock not synchronised; final: sent so


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
    boot: int = 0  # of the order in which they were taken: model.instance.taken_order
    released_at: str = ""  # since when only archives have it; empty: it is on the box


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
    instance: str = ""  # the picture's id: another rendition of it has a SOP Instance UID of its own
    variant: str = ""  # how what is sent differs from what was captured; empty: it does not
    promise: str = ""  # of a stored one: asked (whether it is kept), or never (the archive makes no promise for it)
    promise_since: str = ""


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    kind: str
    state: str  # ok | unreachable | rejected | paused | unknown
    reason: str = ""
    code: str = ""  # the contract's error code of the reason
    open: int = 0
    stands_in_for: str = ""  # a backup: the name of its primary
    standing_in: bool = False  # and it does so now
    promise: str = ""  # ok | unsupported | late | away; empty: it is not asked for more than that it has stored
    promise_how: str = ""  # commitment | readback
    promise_reason: str = ""
    asked: int = 0  # stored, and not answered yet whether they are kept
    asked_since: str = ""


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    message: str
    since: str


class WorklistItem(msgspec.Struct, frozen=True, kw_only=True):
    """One Scheduled Procedure Step. `id` stays the same from query to query; `emergency`: its priority says so;
    `exam`: the one that was opened from it; `listed`: it was in the last complete refresh."""

    id: str
    patient: Patient
    accession_number: str = ""
    study_instance_uid: str = ""
    procedure: str = ""
    scheduled_at: str | None = None
    modality: str = ""
    station: str = ""  # the scheduled station's AE title
    station_name: str = ""
    step_id: str = ""
    requested_procedure_id: str = ""
    referring_physician: str = ""
    priority: str = ""  # STAT, HIGH, ROUTINE, MEDIUM, LOW as it came (0040,1003)
    emergency: bool = False
    issuer: str = ""
    exam: str | None = None
    listed: bool = True


class ServiceState(msgspec.Struct, frozen=True, kw_only=True):
    """A server that is no archive. `at`: its last complete answer; `count`: entries heard, or messages open."""

    name: str  # worklist | mpps | the destination's name
    state: str  # ok | unreachable | rejected | unknown
    reason: str = ""
    code: str = ""
    at: str | None = None
    count: int = 0
    truncated: bool = False


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """`hours_left` of recording by all sources together; `undelivered_bytes` of pictures that nobody has promised,
    `releasable_bytes` of those that go when room is wanted; `records`: a recording can be begun."""

    free_bytes: int
    hours_left: float
    total_bytes: int = 0
    undelivered_bytes: int = 0
    releasable_bytes: int = 0
    records: bool = True


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One console that is connected. `visiting`: service, and not the box itself: all screens say so."""

    id: str
    user: str
    role: str  # viewer | operator | service
    terminal: str  # panel | ssh | local
    since: str
    pid: int = 0
    visiting: bool = False


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
    worklist: ServiceState | None = None  # None: none is set up
    performed: list[ServiceState] = []  # the servers that get performed procedure steps
    unassigned: int = 0  # exams with pictures that wait for a patient
    capture: bool = True  # whether the capture process answers
    pedals: list[Pedal] = []  # as capture says them; empty while it is away
    sessions: list[Session] = []  # consoles, oldest first


class HeldExam(msgspec.Struct, frozen=True, kw_only=True):
    """The exam that capture works for, as capture knows it from the spool: it works with the engine dead."""

    id: str
    state: str
    study_instance_uid: str
    revision: int
    opened_at: str
    patient: Patient
    accession_number: str = ""
    emergency: str | None = None
    stills: int = 0
    clips: int = 0
    bursts: int = 0


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
    pedals: list[Pedal] = []
