"""The exam's own file and its immutable header revisions.

exam.json        id, state, study UID, times; replaced by the engine (made by capture for an unassigned exam)
revision-NNNN.json   all attributes but the pixel data; never changed once written
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from smartbox_tui.spool.durable import fsync_dir, make_folder, write_json
from smartbox_tui.spool.reserve import last_room

EXAM_FILE: Final = "exam.json"


@dataclass(frozen=True, slots=True)
class ExamFile:
    """`state` a word of model.exam; times RFC 3339 with offset; `revision` the newest header revision.

    unsure  the times in this file that a clock said which nobody trusted, by their names (opened_at, closed_at,
            appended_at): {"boot_id", "boottime_ns"}, from which they follow once that boot has an anchor
    """

    id: str
    state: str
    study_instance_uid: str
    opened_at: str
    opened_by: str  # engine | capture
    revision: int = 1
    closed_at: str | None = None
    released: bool = False
    close_command: str = ""
    boot_id: str = ""
    emergency: str | None = None
    parts: int = 0  # appended that many times
    merged_into: str | None = None  # the exam whose study the pictures belong to
    unsure: dict[str, dict[str, Any]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True, slots=True)
class RevisionFile:
    """One header revision. `patient` has PATIENT's keys and `comments`; `worklist` the item as it came.

    study_instance_uid  of this revision; empty in the first: exam.json has it
    generation  how often the exam was reassigned: series UIDs follow from it
    uids        picture id -> its SOP Instance UID from this revision on, where that is not 2.25.<id>; complete
    notes       rejection notes that this revision needs: {"id", "destination", "file", "study", "series"}
    performed   the parts of the exam have performed procedure steps
    worklist_id the id of the worklist entry
    study_unsure  as ExamFile.unsure has it, where study_at was said by a clock which nobody trusted
    anchors     boot id -> wall time of its CLOCK_BOOTTIME zero (spool.clock): pictures whose sidecar says that the
                clock was unsure have their times from it; without an anchor those of the sidecar
    redated     this revision differs from the one before in its dates alone: the clock is known now
    """

    revision: int
    patient: dict[str, Any]
    study_at: str
    accession_number: str = ""
    referring_physician: str = ""
    study_description: str = ""
    study_id: str = ""
    worklist: dict[str, Any] = field(default_factory=dict)
    made_at: str = ""
    before: int = 0  # the revision that it corrects
    command: str = ""  # the UUID of the command that asked for it
    study_instance_uid: str = ""
    generation: int = 0
    uids: dict[str, str] = field(default_factory=dict)
    notes: list[dict[str, str]] = field(default_factory=list)
    performed: bool = False
    worklist_id: str = ""
    study_unsure: dict[str, Any] = field(default_factory=dict)
    anchors: dict[str, int] = field(default_factory=dict)
    redated: bool = False
    version: int = 1


def said(exam: ExamFile, name: str, moment: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """`unsure` of an exam whose time `name` is said anew; `moment` None: by a clock that is trusted."""
    others = {key: value for key, value in exam.unsure.items() if key != name}
    return others | {name: moment} if moment else others


def revision_name(revision: int) -> str:
    return f"revision-{revision:04d}.json"


def create_exam(folder: Path, exam: ExamFile, revision: RevisionFile) -> None:
    """Makes the exam's folder with both files, the revision first; durable when it returns.

    A revision that a crash left without its exam means nothing yet, and is made anew: the command is repeated.
    """
    make_folder(folder)
    if not (folder / EXAM_FILE).exists():
        (folder / revision_name(revision.revision)).unlink(missing_ok=True)
    write_revision(folder, revision)
    write_exam(folder, exam)
    fsync_dir(folder.parent)


def write_exam(folder: Path, exam: ExamFile) -> None:
    """Durable when it returns; on a full disk with the box's last room: an exam can always be closed. Raises
    disk-full."""
    last_room(folder.parent, lambda: write_json(folder / EXAM_FILE, asdict(exam)))


def write_revision(folder: Path, revision: RevisionFile) -> None:
    """Raises FileExistsError: a revision is never written twice with another meaning."""
    path = folder / revision_name(revision.revision)
    if path.exists():
        if _read(path, RevisionFile) == revision:
            return
        raise FileExistsError(path)
    write_json(path, asdict(revision))


def next_revision(folder: Path) -> int:
    """The next free number: one that a crash left without its exam naming it is never used again."""
    numbers = (path.stem.removeprefix("revision-") for path in folder.glob("revision-*.json"))
    return max((int(number) for number in numbers if number.isdigit()), default=0) + 1


def _read(path: Path, kind: type[Any]) -> Any:
    value = json.loads(path.read_bytes())
    names = {item.name for item in fields(kind)}
    try:
        return kind(**{key: item for key, item in value.items() if key in names})
    except (TypeError, AttributeError) as exc:
        raise ValueError(f"{path.name} is not readable: {exc}") from exc


def read_exam(folder: Path) -> ExamFile:
    """Raises OSError, ValueError."""
    exam: ExamFile = _read(folder / EXAM_FILE, ExamFile)
    return exam


def read_revision(folder: Path, revision: int) -> RevisionFile:
    """Raises OSError, ValueError."""
    value: RevisionFile = _read(folder / revision_name(revision), RevisionFile)
    return value
