"""Files below one opened folder: written, read back and named so that each is whole, or not there under its name.

Everything goes by the open folder, never again by its path: a medium that was pulled out meanwhile must not end in
the box's own disk taking what was meant for it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from smartbox_tui.engine.delivery.medium.pulse import Pulse

Parts = tuple[str, ...]
"""A place below the root, folder by folder."""

CHUNK: Final = 1 << 20
DURABLE: Final = 4 << 20
"""After so many bytes they are on the medium: progress that is true, and little to lose in the page cache."""

_UNKNOWN: Final = 1 << 62
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class MediumError(Exception):
    """The medium's own OSError, told from one of the pictures' disk."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause.strerror)
        self.errno = cause.errno or errno.EIO


@contextlib.contextmanager
def of_medium() -> Iterator[None]:
    """For what touches the medium alone. Raises MediumError."""
    try:
        yield
    except OSError as exc:
        raise MediumError(exc) from exc


class Root:
    """An open folder. All methods raise MediumError for what the medium does; `parts` are never from outside."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._claim = -1
        with of_medium():
            self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        claim, self._claim = self._claim, -1
        fd, self.fd = self.fd, -1
        for item in (claim, fd):
            if item >= 0:
                os.close(item)

    def claim(self, parts: Parts) -> bool:
        """Keeps others from it, as far as its file system tells them (flock(2)), until it is closed; False: another
        one has it."""
        if self._claim >= 0:
            return True
        with of_medium():
            fd = os.open("/".join(parts), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self.fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        except OSError:  # it has no locks at all
            pass
        self._claim = fd
        return True

    def leads_here(self) -> bool:
        """Whether the path still is this folder: nothing else was mounted over it, it was not unmounted."""
        with of_medium():
            own = os.fstat(self.fd)
        try:
            now = self.path.stat()
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == (own.st_dev, own.st_ino)

    def free_bytes(self) -> int:
        with of_medium():
            found = os.statvfs(self.fd)
        if not found.f_blocks:  # it does not say: then a write tells
            return _UNKNOWN
        return found.f_bavail * found.f_frsize

    def is_read_only(self) -> bool:
        with of_medium():
            return bool(os.statvfs(self.fd).f_flag & os.ST_RDONLY)

    def is_writable(self) -> bool:
        """By its rights, for the user that the box runs as."""
        with of_medium():
            return os.access(".", os.W_OK | os.X_OK, dir_fd=self.fd, effective_ids=True)

    # ---- names

    def names(self, parts: Parts) -> list[tuple[str, bool]]:
        """(name, whether it is a folder) of what is in there; nothing of a folder that is not there."""
        try:
            with self._folder(parts) as fd, of_medium(), os.scandir(fd) as found:
                return [(item.name, item.is_dir(follow_symlinks=False)) for item in found]
        except MediumError as exc:
            if exc.errno in (errno.ENOENT, errno.ENOTDIR):
                return []
            raise

    def stat(self, parts: Parts) -> os.stat_result | None:
        """None: it is not there, or no plain file."""
        with of_medium():
            try:
                found = os.stat("/".join(parts), dir_fd=self.fd, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                return None
        return found if stat.S_ISREG(found.st_mode) else None

    def make_folders(self, parts: Parts) -> None:
        """Durable, all the way down."""
        for depth in range(1, len(parts) + 1):
            with of_medium():
                try:
                    os.mkdir("/".join(parts[:depth]), 0o755, dir_fd=self.fd)
                except FileExistsError:
                    found = os.stat("/".join(parts[:depth]), dir_fd=self.fd, follow_symlinks=False)
                    if not stat.S_ISDIR(found.st_mode):  # a link could lead into the box's own disk
                        raise NotADirectoryError(errno.ENOTDIR, "what should be a folder is none") from None
                    continue
            self.sync_folder(parts[: depth - 1])

    def sync_folder(self, parts: Parts) -> None:
        with self._folder(parts) as fd, of_medium():
            os.fsync(fd)

    def rename(self, old: Parts, new: Parts) -> None:
        """Durable; what had the new name is gone."""
        with of_medium():
            os.rename("/".join(old), "/".join(new), src_dir_fd=self.fd, dst_dir_fd=self.fd)
        self.sync_folder(new[:-1])

    def remove(self, parts: Parts) -> None:
        with of_medium(), contextlib.suppress(FileNotFoundError):
            os.unlink("/".join(parts), dir_fd=self.fd)

    @contextlib.contextmanager
    def _folder(self, parts: Parts) -> Iterator[int]:
        with of_medium():
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
            fd = os.open("/".join(parts) or ".", flags, dir_fd=self.fd)
        try:
            yield fd
        finally:
            os.close(fd)

    # ---- bytes

    @contextlib.contextmanager
    def opened(self, parts: Parts) -> Iterator[int]:
        """To read: from the medium itself, not from what is left of it in memory."""
        with of_medium():
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            fd = os.open("/".join(parts), flags, dir_fd=self.fd)
        try:
            _forget(fd)
            yield fd
        finally:
            _forget(fd)
            os.close(fd)

    def read(self, parts: Parts, most: int) -> bytes:
        """Raises ValueError for a longer one."""
        with self.opened(parts) as fd, of_medium():
            size = os.fstat(fd).st_size
            if size > most:
                raise ValueError(f"it has {size} bytes")
            data = b""
            while piece := os.read(fd, CHUNK):
                data += piece
            return data

    def write(
        self, parts: Parts, chunks: Iterable[memoryview], pulse: Pulse, gone: Callable[[int], None] = lambda _: None
    ) -> bytes:
        """A new file, durable under this name; `gone` is told the bytes that are on the medium. Returns their hash.
        Raises TransferCancelled; what was written is removed then, and after every error, if that can be."""
        try:
            return self._write(parts, chunks, pulse, gone)
        except BaseException:
            with contextlib.suppress(MediumError):
                self.remove(parts)
            raise

    def _write(
        self, parts: Parts, chunks: Iterable[memoryview], pulse: Pulse, gone: Callable[[int], None]
    ) -> bytes:
        digest = hashlib.blake2b()
        with of_medium():
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            fd = os.open("/".join(parts), flags, 0o644, dir_fd=self.fd)
        try:
            written = durable = 0
            for chunk in chunks:  # reads the picture: an error of that is none of the medium
                pulse.check()
                digest.update(chunk)
                with of_medium():
                    rest = chunk
                    while rest:
                        count = os.write(fd, rest)
                        rest, written = rest[count:], written + count
                        pulse.beat()
                    if written - durable >= DURABLE:
                        os.fdatasync(fd)
                        _forget(fd)
                        durable = written
                        pulse.beat()
                        gone(written)
            with of_medium():
                os.fsync(fd)
            pulse.beat()
            gone(written)
        finally:
            os.close(fd)
        return digest.digest()

    def holds(self, parts: Parts, digest: bytes, pulse: Pulse) -> bool:
        """Whether the file reads back as what was hashed. Raises TransferCancelled."""
        return self.digest(parts, pulse) == digest

    def digest(self, parts: Parts, pulse: Pulse) -> bytes:
        found = hashlib.blake2b()
        buffer = memoryview(bytearray(CHUNK))
        with self.opened(parts) as fd:
            while True:
                pulse.check()
                with of_medium():
                    count = os.readv(fd, [buffer])
                if not count:
                    return found.digest()
                found.update(buffer[:count])
                pulse.beat()


def _forget(fd: int) -> None:
    """What is clean of the file leaves the page cache."""
    with contextlib.suppress(OSError):  # not every file system has an ear for it
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
