"""A process that dies by SIGKILL at the N-th durable step: each fsync, each transaction of the database before and
after it is committed, each file removed, counted while the doom is armed."""

from __future__ import annotations

import os
import pathlib
import signal
from typing import Any

from smartbox_tui.store import database


class Doom:
    """Counts while it is armed; the N-th step is the last."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.armed = False

    def step(self) -> None:
        if self.armed:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def doomed(steps: int, *, removals: bool = True, renames: bool = False) -> Doom:
    """Puts itself between this process and its disk; armed by who calls it. `removals`, `renames`: each a step."""
    doom = Doom(steps)
    fsync, transaction = os.fsync, database._transaction
    unlink, rename = pathlib.Path.unlink, pathlib.Path.rename

    def counted_fsync(fd: int) -> None:
        fsync(fd)
        doom.step()

    def counted_transaction(connection: Any, job: Any) -> Any:
        doom.step()
        result = transaction(connection, job)
        doom.step()
        return result

    def counted_unlink(self: pathlib.Path, missing_ok: bool = False) -> None:
        doom.step()
        unlink(self, missing_ok)
        doom.step()

    def counted_rename(self: pathlib.Path, target: Any) -> pathlib.Path:
        doom.step()
        result = rename(self, target)
        doom.step()
        return result

    os.fsync = counted_fsync
    database._transaction = counted_transaction
    if removals:
        pathlib.Path.unlink = counted_unlink  # type: ignore[method-assign]
    if renames:
        pathlib.Path.rename = counted_rename  # type: ignore[method-assign]
    return doom
