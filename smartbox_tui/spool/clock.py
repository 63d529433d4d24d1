"""Whether the wall clock can be trusted, and what it would have said: the one truth of capture and engine.

`boots.json` beside the spool: the boots in their order, each with its anchor, which is the wall time of its
CLOCK_BOOTTIME zero, known from the moment the clock was first synchronised in it. CLOCK_BOOTTIME and not
CLOCK_MONOTONIC: a box that slept in between would be wrong by its sleep.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool.durable import write_json

log = logging.getLogger(__name__)

BOOTS_FILE: Final = "boots.json"
NS: Final = 1_000_000_000

_LOCK_FILE: Final = "boots.lock"
_KEPT: Final = 500
_MARKER: Final = Path("/run/systemd/timesync/synchronized")
"""Made by systemd-timesyncd when it has set the clock; gone after a reboot."""
_TIMEX_BYTES: Final = 256
_STATUS_AT: Final = 5 * ctypes.sizeof(ctypes.c_long)
"""struct timex of adjtimex(2): modes, offset, freq, maxerror, esterror, status."""
_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5


def synchronised() -> bool:
    """True when the kernel's clock is disciplined now (adjtimex(2)) or timesyncd has set it since boot; False where
    it cannot be asked: nobody can know then."""
    if _MARKER.exists():
        return True
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        answer = ctypes.CDLL(None).adjtimex(buffer)  # modes 0: only reads
    except (OSError, AttributeError):
        return False
    status = ctypes.c_int.from_buffer(buffer, _STATUS_AT).value
    return answer not in (-1, _TIME_ERROR) and not status & _STA_UNSYNC


def boottime_ns() -> int:
    """Since boot, sleep included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def suspended_ns() -> int:
    """How long the box has slept since boot: what CLOCK_MONOTONIC has missed. Never negative."""
    return max(0, boottime_ns() - time.monotonic_ns())


def anchor_ns() -> int:
    """Wall time of this boot's CLOCK_BOOTTIME zero as the clock stands now, nanoseconds since the epoch."""
    return time.time_ns() - boottime_ns()


def wall(ns: int) -> str:
    """Nanoseconds since the epoch in the box's time zone, RFC 3339 with offset and milliseconds."""
    return datetime.fromtimestamp(ns / NS, UTC).astimezone().isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class Boot:
    """`number` counts the boots from 1; `anchor_ns` None until the clock was synchronised in it."""

    id: str
    number: int
    anchor_ns: int | None = None


def read_boots(spool: Path) -> dict[str, Boot]:
    """All known boots by id, in their order; none where the file is missing or cannot be read."""
    try:
        value = json.loads(spool.with_name(BOOTS_FILE).read_bytes())
        found = [Boot(str(item["id"]), int(item["number"]), item.get("anchor_ns")) for item in value["boots"]]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        log.error("%s is not readable: %s", BOOTS_FILE, type(exc).__name__)
        return {}
    return {item.id: item for item in sorted(found, key=lambda item: item.number)}


def anchors(spool: Path) -> dict[str, int]:
    """Boot id -> wall time of its CLOCK_BOOTTIME zero, of the boots in which the clock was synchronised."""
    return {item.id: item.anchor_ns for item in read_boots(spool).values() if item.anchor_ns is not None}


@contextmanager
def _locked(spool: Path) -> Iterator[None]:
    """Capture and engine both write the file."""
    fd = os.open(spool.with_name(_LOCK_FILE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _note(spool: Path, boot_id: str, anchor: int | None) -> Boot:
    """The boot as it stands in the file, put there if need be. A known anchor is never changed: pictures may have
    their dates from it. Raises disk-full, OSError."""
    with _locked(spool):
        boots = read_boots(spool)
        known = boots.get(boot_id)
        if known is not None and (anchor is None or known.anchor_ns is not None):
            return known
        if known is None:
            known = Boot(boot_id, max((item.number for item in boots.values()), default=0) + 1)
        boots[boot_id] = replace(known, anchor_ns=anchor)
        kept = list(boots.values())[-_KEPT:]
        value: dict[str, Any] = {"version": 1, "boots": [asdict(item) for item in kept]}
        write_json(spool.with_name(BOOTS_FILE), value)
        return boots[boot_id]


class BoxClock:
    """The clock in this boot. Thread-safe. Once trusted it stays so: a time server that goes away later changes
    nothing, nor does a restart of the process."""

    def __init__(self, spool: Path, boot_id: str) -> None:
        self.boot_id = boot_id
        self._spool = spool
        self._lock = threading.Lock()
        self._boot: Boot | None = None
        self._asked_at = float("-inf")
        self._is_synchronised = False

    @property
    def number(self) -> int:
        """The number of this boot; 0 where it cannot be kept (a full disk)."""
        boot = self._known(None)
        return boot.number if boot else 0

    @property
    def trusted(self) -> bool:
        """Asks the kernel, at most some times a second."""
        with self._lock:
            if self._is_synchronised or (self._boot is not None and self._boot.anchor_ns is not None):
                return True
            now = time.monotonic()
            if now - self._asked_at > 0.2:
                self._asked_at = now
                self._is_synchronised = synchronised()
            return self._is_synchronised

    @property
    def state(self) -> str:
        """A sidecar's word: trusted | unsure."""
        return "trusted" if self.trusted else "unsure"

    def look(self) -> bool:
        """`trusted`; the first time that it is, the anchor is durable when this returns."""
        boot = self._known(None)
        if boot is not None and boot.anchor_ns is not None:
            return True
        if not self.trusted:
            return False
        self._known(anchor_ns())
        return True

    @property
    def anchors(self) -> dict[str, int]:
        """This boot's anchor for a header revision that is made now; empty while it is not known."""
        with self._lock:
            boot = self._boot
        return {boot.id: boot.anchor_ns} if boot is not None and boot.anchor_ns is not None else {}

    def unsure_now(self) -> dict[str, Any] | None:
        """This moment, for a time that is only said by a clock nobody trusts; None where it is trusted."""
        return None if self.trusted else {"boot_id": self.boot_id, "boottime_ns": boottime_ns()}

    def _known(self, anchor: int | None) -> Boot | None:
        with self._lock:
            if self._boot is None or (anchor is not None and self._boot.anchor_ns is None):
                try:
                    self._boot = _note(self._spool, self.boot_id, anchor)
                except (OSError, SmartBoxError) as exc:
                    log.error("the boot cannot be noted: %s", exc)
            return self._boot


@lru_cache(maxsize=8)
def box_clock(spool: Path, boot_id: str) -> BoxClock:
    """The process's one clock for a spool."""
    return BoxClock(spool, boot_id)
