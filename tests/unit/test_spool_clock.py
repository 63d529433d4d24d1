"""The boots and their anchors: the one truth about the clock, in a file that two processes write."""

from __future__ import annotations

import json
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from smartbox_tui.engine.clock import ClockGate
from smartbox_tui.spool import clock
from smartbox_tui.spool.clock import BoxClock


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    made = tmp_path / "spool"
    made.mkdir()
    return made


class Kernel:
    """What the kernel says of its clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synchronised = False
        monkeypatch.setattr(clock, "synchronised", lambda: self.synchronised)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def asked_again(box: BoxClock) -> BoxClock:
    """The kernel is asked some times a second at most."""
    box._asked_at = float("-inf")
    return box


def test_boots_are_numbered_in_their_order_and_keep_their_numbers(spool: Path, kernel: Kernel) -> None:
    assert [BoxClock(spool, name).number for name in ("a", "b", "a", "c")] == [1, 2, 1, 3]
    assert [boot.id for boot in clock.read_boots(spool).values()] == ["a", "b", "c"]
    assert clock.anchors(spool) == {}


def test_the_anchor_is_kept_from_the_moment_the_clock_is_known(spool: Path, kernel: Kernel) -> None:
    box = BoxClock(spool, "a")
    assert (box.look(), box.state, box.anchors) == (False, "unsure", {})
    moment = box.unsure_now()
    assert moment is not None
    assert moment["boot_id"] == "a"
    kernel.synchronised = True
    assert asked_again(box).look()
    assert (box.state, box.unsure_now()) == ("trusted", None)
    anchor_ns = clock.anchors(spool)["a"]
    assert anchor_ns + moment["boottime_ns"] == pytest.approx(time.time_ns(), abs=5e9)
    said = datetime.fromisoformat(clock.wall(anchor_ns + moment["boottime_ns"]))
    assert said.utcoffset() is not None
    # a time server that goes away changes nothing, nor does a restart of the process, nor another boot
    kernel.synchronised = False
    assert BoxClock(spool, "a").look()
    assert not BoxClock(spool, "b").look()
    assert clock.anchors(spool) == {"a": anchor_ns}


def test_a_known_anchor_never_changes(spool: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel.synchronised = True
    assert BoxClock(spool, "a").look()
    before = clock.anchors(spool)
    monkeypatch.setattr(clock, "anchor_ns", lambda: 1)
    assert BoxClock(spool, "a").look()
    assert clock.anchors(spool) == before


def test_two_processes_write_it_at_once(spool: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda index: BoxClock(spool, f"boot-{index % 20}").number, range(200)))
    assert sorted(set(numbers)) == list(range(1, 21))
    assert len({(index % 20, number) for index, number in enumerate(numbers)}) == 20
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        found = pool.starmap(number_of, [(spool, f"p-{index}") for index in range(12)])
    assert sorted(found) == list(range(21, 33))


def number_of(spool: Path, boot_id: str) -> int:
    return BoxClock(spool, boot_id).number


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"boots": [{}]}', b'{"boots": 3}', b"null"])
def test_a_damaged_file_stops_nothing(spool: Path, kernel: Kernel, data: bytes) -> None:
    spool.with_name(clock.BOOTS_FILE).write_bytes(data)
    box = BoxClock(spool, "a")
    assert box.number == 1
    assert json.loads(spool.with_name(clock.BOOTS_FILE).read_bytes())["boots"][0]["id"] == "a"


def test_a_folder_that_takes_nothing_stops_nothing(tmp_path: Path, kernel: Kernel) -> None:
    box = BoxClock(tmp_path / "nowhere" / "spool", "a")
    assert (box.number, box.state, box.look()) == (0, "unsure", False)
    kernel.synchronised = True
    assert asked_again(box).look()
    assert box.state == "trusted"


def test_only_the_newest_boots_are_kept(spool: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_KEPT", 3)
    for name in "abcde":
        assert BoxClock(spool, name).number == ord(name) - ord("a") + 1
    assert list(clock.read_boots(spool)) == ["c", "d", "e"]


def test_sending_waits_for_the_clock_then_for_the_dates_and_not_for_ever(
    spool: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = [100]
    monkeypatch.setattr("smartbox_tui.engine.clock.boottime_ns", lambda: up[0] * clock.NS)
    wait_s = [600.0]
    box = BoxClock(spool, "a")
    gate = ClockGate(box, lambda: wait_s[0])
    assert "dates" in gate.why_not(), "what an engine before this one left is put right first"
    gate.settle(False)
    assert "not synchronised" in gate.why_not()
    assert gate.warning() == ""
    up[0] = 600
    assert gate.why_not() == ""
    assert "note" in gate.warning()
    up[0] = 100
    wait_s[0] = 0
    assert (gate.why_not(), gate.warning()) == ("", "")
    wait_s[0] = 600
    kernel.synchronised = True
    asked_again(box)
    assert "dates" in gate.why_not(), "known now, but nothing is sent before the dates have followed"
    assert gate.waiting() == ""
    gate.settle(True)
    assert gate.why_not() == ""
