"""Touch to visible reaction: the real console on a terminal, a made-up panel read by the real driver. Prints JSON.

    python -m tests.bench.touch_bench [--touches 40]

A finger comes down; the time counts until the terminal has got the button's pressed look: from the pipe that is the
device, through our reader, Textual and its writer. The device's own scan time and the screen's are not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from tests.bench import ui_bench
from tests.bench.ui_bench import SIZE, Terminal, _told
from tests.support.fakebox import FakeBox
from tests.ui.rig import busy

BUTTONS: Final = {"photo": ((102, 4), "F O T O"), "mark": ((92, 11), "Marke")}
"""A cell of each at 120 × 33, and what stands on it."""


class Touched(Terminal):
    """The console with a finger: `press` takes a line for it."""

    def __init__(self, runtime: Path) -> None:
        fifo = runtime / "finger"
        os.mkfifo(fifo)
        super().__init__(runtime, [sys.executable, "-m", "tests.ui.touch_program", str(runtime), str(fifo)])
        self._finger = os.open(fifo, os.O_RDWR)

    async def touch(self, cell: tuple[int, int], shown: str) -> float:
        """Milliseconds until that is drawn."""
        self.text = ""
        begin = time.monotonic()
        os.write(self._finger, f"down {(cell[0] + 0.5) / SIZE[0]:.5f} {(cell[1] + 0.5) / SIZE[1]:.5f}\n".encode())
        async with asyncio.timeout(ui_bench.PATIENCE_S):
            while shown not in self.text:
                self._news.clear()
                await self._news.wait()
        took = (time.monotonic() - begin) * 1000
        await self.quiet(0.15)
        os.write(self._finger, b"up\n")
        return took


async def measure(folder: Path, touches: int) -> dict[str, Any]:
    async with FakeBox(folder) as box:
        busy(box)
        terminal = Touched(folder)
        try:
            await terminal.press(b"", "Warteschlange")
            await terminal.quiet(2.0)
            result: dict[str, Any] = {}
            for name, (cell, shown) in BUTTONS.items():
                values = []
                for _ in range(touches):
                    # off the second's beat, on which the clock is drawn
                    await terminal.quiet(0.61)
                    values.append(await terminal.touch(cell, shown))
                result[f"touch_to_{name}_button"] = {**_told(values), "worst_ms": round(max(values), 1)}
            return result
        finally:
            terminal.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--touches", type=int, default=40)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sb-") as folder:
        print(json.dumps(asyncio.run(measure(Path(folder), arguments.touches)), indent=2))


if __name__ == "__main__":
    main()
