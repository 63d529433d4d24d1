"""The box's own settings as they were: each change keeps the whole file, so that undoing brings back its bytes.

`settings/0007.toml` is `site.toml` as change 7 left it, `0007.json` says who made it, when, and what it touched. An
empty file stands for none at all. `site.toml` is the truth: a state that is only in the history was never in force.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

FOLDER: Final = "settings"
KEPT: Final = 50
_MODE: Final = 0o640


@dataclass(frozen=True, slots=True)
class Change:
    """`at` RFC 3339; `action`: put, undo, import, by-hand (the file was found changed), set-aside (the file did not
    hold); `of`: the change that an undo took back; `values` what is other in effect: path to before and after, None
    where there was or is none, secrets as ***; `command`: the id of the command, so that a repeat finds it."""

    number: int
    at: str = ""
    who: str = ""
    action: str = "put"
    values: dict[str, list[Any]] = field(default_factory=dict)
    of: int | None = None
    command: str = ""

    @property
    def paths(self) -> list[str]:
        return list(self.values)


def folder(state: Path) -> Path:
    return state / FOLDER


def file(state: Path, number: int) -> Path:
    return folder(state) / f"{number:04d}.toml"


def numbers(state: Path) -> list[int]:
    """Oldest first."""
    try:
        names = os.listdir(folder(state))  # noqa: PTH208
    except OSError:
        return []
    return sorted(int(name[:-5]) for name in names if name.endswith(".toml") and name[:-5].isdecimal())


def content(state: Path, number: int) -> bytes:
    """`site.toml` as that change left it. Raises FileNotFoundError when it is not kept any more."""
    return file(state, number).read_bytes()


def change(state: Path, number: int) -> Change:
    """What is known of it; a note that was lost leaves the number."""
    try:
        values = json.loads(file(state, number).with_suffix(".json").read_text(encoding="utf-8"))
        return Change(**{**values, "number": number})
    except (OSError, ValueError, TypeError):
        return Change(number, action="by-hand")


def changes(state: Path) -> list[Change]:
    """Newest first. The oldest kept state is only there to go back to."""
    return [change(state, number) for number in reversed(numbers(state)[1:])]


def append(state: Path, data: bytes, note: Change) -> None:
    """Keeps a state and forgets the oldest above KEPT. Durable when it returns."""
    make_folder(state)
    target = file(state, note.number)
    write(target.with_suffix(".json"), json.dumps(asdict(note), ensure_ascii=False).encode())
    write(target, data)
    for number in numbers(state)[: -KEPT - 1]:
        drop(state, number)


def make_folder(state: Path) -> None:
    where = folder(state)
    if not where.is_dir():
        where.mkdir(mode=0o750, parents=True, exist_ok=True)
        sync_folder(state)


def drop(state: Path, number: int) -> None:
    """Forgets a state."""
    for old in (file(state, number), file(state, number).with_suffix(".json")):
        with contextlib.suppress(OSError):
            old.unlink()


def write(path: Path, data: bytes) -> None:
    """Appears whole or not at all; fsynced with its folder when this returns. Raises OSError."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
        with os.fdopen(fd, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
