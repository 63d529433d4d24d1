"""A few megabytes that are kept for the worst moment: on a disk that somebody has filled, what an archive has
promised, that a picture was released, that an exam is closed, and the headers of what is to go out must still be
written. `spool/.reserve`; its blocks are given up for it. Stills leave more than that free, see spool.room.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from smartbox_tui.errors import SmartBoxError

T = TypeVar("T")

RESERVE_FILE: Final = ".reserve"
RESERVE_BYTES: Final = 8 << 20
"""A day's promises and header revisions, and the database's journal between two checkpoints."""
_SHARE: Final = 64
"""Of a small disk no more than that part."""


def give(spool: Path) -> bool:
    """The reserve's blocks are free for others; False when there is none to give."""
    try:
        fd = os.open(spool / RESERVE_FILE, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        had = os.fstat(fd).st_blocks > 0
        os.ftruncate(fd, 0)
    finally:
        os.close(fd)
    return had


def keep(spool: Path) -> bool:
    """Makes the reserve, or makes it whole again, where it leaves as much free as it takes; True when it stands."""
    stat = os.statvfs(spool)
    wanted = min(RESERVE_BYTES, stat.f_blocks * stat.f_frsize // _SHARE)
    path = spool / RESERVE_FILE
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_blocks * 512 >= wanted:
            return True
    if stat.f_bavail * stat.f_frsize < 2 * wanted:
        return False
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        os.posix_fallocate(fd, 0, wanted)
    except OSError as exc:
        os.ftruncate(fd, 0)
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            return False
        raise
    finally:
        os.close(fd)
    return True


def held(spool: Path) -> int:
    """Bytes that the reserve takes now."""
    try:
        return (spool / RESERVE_FILE).stat().st_blocks * 512
    except OSError:
        return 0


def last_room(spool: Path, write: Callable[[], T]) -> T:
    """Runs `write`, which may be repeated; a second time with the reserve's room when the disk is full. Raises
    what it raises."""
    try:
        return write()
    except SmartBoxError as exc:
        if exc.code != "disk-full" or not give(spool):
            raise
        return write()
