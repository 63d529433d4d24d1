"""What every touch panel does: run on the fake in all its protocols, and on real uinput devices."""

from __future__ import annotations

import threading
import time

import pytest

from hw.base import TouchEvent, TouchKind, TouchSource
from hw.errors import DeviceBusy, DeviceGone, HardwareError
from hw.fake.touch import FakePanel
from hw.panel import contacts as code
from hw.panel.contacts import Protocol
from hw.panel.touch import INPUT_PROP_DIRECT, EvdevTouch
from tests.support.uinput import UinputDevice

DOWN, MOVE, UP = TouchKind.DOWN, TouchKind.MOVE, TouchKind.UP
NEAR = 0.002


class FakeBench:
    def __init__(self, protocol: Protocol) -> None:
        self.device = FakePanel(protocol)
        self.panel = EvdevTouch(device=FakePanel.path, calls=self.device, nodes=lambda subsystem: [])
        self.down, self.move, self.up = self.device.down, self.device.move, self.device.up

    def other(self) -> EvdevTouch:
        return EvdevTouch(device=FakePanel.path, calls=self.device, nodes=lambda subsystem: [])

    def unplug(self) -> None:
        self.device.unplug()

    def end(self) -> None:
        self.panel.close()


class UinputBench:
    """A real evdev device, made by the kernel. `slots`: a panel of type B, else an absolute pointer."""

    def __init__(self, slots: bool) -> None:
        self.slots = slots
        self.button = code.BTN_TOUCH if slots else code.BTN_LEFT
        self._identity = 0
        axes = {code.ABS_X: 4095, code.ABS_Y: 4095}
        if slots:
            axes |= {
                code.ABS_MT_SLOT: 4,
                code.ABS_MT_X: 4095,
                code.ABS_MT_Y: 4095,
                code.ABS_MT_TRACKING_ID: 65535,
                code.ABS_MT_TOOL_TYPE: 15,
            }
        properties = [INPUT_PROP_DIRECT] if slots else []
        self.device = UinputDevice("SmartBox test panel", keys=[self.button], axes=axes, properties=properties)
        self.panel = EvdevTouch(device=self.device.path)
        self._send, self.unplug = self.device.send, self.device.unplug

    def other(self) -> EvdevTouch:
        return EvdevTouch(device=self.device.path)

    def _place(self, x: float, y: float) -> list[tuple[int, int, int]]:
        axes = (code.ABS_MT_X, code.ABS_MT_Y) if self.slots else (code.ABS_X, code.ABS_Y)
        return [(code.EV_ABS, axis, round(value * 4095)) for axis, value in zip(axes, (x, y), strict=True)]

    def _slot(self, finger: int) -> list[tuple[int, int, int]]:
        return [(code.EV_ABS, code.ABS_MT_SLOT, finger)] if self.slots else []

    def down(self, x: float, y: float, finger: int = 0) -> None:
        self._identity += 1
        new = [(code.EV_ABS, code.ABS_MT_TRACKING_ID, self._identity)] if self.slots else []
        pressed = [(code.EV_KEY, self.button, 1)]
        self._send(*self._slot(finger), *new, *self._place(x, y), *pressed)

    def move(self, x: float, y: float, finger: int = 0) -> None:
        self._send(*self._slot(finger), *self._place(x, y))

    def up(self, finger: int = 0) -> None:
        gone = [(code.EV_ABS, code.ABS_MT_TRACKING_ID, -1)] if self.slots else []
        self._send(*self._slot(finger), *gone, (code.EV_KEY, self.button, 0))

    def end(self) -> None:
        self.panel.close()
        self.device.end()


BENCHES = {
    "slots-fake": lambda: FakeBench(Protocol.SLOTS),
    "packets-fake": lambda: FakeBench(Protocol.PACKETS),
    "single-fake": lambda: FakeBench(Protocol.SINGLE),
    "slots-uinput": lambda: UinputBench(slots=True),
    "pointer-uinput": lambda: UinputBench(slots=False),
}


@pytest.fixture(params=BENCHES)
def bench(request):
    bench = BENCHES[request.param]()
    yield bench
    bench.end()


def read(bench) -> TouchEvent:
    event = bench.panel.read(2.0)
    assert event is not None, "nothing came"
    return event


def at(event: TouchEvent) -> tuple[float, float]:
    return event.x, event.y


def test_it_is_a_touch_source(bench):
    assert isinstance(bench.panel, TouchSource)
    bench.panel.open()
    assert bench.panel.info.path.startswith("/dev/input/event")
    assert bench.panel.info.name
    assert bench.panel.info.key


def test_a_tap_with_its_place_and_the_monotonic_time_of_the_press(bench):
    bench.panel.open()
    before = time.monotonic_ns()
    bench.down(0.25, 0.75)
    down = read(bench)
    time.sleep(0.05)
    bench.up()
    up = read(bench)
    assert (down.kind, up.kind) == (DOWN, UP)
    assert at(down) == pytest.approx((0.25, 0.75), abs=NEAR)
    assert at(up) == at(down)
    # evdev counts in microseconds
    assert before - 1000 <= down.timestamp_ns <= up.timestamp_ns <= time.monotonic_ns()
    assert up.timestamp_ns - down.timestamp_ns > 40_000_000
    assert not up.cancelled


