"""A program in a tmux of its own: the screen as a person sees it, keys and touches as a terminal sends them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Final, Self

_ROOT: Final = Path(__file__).parents[2]
_NUMBER = count()


class Pane:
    """`command` for a shell, on a terminal of `size` (columns, rows); the pane stays when the program ends.

    A context manager. Whoever waits says what for: the methods with a limit raise AssertionError with the screen.
    """

    def __init__(self, command: str, size: tuple[int, int], environment: Mapping[str, str] | None = None) -> None:
        self._server = ["tmux", "-u", "-L", f"sb-{os.getpid()}-{next(_NUMBER)}", "-f", "/dev/null"]
        self._environment = environment
        width, height = map(str, size)
        self.tmux("new-session", "-d", "-s", "c", "-x", width, "-y", height, f"{command}; echo LEFT $?; sleep 1000")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.tmux("kill-server")

    def tmux(self, *words: str) -> str:
        return subprocess.run(
            [*self._server, *words],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=self._environment,
            cwd=_ROOT,
            check=False,
        ).stdout

    @property
    def pid(self) -> int:
        """The program's, or that of the shell around it."""
        pane = int(self.tmux("display-message", "-p", "-t", "c", "#{pane_pid}"))
        children = Path(f"/proc/{pane}/task/{pane}/children").read_text(encoding="ascii").split()
        return int(children[0]) if children else pane

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "c")

    def shows(self, *parts: str, without: tuple[str, ...] = (), limit_s: float = 90.0) -> str:
        """Waits until all of `parts` and none of `without` are on the screen; the screen."""
        seen, end = "", time.monotonic() + limit_s
        while any(part not in seen for part in parts) or any(part in seen for part in without):
            assert time.monotonic() < end, f"not {parts} without {without} in {limit_s:.0f} s:\n{seen}"
            time.sleep(0.05)  # each look is a program
            seen = self.screen()
        return seen

    def keys(self, *names: str) -> None:
        """Names as tmux has them: "Space", "F10", "c"."""
        self.tmux("send-keys", "-t", "c", *names)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-t", "c", "-l", text)

    def tap(self, column: int, row: int) -> None:
        """A touch as terminals report it (SGR mouse reports); cells from 0."""
        self.type(f"\x1b[<0;{column + 1};{row + 1}M")
        self.type(f"\x1b[<0;{column + 1};{row + 1}m")

    def tap_on(self, text: str) -> None:
        """A touch in the middle of the first place that shows it."""
        rows = self.screen().splitlines()
        row, line = next(((row, line) for row, line in enumerate(rows) if text in line), (-1, ""))
        assert row >= 0, f"{text!r} is not on the screen:\n" + "\n".join(rows)
        self.tap(line.index(text) + len(text) // 2, row)

    def resize(self, columns: int, rows: int) -> None:
        self.tmux("resize-window", "-t", "c", "-x", str(columns), "-y", str(rows))
