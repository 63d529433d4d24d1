"""The exam's ledger: every promise of an archive, appended and fsynced before the database says so.

One JSON object a line: {"at", "uid", "destination", "state", "detail"}. A torn last line (power cut) is
passed over when reading and cut off before the next append.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from smartbox_tui.spool.durable import disk_errors, fsync_dir

LEDGER_FILE: Final = "ledger.jsonl"


@dataclass(frozen=True, slots=True)
class Promise:
    """`state` is stored, committed or superseded; `detail` e.g. the archive's status in hex."""

    at: str
    uid: str
    destination: str
    state: str
    detail: str = ""


def append(folder: Path, promises: Iterable[Promise]) -> None:
    """Appends and fsyncs; returns when durable. Raises disk-full."""
    path = folder / LEDGER_FILE
    data = b"".join(json.dumps(asdict(item)).encode() + b"\n" for item in promises)
    with disk_errors(path):
        new = not path.exists()
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":
                os.write(fd, b"\n")  # a torn line becomes a line of its own, which the reader passes over
            os.write(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        if new:
            fsync_dir(folder)


def read(folder: Path) -> Iterator[Promise]:
    """All whole lines in order; no ledger yields nothing."""
    try:
        data = (folder / LEDGER_FILE).read_bytes()
    except FileNotFoundError:
        return
    for line in data.split(b"\n"):
        try:
            value = json.loads(line)
            yield Promise(**value)
        except (ValueError, TypeError):
            continue
