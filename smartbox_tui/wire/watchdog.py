"""The service manager's watchdog, fed from what a process gets done: a part that stands still ends the feeding.

A part is looked at from outside (`watch`), so that a thread that hangs in the kernel needs to do nothing to be
missed. Idle parts say so. The manager then ends the process with SIGABRT, which writes where each thread stood into
the journal, and starts it anew.

What the units need:

    capture    Type=notify  WatchdogSec=30  TimeoutStartSec=600  TimeoutStopSec=120
    engine     Type=notify  WatchdogSec=30  TimeoutStartSec=600  TimeoutStopSec=60
    console    Type=notify  WatchdogSec=30  TimeoutStartSec=600  (panel only; over SSH nobody watches it)

all with NotifyAccess=main and Restart=always. A slow start is not ended: begun anew it takes as long. A part may
stand still for its limit (30 s, what waits for a disk 120 s), then WatchdogSec passes: a disk that hangs for 20 s
ends nothing. The manager's and our clock is CLOCK_MONOTONIC, which stands still while the machine sleeps; what a
stopped machine makes of it is taken out here.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from smartbox_tui.wire.notify import Manager, Pulse

log = logging.getLogger(__name__)

BUSY_S: Final = 30.0
"""Of parts that wait for no disk. Well over 20 s all the same: they page their code in from it."""

DISK_S: Final = 120.0
"""Of parts that write. The kernel tries a failing disk anew for up to that long, and a new process would wait for
the same disk, without what this one still holds in memory."""

_LOOKS: Final = 6
"""In the manager's limit."""
_MOST_S: Final = 5.0
_STALL: Final = 3
"""Looks: more time than that between two of them was not lived by this process (a stopped machine)."""
_TURN_S: Final = 1.0

Progress = Callable[[], object]
"""What a part has done so far, as a value that changes with it; None: there is nothing to do."""


class _LivedTime:
    """CLOCK_MONOTONIC in seconds, as far as this process could run."""

    def __init__(self, most_s: float, now_s: Callable[[], float]) -> None:
        self._most_s, self._clock = most_s, now_s
        self._at_s = now_s()
        self._lived_s = 0.0

    def __call__(self) -> float:
        return self._lived_s

    def look(self) -> None:
        now_s = self._clock()
        self._lived_s += min(now_s - self._at_s, self._most_s)
        self._at_s = now_s


class Watchdog:
    """Tells the manager of this process. Without a manager all of it does nothing; used from any thread.

    `forgiven` gets the parts that stand still and answers those that are no reason to be started anew now.
    """

    def __init__(
        self,
        manager: Manager | None = None,
        *,
        forgiven: Callable[[tuple[str, ...]], tuple[str, ...]] = lambda late: (),
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._manager = manager or Manager()
        self._forgiven = forgiven
        self._period_s = min(_MOST_S, self._manager.watchdog_s / _LOOKS)
        self._time = _LivedTime(_STALL * self._period_s, now_s)
        self._pulse = Pulse(self._time)
        self._parts: list[tuple[str, Progress, Callable[[], None]]] = []
        self._marks: dict[str, object] = {}
        self._told: tuple[str, ...] = ()
        self._status = ""
        self._stopping = False
        self._ended = threading.Event()

    def watch(self, name: str, limit_s: float, progress: Progress) -> None:
        """Before `ready`. `progress` is asked by the watchdog's thread; where it hangs, the part stands still."""
        self._parts.append((name, progress, self._pulse.part(name, limit_s)))

    def ready(self) -> None:
        """The process serves; from here on it is watched."""
        self._manager.ready()
        if self._period_s:
            faulthandler.enable(2)  # the descriptor: on a screen sys.stderr is something else
            self._manager.alive()
            threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def tell(self, status: str) -> None:
        """One short line for `systemctl status`, without anything of a patient; sent when it has changed."""
        if status != self._status:
            self._status = status
            self._manager.tell(f"STATUS={status}")

    def stopping(self) -> None:
        """The process ends, and its parts with it: from here on the manager's limit for stopping holds."""
        self._stopping = True
        self._manager.stopping()

    def end(self) -> None:
        """Nothing more is fed."""
        self._ended.set()

    def look(self) -> tuple[str, ...]:
        """The parts that stand still; the manager is told that all is well where none counts."""
        self._time.look()
        for name, progress, beat in self._parts:
            mark = progress()
            if mark is None or mark != self._marks.get(name):
                beat()
            self._marks[name] = mark
        late = self._pulse.late()
        forgiven = self._forgiven(late) if late else ()
        counts = tuple(name for name in late if name not in forgiven)
        if late != self._told:
            self._say(late, counts)
            self._told = late
        if not counts or self._stopping:
            self._manager.alive()
        return late

    def _say(self, late: tuple[str, ...], counts: tuple[str, ...]) -> None:
        if not late:
            log.warning("everything goes on again")
            self._manager.tell(f"STATUS={self._status}")
            return
        log.error("stands still: %s%s", ", ".join(late), "" if counts else " (no reason to be started anew now)")
        self._manager.tell(f"STATUS=stands still: {', '.join(late)}")

    def _run(self) -> None:
        while not self._ended.wait(self._period_s):
            self.look()


def loop_turns(loop: asyncio.AbstractEventLoop) -> Progress:
    """That an event loop turns. Call it on the loop."""
    count = 0

    def turn() -> None:
        nonlocal count
        count += 1
        loop.call_later(_TURN_S, turn)

    turn()
    return lambda: count
