"""The terminal that the console is started on: whether it can show the screens, what kind of link leads to it."""

from __future__ import annotations

import contextlib
import curses
import io
import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Final

from smartbox_tui.errors import SmartBoxError

SSH: Final = "ssh"
LOCAL: Final = "local"
_OF_SSH: Final = ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT")
_SERVERS: Final = ("sshd", "dropbear")
_MANY: Final = frozenset({"256color", "kitty"})
"""Endings of TERM that stand for 256 colours (as rich reads them; all others are given sixteen)."""
_ANCESTORS: Final = 32


def kind(environ: Mapping[str, str], proc: Path = Path("/proc")) -> str:
    """`ssh` or `local`. sudo drops the variables of SSH: there the server is looked for among the ancestors."""
    if any(environ.get(name) for name in _OF_SSH):
        return SSH
    return SSH if "SUDO_USER" in environ and _below_a_server(os.getpid(), proc) else LOCAL


def _below_a_server(pid: int, proc: Path) -> bool:
    for _ in range(_ANCESTORS):
        try:
            start, _, rest = (
                (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
            )
            pid = int(rest.split()[1])
        except (OSError, ValueError, IndexError):
            return False
        if start.partition("(")[2].startswith(_SERVERS):
            return True
    return False


def few_colours(environ: Mapping[str, str]) -> bool:
    """Whether the terminal is given sixteen colours only."""
    term = environ.get("TERM", "").strip().lower()
    if term == "linux":
        return True
    if environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return False
    return bool(term) and term.rpartition("-")[2] not in _MANY


def foreign_charset(environ: Mapping[str, str]) -> str:
    """The character set that the login asks for where that is not UTF-8; empty: nothing is wrong. Python itself
    makes UTF-8 of the locales C and POSIX (PEP 538, PEP 540)."""
    wanted = next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), "")
    language, _, charset = wanted.partition("@")[0].partition(".")
    if language in ("", "C", "POSIX") or charset.lower().replace("-", "") == "utf8":
        return ""
    return charset or wanted


def prepare(environ: MutableMapping[str, str]) -> None:
    """Raises refused with a sentence for a terminal that cannot show the screens. What is written to it from now
    on is UTF-8, whatever the login's language is."""
    if not (os.isatty(0) and os.isatty(2)):
        raise SmartBoxError(
            "refused",
            "The console needs a terminal; this is a file or a pipe.",
            "Over SSH: `ssh -t box smartbox console`. For scripts: `smartbox ctl`.",
        )
    term = environ.get("TERM", "")
    if _colours(term) < 8:
        raise SmartBoxError(
            "refused",
            f"A terminal of the type {term or '(none)'} has no colours: it cannot show the screens.",
            "Most can more than they say: `TERM=xterm-256color smartbox console`. Else use `smartbox ctl`.",
        )
    if term == "linux":
        environ.pop("COLORTERM", None)  # sixteen colours: true ones would be rounded badly
    with contextlib.suppress(OSError):
        if all(os.get_terminal_size(2)):  # what a login exported holds only until the window changes
            for name in ("COLUMNS", "LINES"):
                environ.pop(name, None)
    for stream in (sys.__stdout__, sys.__stderr__):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def _colours(term: str) -> int:
    """As terminfo has it; a type that the box has never heard of is new, and no teleprinter."""
    if term in ("", "dumb", "unknown"):
        return 0
    with contextlib.suppress(curses.error):
        curses.setupterm(term, 2)
        return curses.tigetnum("colors")
    return 256
