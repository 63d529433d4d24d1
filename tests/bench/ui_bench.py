"""The queue's screen over a long queue: the real console on a terminal, the real store behind it. Prints JSON.

    python -m tests.bench.ui_bench [--rows 100000]

A key is written to the terminal; the time counts until the line that it brings into sight has been drawn there.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import pty
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from smartbox_tui.engine.queue_api import QueueArea
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.store import pages, queries, records
from smartbox_tui.store.database import Store
from smartbox_tui.ui.queue_rows import FILTERS
from smartbox_tui.wire import state
from tests.store.test_pages import EXAM, insert
from tests.support.fakebox import FakeBox

SIZE: Final = (120, 33)
ROOT: Final = Path(__file__).parents[2]
STATES: Final = ("queued", "queued", "queued", "waiting", "held", "blocked", "stored", "stored")
PATIENCE_S: Final = 30.0
DOWN, PAGE_DOWN, END, HOME = b"\x1b[B", b"\x1b[6~", b"\x1b[F", b"\x1b[H"


class LongBox(FakeBox):
    """The fake box with the engine's own queue area over a real store."""

    store: Store

    def queue_routes(self) -> list[web.RouteDef]:
        return QueueArea(self.store).routes()

    def status(self) -> state.Status:
        status: Any = super().status()
        status.queue.update(queries.counts(self.store.reader))
        return status  # type: ignore[no-any-return]


class Terminal:
    """The console on a pty; what it draws is kept as text with its time."""

    def __init__(self, runtime: Path, command: list[str] | None = None) -> None:
        """`command`: another program than the console as it is."""
        self.main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SSH_", "SMARTBOX_"))}
        self.process = subprocess.Popen(
            command or [sys.executable, "-m", "tests.ui.program", str(runtime)],
            stdin=side, stdout=side, stderr=side, cwd=ROOT, start_new_session=True,
            env={**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )  # fmt: skip
        os.close(side)
        os.set_blocking(self.main, False)
        self.text = ""
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.main, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self.main, 65536)
        except OSError:
            asyncio.get_running_loop().remove_reader(self.main)
            return
        self.text += re.sub(
            r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[PX^_\]].*?(?:\x1b\\|\x07)", "", data.decode(errors="replace")
        )
        self._news.set()

    async def press(self, key: bytes, shown: str = "") -> float:
        """Milliseconds from the key to the text on the terminal; without a text to whatever is drawn first."""
        self.text = ""
        begin = time.monotonic()
        os.write(self.main, key)
        async with asyncio.timeout(PATIENCE_S):
            while not (re.search(shown, self.text) if shown else self.text.strip()):
                self._news.clear()
                await self._news.wait()
        return (time.monotonic() - begin) * 1000

    async def quiet(self, seconds: float = 0.3) -> None:
        await asyncio.sleep(seconds)

    def memory_mib(self, name: str) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
        return round(next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024, 1)

    def end(self) -> None:
        asyncio.get_running_loop().remove_reader(self.main)
        self.process.terminate()
        self.process.wait(10)
        os.close(self.main)


def fill(path: Path, count: int) -> Store:
    """A store with so many deliveries for three archives."""
    store = Store(path)
    exam = ExamFile(EXAM, "closed", "2.25.1", "2026-11-20T10:00:00+01:00", "engine")
    revision = RevisionFile(1, {"id": "T1", "name": "Test^Eins"}, "2026-11-20T10:00:00+01:00")
    store.write(lambda db: records.put_exam(db, exam, revision)).result()
    rows = [(n, "abc"[n % 3], STATES[n % len(STATES)], 0) for n in range(1, count + 1)]
    store.write(lambda db: insert(db, rows)).result()
    return store


def _told(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return {"median_ms": round(statistics.median(values), 1), "p95_ms": round(p95, 1)}


async def measure(folder: Path, count: int) -> dict[str, Any]:
    store = fill(folder / "smartbox.db", count)
    known = pages.counts(store.reader)

    def shown(name: str, at: int) -> str:
        (row,) = pages.page(store.reader, known, FILTERS[name][1], None, at, 1)
        return rf"#{row.id}\b"

    LongBox.store = store
    async with LongBox(folder / "r") as box:
        box.destinations = [state.Destination(name=name, kind="dimse", state="ok", open=1) for name in "abc"]
        terminal = Terminal(folder / "r")
        try:
            await terminal.press(b"", "Warteschlange")
            await terminal.quiet(1.0)
            opened = await terminal.press(b"q", shown("open", 0))
            await terminal.quiet()
            idle = terminal.memory_mib("VmRSS")
            downs = []
            for _ in range(30):
                downs.append(await terminal.press(DOWN))
                await terminal.quiet(0.05)
            paged, at = [], 30
            step = await _page_step(terminal, store, known, at)
            at += step
            for _ in range(30):
                at += step
                paged.append(await terminal.press(PAGE_DOWN, shown("open", at)))
                await terminal.quiet(0.05)
            total = sum(known[name].get(each, 0) for name in known for each in FILTERS["open"][1])
            jumps = []
            for _ in range(5):
                jumps.append(await terminal.press(END, shown("open", total - 1)))
                await terminal.quiet()
                jumps.append(await terminal.press(HOME, shown("open", 0)))
                await terminal.quiet()
            filters = []
            for key, name in ((b"2", "blocked"), (b"3", "sent"), (b"4", "all"), (b"1", "open")) * 3:
                filters.append(await terminal.press(key, shown(name, 0)))
                await terminal.quiet()
            return {
                "rows": count,
                "open_ms": round(opened, 1),
                "key_to_line": _told(downs),
                "page_to_line": _told(paged),
                "end_or_home_to_line": _told(jumps),
                "filter_to_line": _told(filters),
                "console_rss_before_mib": idle,
                "console_peak_mib": terminal.memory_mib("VmHWM"),
            }
        finally:
            terminal.end()
            store.close()


async def _page_step(terminal: Terminal, store: Store, known: pages.Counts, at: int) -> int:
    """How many rows a page is: the furthest of what the first press has drawn."""
    await terminal.press(PAGE_DOWN)
    await terminal.quiet(0.5)
    rows = pages.page(store.reader, known, FILTERS["open"][1], None, at, 60)
    drawn = {int(number) for number in re.findall(r"#(\d+)\b", terminal.text)}
    return max(place for place, row in enumerate(rows) if row.id in drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sb-") as folder:
        print(json.dumps(asyncio.run(measure(Path(folder), arguments.rows)), indent=2))


if __name__ == "__main__":
    main()
