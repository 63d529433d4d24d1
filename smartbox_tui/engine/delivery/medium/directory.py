"""The DICOMDIR at a medium's root: read, written whole, and known again."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from smartbox_tui.dicom.fileset import DamagedDirectory, FileSet, ForeignDirectory
from smartbox_tui.engine.delivery.medium import faults
from smartbox_tui.engine.delivery.medium.files import CHUNK, MediumError, Root
from smartbox_tui.engine.delivery.medium.pulse import Pulse
from smartbox_tui.model.medium import CORRUPT

DICOMDIR: Final = "DICOMDIR"
NEW: Final = "DICOMDIR.TMP"
LARGEST: Final = 256 << 20
"""Bytes of a DICOMDIR: a million objects."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How the DICOMDIR lay there when it was last read or written; another size, time or place: somebody else was
    at it."""

    size: int
    time_ns: int
    inode: int


def read_directory(root: Root) -> FileSet | None:
    """None: the medium has no DICOMDIR. Raises refused for one that is not ours or not whole, MediumError."""
    if root.stat((DICOMDIR,)) is None:
        return None
    try:
        return FileSet.parse(root.read((DICOMDIR,), LARGEST))
    except ForeignDirectory:
        raise faults.foreign(root.path) from None
    except DamagedDirectory as exc:
        raise faults.damaged(root.path, str(exc)) from None
    except ValueError as exc:
        raise faults.damaged(root.path, str(exc)) from None


def seen(root: Root) -> Seen | None:
    found = root.stat((DICOMDIR,))
    return Seen(found.st_size, found.st_mtime_ns, found.st_ino) if found is not None else None


def write_directory(root: Root, found: FileSet, pulse: Pulse) -> None:
    """Whole, or as it was: nothing stops it any more. Raises MediumError."""
    digest = root.write((NEW,), _pieces(found.image), pulse.unstoppable())
    if root.digest((NEW,), pulse.unstoppable()) != digest:
        raise MediumError(OSError(errno.EIO, CORRUPT))
    root.rename((NEW,), (DICOMDIR,))


def _pieces(image: bytearray) -> Iterator[memoryview]:
    view = memoryview(image)
    return (view[at : at + CHUNK] for at in range(0, len(view), CHUNK))
