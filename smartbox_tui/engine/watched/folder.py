"""The folder itself: what lies in it, what of it is whole, and where files go afterwards.

FOLDER/…             pictures arrive, also in folders within, as cards have them
FOLDER/done/DAY/     taken into the box; removed after some days
FOLDER/quarantine/   what could not be taken, each with a .txt beside it that says why

Everything blocks, for ever where a network drive hangs: for a thread of its own. Links are never followed. Names of
files may be patients' names: none leaves this module.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

from smartbox_tui.media.exif import read_exif
from smartbox_tui.spool import clock
from smartbox_tui.spool.durable import disk_errors, fsync_dir

log = logging.getLogger(__name__)

DONE: Final = "done"
QUARANTINE: Final = "quarantine"
MOST_BYTES: Final = 64 << 20
_NAMESPACE: Final = UUID("5f0cfb0c-2f0b-4d55-9b0e-6d2a3a3f2c11")
_SUFFIXES: Final = frozenset({".jpg", ".jpeg"})
_UNFINISHED: Final = frozenset({".tmp", ".part", ".partial", ".filepart", ".crdownload", ".txt"})
_DEPTH: Final = 3
_PEEK_BYTES: Final = 128 << 10
_PEEKS: Final = 500
"""So many new files are looked into at each scan."""
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SAID: Final = re.compile(r"\.[a-z0-9]{1,5}", re.ASCII)

Key = tuple[int, int, int, int]
"""Device, inode, size, time of the last change in ns: a file that has another one is another file."""


class Changed(Exception):
    """The file is not what it was when it was seen: it is looked at again later."""


@dataclass(frozen=True, slots=True)
class Peek:
    """`taken` by EXIF, naive where the camera names no offset; `camera` make, model and serial number."""

    taken: datetime | None
    camera: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that has not changed for a while. `quiet_s`: for how long."""

    path: Path
    key: Key
    peek: Peek
    quiet_s: float

    @property
    def changed_at(self) -> datetime:
        """The file's time."""
        return datetime.fromtimestamp(self.key[3] / 1e9).astimezone()

    @property
    def moment(self) -> datetime:
        """When it was taken, as the camera says, else the file's time."""
        return self.peek.taken.astimezone() if self.peek.taken is not None else self.changed_at


@dataclass(frozen=True, slots=True)
class Look:
    """`state` ok, gone, or read-only. `ready` in the order in which they were taken; `unsettled` still change, or
    were not yet looked into. `others` are no JPEGs and left alone."""

    state: str
    ready: tuple[Candidate, ...] = ()
    unsettled: int = 0
    quarantined: int = 0
    others: int = 0


@dataclass(frozen=True, slots=True)
class Grabbed:
    """The file's bytes in a file of our own. `id`: the picture's UUID, which follows from source and bytes."""

    id: str
    sha256: str
    work: Path


