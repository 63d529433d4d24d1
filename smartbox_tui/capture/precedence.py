"""Coming first on a busy machine: a frame not read in time is lost for ever, a picture sent later is not.

Each of these needs a right (root, RLIMIT_NICE, RLIMIT_RTPRIO) and is passed over in silence without it: a
service manager can give the same from outside (Nice=, CPUWeight=).
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Final

_NICE: Final = -10
_BEHIND: Final = 5
_AUTOGROUP: Final = Path("/proc/self/autogroup")


def of_process() -> None:
    """For the whole process; called before its first thread, which inherits it."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, min(_NICE, os.getpriority(os.PRIO_PROCESS, 0)))
        # Niceness counts only within a session's group (sched(7)): the group's own is changed where it is ours.
        if os.getsid(0) == os.getpid():
            _AUTOGROUP.write_text(str(_NICE), encoding="ascii")


def of_reader() -> None:
    """For the calling thread: lowest real-time priority. A reader sleeps nearly always and must wake at once;
    the encoder, which works, stays with the others and has its queue."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def of_preview() -> None:
    """For the calling thread: after all others of the process. A picture that is not shown is no loss."""
    with contextlib.suppress(OSError):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + _BEHIND))
