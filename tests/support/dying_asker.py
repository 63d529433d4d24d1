"""An engine that dies by SIGKILL at the N-th durable step of a question about commitment and its answer: `python -m
tests.support.dying_asker N --config … --state … --runtime …`. Steps (tests.support.dying) are counted from the
moment the question is made until its answer is kept."""

from __future__ import annotations

import sys
from typing import Any

from smartbox_tui import cli
from smartbox_tui.engine.commitment.asking import Asking
from smartbox_tui.engine.commitment.promises import Promises
from tests.support.dying import doomed


def main() -> None:
    doom = doomed(int(sys.argv[1]))
    one, report = Asking._one, Promises.report

    def armed(self: Asking, session: Any, rows: Any) -> str:
        doom.armed = True
        return one(self, session, rows)

    def kept(self: Promises, aet: str, told: Any) -> int:
        status = report(self, aet, told)
        doom.armed = False
        return status

    Asking._one = armed  # type: ignore[method-assign]
    Promises.report = kept  # type: ignore[method-assign]
    cli.main(["engine", *sys.argv[2:]])


if __name__ == "__main__":
    main()
