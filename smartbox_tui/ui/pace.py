"""How often the live picture goes over a slow link. Without it seconds of pictures would queue up in the buffers of
SSH and TCP, which nobody here can see, and every key's echo would wait behind them.

After each picture the terminal is asked where its cursor is (ECMA-48 8.3.35, DSR 6). Its answer, the report CPR,
comes when it has drawn the picture: until then no other goes out, and then pictures get half of the link's time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from textual.app import App

from smartbox_tui.ui.driver import BoxDriver

ASK: Final = "\x1b[6n"
SHARE: Final = 0.5
"""Of the link's time, for pictures."""
PATIENCE_S: Final = 10.0
"""So long an answer is waited for: it may have been lost with the window of a terminal multiplexer."""
DEAF_AFTER: Final = 2
"""Questions without any answer: this terminal gives none, the rate of the settings has to do."""
DEAF_PATIENCE_S: Final = 3.0


class Pace:
    """One link. All times are monotonic seconds."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._asked_s: float | None = None
        self._next_s = 0.0
        self._heard = False
        self._missed = 0

    @property
    def deaf(self) -> bool:
        """Whether the terminal has never answered."""
        return not self._heard and self._missed >= DEAF_AFTER

    def may(self) -> bool:
        """Whether another picture may go out now."""
        if self.deaf:
            return True
        now = self._now_s()
        if self._asked_s is None:
            return now >= self._next_s
        if now - self._asked_s < (PATIENCE_S if self._heard else DEAF_PATIENCE_S):
            return False
        self._asked_s = None
        self._missed += 1
        return True

    def asked(self) -> None:
        """A picture went out, and the question after it."""
        self._asked_s = self._now_s()

    def answered(self) -> None:
        """The terminal has drawn everything up to its question."""
        self._heard, self._missed = True, 0
        if self._asked_s is None:
            return  # late, or the answer to somebody else's question
        now = self._now_s()
        self._next_s = now + (now - self._asked_s) * (1 - SHARE) / SHARE
        self._asked_s = None


def may_draw(app: App[Any]) -> bool:
    """Whether the terminal is ready for another picture: it has taken all that was written, and over a link drawn
    the picture before."""
    driver = app._driver
    if isinstance(driver, BoxDriver) and driver.backlog > 1:
        return False
    pace = getattr(app, "pace", None)
    return not isinstance(pace, Pace) or pace.may()


def drawn(app: App[Any]) -> None:
    """A picture is about to be written: over a link the terminal is asked behind it."""
    pace, driver = getattr(app, "pace", None), app._driver
    if isinstance(pace, Pace) and isinstance(driver, BoxDriver) and not pace.deaf:
        pace.asked()
        app.call_after_refresh(driver.write, ASK)
