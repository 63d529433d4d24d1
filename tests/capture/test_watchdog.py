"""Capture under a service manager: ready without a signal, fed while everything goes on, starved by what hangs."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hw.base import Frame
from hw.fake.source import FakeSource
from smartbox_tui.capture import watch
from smartbox_tui.wire import commands
from smartbox_tui.wire.notify import Manager
from tests.capture.rig import Process, Rig, until
from tests.unit.test_watchdog import Listener


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listening = Listener(tmp_path / "notify")
    yield listening
    listening.close()


def test_the_real_process_is_ready_with_no_grabber_plugged_in_and_says_when_it_ends(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", listener.environ["NOTIFY_SOCKET"])
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    box = Process(tmp_path)
    box.config.write_text('[[sources]]\nid = "endo"\nkind = "v4l2"\ndevice = "/dev/video-that-is-not-there"\n')
    box.start(wait=False)
    lines: list[str] = []
    try:
        until(lambda: lines.extend(listener.heard()) or "READY=1" in lines, 30)
        assert box.status()["sources"][0]["signal"] is False, "its socket answers"
        until(lambda: lines.extend(listener.heard()) or "STATUS=endo: gone" in lines, 10)
        assert len(listener.heard(2.0)) >= 5, "it idles, and is fed"
    finally:
        assert box.end() == 0
    lines = listener.heard()
    assert "STOPPING=1" in lines
    assert not [line for line in lines if "still" in line]


def test_the_journal_gets_where_each_thread_stood(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", listener.environ["NOTIFY_SOCKET"])
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    box = Process(tmp_path)
    child = box.start()
    lines: list[str] = []
    until(lambda: lines.extend(listener.heard()) or "WATCHDOG=1" in lines, 30)
    child.send_signal(signal.SIGABRT)  # as the manager does
    assert child.wait(20) == -signal.SIGABRT
    said = capfd.readouterr().err
    assert "Fatal Python error: Aborted" in said
    assert "session.py" in said
    assert "in _deliver" in said


class Hanging(FakeSource):
    """A source whose driver keeps the thread that reads, as one in D state does."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = threading.Event()
        self.free = threading.Event()

    def read(self, timeout_s: float) -> Frame | None:
        if self.hangs.is_set():
            self.free.wait(30)
        return super().read(timeout_s)


class Looked:
    """The watchdog of a rig, looked at as its thread would do it, with limits that a test can wait for."""

    def __init__(self, rig: Rig, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(watch, "BUSY_S", 1.5)
        monkeypatch.setattr(watch, "DISK_S", 3.0)
        manager = Manager(listener.environ | {"WATCHDOG_USEC": "600000"})
        sessions, functions = rig.assembly._sessions, rig.assembly._functions
        self.dog = watch.watchdog(
            sessions, lambda: functions.progress, lambda: None, time.monotonic, manager=manager
        )

    def late(self, seconds: float) -> set[str]:
        """Whatever stood still at some time of it."""
        late: set[str] = set()
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            late |= set(self.dog.look())
            time.sleep(0.1)
        return late


def test_while_frames_come_and_are_recorded_nothing_is_missed(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Rig(tmp_path) as rig:
        looked = Looked(rig, listener, monkeypatch)
        rig.command(commands.RecordStart)
        assert rig.assembly.told == "endo: ok, recording"
        assert looked.late(4) == set()
        rig.command(commands.RecordStop)
        assert looked.late(4) == set()
        assert rig.assembly.told == "endo: ok"


def test_a_driver_that_keeps_its_thread_starves_the_watchdog(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Hanging()
    with Rig(tmp_path, source) as rig:
        looked = Looked(rig, listener, monkeypatch)
        assert looked.late(2) == set()
        source.hangs.set()
        assert looked.late(4) == {"read endo"}
        listener.heard()
        looked.late(1)
        assert listener.heard() == []
        source.hangs.clear()
        source.free.set()
        looked.late(1)
        assert "WATCHDOG=1" in listener.heard()


def test_an_encoder_that_hangs_is_missed_and_one_without_frames_is_not(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Rig(tmp_path) as rig:
        looked = Looked(rig, listener, monkeypatch)
        session = next(iter(rig.assembly._sessions))
        with session._sink_lock:  # what the encoder's thread gives its units through
            assert looked.late(4) == {"encode endo"}
        looked.late(1)
        assert looked.late(1) == set()


def test_a_disk_that_hangs_for_a_while_is_no_reason_and_one_that_hangs_for_good_is(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smartbox_tui.capture.clipfile import ClipFile

    free = threading.Event()
    free.set()
    sync = ClipFile.sync

    def slow(clip: ClipFile) -> Any:
        free.wait(30)
        return sync(clip)

    monkeypatch.setattr(ClipFile, "sync", slow)
    with Rig(tmp_path) as rig:
        looked = Looked(rig, listener, monkeypatch)
        rig.command(commands.RecordStart)
        free.clear()
        assert looked.late(2) == set(), "longer than a reader may, shorter than a disk may"
        free.set()
        assert looked.late(1) == set()
        free.clear()
        assert looked.late(5) == {"sync endo"}
        free.set()
        rig.command(commands.RecordStop)


class Session:
    """What is looked at of one; `late` makes it stand still."""

    def __init__(self, name: str) -> None:
        self.id, self.turns, self.encoding, self.told = name, 0, None, name
        self.recorder: Any = None


def test_a_hanging_grabber_ends_no_recording_of_another_source(listener: Listener) -> None:
    recording, hanging = Session("a"), Session("b")
    recording.recorder = type("Recorder", (), {"written": None, "synced": 0})()
    now = [0.0]
    manager = Manager(listener.environ | {"WATCHDOG_USEC": "600000"})
    dog = watch.watchdog([recording, hanging], lambda: None, lambda: None, lambda: now[0], manager=manager)
    forgiven = dog._forgiven
    assert forgiven(("read b",)) == ("read b",)
    assert forgiven(("read b", "api")) == ("read b",)
    assert forgiven(("read a",)) == ()
    assert forgiven(("read a", "read b")) == ()
    recording.recorder = None
    assert forgiven(("read b",)) == ()
