"""Performed procedure steps: what is said of an exam to those who planned it, durable before it is said.

Nothing here waits for a network, and no picture waits for anything here: the messages lie in the store's outbox,
one thread a server takes them from there (performed_worker).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from smartbox_tui.dicom.iods import IODS
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.engine import rendition
from smartbox_tui.engine.calling import peer_of
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model import performed as steps
from smartbox_tui.model.exam import ExamState
from smartbox_tui.model.instance import SOP_CLASSES
from smartbox_tui.model.performed import PerformedSeries, StepBegin, StepEnd, StepState
from smartbox_tui.settings.destination import Destination, Retry
from smartbox_tui.settings.schema import Mpps, Settings
from smartbox_tui.spool.examfile import ExamFile, RevisionFile, read_exam, read_revision
from smartbox_tui.spool.layout import exam_dir, sidecar_paths
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, read_sidecar
from smartbox_tui.store import audit, facts
from smartbox_tui.store import performed as outbox
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

OWN_SERVER: Final = "mpps"
"""The name of [mpps]'s server; a destination that takes steps has its own."""

_CHECKED: Final = "performed-checked"
_SLACK: Final = timedelta(days=1)
_KEPT: Final = timedelta(days=90)
"""So long it can be read what was said to whom."""
_DAY_S: Final = 86400.0
_REBUILT: Final = timedelta(days=2)
"""A database without memory of its messages: steps of older exams are not said once more."""


@dataclass(frozen=True, slots=True)
class StepPeer:
    """A server that gets performed steps."""

    name: str
    peer: Peer
    retry: Retry


def peers_of(settings: Settings) -> dict[str, StepPeer]:
    """By name. A server whose settings nobody can call is left out; the log says so."""
    found: dict[str, StepPeer] = {}
    wanted: list[tuple[str, Mpps | Destination]] = []
    if settings.mpps.host:
        wanted.append((OWN_SERVER, settings.mpps))
    for item in settings.destinations:
        if item.mpps and item.kind == "dimse":
            wanted.append((item.name if item.name != OWN_SERVER else f"{item.name} (archive)", item))
    for name, values in wanted:
        try:
            peer = peer_of(values, settings.aet)
        except SmartBoxError as exc:
            log.error("performed steps are not sent to '%s': %s", name, exc.message)
            continue
        found[name] = StepPeer(name, peer, values.retry)
    return found


