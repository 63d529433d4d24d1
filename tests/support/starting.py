"""A process of the box started as its service manager does, and what it had done when it said that it is ready."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.box import settings
from tests.support.dcmtk import free_port

NAMES: Final = ("capture", "engine", "console")
PANEL: Final = (45, 160)
"""Rows and columns of 1920 x 1080 with letters of 12 x 24."""
_IMPORT: Final = re.compile(rb"import time: [^|\n]*\|[^|\n]*\| *([\w.]+)")
_PATIENCE_S: Final = 120.0


@dataclass(frozen=True)
class Ready:
    """`wall_s` and `cpu_s` from exec to READY=1; `modules` that it had imported then, where they were asked for."""

    pid: int
    wall_s: float
    cpu_s: float
    modules: frozenset[str]


@contextlib.contextmanager
def started(name: str, *, size: str = "640x360", imports: bool = False) -> Iterator[Ready]:
    """Runs until the end of the context, in folders of its own; the console on a terminal that somebody reads.
    Raises TimeoutError where it does not get ready."""
    with tempfile.TemporaryDirectory(prefix="sbs-") as given, contextlib.ExitStack() as stack:
        folder = Path(given)
        (folder / "box.toml").write_text(settings(free_port(), size=size), encoding="utf-8")
        told = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        told.bind(str(folder / "notify"))
        told.settimeout(_PATIENCE_S)
        flags = ("-X", "importtime") if imports else ()
        places = ("--config", folder / "box.toml", "--state", folder / "s", "--runtime", folder / "r")
        command = [sys.executable, *flags, "-m", "smartbox_tui.cli", name, *map(str, places)]
        environment = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "TERM": "linux"}
        environment.pop("COLORTERM", None)
        near, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", *PANEL, 0, 0))
        said = bytearray()
        threading.Thread(target=_read, args=(near, said), daemon=True).start()
        begun = time.monotonic()
        process = subprocess.Popen(
            command, stdin=far, stdout=far, stderr=far, env=environment, start_new_session=True
        )
        stack.callback(os.close, far)
        stack.callback(_end, process)
        while b"READY=1" not in told.recv(65536).split(b"\n"):
            pass
        wall_s, cpu_s = time.monotonic() - begun, cpu(process.pid)
        time.sleep(0.1 if imports else 0)  # what is on its way through the terminal
        names = frozenset(found.decode() for found in _IMPORT.findall(bytes(said)))
        yield Ready(process.pid, wall_s, cpu_s, names)


def cpu(pid: int) -> float:
    """Seconds of processor that a process has used (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_mb(pid: int) -> float:
    """Memory of a process, what it shares counted by its share (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return round(int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024, 1)


def _read(terminal: int, said: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := os.read(terminal, 65536):
            said += data
    os.close(terminal)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
