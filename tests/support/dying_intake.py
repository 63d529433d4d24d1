"""An engine that dies by SIGKILL at the N-th durable step of taking a picture from a watched folder, N = 0: never.
It waits only 2 s for the rest of a torn picture: `python -m tests.support.dying_intake N --config … …`.

Steps are each fsync, each rename, and each transaction of the database before and after it is committed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from smartbox_tui import cli
from smartbox_tui.engine.watched import intake
from smartbox_tui.engine.watched.intake import Intake, Outcome
from tests.support.dying import doomed

SURVIVED = "survived"
"""A file in the state folder that says that a picture was taken to its end."""


def main() -> None:
    doom = doomed(int(sys.argv[1]), removals=False)
    take, replace = Intake.take, Path.replace
    survived = Path(sys.argv[sys.argv.index("--state") + 1]) / SURVIVED
    intake.INCOMPLETE_S = 2.0  # type: ignore[misc]

    def counted_replace(self: Path, target: Any) -> Any:
        result = replace(self, target)
        doom.step()
        return result

    async def armed_take(self: Intake, *arguments: Any) -> Outcome:
        doom.armed = True
        outcome = await take(self, *arguments)
        doom.armed = False
        survived.touch()
        return outcome

    Path.replace = counted_replace  # type: ignore[method-assign]
    Intake.take = armed_take  # type: ignore[method-assign]
    cli.main(["engine", *sys.argv[2:]])


if __name__ == "__main__":
    main()
