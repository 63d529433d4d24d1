"""The disk as the status tells it: hours of recording, and when somebody has to be called."""

from __future__ import annotations

from typing import Final

from smartbox_tui.engine.keeping.keeper import Figures
from smartbox_tui.engine.keeping.levels import URGENT_HOURS, Levels
from smartbox_tui.wire import state

_GB: Final = 1_000_000_000


def storage(now: Levels, figures: Figures) -> state.Storage:
    """Free space, the hours of recording it is good for by all sources together, and what is in the way."""
    return state.Storage(
        free_bytes=now.room.free,
        hours_left=round(now.hours_left, 1),
        total_bytes=now.room.total,
        undelivered_bytes=figures.undelivered,
        releasable_bytes=figures.releasable,
        records=now.room.free >= now.room.record,
    )


def alarm(now: Levels, figures: Figures) -> tuple[str, str]:
    """(code, message), empty where there is room, or the keeper makes it."""
    hours = f"Space for {now.hours_left:.1f} hours of recording is left"
    taken = f"{figures.undelivered / _GB:.1f} GB"
    kept = f"; pictures that no archive has yet take {taken}." if figures.undelivered else "."
    if now.room.free < now.room.record:
        return "disk-no-recording", f"No recording can be begun: {now.room.free >> 20} MB are free{kept}"
    if now.hours_left + figures.releasable / now.per_hour < URGENT_HOURS:
        return "disk-urgent", hours + kept
    if now.room.free + figures.releasable < now.warn:
        return "disk-low", hours + kept
    return "", ""
