"""The file that a media child makes: hidden until it is whole, then durable under its name."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool.durable import disk_errors, fsync_dir

_unfinished: dict[Path, BinaryIO] = {}
"""Hidden files that this process is making."""


def give_up(status: int) -> NoReturn:
    """Ends the process at once with nothing left of what it was making, from a handler of a signal: an exception
    raised there may be swallowed in a callback of the library that reads and writes."""
    for path, file in _unfinished.items():
        with contextlib.suppress(OSError, ValueError):
            here, there = os.fstat(file.fileno()), path.stat()
            if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                path.unlink()
    os._exit(status)


def hidden(path: Path) -> Path:
    """Where `path` is made. The same for every run: what a killed one left behind the next one takes over."""
    return path.with_name(f".{path.name}.tmp")


@contextlib.contextmanager
def making(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Gives the hidden file's path and itself, empty, for reading and writing. When the block ends it is fsynced,
    renamed to `path` (what is there is replaced), and its folder is fsynced; when it raises nothing is left.

    Raises SmartBoxError: disk-full, not-found (no such folder), in-use (another is making it), refused.
    """
    temporary = hidden(path)
    with disk_errors(path):
        try:
            file = _locked(temporary)
        except FileNotFoundError:
            raise SmartBoxError("not-found", f"There is no folder for {path.name}.", "Make it first.") from None
        except BlockingIOError:
            raise SmartBoxError("in-use", f"{path.name} is being made already.", "Wait for it.") from None
        except PermissionError as exc:
            raise SmartBoxError(
                "refused", f"{path.name} is not written: {exc.strerror}.", "Check the rights."
            ) from exc
        with file, _given_up_with(temporary, file):
            try:
                yield temporary, file
                file.flush()
                os.fsync(file.fileno())
                temporary.rename(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        fsync_dir(path.parent)


@contextlib.contextmanager
def scratch(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A second hidden file beside the one that `making(path)` is making, removed when the block ends."""
    temporary = path.with_name(f".{path.name}.ts.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with temporary.open("w+b") as file, _given_up_with(temporary, file):
            yield temporary, file
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _given_up_with(path: Path, file: BinaryIO) -> Iterator[None]:
    _unfinished[path] = file
    try:
        yield
    finally:
        del _unfinished[path]


def _locked(temporary: Path) -> BinaryIO:
    """The hidden file, ours alone until it is closed, and empty."""
    while True:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            here = os.fstat(descriptor)
            try:
                there = temporary.stat()
            except FileNotFoundError:
                there = None
            # Another may have renamed or removed it between opening and locking.
            if there is not None and (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                os.ftruncate(descriptor, 0)
                return os.fdopen(descriptor, "w+b")
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
