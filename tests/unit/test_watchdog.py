"""The service manager's watchdog over a real datagram socket: what stands still starves it, what idles does not."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartbox_tui.wire.notify import Manager
from smartbox_tui.wire.watchdog import Watchdog, loop_turns

WATCHED = {"WATCHDOG_USEC": "600000"}


class Listener:
    """What systemd is to a service: a datagram socket, and all that came to it. It is read at once: the kernel
    keeps ten datagrams."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.environ = {"NOTIFY_SOCKET": str(path)}
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while data := self.socket.recv(4096):
            self._lines += data.decode().splitlines()

    def heard(self, seconds: float = 0.1) -> list[str]:
        """The lines since the last call, and those of so long."""
        time.sleep(seconds)
        count = len(self._lines)
        lines = self._lines[:count]
        del self._lines[:count]
        return lines

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.environ["NOTIFY_SOCKET"])
        self._reader.join(5)
        self.socket.close()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listening = Listener(tmp_path / "notify")
    yield listening
    listening.close()


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def looked_at(watchdog: Watchdog, clock: Hands, seconds: float, step: float = 0.1) -> tuple[str, ...]:
    late: tuple[str, ...] = ()
    for _ in range(round(seconds / step)):
        clock.now += step
        late = watchdog.look()
    return late


def test_ready_status_and_stopping_as_the_manager_reads_them(listener: Listener) -> None:
    watchdog = Watchdog(Manager(dict(listener.environ)))
    watchdog.ready()
    watchdog.tell("records endo")
    watchdog.tell("records endo")
    watchdog.stopping()
    assert listener.heard() == ["READY=1", "STATUS=records endo", "STOPPING=1"]
    assert not [each for each in threading.enumerate() if each.name == "watchdog"], "nobody watches, no thread"


def test_a_part_that_moves_feeds_and_one_that_stands_still_starves(listener: Listener) -> None:
    clock, done = Hands(), [0]
    watchdog = Watchdog(Manager(listener.environ | WATCHED), now_s=clock)
    watchdog.watch("reader", 5.0, lambda: done[0])
    for _ in range(100):
        done[0] += 1
        assert looked_at(watchdog, clock, 0.1) == ()
    assert listener.heard().count("WATCHDOG=1") == 100
    assert looked_at(watchdog, clock, 4.9) == ()
    listener.heard()
    assert looked_at(watchdog, clock, 1.0) == ("reader",)
    listener.heard()
    looked_at(watchdog, clock, 20.0)
    assert listener.heard() == []
    done[0] += 1
    assert looked_at(watchdog, clock, 0.1) == ()
    assert listener.heard() == ["STATUS=", "WATCHDOG=1"]


def test_who_has_nothing_to_do_is_not_missed(listener: Listener) -> None:
    clock = Hands()
    work: list[int | None] = [None]
    watchdog = Watchdog(Manager(listener.environ | WATCHED), now_s=clock)
    watchdog.watch("encoder", 5.0, lambda: work[0])
    assert looked_at(watchdog, clock, 100) == ()
    work[0] = 7
    assert looked_at(watchdog, clock, 4.5) == ()
    assert looked_at(watchdog, clock, 1.5) == ("encoder",)


def test_a_machine_that_stood_still_blames_nobody(listener: Listener) -> None:
    clock, done = Hands(), [0]
    watchdog = Watchdog(Manager(listener.environ | WATCHED), now_s=clock)
    watchdog.watch("reader", 5.0, lambda: done[0])
    for _ in range(5):
        clock.now += 3600
        assert watchdog.look() == ()
        done[0] += 1


def test_who_is_forgiven_is_told_and_the_manager_fed(listener: Listener) -> None:
    clock = Hands()
    recording = [True]
    watchdog = Watchdog(
        Manager(listener.environ | WATCHED), now_s=clock, forgiven=lambda late: late if recording[0] else ()
    )
    watchdog.watch("read hdmi", 5.0, lambda: 1)
    assert looked_at(watchdog, clock, 10) == ("read hdmi",)
    heard = listener.heard()
    assert "STATUS=stands still: read hdmi" in heard
    assert heard.count("WATCHDOG=1") == 100
    recording[0] = False
    looked_at(watchdog, clock, 1)
    assert listener.heard() == []


def test_once_it_stops_no_part_is_missed(listener: Listener) -> None:
    clock = Hands()
    watchdog = Watchdog(Manager(listener.environ | WATCHED), now_s=clock)
    watchdog.watch("reader", 1.0, lambda: 1)
    watchdog.stopping()
    looked_at(watchdog, clock, 10)
    assert listener.heard().count("WATCHDOG=1") == 100


def test_a_part_that_holds_who_looks_starves_too(listener: Listener) -> None:
    held = threading.Event()
    watchdog = Watchdog(Manager(listener.environ | WATCHED))
    watchdog.watch("encoder", 100.0, lambda: held.wait(30))
    watchdog.ready()
    assert listener.heard(2.0) == ["READY=1", "WATCHDOG=1"]
    held.set()
    watchdog.end()


def test_an_event_loop_is_seen_to_turn_and_to_hang(listener: Listener) -> None:
    watchdog = Watchdog(Manager(listener.environ | WATCHED))

    async def serve() -> None:
        watchdog.watch("api", 2.5, loop_turns(asyncio.get_running_loop()))
        watchdog.ready()
        await asyncio.sleep(3)
        assert listener.heard().count("WATCHDOG=1") > 3
        time.sleep(6)  # a defect that holds the loop
        listener.heard()
        time.sleep(1)
        assert listener.heard() == []

    asyncio.run(serve())
    watchdog.end()


def test_no_manager_no_words() -> None:
    assert "NOTIFY_SOCKET" not in os.environ
    watchdog = Watchdog()
    watchdog.ready()
    watchdog.tell("serves")
    watchdog.stopping()
