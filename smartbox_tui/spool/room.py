"""How much of the disk is whose: recordings give way first, then stills, and what is left is for the promises."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.ending import NO_RECORDING

_STOP_SHARE: Final = 4
_STILL_SHARE: Final = 32


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of the disk that the spool lies on. With less free than `record` no recording is begun, with less than
    `stop` a running one ends, with less than `still` no still is taken: headers, ledger and database need the rest.
    """

    total: int
    free: int
    record: int
    stop: int
    still: int


def room(spool: Path, reserve: int) -> Room:
    """As it is now; `reserve` is recording.reserve_bytes. Raises OSError."""
    stat = os.statvfs(spool)
    total, free = stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize
    still = min(reserve, total) // _STILL_SHARE
    return Room(total, free, reserve, reserve // _STOP_SHARE, still)


def no_recording(now: Room) -> SmartBoxError:
    """Why none is begun."""
    return SmartBoxError(
        "disk-full",
        f"Only {now.free >> 20} MB are free: {NO_RECORDING} below {now.record >> 20} MB.",
        "Send or release stored exams, or attach a larger disk; stills still work.",
    )


def no_still(now: Room) -> SmartBoxError:
    """Why none is taken."""
    return SmartBoxError(
        "disk-full",
        f"Only {now.free >> 20} MB are free: the box keeps them for what it must note to send what it has.",
        "Send or release stored exams, or attach a larger disk; nothing taken so far is lost.",
    )


def no_making(free: int, wanted: int) -> SmartBoxError:
    """Why something is not made ready now."""
    return SmartBoxError(
        "disk-full",
        f"Making it ready takes {wanted >> 20} MB of the {free >> 20} MB that are free, which recordings need.",
        "It is made by itself when there is room again; nothing is lost.",
    )
