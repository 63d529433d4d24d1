"""Starts the box's processes as processes, restarts one that dies, ends them all."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

from smartbox_tui.settings.load import PARENT_VARIABLE
from smartbox_tui.settings.paths import Paths

RESTART_S: Final = 0.3
END_S: Final = 10.0


class Child:
    """One process of the box; `restarts` counts how often it was started again."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        log: Path | None,
        *,
        terminal: bool = False,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.name, self._arguments, self._log, self._terminal = name, arguments, log, terminal
        self._environment = environment or {}
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts = -1
        self._not_before = 0.0

    def start(self) -> None:
        self.restarts += 1
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(self._log.open("ab")) if self._log else None
            self.process = subprocess.Popen(
                self._arguments,
                stdin=None if self._terminal else subprocess.DEVNULL,
                stdout=log,  # None, the terminal, for the console: Textual draws on standard error
                stderr=log,
                # the others must not get the terminal's Ctrl+C
                start_new_session=not self._terminal,
                env={**os.environ, PARENT_VARIABLE: str(os.getpid()), **self._environment},
            )

    def died(self) -> int | None:
        """The exit status once it has ended."""
        return self.process.poll() if self.process else None

    def revive(self, now: float) -> None:
        """Starts it again, a moment after it died."""
        if not self._not_before:
            self._not_before = now + RESTART_S
        elif now >= self._not_before:
            self._not_before = 0.0
            self.start()

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run(paths: Paths, config: Path, *, headless: bool) -> int:
    """Until SIGTERM or SIGINT, or until the console is closed by its user."""
    common = ["--config", str(config), "--state", str(paths.state), "--runtime", str(paths.runtime)]
    program = [sys.executable, "-m", "smartbox_tui.cli"]
    script = Path(sys.argv[0])
    if script.name == "smartbox" and script.exists():
        program = [str(script)]  # shows as `smartbox engine …` in ps
    logs = None if headless else paths.state
    children = [
        Child(name, [*program, name, *common], logs / f"{name}.log" if logs else None)
        for name in ("capture", "engine")
    ]
    if not headless:
        log = {"SMARTBOX_LOG": str(paths.state / "console.log")}
        children.append(Child("console", [*program, "console", *common], None, terminal=True, environment=log))
    ending = _Ending()
    for child in children:
        child.start()
    status = 0
    try:
        while not ending.asked:
            time.sleep(0.1)
            for child in children:
                code = child.died()
                if code is None:
                    continue
                if child.name == "console" and (code == 0 or not os.isatty(0)):
                    return 0
                child.revive(time.monotonic())
    finally:
        for child in reversed(children):
            child.end()
        deadline = time.monotonic() + END_S
        for child in reversed(children):
            child.wait(deadline)
    return status


class _Ending:
    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
