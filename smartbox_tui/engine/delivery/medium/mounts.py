"""What the kernel says about mounted file systems, and what it does with them."""

from __future__ import annotations

import ctypes
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TABLE: Final = Path("/proc/self/mountinfo")
_FAT: Final = frozenset({"vfat", "msdos", "umsdos", "fuse.fusefat"})
_FAT_LONGEST: Final = 2**32 - 1
_NOT_YET: Final = "autofs"
"""Stands where a file system is mounted as soon as somebody looks."""


@dataclass(frozen=True, slots=True)
class Mount:
    """`kind` as in vfat, ext4, nfs4. `identity` is another one after each mounting."""

    kind: str
    identity: int

    @property
    def longest_file(self) -> int | None:
        """In bytes; None where nothing that the box makes can be too long."""
        return _FAT_LONGEST if self.kind in _FAT else None


def mount_at(path: Path) -> Mount | None:
    """What is mounted exactly there; None for a folder of the file system around it. Raises OSError."""
    wanted = os.path.realpath(path)
    with os.scandir(wanted):  # an automounter mounts it now
        pass
    return _last(wanted)


def mount_below(path: Path) -> Mount | None:
    """What holds the folder, mounted there or further up. Raises OSError."""
    place = os.path.realpath(path)
    while (found := _last(place)) is None and place != "/":
        place = os.path.dirname(place)  # noqa: PTH120 (text of the kernel's table)
    return found


def _last(wanted: str) -> Mount | None:
    found = None
    for line in _TABLE.read_text("utf-8", "surrogateescape").splitlines():
        fields = line.split(" ")
        if _plain(fields[4]) == wanted:  # of several at one place the last one is on top
            kind = fields[fields.index("-") + 1]
            found = None if kind == _NOT_YET else Mount(kind, int(fields[0]))
    return found


def _plain(text: str) -> str:
    """Space, tab, line end and backslash stand there as octal numbers (proc(5))."""
    for code, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, sign)
    return text


def sync(fd: int) -> None:
    """Writes out all of the file system that this file lies on (syncfs(2)). Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(fd):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unmount(path: Path, timeout_s: float) -> bool:
    """Whether it is unmounted now. The box may lack the right to: then the medium is as whole, only still there."""
    try:
        done = subprocess.run(
            ["umount", "--", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
