"""The two clocks: monotonic for what belongs to which moment, wall time for what people read."""

from __future__ import annotations

import ctypes
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

NS: Final = 1_000_000_000

_SYNCHRONISED: Final = Path("/run/systemd/timesync/synchronized")
_TIMEX_BYTES: Final = 256
_STATUS_AT: Final = 5 * ctypes.sizeof(
    ctypes.c_long
)  # struct timex: modes, offset, freq, maxerror, esterror, status
_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5


def wall_of(monotonic_ns: int) -> str:
    """The wall time of a moment of CLOCK_MONOTONIC, RFC 3339 with offset and milliseconds."""
    ago_ns = time.monotonic_ns() - monotonic_ns
    moment = datetime.fromtimestamp((time.time_ns() - ago_ns) / NS, UTC).astimezone()
    return moment.isoformat(timespec="milliseconds")


def elapsed_ms(since_ns: int) -> float:
    """Milliseconds since a moment of CLOCK_MONOTONIC."""
    return round((time.monotonic_ns() - since_ns) / 1e6, 3)


def clock_state() -> str:
    """ "trusted" when the kernel's clock is disciplined (adjtimex(2)) or timesyncd has set it since boot."""
    if _SYNCHRONISED.exists():
        return "trusted"
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        answer = ctypes.CDLL(None).adjtimex(buffer)  # modes 0: only reads
    except (OSError, AttributeError):
        return "unsure"
    status = ctypes.c_int.from_buffer(buffer, _STATUS_AT).value
    return "unsure" if answer in (-1, _TIME_ERROR) or status & _STA_UNSYNC else "trusted"
