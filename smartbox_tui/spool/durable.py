"""Writes that survive the plug being pulled: file fsync, rename, folder fsync, in that order."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from smartbox_tui.errors import SmartBoxError


def fsync_dir(path: Path) -> None:
    """Makes names in the folder durable: a file's own fsync does not cover its name."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns ENOSPC and EDQUOT into `disk-full`, with what to do."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SmartBoxError(
                "disk-full",
                f"No space left for pictures on the disk of {path.parent.name}.",
                "Send or release stored exams, or attach a larger disk; nothing taken so far is lost.",
            ) from exc
        raise


def write_new(path: Path, data: bytes | bytearray | memoryview, *, sync_folder: bool = True) -> None:
    """Writes a file that appears whole or not at all; fsynced with its folder when this returns.

    Raises SmartBoxError `disk-full`; a half-written temporary file is removed.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with disk_errors(path):
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
                os.fsync(fd)
            finally:
                os.close(fd)
            temporary.rename(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        if sync_folder:
            fsync_dir(path.parent)


def write_json(path: Path, value: Any, *, sync_folder: bool = True) -> None:
    """`write_new` of a JSON object, UTF-8, one line: readable with any tool over SSH."""
    write_new(path, json.dumps(value, ensure_ascii=False).encode(), sync_folder=sync_folder)


def append_lines(path: Path, values: Iterable[Any]) -> None:
    """Appends JSON values, one a line; durable when it returns, with the file's name. Raises disk-full.

    What a power cut or a full disk cut short becomes a line of its own, which readers pass over. It is not cut off:
    others append to the same file at the same time.
    """
    data = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    with disk_errors(path):
        new = not path.exists()
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":
                data = b"\n" + data
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        if new:
            fsync_dir(path.parent)


def make_folder(path: Path) -> None:
    """Creates the folder and makes its name durable in its parent. Existing is fine."""
    with disk_errors(path):
        if not path.is_dir():
            path.mkdir(mode=0o750, parents=True, exist_ok=True)
            fsync_dir(path.parent)
