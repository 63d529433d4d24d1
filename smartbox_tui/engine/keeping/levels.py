"""Bytes as hours of recording: when pictures go before their days are over, and when somebody has to be called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from smartbox_tui.settings.schema import Settings
from smartbox_tui.spool.room import Room, room

HOUR_S: Final = 3600
CONTAINER: Final = 1.04
"""A transport stream has 188 bytes for 184, and a packet of each picture that is not full."""
NO_SOURCE: Final = 8_000_000
"""Bits a second where nothing records: as one source at the usual rate, so that a full disk is told."""
URGENT_HOURS: Final = 2.0
WARN_HOURS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Levels:
    """`per_hour` bytes that all sources together record in an hour. Below `begin` bytes free the oldest pictures
    go, until `end` are free; below `warn` somebody is told when that does not help."""

    room: Room
    per_hour: float
    begin: int
    end: int
    warn: int

    @property
    def hours_left(self) -> float:
        """Until a recording of all sources is ended for want of room."""
        return max(0.0, self.room.free - self.room.stop) / self.per_hour


def bytes_per_hour(settings: Settings) -> float:
    rate = sum(item.bitrate for item in settings.sources if item.kind != "folder")
    return (rate or NO_SOURCE) * CONTAINER / 8 * HOUR_S


def levels(spool: Path, settings: Settings) -> Levels:
    """As it is now. Hours of a small disk are a part of it, or nothing would ever stay; and there is always room
    to begin a recording. `begin_hours` 0: nothing goes early. Raises OSError."""
    now = room(spool, settings.recording.reserve_bytes)
    per_hour = bytes_per_hour(settings)
    keep = settings.retention

    def mark(hours: float, share: int, least: float) -> int:
        return int(max(min(hours * per_hour, now.total / share), least))

    begin = mark(keep.begin_hours, 10, now.record * 1.25)
    end = max(mark(keep.end_hours, 5, now.record * 1.5), begin)
    warn = mark(WARN_HOURS, 10, now.record * 1.25)
    if keep.begin_hours <= 0:
        begin = end = 0
    return Levels(now, per_hour, begin, end, warn)
