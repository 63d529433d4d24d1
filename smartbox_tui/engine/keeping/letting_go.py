"""Letting go of pictures in one folder, step by step, so that a crash between any two leaves either the picture or
the word of who has it:

1. one transaction asks once more whether they may go (model.keeping), says in their rows that they have, and notes
   it in the audit: from here on nothing new can want them
2. what was here, and who has it, is durable in the spool (spool.release)
3. the bitstreams go
4. a transaction notes that this is done

A crash after 1: they are here after all. After 2: 3 and 4 follow at the next start. All block: not for the loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from smartbox_tui.engine.delivery import variants
from smartbox_tui.model import keeping
from smartbox_tui.model.keeping import Policy, Row
from smartbox_tui.spool import ledger, release
from smartbox_tui.spool.bitstream import captured
from smartbox_tui.spool.durable import fsync_dir
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.spool.release import Release
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, read_sidecar
from smartbox_tui.store import audit, retention
from smartbox_tui.store.database import Store
from smartbox_tui.store.retention import Picture

log = logging.getLogger(__name__)

Told = dict[tuple[str, str], ledger.Promise]
"""The last promise by (SOP Instance UID, destination)."""

AT_ONCE: Final = 50
"""Pictures in one transaction: others who write wait for no more."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What went: the pictures' ids and the bytes of their bitstreams."""

    pictures: tuple[str, ...] = ()
    bytes: int = 0

    def __add__(self, other: Gone) -> Gone:
        return Gone(self.pictures + other.pictures, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class _Going:
    """A picture that may go, as far as the spool can tell."""

    picture: Picture
    sidecar: Sidecar
    file: str
    bytes: int
    sha256: str


class LettingGo:
    """`now()` RFC 3339, for the record."""

    def __init__(self, spool: Path, store: Store, now: Callable[[], datetime]) -> None:
        self._spool, self._store, self._now = spool, store, now

    def promised(self, folder: str, policy: Policy, why: str, *, most: int | None = None) -> Gone:
        """Lets go of what archives have promised, oldest first, until `most` bytes went. Raises OSError,
        disk-full."""
        path = exam_dir(self._spool, folder)
        told: Told | None = None
        gone, chunk, size = Gone(), [], 0
        for picture in retention.pictures(self._store.reader, folder):
            if picture.discarded or keeping.why_not(picture.rows, policy):
                continue
            if told is None:
                told = {(item.uid, item.destination): item for item in ledger.read(path)}
            going = self._look(path, picture, told, SidecarState.CLOSED)
            if going is None:
                continue
            chunk.append(going)
            size += going.bytes
            full = most is not None and gone.bytes + size >= most
            if len(chunk) == AT_ONCE or full:
                gone += self._let_go(path, chunk, policy, why)
                chunk, size = [], 0
            if full:
                break
        return gone + self._let_go(path, chunk, policy, why)

    def discarded(self, folder: str, picture: str) -> Gone:
        """Lets go of a picture that the operator took back, whatever archives have. Raises OSError, disk-full."""
        path = exam_dir(self._spool, folder)
        row = next((item for item in retention.pictures(self._store.reader, folder) if item.id == picture), None)
        if row is None or not keeping.discarded_may_go(row.rows):
            return Gone()
        going = self._look(path, row, {}, SidecarState.DISCARDED)
        return self._let_go(path, [going] if going else [], None, release.DISCARDED)

    def never_adopted(self, folder: Path, sidecar: Sidecar) -> int:
        """The same of one that was taken back before the engine ever had it: no row speaks of it. The bytes."""
        if sidecar.state is not SidecarState.DISCARDED or not release.is_here(folder, sidecar):
            return 0
        release.append(folder, [self._fact(_going(folder, sidecar, _unknown(sidecar)), release.DISCARDED)])
        size = release.remove(folder, sidecar)
        fsync_dir(folder)
        return size

    # ---- the steps

    def _look(self, folder: Path, picture: Picture, told: Told, state: SidecarState) -> _Going | None:
        """None where the spool does not say the same as the tables: then it stays."""
        try:
            sidecar = read_sidecar(folder / f"{picture.id}.json")
        except (OSError, ValueError) as exc:
            log.warning("picture %s stays: its sidecar is not readable (%s)", picture.id, type(exc).__name__)
            return None
        if sidecar.state is not state:
            return None
        if state is SidecarState.CLOSED and not all(_stands(row, told) for row in picture.rows):
            log.error("picture %s stays: the ledger does not have the promise of its row", picture.id)
            return None
        picture = replace(picture, rows=tuple(_since(row, told) for row in picture.rows))
        if release.is_here(folder, sidecar):
            return _going(folder, sidecar, picture)
        known = release.read(folder).get(picture.id)
        if known is None:
            log.error("picture %s is missing; store check tells more", picture.id)
            return None
        return _Going(picture, sidecar, known.file, known.bytes, known.sha256)  # its row is older than that

    def _let_go(self, folder: Path, chunk: list[_Going], policy: Policy | None, why: str) -> Gone:
        if not chunk:
            return Gone()
        at = self._now().isoformat(timespec="milliseconds")
        going = self._store.write(
            lambda database: self._decide(database, folder.name, chunk, policy, why, at)
        ).result()
        if not going:
            return Gone()
        try:
            facts = [self._fact(item, why, at) for item in going if release.is_here(folder, item.sidecar)]
            release.append(folder, facts)
        except BaseException:
            self._keep(folder.name, [item.picture.id for item in going])
            raise
        self._remove(folder, [item.sidecar for item in going])
        return Gone(tuple(item.picture.id for item in going), sum(item.bytes for item in going))

    @staticmethod
    def _decide(
        database: Any, folder: str, chunk: Iterable[_Going], policy: Policy | None, why: str, at: str
    ) -> list[_Going]:
        """Step 1. `policy` None: they were discarded."""
        now = {item.id: item for item in retention.pictures(database, folder)}
        may = policy is None or bool(retention.shelves(database, folder))
        going = []
        for item in chunk:
            row = now.get(item.picture.id)
            if row is None or not may or row.discarded != (policy is None):
                continue
            if keeping.why_not(row.rows, policy) if policy else not keeping.discarded_may_go(row.rows):
                continue
            going.append(item)
        if going:
            retention.mark(database, [item.picture.id for item in going], at)
            detail = {"pictures": len(going), "bytes": sum(item.bytes for item in going), "why": why}
            audit.add(database, "box", "pictures-released", going[0].picture.exam, detail)
        return going

    def _fact(self, item: _Going, why: str, at: str | None = None) -> Release:
        at = at or self._now().isoformat(timespec="milliseconds")
        holders = keeping.holders(item.picture.rows)
        return Release(at, item.picture.id, item.file, item.bytes, item.sha256, why, holders)

    def _remove(self, folder: Path, sidecars: Iterable[Sidecar]) -> None:
        sidecars = list(sidecars)
        for sidecar in sidecars:
            release.remove(folder, sidecar)
        fsync_dir(folder)
        ids = [sidecar.id for sidecar in sidecars]
        self._store.write(lambda database: retention.done(database, ids)).result()

    # ---- after a crash

    def recover(self) -> int:
        """What a crash left between its row and its bitstream: gone where the spool has it in writing, else here
        again. Returns how many. Raises SmartBoxError."""
        left = retention.left(self._store.reader)
        kept: dict[str, list[str]] = {}
        for picture, name in left:
            folder = exam_dir(self._spool, name)
            try:
                sidecar = read_sidecar(folder / f"{picture}.json")
                if picture in release.read(folder):
                    self._remove(folder, [sidecar])
                else:
                    kept.setdefault(name, []).append(picture)
            except (OSError, ValueError) as exc:
                log.error("picture %s is between here and gone: %s", picture, type(exc).__name__)
        for name, pictures in kept.items():
            self._keep(name, pictures)
        return len(left)

    def _keep(self, folder: str, pictures: list[str]) -> None:
        def job(database: Any) -> None:
            retention.unmark(database, pictures)
            audit.add(database, "box", "pictures-kept", folder, {"pictures": len(pictures)})

        self._store.write(job).result()


def _stands(row: Row, told: Told) -> bool:
    """A promise in the tables stands in the ledger too, which is written first."""
    if row.state not in (keeping.STORED, keeping.COMMITTED):
        return True
    promise = told.get((row.uid, row.destination))
    return promise is not None and promise.state in (keeping.STORED, keeping.COMMITTED)


def _since(row: Row, told: Told) -> Row:
    """With the time at which the archive said so: the table may have been made anew."""
    promise = told.get((row.uid, row.destination))
    return row if promise is None else replace(row, changed_at=promise.at)


def _going(folder: Path, sidecar: Sidecar, picture: Picture) -> _Going:
    own = variants.own(folder, sidecar) or captured(sidecar)
    return _Going(picture, sidecar, own.file, own.bytes, own.sha256)


def _unknown(sidecar: Sidecar) -> Picture:
    return Picture(sidecar.id, sidecar.exam, sidecar.exam, sidecar.bytes, True, ())
