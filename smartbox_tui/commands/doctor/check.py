"""What a check is, what the checks are given, and how they are run: side by side, each only for so long."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from smartbox_tui.settings.paths import Paths
from smartbox_tui.settings.schema import Loaded, Settings

log = logging.getLogger(__name__)

COMMAND_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """One line. `ok` None: it could not be checked, `message` says why; `hint`: what to do."""

    id: str
    ok: bool | None
    message: str
    hint: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class Context:
    """What the fields look at. `engine` and `capture` are their answers to /v1/status, None while one is away."""

    folders: Paths
    config: Path | None = None
    settings: Settings = field(default_factory=Settings)
    loaded: Loaded | None = None
    engine: dict[str, Any] | None = None
    capture: dict[str, Any] | None = None

    @property
    def sources(self) -> list[dict[str, Any]]:
        """As capture says them, else the engine."""
        said = self.capture or self.engine or {}
        return [item for item in said.get("sources", []) if isinstance(item, dict)]

    @property
    def recording(self) -> bool:
        """Whether anything is recorded now: then nothing is done that costs time of the processor or the disk."""
        return any(item.get("recording") for item in self.sources)


Field = Callable[[Context], Iterable[Check]]
"""Yields its lines one by one: what it has found when its time is over counts."""


def run(context: Context, fields: dict[str, Field], seconds: float) -> list[Check]:
    """The lines of all fields in their order. One that has not ended by then is left behind, and says so."""
    found: dict[str, list[Check]] = {name: [] for name in fields}
    threads = {
        name: threading.Thread(target=_collect, args=(context, name, each, found[name]), name=name, daemon=True)
        for name, each in fields.items()
    }
    until = time.monotonic() + seconds
    for thread in threads.values():
        thread.start()
    lines: list[Check] = []
    for name, thread in threads.items():
        thread.join(max(0.0, until - time.monotonic()))
        lines += list(found[name])
        if thread.is_alive():
            text = f"could not be checked (further) because it took longer than {seconds:.0f} s"
            lines.append(Check(name, None, text, "Try again; a device or a server may hang."))
    return lines


def _collect(context: Context, name: str, each: Field, into: list[Check]) -> None:
    try:
        for line in each(context):
            into.append(line)
    except Exception as exc:  # a defect in one field must not hide the others
        log.debug("the check %s failed", name, exc_info=True)
        into.append(Check(name, None, f"could not be checked because of an error: {type(exc).__name__}: {exc}"))


def output(*command: str, seconds: float = COMMAND_S) -> str | None:
    """What a program of the system prints, in English; None where there is none, it fails or takes too long."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"},
        )
        return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
    return None


def text_of(path: Path) -> str:
    """A small file of /proc or /sys without white space around it; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return ""
