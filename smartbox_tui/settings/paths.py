"""Folders of the contract, and the names in them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """`state` survives a reboot, `runtime` (tmpfs) does not."""

    state: Path
    runtime: Path

    @property
    def spool(self) -> Path:
        return self.state / "spool"

    @property
    def database(self) -> Path:
        return self.state / "smartbox.db"

    @property
    def engine_socket(self) -> Path:
        return self.runtime / "engine.sock"

    @property
    def capture_socket(self) -> Path:
        return self.runtime / "capture.sock"


def default_state() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/smartbox")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "smartbox"


def default_runtime() -> Path:
    if os.geteuid() == 0:
        return Path("/run/smartbox")
    base = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return Path(base) / "smartbox"


def paths(state: Path | None, runtime: Path | None) -> Paths:
    """The folders asked for, the contract's where none was."""
    return Paths((state or default_state()).absolute(), (runtime or default_runtime()).absolute())
