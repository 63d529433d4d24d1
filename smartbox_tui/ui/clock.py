"""The console's two clocks, passed in so that tests and screenshots stand still."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The wall clock in the box's zone, and CLOCK_MONOTONIC: the clock of triggers, frames and Textual's events."""

    def now(self) -> datetime:
        return datetime.now(UTC).astimezone()

    def monotonic_s(self) -> float:
        return time.monotonic()

    def local(self, moment: datetime) -> datetime:
        """The same moment in the box's zone; one without offset is taken as it is."""
        return moment if moment.tzinfo is None else moment.astimezone()
