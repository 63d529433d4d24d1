"""The real program on real terminals: tmux for the screen, a pty for hang-ups and signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import shlex
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time
from collections.abc import AsyncIterator, Callable
from fcntl import ioctl
from pathlib import Path

import pytest

from smartbox_tui.wire import commands
from tests.support.fakebox import FakeBox
from tests.support.tmux import Pane
from tests.ui.rig import MIDDLE, SMALL, busy

ROOT = Path(__file__).parents[2]
PATIENCE_S = 90.0


@contextlib.asynccontextmanager
async def box() -> AsyncIterator[FakeBox]:
    with tempfile.TemporaryDirectory(prefix="sb-") as folder:
        async with FakeBox(Path(folder), moving=True) as fake:
            busy(fake)
            yield fake


async def until(holds: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"waited {PATIENCE_S:.0f} s for {what}")


def command_line(runtime: Path) -> list[str]:
    return [sys.executable, "-m", "tests.ui.program", str(runtime)]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SSH_", "SMARTBOX_"))}
    return {**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor", **more}


def memory_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
@pytest.mark.parametrize("size", [SMALL, MIDDLE])
async def test_in_tmux_everything_is_there_and_the_keys_work(
    size: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with box() as fake:
        begin = time.monotonic()
        pane = await asyncio.to_thread(Pane, shlex.join(command_line(fake.runtime)), size, environment())
        with pane:
            parts = (
                "Müller, Jörg|14.03.1961 (65)|AUFNAHME|F O T O|Stopp|Marke|Abschließen|Warteschlange|"
                "Status|NOTFALL|✗ 1 BLOCKIERT|Signal 1920×1080|Platz für 41 h|5 Fotos · 1 Clip|▀"
            ).split("|")
            await asyncio.to_thread(pane.shows, *parts)
            started = time.monotonic() - begin
            resident = memory_kib(pane.pid)
            pane.keys("Space")
            await until(lambda: any(isinstance(item, commands.Still) for item in fake.commands), "the still")
            pane.keys("F10")
            assert "Traceback" not in await asyncio.to_thread(pane.shows, "LEFT 0")
            with capsys.disabled():
                shown = f"{size[0]}x{size[1]}: picture after {started:.1f} s, {resident / 1024:.0f} MiB"
                print(f"\nconsole {shown}", end="")
            assert resident < 150 * 1024


class Terminal:
    """A pty with the console on it; what it writes is read away all the time."""

    def __init__(self, runtime: Path, command: list[str] | None = None, **more: str) -> None:
        self.output = b""
        pid, self.master = pty.fork()
        if pid == 0:
            os.chdir(ROOT)
            os.execve(sys.executable, command or command_line(runtime), environment(**more))
        self.pid = pid
        os.set_inheritable(self.master, False)  # held by the next one's console it would never hang up
        ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        os.set_blocking(self.master, False)
        asyncio.get_running_loop().add_reader(self.master, self._read)

    def _read(self) -> None:
        try:
            self.output += os.read(self.master, 65536)
        except OSError:
            self.deaf()

    def deaf(self) -> None:
        """Stops reading: the terminal's buffer fills up."""
        asyncio.get_running_loop().remove_reader(self.master)

    async def full(self) -> None:
        """Nothing more fits into the terminal: its writer hangs in a write."""
        before, waiting = -1, 0
        async with asyncio.timeout(PATIENCE_S):
            while waiting == 0 or waiting != before:
                before = waiting
                await asyncio.sleep(0.5)
                waiting = struct.unpack("i", ioctl(self.master, termios.FIONREAD, b"\0" * 4))[0]

    async def ready(self) -> None:
        await until(lambda: "Müller".encode() in self.output, "the first screen")

    async def status(self) -> int:
        """The exit status, negative for a signal."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    return os.waitstatus_to_exitcode(status)
                await asyncio.sleep(0.05)


async def test_sigterm_ends_it_cleanly_and_gives_the_terminal_back() -> None:
    async with box() as fake:
        terminal = Terminal(fake.runtime)
        await terminal.ready()
        os.kill(terminal.pid, signal.SIGTERM)
        assert await terminal.status() == 0
        assert b"\x1b[?1049l" in terminal.output, "the normal screen again"
        assert b"Traceback" not in terminal.output


async def test_the_service_managers_way_to_end_it() -> None:
    """SIGCONT follows SIGTERM at once: whatever was stopped shall hear of its end, too."""
    async with box() as fake:
        terminal = Terminal(fake.runtime)
        await terminal.ready()
        for number in (signal.SIGTERM, signal.SIGCONT):
            os.kill(terminal.pid, number)
        assert await terminal.status() == 0
        assert terminal.output.count(b"\x1b[?1049h") == 1, "not begun a second time"
        assert terminal.output.count(b"\x1b[?1049l") == 1


async def test_it_goes_on_after_a_stop_and_still_ends() -> None:
    """Also on a terminal whose modes a shell has set meanwhile."""
    async with box() as fake:
        terminal = Terminal(fake.runtime)
        await terminal.ready()
        modes = termios.tcgetattr(terminal.master)
        os.kill(terminal.pid, signal.SIGSTOP)
        plain = [*modes[:3], modes[3] | termios.ECHO | termios.ICANON, *modes[4:]]
        termios.tcsetattr(terminal.master, termios.TCSANOW, plain)
        before = len(terminal.output)
        os.kill(terminal.pid, signal.SIGCONT)
        await until(lambda: b"\x1b[?1049h" in terminal.output[before:], "the screen again")
        os.write(terminal.master, b"m")
        await until(lambda: fake.commands, "the mark")
        assert termios.tcgetattr(terminal.master)[3] == modes[3]
        os.kill(terminal.pid, signal.SIGTERM)
        assert await terminal.status() == 0


async def test_a_hang_up_ends_it_without_a_word(tmp_path: Path) -> None:
    async with box() as fake:
        log = tmp_path / "console.log"
        terminal = Terminal(fake.runtime, SMARTBOX_LOG=str(log))
        await terminal.ready()
        terminal.deaf()
        os.close(terminal.master)
        assert await terminal.status() == 1
        assert "Traceback" not in log.read_text(encoding="utf-8")


async def test_sigterm_ends_it_even_when_the_terminal_does_not_read() -> None:
    async with box() as fake:
        terminal = Terminal(fake.runtime)
        await terminal.ready()
        terminal.deaf()
        await terminal.full()
        os.kill(terminal.pid, signal.SIGTERM)
        assert await terminal.status() == 0
        os.close(terminal.master)


async def test_nothing_but_the_screen_is_written_to_the_terminal(tmp_path: Path) -> None:
    async with box() as fake:
        log = tmp_path / "console.log"
        terminal = Terminal(fake.runtime, SMARTBOX_LOG=str(log))
        await terminal.ready()
        os.write(terminal.master, b"m")
        await until(lambda: fake.commands, "the mark")
        await fake.away("capture")
        os.write(terminal.master, b" ")
        await until(lambda: "Still was refused" in log.read_text(encoding="utf-8"), "the line in the log")
        assert b"was refused" not in terminal.output
        os.kill(terminal.pid, signal.SIGTERM)
        assert await terminal.status() == 0
        os.close(terminal.master)
