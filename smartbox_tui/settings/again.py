"""Settings that do not hold, read again until they do: somebody is going to mend the file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.load import SITE_FILE, SYSTEM_FILE, load

LOOK_S: Final = 1.0
"""Between two looks."""

_Stamp = tuple[tuple[int, int, int], ...]


class Again:
    """`trouble` is what `load` raised; `look` brings it up to date."""

    def __init__(self, config: Path | None, state: Path, trouble: SmartBoxError) -> None:
        self.trouble = trouble
        self._config = config
        self._state = state
        self._files = (config or SYSTEM_FILE, state / SITE_FILE)
        self._good: _Stamp | None = None

    def look(self) -> bool:
        """Reads them; True once they hold, and the files are those of the look before: an editor may empty a file
        before it writes it, and no settings at all are settings that hold."""
        stamp = tuple(_stamp(path) for path in self._files)
        try:
            load(self._config, self._state, fallback=True)
        except SmartBoxError as exc:
            self.trouble = exc
            self._good = None
            return False
        settled = stamp == self._good
        self._good = stamp
        return settled


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)
