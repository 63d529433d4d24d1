"""The preparer: what must be made before a row can be sent is made by a media child. Two at a time at most: what
encodes anew may take as long as the recording did, and keeps nothing else from its archive.

What is made stands in the spool (file, then its record) before a row says so; done twice it does nothing, so an
engine that dies here only begins again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar
from weakref import WeakValueDictionary

from smartbox_tui.engine import children
from smartbox_tui.engine.delivery import tidying, variants
from smartbox_tui.engine.delivery.breaker import backoff
from smartbox_tui.engine.delivery.parcel import making
from smartbox_tui.engine.delivery.steps import Step, next_step
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.model.variant import Variant
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool import release, room
from smartbox_tui.spool.bitstream import Bitstream, write_made
from smartbox_tui.spool.durable import make_folder
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.spool.sidecar import Sidecar, read_sidecar
from smartbox_tui.store import queries, queue, records
from smartbox_tui.store.database import Store

T = TypeVar("T")
log = logging.getLogger(__name__)

POLL_S: Final = 0.5
TIDY_S: Final = 5.0
DEATHS: Final = 5
"""So often may a child die of the same bitstream before its row is blocked."""
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 60.0
_DISK_PAUSE_S: Final = 30.0
_AGAIN: Final = frozenset({"refused", "timeout", "in-use"})
"""A child that died, took too long, or found one before it not gone yet: it may be otherwise next time. Anything
else that it says stays so."""
QUICK: Final = "preparer"
SLOW: Final = "preparer-slow"
"""The two lanes' names as workers; the slow one encodes anew."""


class Ask(Protocol):
    """`children.ask`."""

    def __call__(self, *arguments: str, timeout_s: float) -> Awaitable[Any]: ...