class PerformedSteps:
    """Implements `ports.PerformedPort`. All methods block and belong to the spool's thread."""

    def __init__(
        self, spool: Path, store: Store, settings: Callable[[], Settings], *, wake: Callable[[], None]
    ) -> None:
        self._spool, self._store, self._settings, self._wake = spool, store, settings, wake
        self._forgot_at = float("-inf")

    @property
    def wanted(self) -> bool:
        return bool(peers_of(self._settings()))

    def opened(self, exam: ExamFile, revision: RevisionFile) -> None:
        if not _has_steps(revision):
            return
        messages = [self._begin(peer, exam, revision, exam.parts) for peer in self._peers()]
        self._write(messages)

    def ended(self, exam: ExamFile, revision: RevisionFile, discontinued: str) -> None:
        self._end(exam, revision, discontinued)

    def _end(self, exam: ExamFile, revision: RevisionFile, discontinued: str, *, uncertain: bool = False) -> None:
        if not _has_steps(revision):
            return
        parts = self._parts(exam)
        messages = []
        for peer in self._peers():
            messages.append(self._begin(peer, exam, revision, exam.parts))  # nothing happens where it is there
            end = self._end_of(peer, exam, revision, exam.parts, parts, discontinued)
            messages.append(end | {"uncertain": uncertain})
        self._write(messages, checked=exam.closed_at)

    def corrected(
        self, old: ExamFile, old_revision: RevisionFile, new: ExamFile, new_revision: RevisionFile
    ) -> None:
        parts = self._parts(new)
        messages: list[dict[str, Any]] = []
        if _has_steps(new_revision):
            said = str(new.extra.get("discontinued", ""))
            for part in range(new.parts + 1):
                over = part < new.parts or new.state == ExamState.CLOSED
                for peer in self._peers():
                    messages.append(self._begin(peer, new, new_revision, part, parts))
                    if over:
                        word = said if part == new.parts else ""
                        messages.append(self._end_of(peer, new, new_revision, part, parts, word))
        identities = [steps.step_of(old.id, part, old_revision.generation) for part in range(old.parts + 1)]
        wrong = [
            (row, self._wrong(old, old_revision, part, parts))
            for part, identity in enumerate(identities)
            for row in outbox.of_step(self._store.reader, identity.uid)
            if row.verb == outbox.CREATE
        ]

        def job(database: Any) -> None:
            for row, dataset in wrong:
                _discontinue(database, row.step, row.peer, old.id, dataset)
            for message in messages:
                outbox.put(database, **message)

        self._store.write(job).result()
        self._wake()

    def redated(self, exam: ExamFile, revision: RevisionFile) -> None:
        if not _has_steps(revision):
            return
        parts = self._parts(exam)
        messages: list[dict[str, Any]] = []
        for part in range(exam.parts + 1):
            over = part < exam.parts or exam.state == ExamState.CLOSED
            word = str(exam.extra.get("discontinued", "")) if part == exam.parts else ""
            for peer in self._peers():
                messages.append(self._begin(peer, exam, revision, part, parts))
                if over:
                    messages.append(self._end_of(peer, exam, revision, part, parts, word))

        def job(database: Any) -> None:
            for message in messages:
                for row in outbox.of_step(database, message["step"]):
                    mine = (row.peer, row.verb) == (message["peer"], message["verb"])
                    unsaid = row.state in (outbox.WAITING, outbox.BLOCKED) and not row.uncertain
                    if mine and unsaid and message["dataset"] not in (outbox.NOTHING, row.dataset):
                        outbox.exchange(database, row.id, message["dataset"])

        self._store.write(job).result()
        self._wake()

    def recover(self) -> None:
        """After a crash between an exam's file and its messages: they are made now. Quick: it looks at open exams
        and at those closed since it last knew that nothing was missing."""
        now = datetime.now().astimezone()
        if not self.wanted:
            return
        checked = facts.get(self._store.reader, _CHECKED)
        since = datetime.fromisoformat(checked) - _SLACK if checked else now - _REBUILT
        for exam_id, state, part, generation in outbox.exams_to_check(self._store.reader, since.isoformat()):
            known = outbox.verbs_of(self._store.reader, steps.step_of(exam_id, part, generation).uid)
            if outbox.CREATE in known and (outbox.SET in known or state != ExamState.CLOSED):
                continue
            try:
                exam = read_exam(exam_dir(self._spool, exam_id))
                revision = read_revision(exam_dir(self._spool, exam_id), exam.revision)
            except (OSError, ValueError):
                log.error("exam %s is in the database but not readable in the spool", exam_id)
                continue
            self.opened(exam, revision)
            if exam.state == ExamState.CLOSED:
                self._end(exam, revision, str(exam.extra.get("discontinued", "")), uncertain=checked is None)
        self._store.write(lambda database: facts.put(database, _CHECKED, now.isoformat())).result()

    # ---- messages

    def _peers(self) -> Iterator[StepPeer]:
        yield from peers_of(self._settings()).values()

    def _write(self, messages: list[dict[str, Any]], checked: str | None = None) -> None:
        def job(database: Any) -> None:
            for message in messages:
                outbox.put(database, **message)
            if checked:
                facts.put(database, _CHECKED, checked)

        if messages:
            self._store.write(job).result()
            self._wake()
        if time.monotonic() - self._forgot_at > _DAY_S:
            self._forgot_at = time.monotonic()
            before = (datetime.now().astimezone() - _KEPT).isoformat()
            self._store.write(lambda database: outbox.forget(database, before))

    def _begin(
        self,
        peer: StepPeer,
        exam: ExamFile,
        revision: RevisionFile,
        part: int,
        parts: dict[int, list[Sidecar]] | None = None,
    ) -> dict[str, Any]:
        settings = self._settings()
        begin = StepBegin(
            identity=steps.step_of(exam.id, part, revision.generation),
            station_name=settings.station_name,
            station_aet=settings.aet,
            modality=_modality(settings, revision),
            started_at=_started_at(exam, part, parts or {}, revision),
        )
        from smartbox_tui.dicom import performed as datasets  # not before the DICOM libraries are loaded

        study = rendition.study_values(exam, revision)
        return _message(peer, exam, begin.identity.uid, outbox.CREATE, lambda: datasets.created(study, begin))

    def _end_of(
        self,
        peer: StepPeer,
        exam: ExamFile,
        revision: RevisionFile,
        part: int,
        parts: dict[int, list[Sidecar]],
        discontinued: str,
    ) -> dict[str, Any]:
        series = tuple(_series(parts.get(part, []), revision))
        word = discontinued or ("" if series else "unspecified")
        end = StepEnd(
            identity=steps.step_of(exam.id, part, revision.generation),
            state=StepState.DISCONTINUED if word else StepState.COMPLETED,
            ended_at=_ended_at(exam, part, parts, revision),
            reason=steps.REASONS[word] if word else None,
            series=series,
        )
        from smartbox_tui.dicom import performed as datasets

        study = rendition.study_values(exam, revision)
        return _message(peer, exam, end.identity.uid, outbox.SET, lambda: datasets.ended(study, end))

    @staticmethod
    def _wrong(old: ExamFile, revision: RevisionFile, part: int, parts: dict[int, list[Sidecar]]) -> str:
        """The end of a step that was begun for the wrong entry, with what was made in it under its old UIDs."""
        end = StepEnd(
            identity=steps.step_of(old.id, part, revision.generation),
            state=StepState.DISCONTINUED,
            ended_at=datetime.now().astimezone(),
            reason=steps.REASONS["wrong-worklist-entry"],
            series=tuple(_series(parts.get(part, []), revision)),
        )
        from smartbox_tui.dicom import performed as datasets

        try:
            return json.dumps(datasets.ended(rendition.study_values(old, revision), end), ensure_ascii=False)
        except SmartBoxError as exc:  # the pictures have their right patient all the same
            log.error("exam %s: its wrong step cannot be taken back: %s", old.id, exc.code)
            return outbox.NOTHING

    def _parts(self, exam: ExamFile) -> dict[int, list[Sidecar]]:
        """What lies closed in the exam's folder, oldest first, by the part that it was taken in."""
        found: list[Sidecar] = []
        for path in sidecar_paths(exam_dir(self._spool, exam.id)):
            try:
                sidecar = read_sidecar(path)
            except (OSError, ValueError):
                continue  # adoption says so
            if sidecar.state is SidecarState.CLOSED and sidecar.exam == exam.id:
                found.append(sidecar)
        parts: dict[int, list[Sidecar]] = {}
        for sidecar in sorted(found, key=rendition.taken):
            parts.setdefault(sidecar.appended, []).append(sidecar)
        return parts


