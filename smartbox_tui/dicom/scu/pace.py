"""A limit of bytes a second for all connections of one destination, smooth: never a burst after a pause."""

from __future__ import annotations

import threading
import time
from typing import Final

_TICK_S: Final = 0.05
_LATE_S: Final = 0.1  # a thread that woke late may catch up so much, no more
_SMALLEST: Final = 1460  # a segment; less would be all head


class Pace:
    """Shared by threads. Counts what DICOM sends; the heads of TLS, TCP and IP come on top (some per cent)."""

    def __init__(self, bytes_per_s: int) -> None:
        if bytes_per_s <= 0:
            raise ValueError("a rate of more than 0")
        self.bytes_per_s = bytes_per_s
        self._most = max(_SMALLEST, int(bytes_per_s * _TICK_S))
        self._lock = threading.Lock()
        self._next_at = time.monotonic()

    def take(self, wanted: int) -> tuple[int, float]:
        """(bytes that may go now, 0.0), or (0, seconds to wait before asking again)."""
        with self._lock:
            now = time.monotonic()
            if now < self._next_at:
                return 0, self._next_at - now
            count = min(wanted, self._most)
            self._next_at = max(self._next_at, now - _LATE_S) + count / self.bytes_per_s
            return count, 0.0