class Preparer:
    """`changed(row)` tells each change of a row, `remade(id)` a picture that has another bitstream now, `ready()`
    that rows can be sent. Runs on the engine's loop; `wake` from there, too."""

    def __init__(
        self,
        spool: Path,
        store: Store,
        settings: Callable[[], Settings],
        *,
        changed: Callable[[Any], None],
        remade: Callable[[str], None],
        ready: Callable[[], None],
        ask: Ask = children.ask,
    ) -> None:
        self._spool, self._store, self._settings = spool, store, settings
        self._changed, self._remade, self._ready, self._ask = changed, remade, ready, ask
        self._woken = asyncio.Event()
        self._deaths: dict[tuple[str, str], int] = {}
        self._untidy: dict[Path, None] = {}  # exams' folders, in the order in which they are looked at
        self._alone: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """For ever."""
        self._untidy |= dict.fromkeys(await asyncio.to_thread(tidying.untidy, self._spool))
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._lane(QUICK))
            lanes.create_task(self._lane(SLOW))

    async def _lane(self, name: str) -> None:
        tidy_at = 0.0
        while True:
            self._woken.clear()
            try:
                row = await self._claim(name)
                if row is not None:
                    await self._prepare(row)
                    continue
                now = asyncio.get_running_loop().time()
                if name == QUICK and self._untidy and now >= tidy_at:
                    tidy_at = now + TIDY_S
                    await self._tidy()
            except SmartBoxError as exc:  # the database's disk is full, say: the row is taken up again later
                log.error("the preparer: %s", exc)
                await self._write_off(name)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL_S)

    async def _write_off(self, name: str) -> None:
        """A row that was left in `preparing` by an error of the database goes back to the queue."""
        with contextlib.suppress(SmartBoxError):
            await self._write(lambda database: queue.give_back(database, name, "an error of the database"))

    async def _write(self, job: Callable[[Any], T]) -> T:
        return await asyncio.wrap_future(self._store.write(job))

    async def _claim(self, name: str) -> Any | None:
        slow = name == SLOW
        if queries.next_to_prepare(self._store.reader, slow=slow) is None:
            return None
        return await self._write(
            lambda database: queue.claim_preparing(database, name, queue.ticks(), making, slow=slow)
        )

    # ---- one row

    async def _prepare(self, row: Any) -> None:
        self._changed(row)
        step: Step | None = None
        try:
            folder, sidecar = await asyncio.to_thread(self._picture, row)
            self._untidy[folder] = None
            while (step := await asyncio.to_thread(self._next, folder, sidecar, row)) is not None:
                async with self._alone.setdefault(folder / step.file, asyncio.Lock()):
                    if await asyncio.to_thread(self._next, folder, sidecar, row) != step:
                        continue  # the other lane has made it
                    if not await self._made(folder, sidecar, row, step):
                        return  # cancelled, superseded, discarded: nobody waits for it any more
            await self._finish(folder, sidecar, row.instance)
        except SmartBoxError as exc:
            await self._failed(row, step, exc)
        except OSError as exc:
            await self._end(row, State.BLOCKED, f"the picture cannot be read: {exc.strerror}", "invalid-object")
        except Exception:
            log.exception("delivery %s: a defect in preparing it", row.id)
            why = SmartBoxError("refused", "Making it ready ended with a defect; the log has more.")
            await self._failed(row, step, why)

    def _picture(self, row: Any) -> tuple[Path, Sidecar]:
        instance = queries.instance(self._store.reader, row.instance)
        if instance is None:
            raise SmartBoxError("invalid-object", "The instance is gone from the store.", "smartbox store check")
        folder = exam_dir(self._spool, instance.folder)
        try:
            sidecar = read_sidecar(folder / f"{row.instance}.json")
            release.check_here(folder, sidecar)
            return folder, sidecar
        except ValueError as exc:
            raise SmartBoxError("invalid-object", f"The sidecar is not readable: {exc}.", "store check") from exc

    def _next(self, folder: Path, sidecar: Sidecar, row: Any) -> Step | None:
        caps = {item.name: item.max_instance_bytes for item in self._settings().destinations}
        most = caps.get(row.destination) or min(caps.values(), default=2 << 30)
        return next_step(folder, sidecar, Variant.parse(row.variant), row.prepare, most)

    async def _made(self, folder: Path, sidecar: Sidecar, row: Any, step: Step) -> bool:
        """Runs the child; False when it was ended because no row needs its work any more."""
        out = folder / step.file
        await asyncio.to_thread(self._check_room, step, step.bytes)
        await asyncio.to_thread(make_folder, out.parent)
        child = asyncio.ensure_future(self._ask(*step.command(out), timeout_s=step.timeout_s))
        try:
            while not (await asyncio.wait({child}, timeout=POLL_S))[0]:
                if not await asyncio.to_thread(self._is_needed, folder, sidecar, row, step):
                    return False
                await asyncio.to_thread(self._check_room, step, 0)
            made = step.result(child.result())
        finally:
            child.cancel()
            with contextlib.suppress(asyncio.CancelledError, SmartBoxError, OSError):
                await child
        await asyncio.to_thread(_record, folder, made)
        self._deaths.pop((row.instance, step.file), None)
        return True

    def _check_room(self, step: Step, wanted: int) -> None:
        """What recordings need is not used up for what can be made later. A picture's own bitstream, without which
        nothing of it can go, may use what no recording is begun with. Raises disk-full, OSError."""
        now = room.room(self._spool, self._settings().recording.reserve_bytes)
        if now.free - wanted < (now.stop if step.own else now.record):
            raise room.no_making(now.free, step.bytes)

    def _is_needed(self, folder: Path, sidecar: Sidecar, row: Any, step: Step) -> bool:
        now = queries.delivery(self._store.reader, row.id)
        if now is not None and now.state == State.PREPARING.value:
            return True
        for other in queries.to_prepare(self._store.reader, row.instance):
            wanted = self._next(folder, sidecar, other)
            if wanted is not None and wanted.file == step.file:
                return True
        return False

    async def _finish(self, folder: Path, sidecar: Sidecar, picture: str) -> None:
        """The rows that what was made is enough for; a late result moves nobody else's row."""

        def there() -> list[tuple[Any, int]]:
            found = []
            for row in queries.to_prepare(self._store.reader, picture):
                variant = Variant.parse(row.variant)
                source = variants.of_variant(folder, sidecar, variant)
                if row.prepare == variants.PIXELS and source is not None:
                    source = variants.pixels_of(folder, picture)
                if source is not None:
                    found.append((row, source.bytes))
            return found

        rows = await asyncio.to_thread(there)
        own = await asyncio.to_thread(variants.own, folder, sidecar)

        def job(database: Any) -> list[Any]:
            if own is not None:
                records.set_bitstream(database, picture, own.file, own.bytes)
            return [queue.made(database, row, size) for row, size in rows]

        for changed in await self._write(job):
            if changed is not None:
                self._changed(changed)
        if await asyncio.to_thread(tidying.drop_recorded, folder, sidecar):
            self._remade(picture)
        self._ready()

    async def _failed(self, row: Any, step: Step | None, exc: SmartBoxError) -> None:
        key = (row.instance, step.file if step else "")
        if exc.code == "disk-full":
            await self._end(row, State.WAITING, exc.message, exc.code, pause_s=_DISK_PAUSE_S)
        elif exc.code in _AGAIN and self._deaths.get(key, 0) + 1 < DEATHS:
            self._deaths[key] = self._deaths.get(key, 0) + 1
            pause = backoff(self._deaths[key], _FIRST_PAUSE_S, 2.0, _LONGEST_PAUSE_S, 0.5)
            code = "" if exc.code == "refused" else exc.code  # nobody refused: it died
            await self._end(row, State.WAITING, exc.message, code, pause_s=pause)
        else:
            self._deaths.pop(key, None)
            await self._end(row, State.BLOCKED, exc.message, exc.code)

    async def _end(self, row: Any, state: State, reason: str, code: str, *, pause_s: float = 0.0) -> None:
        """Moves the row if it still is ours."""
        changes: dict[str, Any] = {"failures": 0}  # it waits for no network
        if state is State.WAITING:
            changes["next_at"] = queue.clock() + pause_s

        def job(database: Any) -> Any:
            now = queue.get(database, row.id)
            if now is None or now.state != State.PREPARING.value or now.worker != row.worker:
                return None
            return queue.move(database, row.id, state, reason, code, **changes)

        changed = await self._write(job)
        if changed is not None:
            self._changed(changed)

    # ---- what nobody needs any more

    async def _tidy(self) -> None:
        """Goes on where it stopped last, until something is to be made."""
        for folder in list(self._untidy):
            if queries.next_to_prepare(self._store.reader, slow=False) is not None:
                return
            del self._untidy[folder]
            self._untidy[folder] = None  # the last one now
            try:
                remade, clean = await asyncio.to_thread(tidying.tidy, folder, self._store)
            except (OSError, SmartBoxError) as exc:
                log.warning("exam %s: derived files could not be removed: %s", folder.name, type(exc).__name__)
                continue
            for picture in remade:
                self._remade(picture)
            if clean:
                self._untidy.pop(folder, None)


def _record(folder: Path, made: Bitstream) -> None:
    """Raises invalid-object when the file is not what the child said."""
    size = (folder / made.file).stat().st_size
    if size != made.bytes:
        raise SmartBoxError("invalid-object", f"{made.file} has {size} bytes, not {made.bytes}.", "See the log.")
    write_made(folder, made)
