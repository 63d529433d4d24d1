"""`smartbox capture` on a machine with a hardware encoder that fails: `python -m tests.support.failing_capture`.

Options as the command has them. The encoder passes its test and fails some seconds after it has taken over.
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path

from smartbox_tui.capture.accelerated import Encoders
from smartbox_tui.capture.app import run
from smartbox_tui.capture.assembly import REAL
from smartbox_tui.settings.load import load
from smartbox_tui.settings.paths import Paths
from tests.support import encoders as fakes

PICTURES = 180
"""That it makes before it fails."""


def failing(folder: Path) -> Encoders:
    return fakes.encoders(
        fakes.candidate("qsv", fakes.made_by(fakes.OTHER, fakes.Fails, after=PICTURES), good=True), folder=folder
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="failing_capture")
    for name in ("config", "state", "runtime"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level="INFO")
    loaded = load(options.config, options.state)
    return run(Paths(options.state, options.runtime), loaded, replace(REAL, encoders=failing))


if __name__ == "__main__":
    sys.exit(main())
