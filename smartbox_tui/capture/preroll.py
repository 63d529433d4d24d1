"""The ring of encoded frames that a recording begins with, whole GOPs from IDR to IDR."""

from __future__ import annotations

from collections import deque
from typing import Final

from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.clock import NS

_MARGIN_NS: Final = NS // 2
"""A press is known a little after it happened: keep that much more than asked for."""


class PrerollRing:
    """Bounded in time and in bytes, but never less than the GOP that is being made. `seconds` may be asked from any
    thread; the caller guards the rest."""

    def __init__(self, preroll_s: float, most_bytes: int) -> None:
        self._span_ns = int(preroll_s * NS) + _MARGIN_NS
        self._most_bytes = most_bytes
        self._gops: deque[list[AccessUnit]] = deque()
        self._bytes = 0

    def add(self, unit: AccessUnit) -> None:
        """A unit that no IDR came before cannot be decoded and is passed over."""
        if unit.idr:
            self._gops.append([unit])
        elif self._gops:
            self._gops[-1].append(unit)
        else:
            return
        self._bytes += len(unit.data)
        while len(self._gops) > 1 and (
            self._bytes > self._most_bytes or unit.timestamp_ns - self._gops[1][0].timestamp_ns >= self._span_ns
        ):
            self._bytes -= sum(len(old.data) for old in self._gops.popleft())

    def since(self, at_ns: int, not_before_ns: int = 0) -> list[AccessUnit]:
        """From the last IDR at or before `at_ns` on, or from the oldest; of one stream only, the newest. None from
        before `not_before_ns`."""
        units: list[AccessUnit] = []
        for gop in reversed(self._gops):
            # A GOP that ended long before the time asked for is what was there before the signal was lost.
            if units and (gop[0].stream != units[0].stream or gop[-1].timestamp_ns < at_ns - NS):
                break
            units = gop + units
            if gop[0].timestamp_ns <= at_ns:
                break
        if units and units[0].timestamp_ns < not_before_ns:
            for index, unit in enumerate(units):
                if unit.idr and unit.timestamp_ns >= not_before_ns:
                    return units[index:]
            return []
        return units

    @property
    def seconds(self) -> float:
        """What the ring holds right now of the newest stream."""
        gops = list(self._gops)
        if not gops:
            return 0.0
        last = gops[-1][-1]
        first = next(gop[0] for gop in gops if gop[0].stream is last.stream)
        return (last.timestamp_ns - first.timestamp_ns) / NS
