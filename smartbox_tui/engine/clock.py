"""The clock's say in sending: pictures wait for it, so that they carry the right time (DESIGN section 7)."""

from __future__ import annotations

from collections.abc import Callable

from smartbox_tui.spool.clock import NS, BoxClock, boottime_ns


class ClockGate:
    """Delivery's question to the clock. `wait_s`: how long it may wait, counted from boot; 0: never."""

    def __init__(self, clock: BoxClock, wait_s: Callable[[], float]) -> None:
        self.clock = clock
        self._wait_s = wait_s
        self.settled: bool | None = None
        """Whether the clock was trusted when the dates were last put right; None before the first time."""

    @property
    def trusted(self) -> bool:
        return self.clock.trusted

    def settle(self, trusted: bool) -> None:
        """All dates are as they can be for a clock that is (not) trusted."""
        self.settled = trusted

    def why_not(self) -> str:
        """A reason to wait with sending, empty when there is none."""
        if self.settled is None or (self.trusted and not self.settled):
            return "The dates of pictures are put right first."
        return self.waiting()

    def waiting(self) -> str:
        """Why pictures wait for the clock itself; empty when they do not."""
        if self.trusted or self._waited():
            return ""
        return "The clock is not synchronised yet: pictures wait so that they carry the right time."

    def warning(self) -> str:
        """What is to be said of pictures that are sent all the same; empty when there is nothing to say."""
        if self.trusted or self._wait_s() <= 0 or not self._waited():
            return ""
        return "The clock was not synchronised in time: pictures are sent, with a note that their time is not sure."

    def _waited(self) -> bool:
        return boottime_ns() >= self._wait_s() * NS
