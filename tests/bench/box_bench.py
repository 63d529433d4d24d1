"""The whole box's numbers: start-up and memory of each process, 100 000 rows, and a recording under load.

    python -m tests.bench.box_bench [--seconds 600] [--stills 100] [--rows 100000]

Under load means: 1080p30 recorded while the queue sends to a simulated archive and two consoles on
pseudo-terminals show it. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pty
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from smartbox_tui.dicom import scp
from smartbox_tui.store.database import Store
from smartbox_tui.wire import client
from tests.support.box import PROGRAM, Box, settings, until


def _memory_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return round(int(text.split("VmRSS:")[1].split()[0]) / 1024, 1)


def _peak_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return round(int(text.split("VmHWM:")[1].split()[0]) / 1024, 1)


class Console:
    """A console on a pseudo-terminal of 120 x 33 whose output somebody reads."""

    def __init__(self, box: Box) -> None:
        self.begun = time.monotonic()
        self.first_picture_s = 0.0
        self.bytes = 0
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "120", "LINES": "33"})
            os.execv(PROGRAM[0], [*PROGRAM, "console", *box.common])
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._terminal, 65536):
                self.bytes += len(data)
                if not self.first_picture_s and data.count("▀".encode()) > 200:
                    self.first_picture_s = time.monotonic() - self.begun

    def end(self) -> None:
        os.kill(self.pid, 15)
        os.waitpid(self.pid, 0)
        os.close(self._terminal)


@contextlib.contextmanager
def _box(port: int, aet: str = "BENCH", **keywords: Any) -> Iterator[Box]:
    box = Box(settings(port, aet, **keywords))
    try:
        yield box
    finally:
        box.close()


def start_up(port: int) -> dict[str, Any]:
    """Seconds from exec to an answer (a screen with the picture for the console), and resident memory idle."""
    result: dict[str, Any] = {}
    with _box(port, size="1920x1080") as box:
        for name in ("capture", "engine"):
            begun = time.monotonic()
            box.start(name)
            result[f"{name}_ready_s"] = round(time.monotonic() - begun, 2)
        console = Console(box)
        until(lambda: console.first_picture_s, 20)
        time.sleep(12)  # the ring is full, the screen has drawn for a while
        result["console_first_picture_s"] = round(console.first_picture_s, 2)
        result["capture_idle_mb"] = _memory_mb(box.processes["capture"].pid)
        result["engine_idle_mb"] = _memory_mb(box.processes["engine"].pid)
        result["console_mb"] = _memory_mb(console.pid)
        console.end()
        begun = time.monotonic()
        box.raw("ctl", "status", "--json")
        result["ctl_status_s"] = round(time.monotonic() - begun, 2)
    return result


def many_rows(port: int, rows: int) -> dict[str, Any]:
    """Seconds until an engine with so many deliveries answers after kill -9, and its memory then."""
    with _box(port) as box:
        box.state.mkdir(parents=True, exist_ok=True)
        Store(box.state / "smartbox.db").close()
        _fill(box.state / "smartbox.db", rows)
        box.start("engine")
        box.kill("engine")
        begun = time.monotonic()
        box.start("engine")
        ready = time.monotonic() - begun
        begun = time.monotonic()
        client.get(box.runtime / "engine.sock", "/v1/status")
        status_ms = (time.monotonic() - begun) * 1000
        return {
            "rows": rows,
            "engine_ready_after_kill_s": round(ready, 2),
            "status_ms": round(status_ms, 1),
            "engine_mb": _memory_mb(box.processes["engine"].pid),
        }


def _fill(path: Path, rows: int) -> None:
    exam = str(uuid4())
    at = "2026-11-20T10:00:00.000+01:00"
    with sqlite3.connect(path) as connection:
        patient = '{"id": "T-1", "name": "Bench^Test"}'
        connection.execute(
            "INSERT INTO exam (id, state, study_uid, accession, opened_at, opened_by, closed_at, released,"
            " revision, patient, patient_id, close_command, parts)"
            " VALUES (?, 'closed', '2.25.1', '', ?, 'engine', ?, 1, 1, ?, 'T-1', '', 0)",
            (exam, at, at, patient),
        )
        connection.executemany(
            "INSERT INTO instance (id, sop_uid, exam, series_uid, series_number, instance_number, sop_class_uid,"
            " transfer_syntax_uid, kind, source, captured_at, frames, frames_lost, duration_s, trigger_ns,"
            " frame_ns, trigger_to_disk_ms, bytes, file, revision, discarded, folder)"
            " VALUES (?, ?, ?, '2.25.2', 1, ?, 'x', 'y', 'still', 'endo', ?, 1, 0, NULL, 1, 1,"
            " 1.0, 500000, 'f', 1, 0, ?)",
            ((f"i{number}", f"2.25.{number}", exam, number, at, exam) for number in range(rows)),
        )
        connection.executemany(
            "INSERT INTO delivery (instance, sop_uid, exam, destination, kind, state, reason, code, attempts,"
            " failures, bytes, bytes_sent, worker, priority, paused, uncertain, created_at, changed_at)"
            " VALUES (?, ?, ?, 'archive', 'still', ?, '', '', 1, 0, 500000, 500000, '', 0, 0, 0, ?, ?)",
            (
                (f"i{number}", f"2.25.{number}", exam, "sending" if number % 50_000 == 1 else "stored", at, at)
                for number in range(rows)
            ),
        )
    connection.close()


def under_load(port: int, seconds: float, stills: int) -> dict[str, Any]:
    """Records 1080p30 for so long while sending and with two consoles; stills evenly spread, by their own word."""
    with _box(port, send="immediately", size="1920x1080") as box:
        box.start("capture", "engine")
        consoles = [Console(box), Console(box)]
        until(lambda: all(console.first_picture_s for console in consoles), 20)
        time.sleep(6)
        capture, engine = box.processes["capture"].pid, box.processes["engine"].pid
        box.open_exam()
        socket = box.runtime / "capture.sock"
        client.command(socket, {"type": "record-start", "id": str(uuid4())})
        begun = time.monotonic()
        told = []
        for index in range(stills):
            time.sleep(max(0.0, begun + seconds * (index + 0.5) / stills - time.monotonic()))
            command = {"type": "still", "id": str(uuid4()), "at_ns": time.monotonic_ns()}
            told.append(client.command(socket, command)["instance"]["trigger_to_disk_ms"])
        time.sleep(max(0.0, begun + seconds - time.monotonic()))
        memory = {"capture_peak_mb": _peak_mb(capture), "engine_peak_mb": _peak_mb(engine)}
        memory["console_mb"] = max(_memory_mb(console.pid) for console in consoles)
        before = time.monotonic()
        stopped = box.ctl("record", "stop")
        stop_s = time.monotonic() - before
        exam = box.ctl("exam", "close")["exam"]
        box.wait_stored(exam["id"], stills + len(stopped["instances"]), 300)
        for console in consoles:
            console.end()
    told.sort()
    return {
        "seconds": seconds,
        "frames": stopped["frames"],
        "frames_lost": stopped["frames_lost"],
        "stills": stills,
        "trigger_to_disk_ms": {
            "p50": round(statistics.median(told), 1),
            "p95": round(told[min(len(told) - 1, int(len(told) * 0.95))], 1),
            "max": round(told[-1], 1),
        },
        "ctl_record_stop_s": round(stop_s, 2),
        **memory,
    }


def main(argv: Sequence[str]) -> int:
    """Prints the JSON."""
    parser = argparse.ArgumentParser(prog="box_bench")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--stills", type=int, default=100)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        archive = scp.start("127.0.0.1", 0, "BENCH", Path(folder))
        try:
            result = {
                "start_up": start_up(archive.port),
                "many_rows": many_rows(archive.port, options.rows),
                "under_load": under_load(archive.port, options.seconds, options.stills),
            }
        finally:
            archive.stop()
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