def test_the_second_tap_at_the_same_place_is_there_though_no_axis_changed(bench):
    bench.panel.open()
    for _ in range(2):
        bench.down(0.4, 0.6)
        bench.up()
        down, up = read(bench), read(bench)
        assert (down.kind, up.kind) == (DOWN, UP)
        assert at(down) == pytest.approx((0.4, 0.6), abs=NEAR)


def test_a_tap_where_the_panel_was_touched_before_it_was_opened(bench):
    """Its values are the same as then: the kernel sends none, they must be asked for."""
    bench.down(0.3, 0.2)
    bench.up()
    bench.panel.open()
    bench.down(0.3, 0.2)
    down = read(bench)
    assert down.kind is DOWN
    assert at(down) == pytest.approx((0.3, 0.2), abs=NEAR)


def test_a_finger_that_moves(bench):
    bench.panel.open()
    bench.down(0.1, 0.1)
    bench.move(0.2, 0.3)
    bench.move(0.4, 0.5)
    bench.up()
    events = [read(bench) for _ in range(4)]
    assert [event.kind for event in events] == [DOWN, MOVE, MOVE, UP]
    assert at(events[2]) == pytest.approx((0.4, 0.5), abs=NEAR)
    assert at(events[3]) == at(events[2])


def test_a_finger_at_rest_trembles_unheard(bench):
    bench.panel.open()
    bench.down(0.5, 0.5)
    for step in range(10):
        bench.move(0.5 + 0.002 * (step % 2), 0.5)
    bench.up()
    assert [read(bench).kind for _ in range(2)] == [DOWN, UP]


def test_fast_taps_are_all_there(bench):
    bench.panel.open()
    for step in range(5):
        bench.down(0.1 * step, 0.5)
        bench.up()
    assert [read(bench).kind for _ in range(10)] == [DOWN, UP] * 5
    assert bench.panel.read(0.0) is None


def test_what_lay_on_it_when_it_was_opened_is_not_told(bench):
    bench.down(0.5, 0.5)
    bench.panel.open()
    bench.move(0.6, 0.6)
    bench.up()
    if isinstance(bench, FakeBench) and bench.device.protocol is Protocol.PACKETS:
        pytest.skip("type A tells nothing of what lay there before: its first packet is a new finger")
    assert bench.panel.read(0.1) is None
    bench.down(0.2, 0.2)
    assert read(bench).kind is DOWN


def test_only_the_first_finger_is_told(bench):
    if isinstance(bench, UinputBench) and not bench.slots:
        pytest.skip("a pointer has one finger only")
    bench.panel.open()
    bench.down(0.2, 0.2, finger=0)
    bench.down(0.8, 0.8, finger=1)
    bench.move(0.9, 0.9, finger=1)
    bench.move(0.3, 0.3, finger=0)
    bench.up(finger=1)
    bench.up(finger=0)
    events = [read(bench) for _ in range(3)]
    assert [event.kind for event in events] == [DOWN, MOVE, UP]
    assert at(events[1]) == pytest.approx((0.3, 0.3), abs=NEAR)
    assert bench.panel.read(0.0) is None


def test_nothing_comes_as_none_after_the_timeout(bench):
    bench.panel.open()
    started = time.monotonic()
    assert bench.panel.read(0.1) is None
    assert 0.09 <= time.monotonic() - started < 10
    assert bench.panel.read(0) is None


def test_a_waiting_read_wakes_at_once(bench):
    bench.panel.open()
    timer = threading.Timer(0.1, lambda: bench.down(0.5, 0.5))
    timer.start()
    down = bench.panel.read(5.0)
    assert down is not None
    assert time.monotonic_ns() - down.timestamp_ns < 2_000_000_000  # of the five that it would have waited
    timer.join()


def test_it_is_ours_alone(bench):
    bench.panel.open()
    second = bench.other()
    if isinstance(bench, FakeBench):
        bench.device.other_grab = True
        bench.panel.close()
    with pytest.raises(DeviceBusy) as caught:
        second.open()
    assert caught.value.hint


def test_close_twice_and_open_again(bench):
    bench.panel.close()
    bench.panel.open()
    bench.down(0.5, 0.5)
    bench.up()
    bench.panel.close()
    bench.panel.close()
    with pytest.raises(HardwareError):
        bench.panel.read(0)
    bench.panel.open()
    assert bench.panel.read(0.05) is None, "what was touched while nobody listened is over"
    bench.down(0.1, 0.9)
    down = read(bench)
    assert at(down) == pytest.approx((0.1, 0.9), abs=NEAR)


def test_pulled_in_mid_touch_the_finger_leaves_first(bench):
    bench.panel.open()
    bench.down(0.7, 0.3)
    assert read(bench).kind is DOWN
    bench.unplug()
    up = read(bench)
    assert (up.kind, up.cancelled) == (UP, True)
    assert at(up) == pytest.approx((0.7, 0.3), abs=NEAR)
    for _ in range(2):
        with pytest.raises(DeviceGone) as caught:
            bench.panel.read(1.0)
    assert caught.value.path == bench.panel.info.path
    assert caught.value.hint
    bench.panel.close()


def test_what_is_not_there_cannot_be_opened(bench):
    bench.unplug()
    with pytest.raises(DeviceGone) as caught:
        bench.panel.open()
    assert caught.value.hint
    bench.panel.close()
