"""Whether the machine itself stood still: a virtual machine is not always given its processors."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

PERIOD_S = 1 / 30


class StallWatch:
    """Wakes up at a frame's rate for the time of the block; `worst_s` is how late it ever came.

    A test pattern is never late by itself: whoever reads it more than a frame time late has lost a frame, and
    says so. With this a test can demand that none is lost wherever the machine did its part.
    """

    def __init__(self) -> None:
        self.worst_s = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + PERIOD_S, time.monotonic())
            if self._end.wait(due - time.monotonic()):
                return
            self.worst_s = max(self.worst_s, time.monotonic() - due)

    @property
    def stood_still(self) -> bool:
        """True when a frame's time or more was missing at once."""
        return self.worst_s >= 0.75 * PERIOD_S
