"""How many examples a property is tried with: few in CI, as many as SMARTBOX_FUZZ says when somebody has time.

SMARTBOX_FUZZ=50 tries fifty times as many, and other ones in every run.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

FACTOR = float(os.environ.get("SMARTBOX_FUZZ", "1"))


def examples(count: int) -> settings:
    """`count` in CI, the same ones in every run there. No deadline of hypothesis' own: a loaded machine misses it,
    and what hangs is caught by a watchdog (`tests.support.confined`) or by pytest-timeout."""
    return settings(
        max_examples=max(1, round(count * FACTOR)),
        deadline=None,
        derandomize=FACTOR == 1,
        database=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.function_scoped_fixture,
        ],
    )
