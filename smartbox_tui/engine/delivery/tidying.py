"""Made bitstreams go when no delivery needs them; the recorded TS goes when the MP4 is the picture."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Final

from smartbox_tui.engine.delivery import variants
from smartbox_tui.model.variant import Variant
from smartbox_tui.spool.bitstream import DERIVED, record_of, remuxed_name
from smartbox_tui.spool.durable import fsync_dir
from smartbox_tui.spool.layout import exam_folders
from smartbox_tui.spool.sidecar import Sidecar, read_sidecar
from smartbox_tui.store import queries, records
from smartbox_tui.store.database import Store

log = logging.getLogger(__name__)

_MADE: Final = (".ts", ".mp4", ".rgb")


def untidy(spool: Path) -> set[Path]:
    """The exams' folders that hold made bitstreams."""
    return {folder for folder in exam_folders(spool) if made_files(folder) or any(folder.glob("*.mp4.json"))}


def made_files(folder: Path) -> list[Path]:
    """Bitstreams in `derived/`, with or without a record, and what children left half made."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        found += [path for path in (folder / DERIVED).iterdir() if _name_of(path).endswith(_MADE)]
    return found


def _name_of(path: Path) -> str:
    """What the file is called, or is to be called once its child is done."""
    return path.name[1:].removesuffix(".tmp") if path.name.startswith(".") else path.name


def tidy(folder: Path, store: Store) -> tuple[list[str], bool]:
    """Removes what no open delivery may be composed of; what is being made is for an open one. Returns the pictures
    that became an MP4 now, and whether no made bitstream is left. Raises OSError."""
    needed: set[str] = set()
    remade: list[str] = []
    for row in queries.instances_in(store.reader, folder.name):
        if row.kind == queries.NOTE:
            continue
        try:
            sidecar = read_sidecar(folder / f"{row.id}.json")
            wanted = [Variant.parse(text) for text in queries.open_variants(store.reader, row.id)]
        except (OSError, ValueError):
            return remade, True  # whatever is wrong there, nothing is removed
        if wanted:
            needed |= variants.files_needed(sidecar, wanted)
        else:
            for left in folder.glob(f".{remuxed_name(sidecar.id)}*.tmp"):
                left.unlink(missing_ok=True)  # of a child that was ended
        if variants.is_left_over(folder, sidecar):
            _adopt_own(folder, sidecar, store)
            remade.append(sidecar.id)
    for path in made_files(folder):
        file = f"{DERIVED}/{_name_of(path)}"
        if path.name.startswith(".") and any(file.startswith(item) for item in needed):
            continue  # a child is at it, perhaps with a second one beside it
        if file not in needed:
            (folder / record_of(file)).unlink(missing_ok=True)  # without its record it counts no more
            path.unlink(missing_ok=True)
    return remade, not made_files(folder)


def drop_parked(spool: Path, store: Store) -> int:
    """Room is wanted on the disk: what was made for deliveries that cannot go now is removed, and made anew when
    they can; so are the small pictures for the screens. Returns the bytes; what cannot be removed stays."""
    freed = 0
    for folder in exam_folders(spool):
        try:
            made = [*made_files(folder), *(folder / DERIVED).glob("*.jpg")]
            if made:
                needed = set[str]()
                for row in queries.instances_in(store.reader, folder.name):
                    if wanted := queries.moving_variants(store.reader, row.id):
                        sidecar = read_sidecar(folder / f"{row.id}.json")
                        needed |= variants.files_needed(sidecar, [Variant.parse(text) for text in wanted])
                freed += sum(_drop(folder, path) for path in made if f"{DERIVED}/{_name_of(path)}" not in needed)
        except (OSError, ValueError):
            continue
    return freed


def _drop(folder: Path, path: Path) -> int:
    """A finished file; what a child is at is left alone."""
    if path.name.startswith("."):
        return 0
    size = path.stat().st_blocks * 512
    (folder / record_of(f"{DERIVED}/{path.name}")).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    return size


def _adopt_own(folder: Path, sidecar: Sidecar, store: Store) -> None:
    own = variants.own(folder, sidecar)
    if own is not None:
        file, size = own.file, own.bytes
        store.write(lambda database: records.set_bitstream(database, sidecar.id, file, size)).result()
        drop_recorded(folder, sidecar)


def drop_recorded(folder: Path, sidecar: Sidecar) -> bool:
    """The TS of a picture that is an MP4 now: only when the MP4 has its record, which is written last, its whole
    length, and all frames that were recorded (DESIGN section 4). True when it was removed. Raises OSError."""
    if not variants.is_left_over(folder, sidecar):
        return False
    (folder / sidecar.file).unlink()
    fsync_dir(folder)
    return True
