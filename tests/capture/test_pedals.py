"""Pedals: the press edge pins the picture, the gesture decides what becomes of it."""

from __future__ import annotations

import queue
import time
from pathlib import Path
from typing import Any

import pytest

from hw.base import DeviceInfo, PedalEdge, SignalState
from hw.errors import DeviceBusy, DeviceGone, DeviceRefused
from hw.fake.source import FakeSource, Says
from hw.pedal.gesture import STUCK_NS
from smartbox_tui.capture.assembly import real_pedal
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.schema import Recording
from smartbox_tui.spool.sidecar import SidecarState, read_sidecar
from smartbox_tui.wire import commands, events
from tests.capture.rig import Pedal, Rig, new_id, until

KEY = Pedal(id="left", kind="key")  # short still, long record, double mark


class ScriptedPedal:
    """A pedal whose edges a test puts in; None pulls it out for the next `away` opens."""

    def __init__(self) -> None:
        self.edges: queue.Queue[PedalEdge | None] = queue.Queue()
        self.away = 0
        self.down = False
        self.info = DeviceInfo("p", "Pedal", "/dev/pedal")

    def open(self) -> None:
        if self.away:
            self.away -= 1
            raise DeviceGone("open", "/dev/pedal")

    def read(self, timeout_s: float) -> PedalEdge | None:
        try:
            edge = self.edges.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if edge is None:
            raise DeviceGone("read", "/dev/pedal")
        return edge

    def close(self) -> None:
        pass


def edge(rig: Rig, which: str) -> None:
    rig.command(commands.PedalPress, pedal="left", edge=which)


def gestures(rig: Rig) -> list[str]:
    return [each.gesture for each in rig.told(events.PedalUsed)]


def sidecars(rig: Rig) -> list[Any]:
    return [read_sidecar(path) for path in rig.paths.spool.glob("*/*.json") if len(path.stem) == 36]


def test_the_press_is_on_disk_at_once_and_closed_when_it_was_short(tmp_path: Path) -> None:
    with Rig(tmp_path, pedals=(KEY,)) as rig:
        rig.still()
        press_ns = time.monotonic_ns()
        edge(rig, "down")
        until(lambda: len(sidecars(rig)) == 2, 0.5)
        (pinned,) = (each for each in sidecars(rig) if each.trigger == "pedal:left")
        assert pinned.state is SidecarState.PINNED
        assert abs(pinned.frame_ns - press_ns) < 1.5e9 / 30
        assert (rig.paths.spool / pinned.exam / pinned.file).exists()
        edge(rig, "up")
        until(lambda: gestures(rig) == ["short"], 1)
        until(lambda: len(rig.told(events.StillTaken)) == 2)
        (closed,) = (each for each in sidecars(rig) if each.trigger == "pedal:left")
        assert closed == pinned.with_(state=SidecarState.CLOSED, trigger_to_disk_ms=closed.trigger_to_disk_ms)
        assert closed.trigger_to_disk_ms < 500


def test_a_long_press_records_and_leaves_no_still(tmp_path: Path) -> None:
    with Rig(tmp_path, pedals=(KEY,)) as rig:
        edge(rig, "down")
        until(lambda: rig.source().recording, 3)
        edge(rig, "up")
        until(lambda: not list(rig.paths.spool.glob("*/*.jpg")))
        assert gestures(rig) == ["long"]
        assert [each.kind for each in sidecars(rig)] == ["clip"]
        edge(rig, "down")
        until(lambda: rig.told(events.RecordingStopped), 3)
        edge(rig, "up")
        until(lambda: not list(rig.paths.spool.glob("*/*.jpg")))
        assert not rig.told(events.StillTaken)


def test_a_double_press_sets_a_mark_at_its_first_press(tmp_path: Path) -> None:
    with Rig(tmp_path, pedals=(KEY,)) as rig:
        rig.command(commands.RecordStart)
        time.sleep(0.3)
        for which in ("down", "up", "down", "up"):
            edge(rig, which)
            time.sleep(0.05)
        (mark,) = until(lambda: rig.told(events.MarkSet), 2)
        assert mark.at_s > 0.2
        assert gestures(rig) == ["double"]
        until(lambda: not list(rig.paths.spool.glob("*/*.jpg")))
        rig.command(commands.RecordStop)


