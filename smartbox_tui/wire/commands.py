"""Commands. `id` is a UUID made by the client: what the command makes takes its UID from it, a repeat finds it."""

from __future__ import annotations

from typing import Any

import msgspec


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    id: str


# ---- to capture


class Still(Command, frozen=True, kw_only=True, tag="still"):
    """Takes the frame of `at_ns` (CLOCK_MONOTONIC of the press; None: now); `burst` > 1: one instance of that
    many frames in a row."""

    source: str | None = None
    burst: int = 1
    at_ns: int | None = None
    trigger: str = "api"


class RecordStart(Command, frozen=True, kw_only=True, tag="record-start"):
    source: str | None = None
    at_ns: int | None = None
    trigger: str = "api"


class RecordStop(Command, frozen=True, kw_only=True, tag="record-stop"):
    """No source stops the one that records, whichever it is; at `at_ns` (the press; None: now), up to 2 s back."""

    source: str | None = None
    at_ns: int | None = None


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


class TeachPedal(Command, frozen=True, kw_only=True, tag="teach-pedal"):
    """Waits for a press on any device that could be a pedal; answers {"pedal": {"kind", "device", "name"}}, or the
    error `timeout`. Configured pedals do nothing meanwhile."""

    seconds: float = 15.0


class SourceAsk(Command, frozen=True, kw_only=True, tag="source-ask"):
    """What the device of a source can do, asked beside its pictures; None: of the first. Answers {"source": {"id",
    "warning", "controls": [{"name", "kind", "value", "minimum", "maximum", "step", "default", "choices",
    "writable"}]}}, of a grabber with its "key", "inputs", "signal_facts" and "formats", too."""

    source: str | None = None


class Restart(Command, frozen=True, kw_only=True, tag="restart"):
    """From the engine: settings of sources or pedals have changed. Capture ends by itself and is started anew;
    refused (in-use) while it records, then it ends after the recording."""


CaptureCommand = (
    Still
    | RecordStart
    | RecordStop
    | RecordMark
    | DiscardLast
    | PedalPress
    | HoldExam
    | DropExam
    | TeachPedal
    | SourceAsk
    | Restart
)

# ---- to the engine


class ExamOpen(Command, frozen=True, kw_only=True, tag="exam-open"):
    """Exactly one of `patient` (PATIENT's keys), `emergency` (male, female, child) and `worklist`."""

    patient: dict[str, Any] | None = None
    emergency: str | None = None
    age: str | None = None
    worklist: str | None = None
    accession: str = ""
    referring_physician: str = ""


class ExamClose(Command, frozen=True, kw_only=True, tag="exam-close"):
    """`discontinued`: a word of model.performed.REASONS: the procedure was not carried through; empty: completed,
    or, with no picture at all, discontinued for an unspecified reason."""

    discontinued: str = ""


class ExamAppend(Command, frozen=True, kw_only=True, tag="exam-append"):
    """A closed exam takes pictures again: a new series and a new performed step in the same study."""

    exam: str


class ExamHold(Command, frozen=True, kw_only=True, tag="exam-hold"):
    """Keeps everything of the exam on the box until `exam-release`; what is being sent is finished."""

    exam: str


class ExamReassign(Command, frozen=True, kw_only=True, tag="exam-reassign"):
    """The exam's pictures belong to somebody else: exactly one of `patient`, `worklist`, `emergency`, `to_exam`.

    `to_exam`: into that exam, as a new series of its study."""

    exam: str
    patient: dict[str, Any] | None = None
    worklist: str | None = None
    emergency: str | None = None
    age: str | None = None
    to_exam: str | None = None
    accession: str = ""
    referring_physician: str = ""


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


class DestinationEject(Command, frozen=True, kw_only=True, tag="destination-eject"):
    """Of a folder: paused, whole, unmounted where the box may. Answers {"destination", "safe": true, "objects",
    "unmounted"}; only then may the medium be taken out. Resuming the destination begins with the next one."""

    name: str


class Adopt(Command, frozen=True, kw_only=True, tag="adopt"):
    """Take these pictures (by UUID) into the store now; answers when their deliveries exist."""

    pictures: list[str]


class WorklistQuery(Command, frozen=True, kw_only=True, tag="worklist-query"):
    """`date` YYYY-MM-DD, a range YYYY-MM-DD/YYYY-MM-DD, or "any"; empty: as the refresh. `name` and `patient` with
    * and ?: `patient` is an ID or, where no ID matches, a name. A query for nobody in particular is for the
    refresh's station and modality unless it names others, * for all. `cached`: only what is on the box. Answers
    {"items", "age_s", "from_cache", "complete", "trouble"}: with the server away what is on the box, and why."""

    date: str = ""
    patient: str = ""
    name: str = ""
    patient_id: str = ""
    accession: str = ""
    modality: str = ""
    station: str = ""
    cached: bool = False


class WorklistCancel(Command, frozen=True, kw_only=True, tag="worklist-cancel"):
    """Cancels a running query (C-CANCEL); it answers with what has come so far, `complete` false."""

    query: str


class PerformedChange(Command, frozen=True, kw_only=True, tag="performed-change"):
    """Of messages about performed procedure steps. `action`: retry, cancel. One of `messages`, `all`, `server`."""

    action: str
    messages: list[int] = []
    all: bool = False
    server: str | None = None


class SettingsPut(Command, frozen=True, kw_only=True, tag="settings-put"):
    """By dotted path: `worklist.host`, `destinations.archive.port`, `pedals.left.short`. A whole entry of a list
    (`destinations.archive`) takes a table, and null removes it; null for a value: what the file before says."""

    changes: dict[str, Any]


class SettingsUndo(Command, frozen=True, kw_only=True, tag="settings-undo"):
    """Back to how it was before that change; None: before the last one."""

    change: int | None = None


class SettingsImport(Command, frozen=True, kw_only=True, tag="settings-import"):
    """`text`: a settings file (TOML) as the export writes it; it replaces all that the box itself has written."""

    text: str


class HookTest(Command, frozen=True, kw_only=True, tag="hook-test"):
    """Sends a test event to this hook now; answers {"ok", "code", "message", "hint", "answer", "seconds"}."""

    name: str


class ConnectionTest(Command, frozen=True, kw_only=True, tag="connection-test"):
    """`what`: destination, worklist, mpps, hook; `values`: settings that are not saved yet, over those that are."""

    what: str
    name: str = ""
    values: dict[str, Any] = {}


EngineCommand = (
    ExamOpen
    | ExamClose
    | ExamRelease
    | ExamResume
    | ExamAppend
    | ExamHold
    | ExamReassign
    | QueueChange
    | DestinationTest
    | DestinationAdd
    | DestinationRemove
    | DestinationEject
    | Adopt
    | WorklistQuery
    | WorklistCancel
    | PerformedChange
    | SettingsPut
    | SettingsUndo
    | SettingsImport
    | HookTest
    | ConnectionTest
)
