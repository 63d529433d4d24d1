"""What every subcommand is given, and how those that are processes log."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """What may stand anywhere after `smartbox`, and when the program was started.

    started_ns  CLOCK_MONOTONIC: the press of somebody who typed a command was no later than this
    """

    json: bool
    config: Path | None
    state: Path | None
    runtime: Path | None
    started_ns: int


def set_up_logging(name: str) -> None:
    """Standard error, one line an event; never patient data. SMARTBOX_LOG names a file instead."""
    target = os.environ.get("SMARTBOX_LOG")
    logging.basicConfig(
        filename=target or None,
        level=os.environ.get("SMARTBOX_LOG_LEVEL", "INFO"),
        format=f"%(asctime)s {name} %(levelname)s %(name)s: %(message)s",
    )
    # other people's chatter: an association's every event, and data sets at debug level
    logging.getLogger("pynetdicom").setLevel(logging.ERROR)
    logging.getLogger("pydicom").setLevel(logging.ERROR)
