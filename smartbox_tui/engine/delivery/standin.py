"""Backups: who stands in for a primary archive, from when on, and what becomes of the two deliveries of a picture.

- A backup's delivery is born when a picture waits for its primary and that one has been out of reach, for causes of
  the network, for `after_s`. Only what may go out gets one: nothing held, paused, blocked, discarded or being
  reassigned. It goes out at once, since the primary's own `send` has been waited for already.
- A primary that is paused by hand is not out of reach: somebody wants its pictures to wait. One that answers and
  refuses is there: its answer is a matter between it and that picture.
- The primary's delivery stays as it is and goes out when it is back: both then have the same UID, a copy and no
  second picture. With `instead` the backup's promise ends it: cancelled, with a reason that names the backup.
- When the primary stores the picture first, the backup's delivery is cancelled, unless it was ever on its way.
- One that is asked for commitment, or read back, has a picture when it is committed, not before.
- Each of these is one transaction, and repeated until it is so: at most one row for a UID and a destination.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from smartbox_tui.engine.delivery import routes, variants
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model import routing
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.model.variant import sop_uid_of
from smartbox_tui.settings.destination import Destination
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool.bitstream import captured
from smartbox_tui.spool.examfile import ExamFile, RevisionFile, read_exam, read_revision
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.spool.sidecar import read_sidecar
from smartbox_tui.store import queries, standins
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

STEP_S: Final = 1.0
IDLE_SHARE: Final = 20
"""So many times as long as a pass over all rows took is waited before the next one."""
CHUNK: Final = 100
SETTLE_S: Final = 30.0
"""What a crash, or a row that was just on its way, left undecided is decided that often."""


class Reach(Protocol):
    """The delivery, as far as it is needed here."""

    def away_for(self, name: str) -> float:
        """Seconds for which the destination has been out of reach; 0: it is not, or nobody wants it to be asked."""


class StandIns:
    """`run` as a task of the engine; the passes belong to the spool's thread, as adoption does, so that no picture
    is reassigned meanwhile. `changed(row)` is called for each delivery that was born or ended."""

    def __init__(
        self,
        spool: Path,
        store: Store,
        settings: Callable[[], Settings],
        delivery: Reach,
        *,
        changed: Callable[[Any], None],
        ready: Callable[[], None],
    ) -> None:
        self._spool, self._store, self._settings = spool, store, settings
        self._delivery, self._changed, self._ready = delivery, changed, ready
        self._settled_at = -SETTLE_S
        self._unreadable: set[str] = set()  # the log has each once

    async def run(self, on_spool: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        """For ever."""
        while True:
            began = time.monotonic()
            try:
                for primary, backup in self.pairs():
                    await self._pass(primary, backup, on_spool)
                if time.monotonic() - self._settled_at >= SETTLE_S:
                    await on_spool(self.settle)
                    self._settled_at = time.monotonic()
            except SmartBoxError as exc:  # a full disk: later
                log.error("backups cannot be given what they stand in for: %s", exc.code)
            except Exception:  # the primary's own deliveries need none of this
                log.exception("backups: a defect")
            await asyncio.sleep(max(STEP_S, IDLE_SHARE * (time.monotonic() - began)))

    def pairs(self) -> list[tuple[Destination, Destination]]:
        """(primary, backup) of all that stand in for somebody."""
        return routes.pairs_of(self._settings())

    def is_needed(self, primary: Destination, backup: Destination) -> bool:
        return routes.is_needed(backup, self._delivery.away_for(primary.name))

    async def _pass(
        self, primary: Destination, backup: Destination, on_spool: Callable[[Callable[[], Any]], Awaitable[Any]]
    ) -> None:
        after: tuple[int, int] | None = None
        while self.is_needed(primary, backup):
            last = await on_spool(lambda after=after: self.stand_in(primary, backup, after))  # type: ignore[misc]
            if last is None:
                return
            after = last

    def stand_in(
        self, primary: Destination, backup: Destination, after: tuple[int, int] | None = None
    ) -> tuple[int, int] | None:
        """Births of at most CHUNK pictures. Returns where to go on; None: there are no more."""
        rows = standins.waiting(self._store.reader, primary.name, backup.name, after, CHUNK)
        births = list(self._births(rows, primary, backup))
        if births:

            def job(database: Any) -> list[Any]:
                return [standins.stand_in(database, *birth) for birth in births]

            born = [row for row in self._store.write(job).result() if row is not None]
            for row in born:
                self._changed(row)
            if born:
                log.info("%s stands in for %s: %d pictures", backup.name, primary.name, len(born))
                self._ready()
        return (rows[-1][0], rows[-1][1]) if len(rows) == CHUNK else None

    def _births(
        self, rows: list[tuple[int, int, str]], primary: Destination, backup: Destination
    ) -> Iterator[tuple[int, str, dict[str, Any]]]:
        exams: dict[str, tuple[ExamFile, RevisionFile]] = {}
        for _, row, picture in rows:
            instance = queries.instance(self._store.reader, picture)
            if instance is None:
                continue
            folder = exam_dir(self._spool, instance.folder)
            try:
                if instance.folder not in exams:
                    exam = read_exam(folder)
                    exams[instance.folder] = exam, read_revision(folder, exam.revision)
                sidecar = read_sidecar(folder / f"{picture}.json")
                if not routes.fits(backup, routes.picture_of(*exams[instance.folder], sidecar)):
                    continue
                variant = variants.variant_for(backup, sidecar)
                made = variants.of_variant(folder, sidecar, variant)
                own = variants.own(folder, sidecar) or captured(sidecar)
            except (OSError, ValueError) as exc:  # the primary's own row tells what is wrong with it
                if picture not in self._unreadable:
                    self._unreadable.add(picture)
                    log.warning("picture %s cannot be given to %s: %s", picture, backup.name, type(exc).__name__)
                continue
            yield row, instance.sop_uid, {
                "instance": picture, "sop_uid": sop_uid_of(instance.sop_uid, variant), "destination": backup.name,
                "kind": instance.kind, "bytes_": (made or own).bytes, "state": State.QUEUED, "code": routing.BORN,
                "reason": f"{routing.STANDS_IN}{primary.name}", "variant": str(variant),
                "prepare": "" if made is not None else variants.BITSTREAM,
            }  # fmt: skip

    def settle(self) -> None:
        """Ends what is not needed any more, of all pictures."""
        for primary, backup in self.pairs():
            pair = routes.pair_of(primary, backup)
            changed = self._store.write(lambda database, pair=pair: standins.settle(database, pair)).result()  # type: ignore[misc]
            for identity in changed:
                self._changed(queries.delivery(self._store.reader, identity))
