"""The box, its archives and what goes wrong with them: a thread for each lane of the schedule."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import client
from tests.fault.schedule import Fault
from tests.support import orthanc as orthancs
from tests.support.box import Box, settings
from tests.support.dcmtk import free_port
from tests.support.orthanc import Orthanc
from tests.support.relay import Relay

FAST: Final = 1_000_000_000
TIMEOUT_S: Final = 3
_DISK_MB: Final = 400
_DISK_MB_PER_HUNDRED: Final = 80
_START_S: Final = 90.0

CONFIG: Final = """
[retention]
begin_hours = 0
end_hours = 0
[recording]
reserve_bytes = 8388608
[[destinations]]
name = "copy"
host = "127.0.0.1"
port = {port}
aet = "COPY"
timeout_s = {timeout_s}
retry = {{ first_s = 0.1, max_s = 0.5 }}
"""


class Archive:
    """A real Orthanc behind a relay, that can be killed and started again on its own storage."""

    def __init__(self, folder: Path, aet: str) -> None:
        self.running = Orthanc(aet, free_port(), free_port())
        self._file = orthancs.configure(folder, aet, self.running.port, self.running.http_port, {})
        self._process: subprocess.Popen[bytes] | None = None
        self.relay = Relay(self.running.port, FAST)

    def start(self) -> None:
        """Waits until it listens; again when its port is not free yet."""
        deadline = time.monotonic() + _START_S
        while True:
            try:
                self._process = orthancs.launch(self._file, self.running.port, self.running.http_port)
            except (RuntimeError, TimeoutError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)
            else:
                return

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(15)

    def stop(self) -> None:
        if self._process is not None:
            orthancs.end(self._process)


class Rig:
    """Entered, everything runs; left, nothing of it is there any more. `disk`: an empty tmpfs, or None: then the
    spool lies where `folder` is, and no disk is ever full."""

    def __init__(self, folder: Path, disk: Path | None) -> None:
        self.folder, self.disk = folder, disk
        self.archive = Archive(folder / "archive", "ORTHANC")
        self.copy = Archive(folder / "copy", "COPY")
        text = settings(self.archive.relay.port, send="immediately", extra="associations = 3")
        text = text.replace("timeout_s = 10", f"timeout_s = {TIMEOUT_S}").replace("first_s = 0.2", "first_s = 0.1")
        text += CONFIG.format(port=self.copy.relay.port, timeout_s=TIMEOUT_S)
        self.box = Box(text, (disk or folder) / "s")
        self.step = -1
        self.done: list[Fault] = []
        self.deaths: list[str] = []
        """What ended by itself: a process that nobody killed, and what its log says."""
        self.deaths_when_full: list[str] = []
        self._stepped = threading.Condition()
        self._ended = threading.Event()
        self._locks = {name: threading.Lock() for name in ("engine", "capture")}
        self._full = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []

    def __enter__(self) -> Rig:
        with contextlib.ExitStack() as stack:
            stack.callback(self.box.close)
            for archive in (self.archive, self.copy):
                stack.enter_context(archive.relay)
                stack.callback(archive.stop)
                archive.start()
            for name in self._locks:
                self.up(name)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            print("\n".join(f"---- {name}\n{self.box.log(name)}" for name in self._locks), flush=True)
            print("\n".join(map(str, self.done)), flush=True)
        self._ended.set()
        self._tell(1 << 30)
        for thread in self._threads:
            thread.join(60)
        self._stack.close()
        if kind is None:  # else somebody wants to look at it
            for name in ("archive", "copy", "export"):
                shutil.rmtree(self.folder / name, ignore_errors=True)

    # ---- processes, as their units would run them

    def up(self, name: str) -> None:
        """Starts a process until it answers: on a full disk it may end at once, and is started again."""
        deadline = time.monotonic() + _START_S
        with self._locks[name]:
            while True:
                process = self.box.processes.get(name)
                if process is None or process.poll() is not None:
                    if process is not None and process.returncode not in (0, -9, -15):
                        self._died(name, process.returncode)
                        time.sleep(0.5)
                    self.box.start(name, wait=False)
                if self.answers(name):
                    return
                if time.monotonic() > deadline:
                    raise AssertionError(f"{name} does not answer:\n{self.box.log(name)}")
                time.sleep(0.05)

    def answers(self, name: str) -> bool:
        with contextlib.suppress(SmartBoxError):
            client.get(self.box.runtime / f"{name}.sock", "/v1/status")
            return True
        return False

    def _died(self, name: str, code: int) -> None:
        found = self.deaths_when_full if self._full.is_set() else self.deaths
        found.append(f"{name} ended with {code}:\n{self.box.log(name)[-1500:]}")

    def watch(self) -> None:
        """Starts what has ended by itself, twice a second, as systemd would."""

        def run() -> None:
            while not self._ended.wait(0.5):
                for name in self._locks:
                    process = self.box.processes[name]
                    if process.poll() is not None and process.returncode not in (-9, -15):
                        self.up(name)

        self._spawn(run)

    # ---- faults

    def begin(self, faults: tuple[Fault, ...]) -> None:
        for lane in dict.fromkeys(fault.lane for fault in faults):
            self._spawn(self._lane, [fault for fault in faults if fault.lane == lane])

    def _spawn(self, what: Callable[..., None], *arguments: Any) -> None:
        def run() -> None:
            try:
                what(*arguments)
            except BaseException as exc:
                self._failures.append(exc)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _tell(self, step: int) -> None:
        with self._stepped:
            self.step = step
            self._stepped.notify_all()

    def at_step(self, number: int) -> None:
        """The operator's progress: what the faults wait for. Raises what a lane has failed with."""
        self._tell(number)
        self.check()

    def check(self) -> None:
        if self._failures:
            raise self._failures[0]

    def settle(self) -> None:
        """Waits until all faults are over; everything runs then and the lines are free."""
        self._tell(1 << 30)
        for thread in self._threads:
            while thread.is_alive() and not self._is_watch(thread):
                thread.join(1)
                self.check()
        for name in self._locks:
            self.up(name)

    def halt(self) -> None:
        """Stops the engine in order, and nobody starts it again."""
        self._ended.set()
        self._threads[0].join(60)
        if (status := self.box.stop("engine")) != 0:
            self.deaths.append(f"the engine ended with {status} when it was asked to")

    def _is_watch(self, thread: threading.Thread) -> bool:
        return thread is self._threads[0]

    def _lane(self, faults: list[Fault]) -> None:
        for fault in faults:
            with self._stepped:
                self._stepped.wait_for(lambda at=fault.at: self.step >= at)  # type: ignore[misc]
            if self._ended.wait(fault.delay_s):
                return
            self._do(fault)
            self.done.append(fault)

    def _do(self, fault: Fault) -> None:
        if fault.lane in self._locks:
            self._process_fault(fault)
        elif fault.lane == "archive":
            (self.archive.kill if fault.kind == "kill" else self.archive.stop)()
            self._ended.wait(fault.lasts_s)
            self.archive.start()
        elif fault.lane == "disk":
            self._fill(fault)
        else:
            self._line_fault((self.archive if fault.lane == "network" else self.copy).relay, fault)

    def _process_fault(self, fault: Fault) -> None:
        with self._locks[fault.lane]:
            process = self.box.processes[fault.lane]
            process.kill() if fault.kind == "kill" else process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                self.deaths.append(f"{fault.lane} did not end within 60 s of SIGTERM")
                process.kill()
                process.wait(10)
            self._ended.wait(fault.lasts_s)
        self.up(fault.lane)

    def _line_fault(self, relay: Relay, fault: Fault) -> None:
        if fault.kind in ("cut", "reset"):
            relay.cut(hard=fault.kind == "reset")
        elif fault.kind == "cut_in":
            relay.cut_in(fault.amount)
        elif fault.kind == "throttle":
            relay.bytes_per_s = fault.amount
            self._ended.wait(fault.lasts_s)
            relay.bytes_per_s = FAST
        elif fault.kind == "away":
            relay.away = True
            relay.cut()
            self._ended.wait(fault.lasts_s)
            relay.away = False
        else:
            change = {"stall": relay.stall, "drop": relay.drop}[fault.kind]
            change(True)
            self._ended.wait(fault.lasts_s)
            change(False)

    def _fill(self, fault: Fault) -> None:
        """Somebody else's file takes all that is free but `amount` bytes, and keeps taking it."""
        assert self.disk is not None
        filler = self.disk / "filler"
        self._full.set()
        try:
            deadline = time.monotonic() + fault.lasts_s
            while not self._ended.is_set():
                with filler.open("ab") as file, contextlib.suppress(OSError):
                    stat = os.statvfs(self.disk)
                    if (more := stat.f_bavail * stat.f_frsize - fault.amount) > 0:
                        os.posix_fallocate(file.fileno(), file.tell(), more)
                if time.monotonic() > deadline:
                    break
                time.sleep(0.02)
        finally:
            filler.unlink()
            threading.Timer(2.0, self._full.clear).start()  # what ends of it may still be on its way


@contextlib.contextmanager
def small_disk(folder: Path, count: int) -> Iterator[Path | None]:
    """A tmpfs with room for so many pictures; None where nothing can be mounted."""
    folder.mkdir()
    size = f"size={_DISK_MB + _DISK_MB_PER_HUNDRED * count // 100}m"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)
