"""A process that dies by SIGKILL at the N-th durable step: each fsync, each transaction of the database before and
after it is committed, each file removed, counted while the doom is armed."""

from __future__ import annotations

import os
import pathlib
from typing import Any

from smartbox_tui.store import database
from tests.support.dying_engine import Doom


def doomed(steps: int, *, renames: bool = False) -> Doom:
    """Puts itself between this process and its disk; armed by who calls it. `renames`: each is a step, too."""
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
    pathlib.Path.unlink = counted_unlink  # type: ignore[method-assign]
    if renames:
        pathlib.Path.rename = counted_rename  # type: ignore[method-assign]
    return doom