def _has_steps(revision: RevisionFile) -> bool:
    """An exam of nobody has no steps: they begin when it gets its patient."""
    return revision.performed and bool(revision.patient.get("id"))


def _message(
    peer: StepPeer, exam: ExamFile, step: str, verb: str, make: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """The columns of an outbox row; blocked from the start where the data set cannot be made."""
    row = {"step": step, "exam": exam.id, "peer": peer.name, "verb": verb}
    try:
        return row | {"dataset": json.dumps(make(), ensure_ascii=False)}
    except SmartBoxError as exc:
        return row | {"dataset": outbox.NOTHING, "reason": exc.message, "code": exc.code}


def _discontinue(database: Any, step: str, peer: str, exam_id: str, dataset: str) -> None:
    """Takes back one step at one server: never begun where nothing of it has left, discontinued else."""
    rows = {row.verb: row for row in outbox.of_step(database, step) if row.peer == peer}
    create, end = rows[outbox.CREATE], rows.get(outbox.SET)
    if create.state in (outbox.WAITING, outbox.BLOCKED) and not create.uncertain:
        outbox.drop(database, [row.id for row in rows.values()], "the exam was reassigned before it was sent")
    elif create.state == outbox.DROPPED or dataset == outbox.NOTHING:
        return
    elif end is None:
        outbox.put(database, step=step, exam=exam_id, peer=peer, verb=outbox.SET, dataset=dataset)
    elif end.state in (outbox.WAITING, outbox.BLOCKED):
        if _code_of(end.dataset) != _code_of(dataset):
            outbox.exchange(database, end.id, dataset)
    elif end.state == outbox.SENT and _code_of(end.dataset) != _code_of(dataset):
        told = audit.lines(database, exam=exam_id, action="performed-step-final")
        if not any(json.loads(line.detail) == {"step": step, "server": peer} for line in told):
            # PS3.4 F.7.2.2.2: a step that is over can no longer be changed
            audit.add(database, "box", "performed-step-final", exam_id, {"step": step, "server": peer})


def _code_of(dataset: str) -> str:
    """The code of the reason why a step was discontinued (0040,0281); empty without one."""
    try:
        return str(json.loads(dataset)["00400281"]["Value"][0]["00080100"]["Value"][0])
    except (LookupError, TypeError):
        return ""


def _series(taken: Iterable[Sidecar], revision: RevisionFile) -> Iterator[PerformedSeries]:
    found: dict[str, list[Sidecar]] = {}
    for sidecar in taken:
        if sidecar.sop_class in SOP_CLASSES:
            found.setdefault(rendition.series_uid(sidecar, revision), []).append(sidecar)
    for uid, sidecars in found.items():
        instances = tuple(
            (SOP_CLASSES[sidecar.sop_class], rendition.sop_uid(sidecar.id, revision)) for sidecar in sidecars
        )
        yield PerformedSeries(uid, revision.study_description, instances)


def _started_at(exam: ExamFile, part: int, parts: dict[int, list[Sidecar]], revision: RevisionFile) -> datetime:
    """Of the part that runs it is known; of an earlier appended one the first picture tells."""
    text = exam.opened_at
    if part:
        appended_at = exam.extra.get("appended_at") if part == exam.parts else None
        taken = parts.get(part, [])
        text = appended_at or (rendition.captured_at(taken[0], revision) if taken else exam.opened_at)
    return datetime.fromisoformat(text)


def _ended_at(exam: ExamFile, part: int, parts: dict[int, list[Sidecar]], revision: RevisionFile) -> datetime:
    """Never before the beginning, whatever became of the wall clock in between."""
    started_at = _started_at(exam, part, parts, revision)
    if part == exam.parts and exam.closed_at:
        return max(started_at, datetime.fromisoformat(exam.closed_at))
    taken = parts.get(part, [])
    if not taken:
        return started_at
    last = datetime.fromisoformat(rendition.captured_at(taken[-1], revision))
    return max(started_at, last + timedelta(seconds=taken[-1].duration_s or 0))


def _modality(settings: Settings, revision: RevisionFile) -> str:
    """That of the pictures: the first source's; where its class has none, the worklist entry's (PS3.3 C.7.3.1)."""
    for source in settings.sources[:1]:
        if modality := IODS[SOP_CLASSES[source.still_class]].modality:
            return modality
    try:
        return str(revision.worklist["00400100"]["Value"][0]["00080060"]["Value"][0])
    except (LookupError, TypeError):
        return "OT"