def test_a_tap_by_command_takes_one_still_and_a_repeat_none(tmp_path: Path) -> None:
    plain = Pedal(id="left", kind="key", long="none", double="none")
    with Rig(tmp_path, pedals=(plain,)) as rig:
        identity = new_id()
        for _ in range(2):
            rig.command(commands.PedalPress, id=identity, pedal="left")
        until(lambda: rig.told(events.StillTaken), 1)
        time.sleep(0.3)
        assert len(rig.told(events.StillTaken)) == 1
        with pytest.raises(SmartBoxError) as caught:
            rig.command(commands.PedalPress, pedal="right")
        assert caught.value.code == "bad-value"


def test_a_burst_begins_with_the_press(tmp_path: Path) -> None:
    burst = Pedal(id="left", kind="key", short="burst", long="none", double="none")
    with Rig(tmp_path, pedals=(burst,)) as rig:
        press_ns = time.monotonic_ns()
        edge(rig, "tap")
        (taken,) = until(lambda: rig.told(events.StillTaken), 3)
        assert (taken.instance.kind, taken.instance.frames) == ("burst", 5)
        assert abs(taken.instance.frame_ns - press_ns) < 1.5e9 / 30


def test_a_pedal_that_can_do_nothing_says_why(tmp_path: Path) -> None:
    source = FakeSource()
    with Rig(tmp_path, source, pedals=(Pedal(id="left", kind="key", long="none", double="none"),)) as rig:
        source.then(Says(SignalState.NO_SIGNAL))
        until(lambda: not rig.source().signal)
        edge(rig, "tap")
        (failed,) = until(lambda: rig.told(events.TriggerFailed), 1)
        assert (failed.trigger, failed.function, failed.error["code"]) == ("pedal:left", "still", "no-signal")


def test_a_pedal_that_is_pulled_comes_back_and_its_press_is_not_long_for_ever(tmp_path: Path) -> None:
    pedal = ScriptedPedal()
    settings = Pedal(id="left", kind="evdev", device="x", long="record", double="none")
    with Rig(tmp_path, pedals=(settings,), pedal_sources={"left": pedal}) as rig:
        pedal.edges.put(PedalEdge(True, time.monotonic_ns()))
        pedal.away = 2
        pedal.edges.put(None)
        until(lambda: "back" in gestures(rig), 5)
        assert gestures(rig) == ["gone", "short", "back"]
        pedal.edges.put(PedalEdge(True, time.monotonic_ns()))
        pedal.edges.put(PedalEdge(False, time.monotonic_ns()))
        until(lambda: len(rig.told(events.StillTaken)) == 2, 2)


def test_a_press_cut_off_by_its_cable_is_a_photo_although_it_might_have_become_double(tmp_path: Path) -> None:
    pedal = ScriptedPedal()
    settings = Pedal(id="left", kind="evdev", device="x")  # short still, long record, double mark
    with Rig(tmp_path, pedals=(settings,), pedal_sources={"left": pedal}) as rig:
        pedal.edges.put(PedalEdge(True, time.monotonic_ns()))
        pedal.edges.put(None)  # and it is there again at once
        until(lambda: "back" in gestures(rig), 5)
        until(lambda: len(rig.told(events.StillTaken)) == 1, 2)
        time.sleep(1)
        assert len(rig.told(events.StillTaken)) == 1
        assert [each.state for each in sidecars(rig)] == [SidecarState.CLOSED]


def test_a_double_press_takes_the_frame_of_its_first_press(tmp_path: Path) -> None:
    settings = Pedal(id="left", kind="key", short="none", long="none", double="still")
    with Rig(tmp_path, pedals=(settings,)) as rig:
        edge(rig, "tap")
        until(lambda: gestures(rig) == ["short"], 2)
        time.sleep(0.1)
        assert not list(rig.paths.spool.glob("*/")), "a press that is nothing makes no exam"
        press_ns = time.monotonic_ns()
        edge(rig, "tap")
        time.sleep(0.1)
        edge(rig, "tap")
        (taken,) = until(lambda: rig.told(events.StillTaken), 2)
        assert abs(taken.instance.frame_ns - press_ns) < 1.5e9 / 30
        assert taken.instance.trigger_ns < press_ns + 50_000_000


def test_a_burst_has_as_many_frames_as_the_settings_say(tmp_path: Path) -> None:
    burst = Pedal(id="left", kind="key", short="burst", long="none", double="none")
    with Rig(tmp_path, pedals=(burst,), recording=Recording(burst=3)) as rig:
        edge(rig, "tap")
        (taken,) = until(lambda: rig.told(events.StillTaken), 3)
        assert (taken.instance.kind, taken.instance.frames) == ("burst", 3)


