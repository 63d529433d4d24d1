"""The keeper: lets go of pictures that archives have, oldest first, when their days are over or room is wanted.

Days count by a clock that is trusted, from the closing of the exam on: the anchor of this boot (spool.clock), which
nobody who sets the clock afterwards can move. What a clock that is not sure says the time of counts from the moment
at which one that is first met it. While no clock is trusted nothing goes for its age; that room is wanted is known
without a clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from smartbox_tui.engine import view
from smartbox_tui.engine.delivery import tidying
from smartbox_tui.engine.exams.lifecycle import Exams
from smartbox_tui.engine.keeping.letting_go import Gone, LettingGo
from smartbox_tui.engine.keeping.levels import Levels, levels
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.keeping import Policy
from smartbox_tui.settings.destination import is_asked
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool import release, reserve
from smartbox_tui.spool.clock import NS, boottime_ns
from smartbox_tui.spool.durable import fsync_dir
from smartbox_tui.spool.layout import exam_folders, is_uuid, sidecar_paths
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, read_sidecar
from smartbox_tui.store import audit, queries, retention
from smartbox_tui.store.retention import Shelf
from smartbox_tui.wire import events

T = TypeVar("T")
log = logging.getLogger(__name__)

CHECK_S: Final = 5.0
"""How often the disk is looked at."""
LOOK_S: Final = 300.0
"""How often everything that is here is gone through; sooner while room is wanted."""
WANTED_S: Final = 60.0
WALK_S: Final = 86400.0
"""How often the spool is walked for discarded pictures that no row speaks of."""
DISCARDED_S: Final = 7 * 86400.0
DAY_S: Final = 86400.0
FORGOTTEN: Final = ".forgotten-"
TELL_PICTURES: Final = 200


@dataclass(frozen=True, slots=True)
class Figures:
    """Bytes: `releasable` archives have, and they go when room is wanted, as far as is known before it is; of
    `undelivered` something is open, or nobody has promised them."""

    releasable: int = 0
    undelivered: int = 0


class Keeper:
    """Runs on the engine's loop, its work in a thread of its own. `changed()`: the status is another."""

    def __init__(self, exams: Exams, settings: Callable[[], Settings], changed: Callable[[], None]) -> None:
        self._exams, self._settings, self._changed = exams, settings, changed
        self._spool, self._store, self._clock = exams.spool, exams.store, exams.clock
        self._letting_go = LettingGo(self._spool, self._store, self._said)
        self._thread = ThreadPoolExecutor(1, "keeper")
        self._ending = threading.Event()
        self._woken = asyncio.Event()
        self._walked_s = float("-inf")
        self._exhausted = False  # room was wanted, and nothing more could go
        self.figures = Figures()

    def wake(self) -> None:
        """Goes through everything soon: the settings are others, say."""
        self._woken.set()

    def levels(self) -> Levels:
        """As they are now. Raises OSError."""
        return levels(self._spool, self._settings())

    async def before_serving(self) -> None:
        """What a crash left half done is finished, before anybody asks for it."""
        try:
            await self._run(self._recover)
        except (OSError, SmartBoxError) as exc:  # a full disk, say: it is tried again with every look
            log.error("what was being let go is not finished: %s", exc)

    async def run(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        looked_s = float("-inf")
        trusted = False
        while True:
            try:
                wanted = await self._run(self._is_wanted)
                if not trusted and (trusted := self._now_s() is not None):
                    self._woken.set()
                since_s = loop.time() - looked_s
                if self._woken.is_set() or since_s >= LOOK_S or (wanted and since_s >= WANTED_S):
                    self._woken.clear()
                    looked_s = loop.time()
                    await self.look()
            except (OSError, SmartBoxError) as exc:
                log.error("the keeper: %s", exc)
            except Exception:  # whatever it is, nothing goes for it, and the engine lives
                log.exception("a defect of the keeper")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), CHECK_S)

    def _is_wanted(self) -> bool:
        reserve.keep(self._spool)
        now = self.levels()
        return now.room.free < now.begin

    async def look(self) -> Gone:
        """One time through everything; what went. Raises OSError, SmartBoxError."""
        gone = await self._run(self._look)
        for identity in gone.pictures[-TELL_PICTURES:]:
            if (row := queries.instance(self._store.reader, identity)) is not None:
                self._exams.publish(events.InstanceAdopted(instance=view.instance(row)))
        if gone.pictures:
            log.info("%d pictures of %d MB were let go", len(gone.pictures), gone.bytes >> 20)
        now = self._now_s()
        if now is not None and self._settings().retention.forget_days > 0:
            await self._forget(now)
        self.figures = await self._run(self._figures)
        self._changed()
        return gone

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    async def close(self) -> None:
        """Ends what is under way after the pictures it is at; nothing is written when this returns."""
        self._ending.set()
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    # ---- time

    def _now_s(self) -> float | None:
        """Seconds since the epoch by the clock of this boot; None while no clock is trusted."""
        anchor = self._clock.anchors.get(self._clock.boot_id) if self._clock.trusted else None
        return None if anchor is None else (anchor + boottime_ns()) / NS

    def _said(self) -> datetime:
        """For the record, as well as it is known."""
        now = self._now_s()
        return (datetime.now(UTC) if now is None else datetime.fromtimestamp(now, UTC)).astimezone()

    def _age_s(self, identity: str, at: str, sure: bool, now_s: float) -> float:
        """How long ago that was; of a time that is not sure, since it was first met."""
        with contextlib.suppress(ValueError):
            if sure:
                return now_s - datetime.fromisoformat(at).timestamp()
        seen = self._store.write(lambda database: retention.first_seen(database, identity, now_s)).result()
        return now_s - seen

    # ---- letting go; in a thread

    def _look(self) -> Gone:
        self._recover()
        now_s = self._now_s()
        gone = Gone()
        if now_s is not None:
            gone += self._discarded(now_s)
            for shelf in retention.shelves(self._store.reader):
                if self._ending.is_set():
                    return gone
                if self._is_over(shelf, now_s):
                    gone += self._of(shelf, self._policy(early=False), "days")
        return gone + self._early(now_s)

    def _recover(self) -> None:
        self._letting_go.recover()
        for path in self._spool.glob(f"{FORGOTTEN}*"):
            self._finish_forgetting(path)

    def _policy(self, *, early: bool) -> Policy:
        settings = self._settings()
        asked = frozenset(item.name for item in settings.destinations if is_asked(item))
        folders = frozenset(item.name for item in settings.destinations if item.kind == "folder")
        return Policy(settings.retention.release, asked, folders, early)

    def _is_over(self, shelf: Shelf, now_s: float) -> bool:
        age_s = self._age_s(shelf.folder, shelf.closed_at, not shelf.dates, now_s)
        return age_s >= self._settings().retention.keep_days * DAY_S

    def _of(self, shelf: Shelf, policy: Policy, why: str, most: int | None = None) -> Gone:
        try:
            return self._letting_go.promised(shelf.folder, policy, why, most=most)
        except OSError as exc:
            log.error("exam %s: its pictures cannot be let go: %s", shelf.folder, exc.strerror)
            return Gone()

    def _early(self, now_s: float | None) -> Gone:
        """Room is wanted: what was made of pictures first, it is made anew when it is needed; then the oldest
        pictures that everybody has who is to have them, as well as they are asked to."""
        now = self.levels()
        gone = Gone()
        self._exhausted = now.begin <= 0
        if now.room.free >= now.begin:
            return gone
        before = now.room.free
        made = tidying.drop_parked(self._spool, self._store)
        policy = self._policy(early=True)
        for shelf in retention.shelves(self._store.reader):
            free = max(self.levels().room.free, before + made + gone.bytes)  # some file systems count late
            if free >= now.end or self._ending.is_set():
                break
            gone += self._of(shelf, policy, "room", now.end - free)
        else:
            self._exhausted = True
        return gone

    def _discarded(self, now_s: float) -> Gone:
        gone = Gone()
        for picture, folder in retention.discarded(self._store.reader):
            if self._ending.is_set():
                return gone
            path = self._spool / folder
            try:
                sidecar = read_sidecar(path / f"{picture}.json")
                if self._is_discarded_for_long(sidecar, now_s):
                    gone += self._letting_go.discarded(folder, picture)
            except (OSError, ValueError) as exc:
                log.warning("picture %s, discarded, stays: %s", picture, type(exc).__name__)
        loop_s = boottime_ns() / NS
        if loop_s - self._walked_s >= WALK_S:
            self._walked_s = loop_s
            for path, sidecar in self._never_adopted():
                if self._ending.is_set():
                    return gone
                with contextlib.suppress(OSError):
                    if self._is_discarded_for_long(sidecar, now_s):
                        self._letting_go.never_adopted(path, sidecar)
        return gone

    def _is_discarded_for_long(self, sidecar: Sidecar, now_s: float) -> bool:
        sure = sidecar.clock == "trusted"
        age_s = self._age_s(sidecar.id, str(sidecar.discarded.get("at", "")), sure, now_s)
        return sidecar.state is SidecarState.DISCARDED and age_s >= DISCARDED_S

    def _never_adopted(self) -> Iterator[tuple[Path, Sidecar]]:
        """What was taken back while no engine lived, or before it had it, and is here."""
        for folder in exam_folders(self._spool):
            if self._ending.is_set():
                return
            known = queries.instance_ids_in(self._store.reader, folder.name)
            for path in sidecar_paths(folder):
                if path.stem in known:
                    continue
                with contextlib.suppress(OSError, ValueError):
                    sidecar = read_sidecar(path)
                    if sidecar.state is SidecarState.DISCARDED and release.is_here(folder, sidecar):
                        yield folder, sidecar

    def _figures(self) -> Figures:
        may, undelivered = retention.figures(self._store.reader)
        return Figures(0 if self._exhausted else may, undelivered)

    # ---- forgetting

    async def _forget(self, now_s: float) -> None:
        """Exams of which only archives have anything: their folders and rows go, the audit stays."""
        days = self._settings().retention.forget_days
        for shelf in await self._run(retention.forgettable, self._store.reader):
            age_s = await self._run(self._age_s, shelf.folder, shelf.closed_at, not shelf.dates, now_s)
            if age_s < days * DAY_S:
                continue
            async with self._exams.lock:  # nobody appends to it, or gives it to somebody else, meanwhile
                path = await self._run(self._put_aside, shelf)
            if path is not None:
                await self._run(self._finish_forgetting, path)

    def _put_aside(self, shelf: Shelf) -> Path | None:
        """The folder under a name that is no exam's, with its rows gone; None: something of it is still here."""
        folder = self._spool / shelf.folder
        if all(item.folder != shelf.folder for item in retention.forgettable(self._store.reader)):
            return None
        try:
            for path in sidecar_paths(folder):
                sidecar = read_sidecar(path)
                done = sidecar.state in (SidecarState.CLOSED, SidecarState.DISCARDED)
                if not done or release.is_here(folder, sidecar):
                    return None
            aside = self._spool / f"{FORGOTTEN}{shelf.folder}"
            folder.rename(aside)
            fsync_dir(self._spool)
        except FileNotFoundError:
            log.error("exam %s has no folder in the spool", shelf.folder)
            return None
        except (OSError, ValueError) as exc:
            log.error("exam %s cannot be forgotten: %s", shelf.folder, type(exc).__name__)
            return None
        self._forget_rows(shelf.folder)
        return aside

    def _forget_rows(self, exam: str) -> None:
        def job(database: Any) -> None:
            if queries.exam(database, exam) is not None:
                pictures = retention.forget(database, exam)
                audit.add(database, "box", "exam-forgotten", exam, {"pictures": pictures})

        self._store.write(job).result()

    def _finish_forgetting(self, aside: Path) -> None:
        exam = aside.name.removeprefix(FORGOTTEN)
        if is_uuid(exam):
            self._forget_rows(exam)
            shutil.rmtree(aside, ignore_errors=True)
