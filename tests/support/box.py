"""A SmartBox of real processes in folders of its own: what the end-to-end and crash tests work with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from smartbox_tui.wire import client
from tests.support.dcmtk import free_port

T = TypeVar("T")
PROGRAM = [sys.executable, "-m", "smartbox_tui.cli"]
OPEN = ("held", "queued", "preparing", "sending", "waiting")


def until(question: Callable[[], T], timeout_s: float = 30.0, what: str = "") -> T:
    """Asks until the answer is true; the answer. Fails with the last one."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s in vain for {what or question}: {answer!r}")
        time.sleep(0.05)


class CtlError(Exception):
    def __init__(self, code: str, message: str, hint: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.hint, self.status = code, message, hint, status


class Box:
    """`config` is the settings file's text; the folders are short (socket paths) and removed by `close`."""

    def __init__(self, config: str, state: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sbt-"))
        self.state = state or self.folder / "s"
        self.runtime = self.folder / "r"
        self.config = self.folder / "box.toml"
        if "[retention]" not in config:  # a test on a disk that is nearly full keeps what it has delivered, too
            config = f"retention.begin_hours = 0\n{config}"
        self.config.write_text(config, encoding="utf-8")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def common(self) -> list[str]:
        return ["--config", str(self.config), "--state", str(self.state), "--runtime", str(self.runtime)]

    def start(self, *names: str, wait: bool = True) -> None:
        for name in names or ("capture", "engine"):
            log = (self.folder / f"{name}.log").open("ab")
            self.processes[name] = subprocess.Popen(
                [*PROGRAM, name, *self.common],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONFAULTHANDLER": "1"},
            )
            log.close()
        if wait:
            for name in names or ("capture", "engine"):
                self.wait_for(name)

    def wait_for(self, name: str) -> None:
        from smartbox_tui.errors import SmartBoxError
        from smartbox_tui.wire import client

        def answers() -> bool:
            assert self.processes[name].poll() is None, f"{name} died:\n{self.log(name)}"
            try:
                value = client.get(self.runtime / f"{name}.sock", "/v1/status")
            except SmartBoxError:
                return False
            return name != "capture" or all(item["signal"] for item in value["sources"])

        until(answers, 60, f"{name} to answer")

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace")[-4000:] if path.exists() else ""

    def kill(self, name: str) -> None:
        """kill -9."""
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait(10)

    def stop(self, name: str) -> int:
        """SIGTERM; its exit status. One that does not end says where its threads stand."""
        process = self.processes[name]
        process.terminate()
        try:
            return process.wait(60)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            process.wait(10)
            raise AssertionError(f"{name} did not end:\n{self.log(name)}") from None

    def raw(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *arguments, *self.common],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def smartbox(self, *arguments: str, stdin: str | None = None) -> Any:
        """The JSON that the command answered with. Raises CtlError."""
        done = self.raw(*arguments, "--json", stdin=stdin)
        assert done.stdout.strip(), f"{arguments} printed nothing: {done.returncode} {done.stderr}"
        value = json.loads(done.stdout)
        if "error" in value:
            error = value["error"]
            assert all(error[key] for key in ("code", "message", "hint")), f"no sentence or no hint: {error}"
            message = error["message"]
            if error["code"] == "no-engine":  # whoever reads the failure wants to know of what it died
                message += f"\n{self.log('engine')}\n{self.log('capture')}"
            raise CtlError(error["code"], message, error["hint"], done.returncode)
        return value

    def ctl(self, *arguments: str, stdin: str | None = None) -> Any:
        return self.smartbox("ctl", *arguments, stdin=stdin)

    def open_exam(self, **values: Any) -> dict[str, Any]:
        patient = {"id": "T-1001", "name": "Prüf^Jördis", "birth_date": "1980-02-29", "sex": "F", **values}
        exam: dict[str, Any] = self.ctl("exam", "open", "--patient-file", "-", stdin=json.dumps(patient))["exam"]
        return exam

    def deliveries(self, exam: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.ctl("exam", "show", exam)["deliveries"]
        return rows

    def wait_stored(self, exam: str, count: int, timeout_s: float = 60.0) -> list[dict[str, Any]]:
        """Waits until the exam has `count` deliveries, all stored."""

        def stored() -> list[dict[str, Any]]:
            rows = self.deliveries(exam)
            blocked = [row for row in rows if row["state"] == "blocked"]
            assert not blocked, blocked
            return rows if len(rows) == count and all(row["state"] == "stored" for row in rows) else []

        try:
            return until(stored, timeout_s, f"{count} stored deliveries")
        except AssertionError as exc:
            raise AssertionError(f"{exc}\n{self.deliveries(exam)}\n{self.log('engine')}") from exc

    def close(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def running(config: str) -> Iterator[Box]:
    """A box with these settings, capture and engine started; ended in any case."""
    made = Box(config)
    try:
        made.start()  # one process may have started when the other does not
        yield made
    finally:
        made.close()


def sessions(box: Box) -> list[dict[str, Any]]:
    """The consoles that the engine knows."""
    found: list[dict[str, Any]] = client.get(box.runtime / "engine.sock", "/v1/status")["sessions"]
    return found


def no_archive(*, size: str = "320x240", fps: int = 10, preroll_s: float = 10) -> str:
    """Settings for one pattern source, and nowhere to send its pictures."""
    return f"""
port = {free_port()}
station_name = "TEST1"
language = "en"
[clock]
wait_s = 0
[[sources]]
id = "endo"
kind = "pattern"
size = "{size}"
fps = {fps}
preroll_s = {preroll_s}
"""


def settings(
    port: int, aet: str = "ORTHANC", *, send: str = "exam-close", size: str = "640x360", extra: str = ""
) -> str:
    """Settings for one pattern source and one archive."""
    return f"""{no_archive(size=size, fps=30, preroll_s=5)}
[[pedals]]
id = "demo"
kind = "key"
[[destinations]]
name = "archive"
host = "127.0.0.1"
port = {port}
aet = "{aet}"
timeout_s = 10
send = "{send}"
retry = {{ first_s = 0.2, max_s = 1 }}
{extra}
"""
