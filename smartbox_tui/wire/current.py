"""`current.json` in the runtime folder: the exam that capture works for. On tmpfs, gone after a reboot.

Capture writes it while it lives, the engine only while capture is away: one writer at a time.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Current:
    exam: str
    revision: int
    boot_id: str


def boot_id() -> str:
    """The kernel's id of this boot: CLOCK_MONOTONIC values compare only within one."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def read_current(runtime: Path) -> Current | None:
    """None when there is none, when it is of another boot, or when it cannot be read."""
    try:
        value = json.loads((runtime / "current.json").read_bytes())
        current = Current(str(value["exam"]), int(value["revision"]), str(value["boot_id"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return current if current.boot_id == boot_id() else None


def write_current(runtime: Path, current: Current | None) -> None:
    """Replaces the file in one step; None removes it. Not fsynced: it is meant to be gone after a reboot."""
    path = runtime / "current.json"
    if current is None:
        path.unlink(missing_ok=True)
        return
    temporary = runtime / ".current.json.tmp"
    temporary.write_text(json.dumps(asdict(current)), encoding="utf-8")
    temporary.replace(path)
