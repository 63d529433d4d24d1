"""The console on a real terminal under a service manager: ready when its screen is there, fed while it turns."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tests.ui.test_terminal import Terminal, box, until
from tests.unit.test_watchdog import Listener


async def test_it_is_ready_fed_and_says_when_it_ends(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "notify")
    lines: list[str] = []

    def told(line: str) -> bool:
        lines.extend(listener.heard(0))
        return line in lines

    try:
        async with box() as fake:
            terminal = Terminal(fake.runtime, **listener.environ, WATCHDOG_USEC="600000")
            await until(lambda: told("READY=1"), "its screen")
            await asyncio.sleep(2)
            assert told("WATCHDOG=1")
            os.kill(terminal.pid, signal.SIGTERM)
            await until(lambda: told("STOPPING=1"), "its end")
            await asyncio.to_thread(os.waitpid, terminal.pid, 0)
            terminal.deaf()
            os.close(terminal.master)
    finally:
        listener.close()
    assert lines.count("WATCHDOG=1") >= 5
