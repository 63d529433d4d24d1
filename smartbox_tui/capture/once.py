"""One run for one command, however many ask for it at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class Once:
    """Thread-safe. Remembers only what is under way: what is done is found in the spool."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, Future[Any]] = {}

    def run(self, key: str, action: Callable[[], Any]) -> Any:
        """What `action` answers or raises; a second caller with the same key gets the first one's."""
        with self._lock:
            future = self._running.get(key)
            mine = future is None
            if future is None:
                future = self._running[key] = Future()
        if not mine:
            return future.result()
        try:
            future.set_result(action())
        except Exception as exc:  # noqa: BLE001 - raised again, for every caller
            future.set_exception(exc)
        finally:
            with self._lock:
                del self._running[key]
        return future.result()
