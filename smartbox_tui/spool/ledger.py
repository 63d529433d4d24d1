"""The exam's ledger: every promise of an archive, appended and fsynced before the database says so.

One JSON object a line: {"at", "uid", "destination", "state", "detail"}. A torn last line (power cut) is
passed over when reading and cut off before the next append.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from smartbox_tui.spool.durable import append_lines
from smartbox_tui.spool.reserve import last_room

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
    """Appends and fsyncs; returns when durable, on a full disk with the box's last room. Raises disk-full."""
    values = [asdict(item) for item in promises]
    last_room(folder.parent, lambda: append_lines(folder / LEDGER_FILE, values))


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
