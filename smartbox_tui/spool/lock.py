"""One process of a kind per state folder: an flock that dies with its holder, however it dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from smartbox_tui.errors import SmartBoxError


class FolderLock:
    """Holds `<state>/<name>.lock` from construction to `release`. Raises in-use when somebody has it."""

    def __init__(self, state: Path, name: str) -> None:
        path = state / f"{name}.lock"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise SmartBoxError(
                "in-use",
                f"Another {name} (process {holder or 'unknown'}) works on the state folder {state}.",
                f"Stop that one first, or give this {name} a --state folder of its own.",
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets go; the file stays (removing it would let two hold two files of one name)."""
        os.close(self._fd)
