"""The console over slow links with deep buffers, as SSH and TCP have them: a key's echo never waits behind seconds
of pictures."""

from __future__ import annotations

import asyncio
import os
import struct
import termios
import time
from fcntl import ioctl

import pytest

from smartbox_tui.ui import pace
from smartbox_tui.ui.pace import Pace
from tests.ui.rig import MIDDLE
from tests.ui.test_terminal import Terminal, box, until

MEGABIT = 125_000
REPORT = b"\x1b[1;1R"
WATCHED_S = 12.0


class Link:
    """Takes all that the console writes at once, and hands it to the terminal at the link's rate."""

    def __init__(self, terminal: Terminal, bytes_s: int) -> None:
        self.terminal, self.bytes_s = terminal, bytes_s
        self.waiting = bytearray()
        self.shown = bytearray()
        self.pictures = 0
        self.most_s = 0.0
        loop = asyncio.get_running_loop()
        loop.remove_reader(terminal.master)
        loop.add_reader(terminal.master, self._take)

    def _take(self) -> None:
        try:
            self.waiting += os.read(self.terminal.master, 1 << 20)
        except OSError:
            self.terminal.deaf()

    async def run(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            count = int((now - before) * self.bytes_s)
            if not count:
                continue
            before = now
            self.most_s = max(self.most_s, len(self.waiting) / self.bytes_s)
            begun = max(0, len(self.shown) - 3)
            self.shown += self.waiting[:count]
            del self.waiting[:count]
            asked = self.shown.count(pace.ASK.encode(), begun)
            self.pictures += asked
            os.write(self.terminal.master, REPORT * asked)

    async def shows(self, text: str) -> float:
        """Seconds until the text is on the terminal, from now on."""
        begun, at = time.monotonic(), len(self.shown)
        await until(lambda: self.shown.find(text.encode(), max(0, at - 100)) >= 0, f"'{text}' over the link")
        return time.monotonic() - begun


async def echoes(bytes_s: int) -> tuple[list[float], Link]:
    async with box() as fake:
        terminal = Terminal(fake.runtime, SSH_CONNECTION="192.0.2.7 5 192.0.2.8 22")
        columns, rows = MIDDLE
        ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        link = Link(terminal, bytes_s)
        pump = asyncio.create_task(link.run())
        await link.shows("Müller")
        await asyncio.sleep(WATCHED_S)
        times = []
        for key, text in ((b"s", "Prozesse"), (b"\x1b", "F O T O")) * 2:
            os.write(terminal.master, key)
            times.append(await link.shows(text))
            await asyncio.sleep(1.0)
        pump.cancel()
        os.close(terminal.master)
        terminal.deaf()
        await terminal.status()
        return times, link


@pytest.mark.parametrize(("bytes_s", "echo_s"), [(MEGABIT, 2.5), (MEGABIT * 3 // 10, 8.0)])
async def test_a_keys_echo_is_quick_on_a_slow_link(
    bytes_s: int, echo_s: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bounds are far above what is measured, for a machine that does much else. Without the pace the slower
    link shows no echo within a minute and a half."""
    times, link = await echoes(bytes_s)
    with capsys.disabled():
        told = ", ".join(f"{each:.2f}" for each in times)
        rate = f"{bytes_s * 8e-6:.1f} Mbit/s"
        print(f"\n{rate}: echoes after {told} s; {link.pictures} pictures, {link.most_s:.1f} s under way", end="")
    assert link.pictures >= 3, "pictures go on"
    assert max(times) < echo_s
    assert link.most_s < echo_s


def test_the_link_is_asked_at_its_own_pace() -> None:
    now = 0.0
    link = Pace(lambda: now)
    assert link.may()
    link.asked()
    now = 0.4
    assert not link.may(), "one is under way"
    link.answered()
    assert not link.may(), "half of the time is for others"
    now = 0.79
    assert not link.may()
    now = 0.81
    assert link.may()
    link.answered()  # somebody else's
    assert link.may()


def test_a_lost_answer_stops_nothing_for_ever() -> None:
    now = 0.0
    link = Pace(lambda: now)
    link.asked()
    link.answered()
    link.asked()
    now = pace.PATIENCE_S - 0.1
    assert not link.may()
    now = pace.PATIENCE_S + 0.1
    assert link.may()
    assert not link.deaf


def test_a_terminal_that_never_answers_is_left_alone() -> None:
    now = 0.0
    link = Pace(lambda: now)
    for _ in range(pace.DEAF_AFTER):
        link.asked()
        now += pace.DEAF_PATIENCE_S + 0.1
        assert link.may()
    assert link.deaf
    assert link.may()
    link.answered()
    assert not link.deaf, "it was only slow"
