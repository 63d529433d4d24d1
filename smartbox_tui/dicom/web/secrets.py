"""Secrets from files, read when they are used: a renewed one holds at once. They go into no log and no message."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from smartbox_tui.errors import SmartBoxError

_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
_LONGEST: Final = 16384


class Unproven(SmartBoxError):
    """The box has nothing to show who it is."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__("calling-aet-rejected", message, hint)


def read_secret(name: str, key: str, peer_name: str) -> str:
    """The text of the file, without the line's end.

    name  a whole path, or the name of a systemd credential; key  of the settings, for the message
    Raises calling-aet-rejected: without it the box is nobody there.
    """
    path = Path(name)
    if not path.is_absolute():
        path = Path(os.environ.get(_CREDENTIALS, "/run/credentials")) / name
    if not name:
        raise _missing(peer_name, key, "is not set")
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
    except OSError as exc:
        raise _missing(peer_name, key, f"cannot be read from {path} ({exc.strerror})") from exc
    try:
        text = data.decode("utf-8").strip("\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text or len(data) > _LONGEST or not text.isprintable():
        raise _missing(peer_name, key, f"in {path} is not one line of text")
    return text


def _missing(peer_name: str, key: str, why: str) -> Unproven:
    return Unproven(
        f"The box cannot show {peer_name} who it is: {key} {why}.",
        f"Check the path in {key}, and that the box may read the file.",
    )
