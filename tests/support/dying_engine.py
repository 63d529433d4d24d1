"""An engine that dies by SIGKILL at the N-th durable step of a reassignment: `python -m tests.support.dying_engine
N --config … --state … --runtime …`. Steps are each fsync, and each transaction of the database before and after it
is committed, counted from the moment the command has said who it is, or that the clock is known."""

from __future__ import annotations

import sys
from typing import Any

from smartbox_tui import cli
from smartbox_tui.engine.exams.dates import Dates
from smartbox_tui.engine.exams.reconcile import Reconcile
from tests.support.dying import doomed


def main() -> None:
    doom = doomed(int(sys.argv[1]), removals=False)
    change, redate = Reconcile._change, Dates.exam

    async def armed_change(self: Reconcile, *arguments: Any) -> None:
        doom.armed = True
        await change(self, *arguments)
        doom.armed = False

    async def armed_dates(self: Dates, exam_id: str) -> bool:
        doom.armed = True
        changed = await redate(self, exam_id)
        doom.armed = False
        return changed

    Reconcile._change = armed_change  # type: ignore[method-assign]
    Dates.exam = armed_dates  # type: ignore[method-assign]
    cli.main(["engine", *sys.argv[2:]])


if __name__ == "__main__":
    main()
