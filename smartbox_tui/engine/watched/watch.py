"""The watching: one task and one thread for each source of kind folder, and what they tell of themselves."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from smartbox_tui.engine.exams.lifecycle import Exams
from smartbox_tui.engine.watched.folder import Candidate, Folder, Look
from smartbox_tui.engine.watched.intake import Adoption, Intake, Outcome
from smartbox_tui.engine.watched.patients import Patients
from smartbox_tui.engine.watched.session import Session
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.schema import Settings, Source
from smartbox_tui.store import queries
from smartbox_tui.wire import state

log = logging.getLogger(__name__)

KIND: Final = "folder"
SCAN_S: Final = 1.0
AWAY_S: Final = 5.0
PATIENCE_S: Final = 30.0
"""While files arrive those that are there wait, so that a code is read before the pictures after it: so long."""
HANGS_S: Final = 15.0
BETWEEN_S: Final = 0.1
"""Pause between two files: the box has other things to do."""
BATCH: Final = 20
PURGE_S: Final = 3600.0
DEFECT_S: Final = 60.0
PAUSES_S: Final = (1.0, 5.0, 30.0)


class FolderThread:
    """Runs what blocks. A daemon: a network drive that hangs must not keep the engine from ending."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._since_s: float | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._jobs.put((lambda: function(*arguments), future))
        return await future

    @property
    def hangs(self) -> bool:
        since_s = self._since_s
        return since_s is not None and time.monotonic() - since_s > HANGS_S

    def end(self) -> None:
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            function, future = job
            self._since_s = time.monotonic()
            try:
                answer, problem = function(), None
            except Exception as exc:  # noqa: BLE001  raised again where it is waited for
                answer, problem = None, exc
            self._since_s = None
            try:
                self._loop.call_soon_threadsafe(_settle, future, answer, problem)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return


def _settle(future: asyncio.Future[Any], answer: Any, problem: Exception | None) -> None:
    if future.done():  # cancelled
        return
    if problem is not None:
        future.set_exception(problem)
    else:
        future.set_result(answer)


@dataclass
class _Watch:
    """What is known of one source. `failed` why files stay where they are, empty: they do not."""

    source: Source
    thread: FolderThread
    session: Session
    look: Look | None = None
    taken: int = 0
    last_at: str = ""
    failed: str = ""
    task: asyncio.Task[None] | None = None
    quarantined: int = 0
    held: list[str] = field(default_factory=list)


