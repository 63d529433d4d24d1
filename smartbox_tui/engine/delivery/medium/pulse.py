"""Work on a medium that may hang for ever: done by a thread of its own, which the caller does not wait for longer
than its time-out without a sign of progress."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import TransferCancelled, TransferLost
from smartbox_tui.model.medium import SILENT

T = TypeVar("T")

TICK_S: Final = 0.1
_LEAVE_S: Final = 1.0
"""After an abort: a job that does not end by then hangs in the kernel."""


class Pulse:
    """One job's signs of life, and whether it is still wanted."""

    def __init__(self, name: str, cancelled: Callable[[], bool] = lambda: False) -> None:
        self.name = name
        self.done = 0
        self._cancelled = cancelled
        self._gate = threading.Lock()
        self._beat_at = time.monotonic()
        self._stopped = False
        self._committed = False
        self._above: Pulse | None = None

    def unstoppable(self) -> Pulse:
        """For what is behind the last check and must be finished: its signs of life are this one's."""
        made = Pulse(self.name)
        made._above = self
        return made

    def beat(self, done: int | None = None) -> None:
        """`done`: bytes of the data set that are on the medium."""
        self._beat_at = time.monotonic()
        if self._above is not None:
            self._above.beat()
        if done is not None:
            self.done = done

    def check(self) -> None:
        """Raises TransferCancelled when nobody wants the object any more."""
        if self._stopped or self._cancelled():
            raise TransferCancelled(self.name)

    def commit(self) -> None:
        """The last check: from here on the object may be there."""
        with self._gate:
            self.check()
            self._committed = True

    @property
    def is_committed(self) -> bool:
        return self._committed

    @property
    def silent_s(self) -> float:
        return time.monotonic() - self._beat_at

    def stop(self) -> bool:
        """From any thread: whatever is not committed now never will be. True when it was."""
        with self._gate:
            self._stopped = True
            return self._committed

    @property
    def is_stopped(self) -> bool:
        return self._stopped


def watched(job: Callable[[], T], pulse: Pulse, timeout_s: float, tick: Callable[[], None] = lambda: None) -> T:
    """What the job returns or raises; `tick` is called meanwhile, and once at the end. Raises TransferLost timeout
    when the pulse is silent for longer than the time-out; TransferCancelled when it was stopped and hangs."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(job())
        except BaseException as exc:  # noqa: BLE001 (raised again below, in the thread that waits)
            failed.append(exc)

    thread = threading.Thread(target=run, name=f"medium {pulse.name}", daemon=True)
    thread.start()
    stopped_at: float | None = None
    while thread.is_alive():
        thread.join(TICK_S)
        tick()
        if pulse.is_stopped and stopped_at is None:
            stopped_at = time.monotonic()
        late = stopped_at is not None and time.monotonic() - stopped_at > _LEAVE_S
        if thread.is_alive() and (late or pulse.silent_s > timeout_s):
            committed = pulse.stop()
            if late and not committed:
                raise TransferCancelled(pulse.name)
            raise TransferLost(
                "timeout",
                f"{SILENT}{pulse.name}: no sign of progress in {pulse.silent_s:.0f} s.",
                "Check the medium, its cable, or the server of the share.",
                outcome_unknown=committed,
            )
    if failed:
        raise failed[0]
    return done[0]


def silent(name: str, timeout_s: float) -> SmartBoxError:
    """For a job that another one, which hangs, keeps from beginning."""
    return TransferLost(
        "timeout",
        f"{SILENT}{name}: an earlier write has not ended for {timeout_s:.0f} s.",
        "Check the medium, its cable, or the server of the share.",
        outcome_unknown=False,
    )
