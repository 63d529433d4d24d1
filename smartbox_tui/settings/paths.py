"""Folders of the contract, and the names in them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_STATE: Final = Path("/var/lib/smartbox")
_RUNTIME: Final = Path("/run/smartbox")


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
    """The box's own for root and for who is in the box's group, else the user's."""
    if os.geteuid() == 0 or os.access(_STATE, os.R_OK | os.X_OK):
        return _STATE
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "smartbox"


def default_runtime() -> Path:
    """As `default_state`."""
    if os.geteuid() == 0 or os.access(_RUNTIME, os.R_OK | os.X_OK):
        return _RUNTIME
    base = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return Path(base) / "smartbox"


def paths(state: Path | None, runtime: Path | None) -> Paths:
    """The folders asked for, the contract's where none was."""
    return Paths((state or default_state()).absolute(), (runtime or default_runtime()).absolute())
