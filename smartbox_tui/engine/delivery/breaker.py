"""A destination's circuit breaker: after a network failure it waits and probes for ever, by itself. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

NETWORK: Final = frozenset({"no-route", "refused", "timeout", "tls", "called-aet-rejected", "calling-aet-rejected"})
"""Causes of the way to a server: they open its breaker and never block a row."""
REJECTED: Final = frozenset({"called-aet-rejected", "calling-aet-rejected"})
"""Of these, those that a server gives as its answer."""

LONGEST_PROBE_S: Final = 60.0
"""A probe is one C-ECHO: an archive that is back must not wait for an hour because it was away for a weekend."""


def backoff(failures: int, first_s: float, factor: float, max_s: float, jitter: float) -> float:
    """The pause after `failures` failures in a row (1, 2, ...); `jitter` in [0, 1) spreads it over +-20 %.

    Without the spread many boxes would come back to a restarted archive in the same second.
    """
    pause = min(max_s, first_s * factor ** min(failures - 1, 64))
    return pause * (0.8 + 0.4 * jitter)


@dataclass
class Breaker:
    """Closed: send. Open: do not, before `next_probe_at`. Times are CLOCK_MONOTONIC seconds of the caller."""

    first_s: float
    factor: float
    max_s: float
    random: random.Random = field(default_factory=random.Random)
    failures: int = 0
    next_probe_at: float = 0.0

    @property
    def is_open(self) -> bool:
        return self.failures > 0

    def may_try(self, now: float) -> bool:
        return not self.is_open or now >= self.next_probe_at

    def failed(self, now: float) -> float:
        """Notes a failure; returns the seconds until the next probe."""
        self.failures += 1
        longest = min(self.max_s, LONGEST_PROBE_S)
        pause = backoff(self.failures, self.first_s, self.factor, longest, self.random.random())
        self.next_probe_at = now + pause
        return pause

    def succeeded(self) -> bool:
        """Notes a success; True when the breaker was open until now."""
        was_open, self.failures = self.is_open, 0
        return was_open
