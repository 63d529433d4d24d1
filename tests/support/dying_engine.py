"""An engine that dies by SIGKILL at the N-th durable step of a reassignment: `python -m tests.support.dying_engine
N --config … --state … --runtime …`. Steps are each fsync, and each transaction of the database before and after it
is committed, counted from the moment the command has said who it is, or that the clock is known."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from smartbox_tui import cli
from smartbox_tui.engine.exams.dates import Dates
from smartbox_tui.engine.exams.reconcile import Reconcile
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


def main() -> None:
    doom = Doom(int(sys.argv[1]))
    fsync, transaction, change = os.fsync, database._transaction, Reconcile._change
    redate = Dates.exam

    def counted_fsync(fd: int) -> None:
        fsync(fd)
        doom.step()

    def counted_transaction(connection: Any, job: Any) -> Any:
        doom.step()
        result = transaction(connection, job)
        doom.step()
        return result

    async def armed_change(self: Reconcile, *arguments: Any) -> None:
        doom.armed = True
        await change(self, *arguments)
        doom.armed = False

    async def armed_dates(self: Dates, exam_id: str) -> bool:
        doom.armed = True
        changed = await redate(self, exam_id)
        doom.armed = False
        return changed

    os.fsync = counted_fsync
    database._transaction = counted_transaction
    Reconcile._change = armed_change  # type: ignore[method-assign]
    Dates.exam = armed_dates  # type: ignore[method-assign]
    cli.main(["engine", *sys.argv[2:]])


if __name__ == "__main__":
    main()