class Watched:
    """All methods belong to the event loop."""

    def __init__(
        self,
        state_folder: Path,
        settings: Callable[[], Settings],
        exams: Exams,
        adoption: Adoption,
        patients: Patients,
        changed: Callable[[], None],
    ) -> None:
        self._state, self._settings, self._exams = state_folder, settings, exams
        self._adoption, self._patients, self._changed = adoption, patients, changed
        self._watches: dict[str, _Watch] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._running = self._closed = False

    # ---- life

    def start(self) -> None:
        """When the spool was walked: what lies in it is known."""
        self._running = not self._closed
        self.reconfigure()

    def reconfigure(self) -> None:
        """Watches what the settings now say."""
        sources = {item.id: item for item in self._settings().sources if item.kind == KIND and self._running}
        for name in list(self._watches):
            if sources.get(name) != self._watches[name].source:
                self._end(self._watches.pop(name))
        for name, source in sources.items():
            if name not in self._watches:
                thread = FolderThread(f"watched-{name}")
                session = Session(self._state / "watched" / f"{name}.json")
                watch = self._watches[name] = _Watch(source, thread, session)
                watch.task = asyncio.create_task(self._watch(watch), name=f"watched-{name}")
        self._changed()

    async def close(self) -> None:
        """Ends all; the file at hand is finished or stays for the next time."""
        self._running, self._closed = False, True
        self.reconfigure()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    def _end(self, watch: _Watch) -> None:
        watch.thread.end()
        if watch.task is not None:
            self._leaving.add(watch.task)
            watch.task.add_done_callback(self._leaving.discard)
            watch.task.cancel()

    # ---- what the status says

    def source(self, item: Source) -> state.Source:
        """A source of kind folder as the wire has it."""
        word, text = self._signal(self._watches.get(item.id))
        return state.Source(
            id=item.id,
            name=item.name or item.id,
            kind=item.kind,
            device=item.device,
            width=0,
            height=0,
            fps=0.0,
            signal=word == "ok",
            signal_state=word,
            signal_text=text,
        )

    @staticmethod
    def _signal(watch: _Watch | None) -> tuple[str, str]:
        if watch is None or (watch.look is None and not watch.thread.hangs):
            return "starting", "The folder is not looked at yet."
        if watch.thread.hangs:
            return "gone", "The folder does not answer: is its network drive away?"
        assert watch.look is not None
        if watch.look.state == "gone":
            return "gone", "The folder is away; it is looked for again and again."
        if watch.look.state != "ok":
            return "unsupported", "The box may not write into the folder."
        if watch.failed:
            return "unstable", watch.failed
        parts = ["watching"]
        if waiting := len(watch.look.ready) + watch.look.unsettled:
            parts.append(f"{waiting} files wait")
        if watch.last_at:
            parts.append(f"last picture {watch.last_at}, {watch.taken} since the start")
        if watch.look.others:
            parts.append(f"{watch.look.others} other files are left alone")
        return "ok", ", ".join(parts)

    def alarms(self) -> dict[str, str]:
        """By code."""
        found = {}
        for name, watch in self._watches.items():
            shown = watch.source.name or name
            word, text = self._signal(watch)
            if word not in ("ok", "starting"):
                found[f"watched-away-{shown}"] = f"{shown}: {text}"
            if watch.quarantined:
                found[f"watched-quarantine-{shown}"] = (
                    f"{watch.quarantined} files in the quarantine of {shown} could not be taken; "
                    "a text beside each says why."
                )
            if watch.held:
                found[f"watched-late-{shown}"] = (
                    f"{shown}: a code came later than pictures taken after it. {len(watch.held)} exams are held "
                    "back: check the patient, then release them."
                )
        return found

    # ---- the work

    async def _watch(self, watch: _Watch) -> None:
        failures = 0
        try:
            while True:
                try:
                    await self._look_for_ever(watch)
                except Exception as exc:  # noqa: BLE001  a defect here must end neither engine nor watching
                    watch.failed = _defect(watch.source.id, exc)
                    self._changed()
                await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
                failures += 1
        finally:
            watch.thread.end()

    async def _look_for_ever(self, watch: _Watch) -> None:
        source, thread = watch.source, watch.thread
        folder = await thread(Folder, source.id, Path(source.device), self._state / "watched" / source.id)
        intake = Intake(self._exams, self._adoption, self._patients, folder, watch.session, thread, self._settings)
        purged_s = -PURGE_S
        while True:
            began_s = time.monotonic()
            rules = self._settings().watched
            look: Look = await thread(folder.scan, rules.settle_s)
            self._heard(watch, look)
            if look.state == "ok" and began_s - purged_s > PURGE_S:
                purged_s = began_s
                await thread(folder.purge, rules.done_days)
            due = [item for item in look.ready if not intake.waits(item)]
            if look.unsettled and not any(item.quiet_s > PATIENCE_S for item in due):
                due = []
            full = await self._take(watch, intake, due[:BATCH])
            self._look_after_held(watch)
            if len(due) > BATCH and not full:
                continue
            lasted_s = time.monotonic() - began_s
            await asyncio.sleep(max(SCAN_S if look.state == "ok" else AWAY_S, min(lasted_s, 60.0)))

    async def _take(self, watch: _Watch, intake: Intake, due: list[Candidate]) -> bool:
        """Whether the disk is full, or something else that holds for every file."""
        failed = ""
        for candidate in due:
            try:
                outcome = await intake.take(watch.source, candidate)
            except SmartBoxError as exc:
                log.warning("source %s: a file stays for now: %s", watch.source.id, exc.code)
                watch.failed = f"{exc.message} {exc.hint}"
                return True
            except OSError as exc:
                log.warning("source %s: a file stays for now: %s", watch.source.id, exc.strerror)
                failed = f"A file cannot be taken: {exc.strerror}."
                intake.wait(candidate)
                continue
            except Exception as exc:  # noqa: BLE001  a defect that one file shows must not stop the others
                failed = _defect(watch.source.id, exc)
                intake.wait(candidate, DEFECT_S)
                continue
            if outcome is Outcome.TAKEN:
                watch.taken += 1
                watch.last_at = time.strftime("%H:%M")
            self._changed()
            await asyncio.sleep(BETWEEN_S)
        if due:
            watch.failed = failed
        return False

    def _heard(self, watch: _Watch, look: Look) -> None:
        before, watch.look = watch.look, look
        if look.state == "ok":  # away nobody knows: what was there is there
            watch.quarantined = look.quarantined
        if before is None or before.state != look.state:
            log.info("source %s: the folder is %s", watch.source.id, look.state)
        if before != look:
            self._changed()

    def _look_after_held(self, watch: _Watch) -> None:
        """An exam that somebody has released, or corrected, is no longer waited for."""
        held = [
            exam
            for exam in watch.session.late
            if (row := queries.exam(self._exams.store.reader, exam)) is not None and row.held
        ]
        if held != watch.session.late:
            watch.session.settle_late(held)
        watch.held = held


def _defect(source: str, exc: Exception) -> str:
    """Logs where it was, without its words, which may hold a file's name; a sentence for the status."""
    where = "".join(traceback.format_tb(exc.__traceback__))
    log.error("source %s: %s\n%s", source, type(exc).__name__, where)
    return "Files cannot be taken at the moment; see the log."
