"""SIGTERM and SIGHUP end the console as its own key does: the terminal restored, no traceback, in any case."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from textual.app import App

from smartbox_tui.ui.driver import HANG_UP_STATUS, BoxDriver
from smartbox_tui.wire.watchdog import Watchdog

GRACE_S: Final = 3.0
"""After that the process ends the hard way: an event loop that waits for a dead terminal never wakes up. The
console holds nothing that could be lost."""


@contextlib.contextmanager
def leave_on_signals(app: App[Any]) -> Iterator[None]:
    """Handlers for the time of the block. Plain ones, not the loop's: the loop may hang in a write."""
    left = threading.Event()

    def leave(number: int, _frame: FrameType | None) -> None:
        # A service manager sends SIGCONT after SIGTERM: what ends must not take the terminal over once more.
        for each in (signal.SIGCONT, signal.SIGTSTP):
            signal.signal(each, signal.SIG_IGN)
        status = HANG_UP_STATUS if number == signal.SIGHUP else 0
        driver = app._driver
        if number == signal.SIGHUP and isinstance(driver, BoxDriver):
            driver.gone.set()
        watchdog = threading.Thread(target=_end_hard, args=(left, status), name="leaving", daemon=True)
        watchdog.start()
        loop = app._loop
        if isinstance(loop, asyncio.AbstractEventLoop):
            loop.call_soon_threadsafe(lambda: app.exit(return_code=status))

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        left.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def ended(app: App[Any], watchdog: Watchdog | None) -> int:
    """After `app.run()`: the service manager is told, and the exit status is that of the app."""
    if watchdog is not None:
        watchdog.stopping()
    status = app.return_code or 0
    if status == HANG_UP_STATUS:
        _forget_terminal()
    return status


def _forget_terminal() -> None:
    """Points standard output and error nowhere: what is still in their buffers cannot be written to a terminal
    that is gone, and the interpreter would end with status 120 for it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _end_hard(left: threading.Event, status: int) -> None:
    if not left.wait(GRACE_S):
        os._exit(status)
