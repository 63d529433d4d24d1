"""An engine that dies by SIGKILL at the N-th durable step of making something ready: `python -m
tests.support.dying_preparer N --config … --state … --runtime …`. Steps are each fsync, each transaction before and
after it is committed, and each file removed, counted from the moment a row is taken to be prepared."""

from __future__ import annotations

import os
import pathlib
import sys
from typing import Any

from smartbox_tui import cli
from smartbox_tui.engine.delivery.preparing import Preparer
from smartbox_tui.store import database
from tests.support.dying_engine import Doom


def main() -> None:
    doom = Doom(int(sys.argv[1]))
    fsync, transaction, unlink, prepare = os.fsync, database._transaction, pathlib.Path.unlink, Preparer._prepare

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

    async def armed(self: Preparer, row: Any) -> None:
        doom.armed = True
        await prepare(self, row)
        doom.armed = False

    os.fsync = counted_fsync
    database._transaction = counted_transaction
    pathlib.Path.unlink = counted_unlink  # type: ignore[method-assign]
    Preparer._prepare = armed  # type: ignore[method-assign]
    cli.main(["engine", *sys.argv[2:]])


if __name__ == "__main__":
    main()
