"""What waits to be written of a recording, and where the recording ends. Who feeds it is never kept waiting."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.clock import NS

QUEUE_BYTES: Final = 32 << 20
"""What waits while the disk does not answer: half a minute at 8 Mbit/s. Then frames are counted as lost."""

_DRAIN_S: Final = 2.0
_LOOK_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a recording ends, and why.

    at_ns     nothing after that moment belongs to it (CLOCK_MONOTONIC); 0: nothing at all
    command   the command that asked for it; empty: none did
    note      what the last part's sidecar says of it
    failure   why it ends by itself
    """

    at_ns: int
    command: str = ""
    note: str = ""
    failure: str = ""


class Intake:
    """Thread-safe; `next` belongs to the writer. `drained` tells whether all frames read so far have been fed."""

    def __init__(self, drained: Callable[[], bool]) -> None:
        self._drained = drained
        self._changed = threading.Condition()
        self._queue: deque[AccessUnit] = deque()
        self._most_bytes = QUEUE_BYTES
        self._dropping = False
        self._lost = 0  # frames that nobody was told of yet
        self._came = False
        self._cut: tuple[int, str] | None = None
        self._ending: Ending | None = None
        self.preloaded = 0
        """Units that the recording begins with."""
        self.bytes = 0
        """What is fed and not yet taken."""

    def preload(self, units: list[AccessUnit]) -> None:
        """What the recording begins with, before all others; it is in memory already, so its size is no matter."""
        self._queue.extend(units)
        self.preloaded = len(units)
        self._came = any(unit.idr for unit in units)
        self.bytes = sum(len(unit.data) for unit in units)
        self._most_bytes = QUEUE_BYTES + self.bytes

    # ---- from the encoder's thread

    def feed(self, unit: AccessUnit) -> None:
        """Never blocks. A disk that does not answer for long costs whole GOPs, counted as lost."""
        with self._changed:
            if self.bytes > self._most_bytes:
                self._dropping = True
            if self._dropping:
                if not unit.idr or self.bytes > self._most_bytes // 2:
                    self._lost += 1 + unit.lost
                    return
                self._dropping = False
            if self._lost:
                unit = replace(unit, lost=unit.lost + self._lost)
                self._lost = 0
            self._queue.append(unit)
            self.bytes += len(unit.data)
            self._came = self._came or unit.idr
            self._changed.notify_all()

    # ---- from any thread

    @property
    def ending(self) -> Ending | None:
        """None: it goes on."""
        return self._ending

    @property
    def waits(self) -> bool:
        return bool(self._queue)

    def end(self, ending: Ending) -> None:
        """The first one counts."""
        with self._changed:
            self._ending = self._ending or ending
            self._changed.notify_all()

    def end_unless_begun(self, note: str) -> None:
        """Ends with nothing, as long as nothing came that a part can begin with."""
        with self._changed:
            if not self._came:
                self._ending = Ending(0, note=note)
                self._changed.notify_all()

    def cut(self, why: str) -> None:
        """What comes from now on belongs to a part of its own."""
        with self._changed:
            self._cut = self._cut or (time.monotonic_ns(), why)
            self._changed.notify_all()

    # ---- from the writer's thread

    def lose(self, unit: AccessUnit) -> None:
        """The unit cannot be written: the next that is fed tells of it."""
        with self._changed:
            self._lost += 1 + unit.lost

    def next(self) -> AccessUnit | str | None:
        """The next unit; None when the recording is over; a text where it is cut, and why. Waits for it."""
        with self._changed:
            while True:
                if self._cut is not None and self._all_before(self._cut[0]):
                    why = self._cut[1]
                    self._cut = None
                    return why
                if self._queue:
                    unit = self._queue.popleft()
                    self.bytes -= len(unit.data)
                    if self._ending is not None and unit.timestamp_ns > self._ending.at_ns:
                        return None
                    return unit
                # With a source that delivers nothing no later frame will ever say that all are here.
                if self._ending is not None and self._all_before(self._ending.at_ns):
                    return None
                self._changed.wait(_LOOK_S if self._ending is not None or self._cut is not None else None)

    def _all_before(self, at_ns: int) -> bool:
        """Whether every unit from before that moment has been taken."""
        if self._queue:
            return self._queue[0].timestamp_ns > at_ns
        over_ns = time.monotonic_ns() - at_ns
        return over_ns > _DRAIN_S * NS or (over_ns > NS // 10 and self._drained() and not self._queue)
