"""Whether the machine withheld its processors: a virtual one is not always given them, others take them."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
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
        self._before = (0.0, 0.0)
        self._begun = time.monotonic()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._before, self._begun = _used_s(), time.monotonic()
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
    def withheld(self) -> bool:
        """True when a frame's time was missing at once, or when programs that are not the test's took more than a
        tenth of the processors since the block began: a recorder then came late through no fault of its own."""
        (all_s, own_s), (all_before_s, own_before_s) = _used_s(), self._before
        taken_s = (all_s - all_before_s) - (own_s - own_before_s)
        wall_s = time.monotonic() - self._begun
        return self.worst_s >= 0.75 * PERIOD_S or taken_s > 0.1 * wall_s * (os.cpu_count() or 1)


def _used_s() -> tuple[float, float]:
    """Processor seconds (proc(5), /proc/stat and /proc/PID/stat) of all programs, what the hypervisor took too,
    and of this process with all that it has started."""
    tick = os.sysconf("SC_CLK_TCK")
    user, nice, system, _idle, _wait, irq, softirq, steal, *_ = (
        int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n")[0].split()[1:]
    )
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile; its parent's times have it
        pid = int(folder.name)
        children.setdefault(int(words[1]), []).append(pid)
        ticks[pid] = sum(int(word) for word in words[11:15])  # utime, stime, and those of children that ended
    own, left = 0, [os.getpid()]
    while left:
        pid = left.pop()
        own += ticks.get(pid, 0)
        left += children.get(pid, [])
    return (user + nice + system + irq + softirq + steal) / tick, own / tick
