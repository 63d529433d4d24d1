"""The keyboard on the screen in the real program on a pty: touches as a terminal reports them."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time

from smartbox_tui.wire import commands
from tests.ui.test_terminal import PATIENCE_S, Terminal, box, until

FIRST_FIELD = (10, 4)
KEYS = {"q": (3, 12), "w": (9, 12), "ENTER": (73, 15), "7": (11, 18), "PAD-ENTER": (73, 18)}
"""Cells of a terminal of 80 × 24, from 0: the keyboard fills the rows 8 to 22."""


async def tap(terminal: Terminal, cell: tuple[int, int]) -> float:
    """SGR mouse reports of a touch; the seconds until the program has written anything."""
    x, y = cell[0] + 1, cell[1] + 1
    before, began = len(terminal.output), time.perf_counter()
    os.write(terminal.master, f"\x1b[<0;{x};{y}M".encode())
    async with asyncio.timeout(PATIENCE_S):
        while len(terminal.output) == before:
            await asyncio.sleep(0.002)
    took = time.perf_counter() - began
    os.write(terminal.master, f"\x1b[<0;{x};{y}m".encode())
    await asyncio.sleep(0.2)
    return took


async def test_a_patient_is_typed_by_touch_on_a_real_terminal() -> None:
    async with box() as fake:
        fake.exam, fake.pictures = None, []
        terminal = Terminal(fake.runtime)
        await until(lambda: b"NOTFALL" in terminal.output, "the first screen")
        os.write(terminal.master, b"n")
        await until(lambda: b"Nachname" in terminal.output, "the form")
        await asyncio.sleep(0.3)
        await tap(terminal, FIRST_FIELD)
        await until(lambda: b"Leertaste" in terminal.output, "the keyboard")
        await asyncio.sleep(0.3)
        times = [await tap(terminal, KEYS[name]) for name in "qwwwq"]
        for name in ("ENTER", "ENTER"):
            await tap(terminal, KEYS[name])
        for name in ("7", "7", "PAD-ENTER", "PAD-ENTER", "PAD-ENTER"):
            await tap(terminal, KEYS[name])
        await until(lambda: any(isinstance(item, commands.ExamOpen) for item in fake.commands), "the exam")
        command = next(item for item in fake.commands if isinstance(item, commands.ExamOpen))
        assert command.patient == {"id": "77", "name": "Qwwwq", "birth_date": None, "sex": None}
        print(f"touch to the terminal's first byte: median {statistics.median(times) * 1e3:.0f} ms")
        os.kill(terminal.pid, signal.SIGTERM)
        assert await terminal.status() == 0
        assert b"Traceback" not in terminal.output
        os.close(terminal.master)
