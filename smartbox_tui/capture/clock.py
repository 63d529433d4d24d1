"""The two clocks: monotonic for what belongs to which moment, wall time for what people read."""

from __future__ import annotations

import time

from smartbox_tui.spool import clock

NS = clock.NS


def wall_of(monotonic_ns: int) -> str:
    """The wall time of a moment of CLOCK_MONOTONIC, RFC 3339 with offset and milliseconds."""
    ago_ns = time.monotonic_ns() - monotonic_ns
    return clock.wall(time.time_ns() - ago_ns)


def elapsed_ms(since_ns: int) -> float:
    """Milliseconds since a moment of CLOCK_MONOTONIC."""
    return round((time.monotonic_ns() - since_ns) / 1e6, 3)
