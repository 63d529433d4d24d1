"""A still shows the moment of its trigger, however late somebody comes to write it; where it cannot, it says so."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hw.base import SignalState
from hw.fake.source import FakeSource, Says
from smartbox_tui.capture import session, taking
from smartbox_tui.capture.frames import FrameRing, NoFrame
from smartbox_tui.capture.server import Server
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.schema import Pedal
from smartbox_tui.wire import commands, events, serve
from smartbox_tui.wire.hub import Hub
from smartbox_tui.wire.stream import Link
from tests.capture.rig import Rig, new_id, process, until
from tests.capture.test_rings import NS, frame
from tests.support.box import PROGRAM

PLAIN = Pedal(id="left", kind="key", long="none", double="none")
LONG = Pedal(id="left", kind="key", long="record", double="none")
BURST = Pedal(id="left", kind="key", short="burst", long="none", double="none")
SLOW_BURST = Pedal(id="left", kind="key", short="burst", long="record", double="mark")
FRAME_MS = 1e3 / 30 + 1


@pytest.fixture
def short_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of a second: as the largest pictures have it."""
    monkeypatch.setattr(session, "FrameRing", lambda: FrameRing(0.25))


class SlowDisk:
    """Stills are written once `works` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.works = threading.Event()
        self.waiting = 0
        monkeypatch.setattr(taking, "write_still", self.before(taking.write_still))

    def before(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def slow(*arguments: Any) -> Any:
            self.waiting += 1
            assert self.works.wait(30)
            return write(*arguments)

        return slow


def offsets_ms(taken: list[Any]) -> list[float]:
    return [(each.frame_ns - each.trigger_ns) / 1e6 for each in taken]


@pytest.mark.usefixtures("short_ring")
@pytest.mark.parametrize("pedal", [PLAIN, LONG])
def test_presses_on_a_disk_that_hangs_keep_their_frames(
    pedal: Pedal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Rig(tmp_path, pedals=(pedal,)) as rig:
        rig.still()
        disk = SlowDisk(monkeypatch)
        for _ in range(6):
            rig.command(commands.PedalPress, pedal="left", edge="tap")
            time.sleep(0.2)
        time.sleep(0.5)
        assert disk.waiting == 2, "the others wait for a thread"
        disk.works.set()
        taken = until(lambda: told if len(told := rig.told(events.StillTaken)) == 7 else None, what="all of them")
        stills = [each.instance for each in taken]
        assert all(abs(off) <= FRAME_MS for off in offsets_ms(stills)), offsets_ms(stills)
        assert not any(rig.sidecar({"kind": "still", "exam": each.exam, "id": each.id}).note for each in stills)


@pytest.mark.usefixtures("short_ring")
def test_a_burst_that_waits_for_the_one_before_begins_with_its_press(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Rig(tmp_path, pedals=(BURST,)) as rig:
        rig.still()
        disk = SlowDisk(monkeypatch)
        monkeypatch.setattr(taking, "BurstFile", disk.before(taking.BurstFile))
        for _ in range(3):
            rig.command(commands.PedalPress, pedal="left", edge="tap")
            time.sleep(0.4)
        assert disk.waiting == 1, "the others wait for a thread"
        disk.works.set()
        taken = until(lambda: told if len(told := rig.told(events.StillTaken)) == 4 else None, what="all of them")
        bursts = [each.instance for each in taken if each.instance.kind == "burst"]
        assert all(abs(off) <= FRAME_MS for off in offsets_ms(bursts)), offsets_ms(bursts)


@pytest.mark.usefixtures("short_ring")
def test_a_burst_whose_gesture_takes_longer_than_the_ring_begins_with_its_press(tmp_path: Path) -> None:
    with Rig(tmp_path, pedals=(SLOW_BURST,)) as rig:
        time.sleep(0.5)
        press_ns = time.monotonic_ns()
        rig.command(commands.PedalPress, pedal="left", edge="down")
        time.sleep(0.4)
        rig.command(commands.PedalPress, pedal="left", edge="up")  # and then a second press might have come
        (taken,) = until(lambda: rig.told(events.StillTaken))
        assert taken.instance.kind == "burst"
        assert abs(taken.instance.frame_ns - press_ns) / 1e6 <= FRAME_MS + 10
        assert taken.instance.frames == 5


@pytest.mark.usefixtures("short_ring")
def test_commands_that_wait_for_a_thread_keep_their_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Rig(tmp_path) as rig:
        rig.still()
        disk = SlowDisk(monkeypatch)
        hub = Hub(rig.assembly.service.snapshot)
        server = Server(rig.assembly.service, hub)
        path = rig.paths.capture_socket

        async def press() -> list[Any]:
            runner = await serve.serve_unix(server.routes(), path)
            async with Link(path) as link:
                asked = []
                for _ in range(12):
                    now_ns = time.monotonic_ns()
                    asked.append(asyncio.ensure_future(link.command(commands.Still(id=new_id(), at_ns=now_ns))))
                    await asyncio.sleep(0.1)
                await asyncio.sleep(0.5)
                assert disk.waiting == 8, "the others wait for a thread"
                disk.works.set()
                answers = await asyncio.gather(*asked)
            await runner.cleanup()
            return answers

        answers = [each["instance"] for each in asyncio.run(press())]
        server.close()
        off = [(each["frame_ns"] - each["trigger_ns"]) / 1e6 for each in answers]
        assert all(abs(each) <= FRAME_MS for each in off), off


def test_the_ring_reaches_back_as_far_as_its_bytes(tmp_path: Path) -> None:
    """A command may come seconds late on a box that has too much to do."""
    with Rig(tmp_path) as rig:
        time.sleep(3)
        at_ns = time.monotonic_ns() - 2_500_000_000
        instance = rig.still(at_ns=at_ns)
        assert abs(instance["frame_ns"] - at_ns) <= FRAME_MS * 1e6
        assert rig.sidecar(instance).note == ""


def ring_of(*numbers: int) -> FrameRing:
    ring = FrameRing()
    for number in numbers:
        ring.put(frame(number))
    return ring


@pytest.mark.parametrize(
    ("tenths", "number", "note"),
    [(10, 30, ""), (11, 30, "100 ms before"), (12, 30, "200 ms before"), (28, 90, "200 ms after"), (30, 90, "")],
)
def test_over_a_gap_the_nearest_one_counts_and_says_how_far_off_it_is(tenths: int, number: int, note: str) -> None:
    """The reader was kept from its work for two seconds."""
    ring = ring_of(29, 30, 90, 91)
    pinned = ring.pin(ring.hold(tenths * NS // 10))
    assert pinned.frame.sequence == number
    assert pinned.note == (f"the frame is {note} the trigger: none nearer was kept" if note else "")
    assert pinned.moment_ns(5) == (number * NS // 30 if note else 5), "whose it is follows from what it shows"


def test_a_frame_that_was_held_stays_when_the_ring_goes_on_or_the_signal_goes() -> None:
    ring = ring_of(0, 1, 2)
    held = ring.hold(NS // 30)
    for number in range(1000):
        ring.put(frame(number + 3))
    ring.clear()
    assert ring.pin(held).frame.sequence == 1


def test_what_was_held_for_a_frame_to_come_gets_none_from_before_a_loss() -> None:
    ring = ring_of(0, 1, 2)
    held = ring.hold(3 * NS // 30)
    ring.clear()
    with pytest.raises(NoFrame):
        ring.pin(held)
    # and of those after it the nearest, with its note
    ring.put(frame(30))
    pinned = ring.pin(held)
    assert pinned.frame.sequence == 30
    assert "900 ms after" in pinned.note


def test_a_press_just_before_the_cable_was_pulled_is_a_picture(tmp_path: Path) -> None:
    source = FakeSource()
    with Rig(tmp_path, source) as rig:
        until(lambda: rig.source().preroll_s > 0.3)
        hold = rig.assembly.service.hold(commands.Still(id=new_id()))
        assert hold is not None
        until(lambda: hold.settled)
        source.then(Says(SignalState.NO_CABLE))
        until(lambda: not rig.source().signal)
        with pytest.raises(SmartBoxError) as caught:
            rig.still()
        assert caught.value.code == "no-signal"
        command = commands.Still(id=new_id(), at_ns=hold.at_ns)
        (instance,) = rig.assembly.service.answer(command, hold)["instances"]
        assert abs(instance.frame_ns - hold.at_ns) <= FRAME_MS * 1e6


def test_the_command_line_says_that_a_still_is_late(tmp_path: Path) -> None:
    with process(tmp_path) as box:

        def still(*more: str) -> subprocess.CompletedProcess[str]:
            words = [*PROGRAM, "ctl", "still", "--runtime", str(box.paths.runtime), *more]
            return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)

        assert "the trigger" not in still().stderr
        late = still("--at", "1", "--json")
        assert "s after the trigger." in late.stderr
        (instance,) = json.loads(late.stdout)["instances"]
        assert instance["frame_ns"] - instance["trigger_ns"] > 5e8
