"""The engine itself as the sender: a queue that is full before its archives are there."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from smartbox_tui.wire import client
from tests.bench.sender_load import Peak, State
from tests.support.box import Box, until
from tests.support.dcmtk import free_port, storescp
from tests.support.relay import Relay

_LONGEST_S: Final = 600.0


@dataclass(frozen=True)
class Sink:
    """A storescp that is to be started."""

    folder: Path
    port: int
    options: tuple[str, ...]


def sink(folder: Path, *options: str) -> Sink:
    return Sink(folder, free_port(), options)


@dataclass(frozen=True)
class Delivered:
    """`seconds` from the first row that was claimed to the last promise; memory of the engine in MB; `connections`
    the most that were open to one archive at the same time."""

    seconds: float
    idle_mb: float
    peak_mb: float
    connections: int


def deliver(state: State, count: int, sinks: list[Sink], *, associations: int = 1, throttle: int = 0) -> Delivered:
    """Starts an engine on the spool with all of it new, then the archives, and waits until each has `count`."""
    state.fresh()
    with ExitStack() as stack:
        ports = [item.port for item in sinks]
        if throttle:
            ports = [stack.enter_context(Relay(port, throttle)).port for port in ports]
        box = Box(_settings(ports, associations), state.folder)
        stack.callback(box.close)
        box.start("engine", wait=False)
        box.wait_for("engine")
        socket = box.runtime / "engine.sock"

        def queue() -> dict[str, int]:
            found: dict[str, int] = client.get(socket, "/v1/status")["queue"]
            return found

        wanted = count * len(sinks)
        until(lambda: sum(queue()[word] for word in ("queued", "waiting")) == wanted, 120, "the queue")
        for name in range(len(sinks)):
            _change(socket, "pause", f"sink{name}")
        idle = Peak(box.processes["engine"].pid)
        idle_mb = idle.end()
        for item in sinks:
            stack.enter_context(storescp(item.folder, *item.options, port=item.port))
        peak = Peak(box.processes["engine"].pid)
        watch = _Connections([item.port for item in sinks])
        for name in range(len(sinks)):
            _change(socket, "resume", f"sink{name}")
        try:
            until(lambda: queue()["stored"] == wanted, _LONGEST_S, "all to be stored")
        finally:
            watch.end()
        peak_mb = peak.end()
        assert box.stop("engine") == 0
        return Delivered(_seconds(state.folder / "smartbox.db"), idle_mb, peak_mb, watch.most)


def _change(socket: Path, action: str, destination: str) -> None:
    client.command(
        socket, {"type": "queue-change", "id": str(uuid4()), "action": action, "destination": destination}
    )


def _settings(ports: list[int], associations: int) -> str:
    text = 'station_name = "BENCH"\nlanguage = "en"\n[clock]\nwait_s = 0\n'
    text += '[[sources]]\nid = "endo"\nkind = "pattern"\nsize = "1920x1080"\n'
    for number, port in enumerate(ports):
        text += (
            f'[[destinations]]\nname = "sink{number}"\nhost = "127.0.0.1"\nport = {port}\naet = "SINK"\n'
            f"associations = {associations}\nretry = {{ first_s = 0.1, max_s = 0.2 }}\n"
        )
    return text


def _seconds(database: Path) -> float:
    """From the history that the queue keeps of every row."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        query = "SELECT min(at) FROM delivery_change WHERE new = 'sending' UNION ALL " \
                "SELECT max(at) FROM delivery_change WHERE new = 'stored'"  # fmt: skip
        first, last = (datetime.fromisoformat(row[0]) for row in connection.execute(query))
    finally:
        connection.close()
    return (last - first).total_seconds()


class _Connections:
    """Counts the established connections to each port, from /proc, ten times a second."""

    def __init__(self, ports: list[int]) -> None:
        self.most = 0
        self._wanted = [f":{port:04X}" for port in ports]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            with suppress(OSError):
                rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
                for port in self._wanted:
                    count = sum(row[2].endswith(port) and row[3] == "01" for row in rows)
                    self.most = max(self.most, count)

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