def conditions(rig: Rig) -> list[tuple[str, str]]:
    return [(each.id, each.state) for each in rig.assembly.service.pedals()]


def test_a_stuck_pedal_is_said_does_nothing_more_and_recovers_by_itself_while_another_works(tmp_path: Path) -> None:
    left, right = ScriptedPedal(), ScriptedPedal()
    settings = tuple(
        Pedal(id=name, kind="evdev", device=name, long="none", double="none") for name in ("left", "right")
    )
    with Rig(tmp_path, pedals=settings, pedal_sources={"left": left, "right": right}) as rig:
        until(lambda: conditions(rig) == [("left", "ok"), ("right", "ok")])
        now_ns = time.monotonic_ns()
        left.edges.put(PedalEdge(True, now_ns))
        until(lambda: len(rig.told(events.StillTaken)) == 1, 3)
        # a press from so long ago, as far as the rules know: a test waits for no half a minute
        rig.assembly._pedals._pedals["left"]._rules._press_ns -= STUCK_NS
        left.edges.put(PedalEdge(True, now_ns + 1))
        until(lambda: conditions(rig) == [("left", "stuck"), ("right", "ok")], 5)
        right.edges.put(PedalEdge(True, time.monotonic_ns()))
        right.edges.put(PedalEdge(False, time.monotonic_ns() + 50_000_000))
        until(lambda: len(rig.told(events.StillTaken)) == 2, 3)
        left.edges.put(PedalEdge(False, time.monotonic_ns()))
        until(lambda: conditions(rig) == [("left", "ok"), ("right", "ok")], 5)
        left.edges.put(PedalEdge(True, time.monotonic_ns() + 50_000_000))
        until(lambda: len(rig.told(events.StillTaken)) == 3, 3)
        assert [each for each in gestures(rig) if each != "short"] == ["stuck", "free"]
        told = [(each.pedal.id, each.pedal.state) for each in rig.told(events.PedalChanged)]
        assert [each for each in told if each[1] != "starting"][-2:] == [("left", "stuck"), ("left", "ok")]


def test_a_pedal_that_was_down_before_anybody_listened_takes_no_picture_but_may_be_stuck(tmp_path: Path) -> None:
    pedal = ScriptedPedal()
    pedal.down = True
    settings = Pedal(id="left", kind="evdev", device="x", long="none", double="none")
    with Rig(tmp_path, pedals=(settings,), pedal_sources={"left": pedal}) as rig:
        until(lambda: conditions(rig) == [("left", "ok")])
        board = rig.assembly._pedals._pedals["left"]
        board._rules._press_ns -= STUCK_NS
        with board._changed:
            board._changed.notify_all()
        until(lambda: conditions(rig) == [("left", "stuck")], 5)
        pedal.down = False
        pedal.edges.put(PedalEdge(False, time.monotonic_ns()))
        until(lambda: conditions(rig) == [("left", "ok")], 5)
        assert not rig.told(events.StillTaken)


@pytest.mark.parametrize(
    ("error", "state"),
    [(DeviceBusy, "busy"), (DeviceRefused, "refused"), (DeviceGone, "gone"), (OSError, "failed")],
)
def test_why_a_pedal_does_not_work_is_told(tmp_path: Path, error: type[Exception], state: str) -> None:
    class Refusing(ScriptedPedal):
        def open(self) -> None:
            raise error("open", "/dev/pedal")

    settings = Pedal(id="left", kind="evdev", device="x")
    with Rig(tmp_path, pedals=(settings,), pedal_sources={"left": Refusing()}) as rig:
        until(lambda: conditions(rig) == [("left", state)], 5)


def test_a_pedal_whose_settings_make_no_sense_keeps_nothing_from_working(tmp_path: Path) -> None:
    source = real_pedal(Pedal(id="left", kind="serial-bytes", device="/dev/ttyS0?press=zz"))
    assert source is not None
    settings = (Pedal(id="left", kind="serial-bytes", device="x"), Pedal(id="key", kind="key", long="none"))
    with Rig(tmp_path, pedals=settings, pedal_sources={"left": source}) as rig:
        until(lambda: conditions(rig) == [("left", "failed"), ("key", "ok")], 5)
        assert "hex" in rig.assembly.service.pedals()[0].text
        assert rig.still()
