"""The panel's console as a program on a pty: its driver, its thread, a made-up touch panel, real signals."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from smartbox_tui.wire import commands
from tests.ui import test_terminal
from tests.ui.test_terminal import Terminal, box, until

PHOTO = (65, 3)
"""A cell of the photo button at 80 × 24."""


class Panel(Terminal):
    """A finger and a cable beside the terminal."""

    def __init__(self, runtime: Path, **more: str) -> None:
        self.fifo = runtime / "finger"
        os.mkfifo(self.fifo)
        super().__init__(runtime, **more)
        self._finger = os.open(self.fifo, os.O_RDWR)

    def does(self, what: str) -> None:
        os.write(self._finger, f"{what}\n".encode())

    def tap(self, cell: tuple[int, int]) -> None:
        self.does(f"down {(cell[0] + 0.5) / 80} {(cell[1] + 0.5) / 24}")
        self.does("up")


@pytest.fixture(autouse=True)
def with_a_finger(monkeypatch):
    monkeypatch.setattr(
        test_terminal,
        "command_line",
        lambda runtime: [sys.executable, "-m", "tests.ui.touch_program", str(runtime), str(runtime / "finger")],
    )


async def test_a_picture_by_finger_a_pulled_cable_and_a_clean_end(tmp_path):
    log = tmp_path / "console.log"
    async with box() as fake:
        terminal = Panel(fake.runtime, SMARTBOX_LOG=str(log))
        await terminal.ready()
        await until(lambda: "the touch panel is there" in log.read_text(encoding="utf-8"), "the panel")
        await asyncio.sleep(0.5)
        before = time.monotonic_ns()
        terminal.tap(PHOTO)
        await until(lambda: any(isinstance(item, commands.Still) for item in fake.commands), "the still")
        (still,) = (item for item in fake.commands if isinstance(item, commands.Still))
        assert before <= still.at_ns <= time.monotonic_ns()
        terminal.does("unplug")
        await until(lambda: b"Touchpanel wurde abgezogen" in terminal.output, "the words")
        assert "the device was unplugged" in log.read_text(encoding="utf-8")
        terminal.does("replug")
        await until(lambda: log.read_text(encoding="utf-8").count("the touch panel is there") == 2, "it to be back")
        terminal.tap(PHOTO)
        await until(lambda: sum(isinstance(item, commands.Still) for item in fake.commands) == 2, "the second")
        os.kill(terminal.pid, signal.SIGTERM)
        assert await terminal.status() == 0
        assert b"Traceback" not in terminal.output
        assert "Traceback" not in log.read_text(encoding="utf-8")
        os.close(terminal.master)


async def test_a_pty_is_not_the_boxs_own_screen(monkeypatch, tmp_path):
    """The program as it is, on a pty as SSH and tmux give one: no touch panel is looked for."""
    monkeypatch.setattr(
        test_terminal, "command_line", lambda runtime: [sys.executable, "-m", "tests.ui.program", str(runtime)]
    )
    log = tmp_path / "console.log"
    async with box() as fake:
        terminal = Terminal(fake.runtime, SMARTBOX_LOG=str(log))
        await terminal.ready()
        os.kill(terminal.pid, signal.SIGTERM)
        assert await terminal.status() == 0
        assert "touch" not in log.read_text(encoding="utf-8")
        os.close(terminal.master)
