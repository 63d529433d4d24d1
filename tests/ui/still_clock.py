"""A clock that stands, in the zone of the fixtures: screens look the same on every machine and every day."""

from __future__ import annotations

from datetime import datetime

from smartbox_tui.ui.clock import Clock
from tests.support.fakebox import START


class StillClock(Clock):
    """`moment` and `seconds` are moved by hand."""

    def __init__(self) -> None:
        self.moment = START
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.moment

    def monotonic_s(self) -> float:
        return self.seconds

    def local(self, moment: datetime) -> datetime:
        return moment if moment.tzinfo is None else moment.astimezone(START.tzinfo)
