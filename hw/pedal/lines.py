"""Sleeping until a modem line moves: TIOCMIWAIT of <asm-generic/ioctls.h>, in a thread that nobody has to wait for.

The request has no timeout, and nothing but a moving line, a pulled adapter or a signal ends it. So it runs on a
descriptor of its own in a daemon thread: who closes the pedal leaves it behind, and it ends with the next edge.
Until then the port is open once more, but no longer held exclusively.
"""

from __future__ import annotations

import errno
import struct
import threading
import time

from hw.calls import SystemCalls

TIOCMIWAIT, TIOCGICOUNT = 0x545C, 0x545D

_ICOUNT = struct.Struct("20i")  # struct serial_icounter_struct of <linux/serial.h>
_COUNTS = {"cts": 0, "dsr": 1, "ri": 2, "dcd": 3}
_FRAME, _PARITY, _BREAK = 6, 8, 9
_SPIN_NS = 1_000_000
_SPINS = 50
"""So often in a row the request came back at once: the driver does not wait at all."""


class LineWaiter:
    """Waits on the lines of `mask`; `fd` is its own, and closed by it."""

    def __init__(self, calls: SystemCalls, fd: int, mask: int) -> None:
        self._calls, self._fd, self._mask = calls, fd, mask
        self._changed = threading.Condition()
        self._moved_ns: int | None = None
        self._left = False
        self.works = True
        """False: the driver does not know the request, or is gone."""
        self._thread = threading.Thread(target=self._run, name="pedal-line", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> int | None:
        """When a line moved first since the last call (CLOCK_MONOTONIC, ns); None: none did within `timeout_s`."""
        with self._changed:
            if self._moved_ns is None and self.works:
                self._changed.wait(timeout_s)
            moved_ns, self._moved_ns = self._moved_ns, None
            return moved_ns

    def leave(self) -> None:
        """Nobody waits any more. Returns at once."""
        self._left = True

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        spins, last_ns = 0, 0
        try:
            while not self._left and spins < _SPINS:
                try:
                    self._calls.ioctl(self._fd, TIOCMIWAIT, self._mask)
                except OSError as error:
                    if error.errno == errno.EINTR:
                        continue
                    break
                now_ns = time.monotonic_ns()
                spins = spins + 1 if now_ns - last_ns < _SPIN_NS else 0
                last_ns = now_ns
                with self._changed:
                    if self._moved_ns is None:
                        self._moved_ns = now_ns
                    self._changed.notify_all()
        finally:
            with self._changed:
                self.works = False
                self._changed.notify_all()
            try:
                self._calls.close(self._fd)
            except OSError:
                pass


def count_of(calls: SystemCalls, fd: int, line: str) -> int | None:
    """How often a line has moved since the driver counts; None where it does not. Raises OSError."""
    counts = _counts(calls, fd)
    return None if counts is None else counts[_COUNTS[line]]


def errors_of(calls: SystemCalls, fd: int) -> int | None:
    """How many bytes came that were none (framing, parity, break); None where nobody counts. Raises OSError."""
    counts = _counts(calls, fd)
    return None if counts is None else counts[_FRAME] + counts[_PARITY] + counts[_BREAK]


def _counts(calls: SystemCalls, fd: int) -> tuple[int, ...] | None:
    counts = bytearray(_ICOUNT.size)
    try:
        calls.ioctl(fd, TIOCGICOUNT, counts)
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EINVAL):
            raise
        return None
    return _ICOUNT.unpack(counts)
