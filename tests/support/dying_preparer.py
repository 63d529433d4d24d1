"""An engine that dies by SIGKILL at the N-th durable step of making something ready: `python -m
tests.support.dying_preparer N --config … --state … --runtime …`. Steps (tests.support.dying) are counted from the
moment a row is taken to be prepared."""

from __future__ import annotations

import sys
from typing import Any

from smartbox_tui import cli
from smartbox_tui.engine.delivery.preparing import Preparer
from tests.support.dying import doomed


def main() -> None:
    doom = doomed(int(sys.argv[1]))
    prepare = Preparer._prepare

    async def armed(self: Preparer, row: Any) -> None:
        doom.armed = True
        await prepare(self, row)
        doom.armed = False

    Preparer._prepare = armed  # type: ignore[method-assign]
    cli.main(["engine", *sys.argv[2:]])


if __name__ == "__main__":
    main()
