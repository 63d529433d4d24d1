"""The settings file as it last held. The engine keeps a copy; a process that the service manager starts takes it
when the file itself cannot be read: a slip in an edit must not take the pictures away from people at night."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from smartbox_tui.settings import history

FILE: Final = "last-good.toml"
"""In the folder of the history: a first line of comment that says of what and when, then the file's own text."""


class LastGood(NamedTuple):
    """`at` RFC 3339, when it was kept."""

    text: str
    at: str


def read(state: Path, path: Path) -> LastGood | None:
    """What was kept of the settings file `path`; None: nothing, or of another file."""
    try:
        head, _, text = _place(state).read_text(encoding="utf-8").partition("\n")
        note = json.loads(head.removeprefix("# "))
        if note["of"] == os.fspath(path.absolute()):
            return LastGood(text, str(note["at"]))
    except (OSError, ValueError, TypeError, KeyError):
        pass  # what cannot be read is no help
    return None


def keep(state: Path, path: Path, text: str | None) -> None:
    """What was read of `path` and held; None: there is no such file, and nothing to go back to. Durable when it
    returns. Raises OSError."""
    place = _place(state)
    if text is None:
        place.unlink(missing_ok=True)
        return
    before = read(state, path)
    if before is not None and before.text == text:
        return
    history.make_folder(state)
    note = {"of": os.fspath(path.absolute()), "at": datetime.now().astimezone().isoformat(timespec="seconds")}
    history.write(place, f"# {json.dumps(note)}\n{text}".encode())


def _place(state: Path) -> Path:
    return history.folder(state) / FILE
