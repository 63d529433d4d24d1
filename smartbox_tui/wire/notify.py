"""What a process tells the service manager (sd_notify(3)): that it is ready, that it is alive, what it does.

The watchdog is fed from progress, not from a timer: a process names what has to go on (`Pulse`), and only when all
of it went on since the last time the manager hears from it. Without a service manager all of this does nothing.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import Final

MANAGED_BY: Final = "NOTIFY_SOCKET"
"""The variable that a service manager sets for those it starts."""
_WATCHDOG: Final = "WATCHDOG_USEC"
_WATCHDOG_PID: Final = "WATCHDOG_PID"


class Manager:
    """The service manager of this process. Its variables leave the environment: no child may speak for us."""

    def __init__(self, environ: dict[str, str] | None = None) -> None:
        values = os.environ if environ is None else environ
        self._address = values.pop(MANAGED_BY, "")
        limit, pid = values.pop(_WATCHDOG, ""), values.pop(_WATCHDOG_PID, "")
        ours = not pid or pid == str(os.getpid())
        self.watchdog_s = int(limit) / 1e6 if self._address and ours and limit.isdigit() else 0.0
        """Within which the manager must hear `alive`; 0: nobody watches."""

    def tell(self, *lines: str) -> bool:
        """Whether it was sent: assignments after sd_notify(3), as in "STATUS=recording". Never raises."""
        if not self._address:
            return False
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.settimeout(1.0)
                to.sendto("\n".join(lines).encode(), address)
        except OSError:
            return False
        return True

    def ready(self) -> bool:
        return self.tell("READY=1")

    def stopping(self) -> bool:
        return self.tell("STOPPING=1")

    def alive(self) -> bool:
        return self.tell("WATCHDOG=1")


class Pulse:
    """Parts of a process that have to go on. `beat` from any thread; `alive` once every part has beaten within its
    limit. A part that has nothing to do beats all the same, or says `rest` until it begins again."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._limits: dict[str, float] = {}
        self._beaten: dict[str, float] = {}

    def part(self, name: str, limit_s: float) -> Callable[[], None]:
        """A new part, beaten now; what it gives is its beat."""
        self._limits[name] = limit_s
        self._beaten[name] = self._now_s()

        def beat() -> None:
            self._beaten[name] = self._now_s()

        return beat

    def rest(self, name: str) -> None:
        self._beaten[name] = float("inf")

    def late(self) -> tuple[str, ...]:
        """The parts that have stopped, as names for the log; empty: all go on."""
        now = self._now_s()
        return tuple(name for name, limit in self._limits.items() if now - self._beaten[name] > limit)
