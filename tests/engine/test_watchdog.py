"""The engine under a service manager: ready once it serves, fed while it idles, starved by what hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smartbox_tui.engine import watch
from smartbox_tui.store.database import Store
from smartbox_tui.wire.notify import Manager
from tests.support.box import Box, settings, until
from tests.support.dcmtk import free_port
from tests.unit.test_watchdog import Listener


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listening = Listener(tmp_path / "notify")
    yield listening
    listening.close()


def test_the_real_process_is_ready_when_it_serves_and_is_fed_while_it_idles(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", listener.environ["NOTIFY_SOCKET"])
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    box = Box(settings(free_port()))
    lines: list[str] = []
    try:
        box.start("engine", wait=False)
        until(lambda: lines.extend(listener.heard()) or "READY=1" in lines, 60)
        assert box.ctl("status")["exam"] is None
        until(lambda: lines.extend(listener.heard()) or "STATUS=0 to send, 0 blocked" in lines, 20)
        assert listener.heard(2.0).count("WATCHDOG=1") >= 5
        assert box.stop("engine") == 0
    finally:
        box.close()
    lines += listener.heard()
    assert lines.index("READY=1") < lines.index("STOPPING=1")
    assert not [line for line in lines if "still" in line]


def late(dog: Any, seconds: float) -> set[str]:
    found: set[str] = set()
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        found |= set(dog.look())
        time.sleep(0.05)
    return found


def test_a_writer_that_hangs_is_missed_and_one_without_jobs_is_not(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "DISK_S", 1.0)
    turns = SimpleNamespace(turns=0, senders=dict)

    def turn() -> int:
        turns.turns += 1
        return turns.turns

    store = Store(tmp_path / "smartbox.db")
    manager = Manager(listener.environ | {"WATCHDOG_USEC": "600000"})
    dog = watch.watchdog(store, turns, turn, manager)  # type: ignore[arg-type]
    assert late(dog, 2) == set()
    free = threading.Event()
    job = store.write(lambda database: free.wait(30))
    assert late(dog, 2.5) == {"store"}
    free.set()
    assert job.result(10)
    late(dog, 0.2)
    assert late(dog, 1.5) == set()
    store.close()


def test_one_sender_that_neither_turns_nor_gets_on_is_missed_among_others_that_do(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "DISK_S", 1.0)
    moving = {"deliver-a-1": 0, "deliver-b-1": 0}
    hangs = False

    def turns() -> dict[str, int]:
        moving["deliver-a-1"] += 1
        moving["deliver-b-1"] += not hangs
        return dict(moving)

    delivery = SimpleNamespace(turns=0, senders=turns)
    store = SimpleNamespace(progress=None)
    manager = Manager(listener.environ | {"WATCHDOG_USEC": "600000"})
    dog = watch.watchdog(store, delivery, time.monotonic, manager, looks=10)  # type: ignore[arg-type]

    def looked(seconds: float) -> set[str]:
        return late(dog, seconds) - {"delivery"}

    assert looked(2) == set()
    hangs = True
    assert looked(0.4) == set()
    assert looked(4) == {"senders"}
    hangs = False
    looked(0.2)
    assert looked(1) == set()
