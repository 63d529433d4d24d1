"""The real console as a program, for the terminal tests: `python -m tests.ui.program RUNTIME`."""

from __future__ import annotations

import sys
from pathlib import Path

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.paths import Paths
from smartbox_tui.ui.app import run
from tests.support.fakebox import loaded

if __name__ == "__main__":
    runtime = Path(sys.argv[1])
    try:
        sys.exit(run(Paths(runtime, runtime), loaded()))
    except SmartBoxError as exc:  # as the command line prints it
        sys.exit(f"{exc.message}\n{exc.hint}")
