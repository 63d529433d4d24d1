"""`store check` and `store rebuild`: the spool against the database, and the database from the spool."""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path
from typing import Any

from smartbox_tui.engine.delivery import variants
from smartbox_tui.engine.exams.adopt import Adopter
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.delivery import OPEN, PROMISED
from smartbox_tui.settings.paths import Paths
from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool import release
from smartbox_tui.spool.bitstream import captured
from smartbox_tui.spool.examfile import read_exam, read_revision
from smartbox_tui.spool.layout import exam_folders, header_name, sidecar_paths
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, read_sidecar
from smartbox_tui.store import queries, records
from smartbox_tui.store.database import Store, integrity

log = logging.getLogger(__name__)


def rebuild(paths: Paths, settings: Settings) -> dict[str, Any]:
    """Makes the database anew; the old one is moved aside, never removed. Deliveries come out as the spool
    says: promised ones stored, the others as a new picture's would be. Raises disk-full, refused."""
    old = _move_aside(paths.database)
    store = Store(paths.database)
    adopter = Adopter(paths.spool, store, lambda: settings)
    exams, unreadable = 0, []
    try:
        for folder in sorted(exam_folders(paths.spool), key=lambda path: path.name):
            try:
                exam = read_exam(folder)
                revision = read_revision(folder, exam.revision)
                store.write(lambda db, exam=exam, revision=revision: records.put_exam(db, exam, revision)).result()  # type: ignore[misc]
                done = adopter.exam(exam.id)
            except (OSError, ValueError, SmartBoxError) as exc:
                log.error("exam %s cannot be taken: %s", folder.name, type(exc).__name__)
                unreadable.append(folder.name)
                continue
            exams += 1
            unreadable += [f"{folder.name}: {item}" for item in done.unreadable]
        counts = queries.counts(store.reader)
        pictures = queries.instance_total(store.reader)
    finally:
        store.close()
    return {
        "ok": not unreadable,
        "exams": exams,
        "instances": pictures,
        "stored": sum(counts[state.value] for state in PROMISED),
        "open": sum(counts[state.value] for state in OPEN),
        "unreadable": unreadable,
        "old": old,
    }


def _move_aside(database: Path) -> str | None:
    """The database and its -wal and -shm get a name with the time; returns it."""
    if not database.exists():
        return None
    stamp = time.strftime("%Y%m%dT%H%M%S")
    for suffix in ("-wal", "-shm", ""):
        path = database.with_name(database.name + suffix)
        if path.exists():
            path.rename(database.with_name(f"{database.name}.{stamp}{suffix}"))
    return f"{database.name}.{stamp}"


def check(paths: Paths, *, hashes: bool) -> dict[str, Any]:
    """Compares, changes nothing. Each problem: {"exam", "what", "problem"}; `ok` when there is none. `released`:
    pictures that only archives have."""
    problems: list[dict[str, str]] = []

    def found(exam: str, what: str, problem: str) -> None:
        problems.append({"exam": exam, "what": what, "problem": problem})

    store: Store | None = None
    if not paths.database.exists():
        found("", paths.database.name, "is missing; run store rebuild, or start the engine: it adopts the spool")
    else:
        try:
            if (word := integrity(paths.database)) != "ok":
                found("", paths.database.name, word)
            store = Store(paths.database)
        except Exception as exc:  # noqa: BLE001 - whatever SQLite says of a damaged file is the finding
            found("", paths.database.name, f"{exc}; run store rebuild")
    exams = pictures = released = 0
    for folder in exam_folders(paths.spool):
        exams += 1
        try:
            exam = read_exam(folder)
            read_revision(folder, exam.revision)
        except (OSError, ValueError) as exc:
            found(folder.name, "exam.json", f"is not readable ({type(exc).__name__})")
            continue
        known = queries.instance_ids_in(store.reader, folder.name) if store else None
        gone = release.read(folder)
        for path in sidecar_paths(folder):
            pictures += 1
            try:
                sidecar = read_sidecar(path)
            except (OSError, ValueError) as exc:
                found(folder.name, path.name, f"is not readable ({type(exc).__name__})")
                continue
            released += sidecar.id in gone and not release.is_here(folder, sidecar)
            for what, problem in _picture_problems(folder, sidecar, exam.revision, known, hashes=hashes):
                found(folder.name, what, problem)
    if store is not None:
        store.close()
    return {
        "ok": not problems,
        "exams": exams,
        "pictures": pictures,
        "released": released,
        "problems": problems,
    }


def _picture_problems(
    folder: Path, sidecar: Sidecar, revision: int, known: frozenset[str] | None, *, hashes: bool
) -> list[tuple[str, str]]:
    if sidecar.state is not SidecarState.CLOSED:
        return []
    result = []
    own = variants.own(folder, sidecar) or captured(sidecar)  # not made yet: what was recorded
    bitstream = folder / own.file
    if release.of_picture(folder, sidecar) is not None:
        pass  # archives have it
    elif not bitstream.exists():
        result.append((own.file, "the bitstream is missing"))
    elif bitstream.stat().st_size < own.bytes:
        result.append((own.file, "the bitstream is shorter than its sidecar says"))
    elif hashes and own.sha256 and _sha256(bitstream, own.bytes) != own.sha256:
        result.append((own.file, "the bitstream is not what was written (hash)"))
    if known is not None and sidecar.id not in known:
        result.append((sidecar.file, "is not adopted yet: start the engine"))
    elif not (folder / header_name(sidecar.id, revision)).exists():
        result.append((sidecar.file, "has no header"))
    return result


def _sha256(path: Path, length: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while length and (block := file.read(min(length, 1 << 20))):
            digest.update(block)
            length -= len(block)
    return digest.hexdigest()