class Folder:
    def __init__(self, source: str, path: Path, work: Path) -> None:
        """`work` is a folder of ours alone; what a crash left in it is removed."""
        self._source, self._path, self._work = source, path, work
        self._seen: dict[Path, tuple[Key, float]] = {}
        self._peeks: dict[Path, tuple[Key, Peek]] = {}
        self._told: set[str] = set()
        work.mkdir(mode=0o750, parents=True, exist_ok=True)
        for left in work.glob("*.in"):
            left.unlink(missing_ok=True)
        for left in work.glob("*.out"):
            left.unlink(missing_ok=True)

    # ---- looking

    def scan(self, settle_s: float) -> Look:
        try:
            if not self._path.is_dir():
                return Look("gone")
            found, others = self._list()
            quarantined = self._count_quarantine()
        except OSError:
            self._seen.clear()
            return Look("gone")
        if not os.access(self._path, os.W_OK | os.X_OK):
            return Look("read-only", quarantined=quarantined)
        now_s = time.monotonic()
        before, self._seen = self._seen, {}
        ready, unsettled, peeks = [], 0, 0
        for path, key in found.items():
            known, since_s = before.get(path, (None, now_s))
            since_s = since_s if known == key else now_s
            self._seen[path] = key, since_s
            if now_s - since_s < settle_s:
                unsettled += 1
                continue
            peek = self._peeks.get(path)
            if peek is None or peek[0] != key:
                if peeks >= _PEEKS:
                    unsettled += 1
                    continue
                peeks += 1
                peek = self._peeks[path] = key, self._peek(path)
            ready.append(Candidate(path, key, peek[1], now_s - since_s))
        self._peeks = {path: peek for path, peek in self._peeks.items() if path in self._seen}
        ready.sort(key=lambda item: (item.moment, item.path))
        return Look("ok", tuple(ready), unsettled, quarantined, others)

    def _list(self) -> tuple[dict[Path, Key], int]:
        found, others = dict[Path, Key](), 0
        for entry, depth in self._walk(self._path, 0):
            if entry.name.startswith((".", "~")) or not entry.is_file(follow_symlinks=False):
                continue
            suffix = Path(entry.name).suffix.lower()
            if suffix in _SUFFIXES:
                found[Path(entry.path)] = _key(entry.stat(follow_symlinks=False))
            elif suffix not in _UNFINISHED:
                others += 1
                self._tell(suffix, depth)
        return found, others

    def _walk(self, folder: Path, depth: int) -> Iterator[tuple[os.DirEntry[str], int]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    yield entry, depth
                elif depth < _DEPTH and not (entry.name.startswith(".") or (not depth and entry.name in _OURS)):
                    try:
                        yield from self._walk(Path(entry.path), depth + 1)
                    except OSError:  # taken away in this moment, or not ours to read
                        continue

    def _tell(self, suffix: str, depth: int) -> None:
        said = suffix if _SAID.fullmatch(suffix) else "something else"
        if said not in self._told:
            self._told.add(said)
            log.info("source %s: files that end in %s are left alone (depth %d)", self._source, said, depth)

    def _count_quarantine(self) -> int:
        try:
            with os.scandir(self._path / QUARANTINE) as entries:
                return sum(
                    entry.is_file(follow_symlinks=False) and not entry.name.endswith(".txt") for entry in entries
                )
        except OSError:
            return 0

    def _peek(self, path: Path) -> Peek:
        try:
            fd = self._open(path)
            try:
                exif = read_exif(os.read(fd, _PEEK_BYTES))
            finally:
                os.close(fd)
        except (OSError, Changed):
            return Peek(None, "")
        return Peek(exif.taken, "|".join((exif.make, exif.model, exif.serial)).strip("|"))

    # ---- taking

    def _open(self, path: Path) -> int:
        """Open for reading, and lying in the folder also when a folder was made a link meanwhile."""
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            where = os.path.realpath(self._path) + os.sep
            is_here = str(Path(f"/proc/self/fd/{fd}").readlink()).startswith(where)
            if not is_here or not stat.S_ISREG(os.fstat(fd).st_mode):
                raise Changed
        except BaseException:
            os.close(fd)
            raise
        return fd

    def grab(self, candidate: Candidate) -> Grabbed:
        """Raises Changed, OSError, SmartBoxError disk-full. Its file is dropped when it is no longer needed."""
        fd = self._open(candidate.path)
        with contextlib.closing(os.fdopen(fd, "rb")) as file:
            if _key(os.fstat(fd)) != candidate.key:
                raise Changed
            data = file.read(MOST_BYTES + 1)
            if _key(os.fstat(fd)) != candidate.key or len(data) != min(candidate.key[2], MOST_BYTES + 1):
                raise Changed
        sha256 = hashlib.sha256(data).hexdigest()
        identity = str(uuid5(_NAMESPACE, f"{self._source}:{sha256}"))
        work = self._work / f"{identity}.in"
        with disk_errors(work):
            work.write_bytes(data)
        return Grabbed(identity, sha256, work)

    def drop(self, grabbed: Grabbed) -> None:
        grabbed.work.unlink(missing_ok=True)
        self.made(grabbed).unlink(missing_ok=True)

    @staticmethod
    def made(grabbed: Grabbed) -> Path:
        """Where the media child puts what it makes of it."""
        return grabbed.work.with_suffix(".out")

    # ---- putting away

    def put_away(self, candidate: Candidate, grabbed: Grabbed) -> None:
        """Into done/, under the day. Raises OSError: the file then stays, and is known when it is met again."""
        day = self._path / DONE / datetime.now().astimezone().date().isoformat()
        self._move(candidate, day, grabbed.sha256)

    def quarantine(self, candidate: Candidate, german: str, english: str, mark: str) -> None:
        """With a text beside it. Raises OSError. `mark` tells two files of one name apart."""
        folder = self._path / QUARANTINE
        target = self._target(candidate, folder, mark)
        text = f"{german}\n\n{english}\n\n{datetime.now().astimezone().isoformat(timespec='seconds')}\n"
        target.with_name(target.name + ".txt").write_text(text, encoding="utf-8")
        self._move(candidate, folder, mark)

    def _move(self, candidate: Candidate, folder: Path, mark: str) -> None:
        target = self._target(candidate, folder, mark)
        if _key(candidate.path.lstat()) != candidate.key:
            return  # another file by now: it is looked at anew
        candidate.path.replace(target)
        for changed in (folder, candidate.path.parent):
            with contextlib.suppress(OSError):  # network drives need not be able to
                fsync_dir(changed)
        self._seen.pop(candidate.path, None)
        self._peeks.pop(candidate.path, None)

    def _target(self, candidate: Candidate, folder: Path, mark: str) -> Path:
        for part in (self._path / folder.relative_to(self._path).parts[0], folder):
            if part.is_symlink():
                raise NotADirectoryError("a folder of the box is a link")
            part.mkdir(exist_ok=True)
        target = folder / candidate.path.name
        return target if not os.path.lexists(target) else folder / f"{target.stem}~{mark[:16]}{target.suffix}"

    def purge(self, days: float) -> int:
        """Removes what was taken more than `days` ago; how many days' folders. Not while the clock is unsure."""
        if not clock.synchronised():
            return 0
        before = (datetime.now().astimezone() - timedelta(days=days)).date()
        removed = 0
        with contextlib.suppress(OSError), os.scandir(self._path / DONE) as entries:
            for entry in entries:
                if (
                    entry.is_dir(follow_symlinks=False)
                    and _DAY.fullmatch(entry.name)
                    and _is_day(entry.name, before)
                ):
                    shutil.rmtree(entry.path, ignore_errors=True)
                    removed += 1
        return removed


_OURS: Final = frozenset({DONE, QUARANTINE})


def _key(found: os.stat_result) -> Key:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _is_day(name: str, before: date) -> bool:
    try:
        return date.fromisoformat(name) < before
    except ValueError:
        return False
