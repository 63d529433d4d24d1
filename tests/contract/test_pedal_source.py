"""What every pedal does, whatever it is made of: run on the fake, on a real pty, on a real uinput device."""

from __future__ import annotations

import os
import pty
import threading
import time
from pathlib import Path

import pytest

from hw.base import PedalEdge, PedalSource
from hw.errors import DeviceGone, HardwareError
from hw.evdev import EV_KEY
from hw.fake.evdev import FakeEvdev
from hw.fake.modem import FakeModem
from hw.pedal.evdev import EvdevPedal
from hw.pedal.serial_bytes import SerialBytesPedal
from hw.pedal.serial_line import SerialLinePedal
from hw.pedal.shared import SharedCalls
from tests.support.box import until
from tests.support.gadget import Gadget
from tests.support.uinput import UinputDevice

KEY_B = 48
ADAPTER_PORT = 4


class FakeEvdevBench:
    def __init__(self) -> None:
        self.device = FakeEvdev((KEY_B,))
        self.pedal = EvdevPedal(key="left", device=FakeEvdev.path, calls=self.device, nodes=lambda subsystem: [])

    def press(self) -> None:
        self.device.press()

    def release(self) -> None:
        self.device.release()

    def unplug(self) -> None:
        self.device.unplug()

    def end(self) -> None:
        self.pedal.close()


class SharedBench(FakeEvdevBench):
    """As capture opens it: another pedal of the same block is open beside it."""

    def __init__(self) -> None:
        self.device = FakeEvdev((KEY_B, KEY_B + 1))
        calls = SharedCalls(self.device)
        self.pedal, self.other = (
            EvdevPedal(key=key, device=f"{FakeEvdev.path}#{code}", calls=calls, nodes=lambda subsystem: [])
            for key, code in (("left", KEY_B), ("right", KEY_B + 1))
        )
        self.other.open()

    def end(self) -> None:
        self.pedal.close()
        self.other.close()


class PtyBench:
    """A real serial line as far as the kernel has one without hardware."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        path = os.ttyname(self.slave)
        self.pedal = SerialBytesPedal(key="left", device=f"{path}?press=31&release=30")

    def press(self) -> None:
        os.write(self.master, b"x1")

    def release(self) -> None:
        os.write(self.master, b"0x")

    def unplug(self) -> None:
        os.close(self.slave)
        os.close(self.master)
        self.master = -1

    def end(self) -> None:
        self.pedal.close()
        if self.master >= 0:
            self.unplug()


class ModemBench:
    """A modem line whose driver wakes who waits. What is shorter than a foot is no press."""

    waits = True

    def __init__(self) -> None:
        self.device = FakeModem(waits=self.waits)
        self.device.switch("dcd", True)
        self.pedal = SerialLinePedal(
            key="left", device=f"{FakeModem.path}?line=dsr", calls=self.device, nodes=lambda subsystem: []
        )

    def press(self) -> None:
        self.device.switch("dsr", True)

    def release(self) -> None:
        self.device.switch("dsr", False)

    def unplug(self) -> None:
        self.device.unplug()

    def end(self) -> None:
        self.pedal.close()


class LookedAtBench(ModemBench):
    """One whose driver does not: its edges are found by looking."""

    waits = False


class UinputBench:
    """A real evdev device, made by the kernel."""

    def __init__(self) -> None:
        self.device = UinputDevice("SmartBox test pedal", keys=[KEY_B])
        self.pedal = EvdevPedal(key="left", device=self.device.path)
        self.unplug = self.device.unplug

    def press(self) -> None:
        self.device.send((EV_KEY, KEY_B, 1))

    def release(self) -> None:
        self.device.send((EV_KEY, KEY_B, 0))

    def end(self) -> None:
        self.pedal.close()
        self.device.end()


class AdapterBench:
    """A real serial adapter, as far as the kernel makes one (USB CDC-ACM, gadget over dummy_hcd)."""

    options: str

    def __init__(self) -> None:
        if not Gadget.possible(ADAPTER_PORT):
            pytest.skip("no USB gadgets here (dummy_hcd, libcomposite, configfs, root)")
        self.gadget = Gadget(ADAPTER_PORT)
        self.gadget.drop()
        before = _adapters()
        self.gadget.make("acm")
        self.gadget.plug()
        path = until(lambda: _adapters() - before, 60, "the adapter").pop()
        self.pedal: PedalSource = self.pedal_at(str(path))

    def pedal_at(self, path: str) -> PedalSource:
        raise NotImplementedError

    def unplug(self) -> None:
        self.gadget.close()
        self.gadget.drop()

    def end(self) -> None:
        self.pedal.close()
        self.unplug()


class AdapterLineBench(AdapterBench):
    """Its DSR follows who has the far end open; cdc-acm wakes who waits for it."""

    def pedal_at(self, path: str) -> PedalSource:
        return SerialLinePedal(key="left", device=f"{path}?line=dsr")

    def press(self) -> None:
        self.gadget.open()

    def release(self) -> None:
        self.gadget.close()


class AdapterBytesBench(AdapterBench):
    def pedal_at(self, path: str) -> PedalSource:
        return SerialBytesPedal(key="left", device=f"{path}?press=31&release=30")

    def press(self) -> None:
        self.gadget.send("7831")

    def release(self) -> None:
        self.gadget.send("3078")


def _adapters() -> set[Path]:
    return set(Path("/dev").glob("ttyACM*"))


BENCHES = {
    "evdev-fake": FakeEvdevBench,
    "evdev-shared": SharedBench,
    "evdev-uinput": UinputBench,
    "serial-bytes-pty": PtyBench,
    "serial-bytes-adapter": AdapterBytesBench,
    "serial-line-adapter": AdapterLineBench,
    "serial-line-fake": ModemBench,
    "serial-line-looked-at-fake": LookedAtBench,
}


@pytest.fixture(params=BENCHES)
def bench(request):
    bench = BENCHES[request.param]()
    yield bench
    bench.end()


def read_two(pedal: PedalSource) -> tuple[PedalEdge | None, PedalEdge | None]:
    return pedal.read(1.0), pedal.read(1.0)


def test_it_is_a_pedal_source(bench):
    assert isinstance(bench.pedal, PedalSource)
    assert bench.pedal.info.key == "left"
    bench.pedal.open()
    assert bench.pedal.info.key == "left"
    assert bench.pedal.info.path.startswith("/dev/")
    assert bench.pedal.info.name


def test_an_edge_each_with_the_monotonic_time_of_the_press(bench):
    bench.pedal.open()
    before = time.monotonic_ns()
    bench.press()
    down = bench.pedal.read(1.0)
    time.sleep(0.05)
    bench.release()
    up = bench.pedal.read(1.0)
    after = time.monotonic_ns()
    assert (down.down, up.down) == (True, False)
    # evdev counts in microseconds.
    assert before - 1000 <= down.timestamp_ns <= up.timestamp_ns <= after
    assert up.timestamp_ns - down.timestamp_ns > 40_000_000
    assert not bench.pedal.down


def test_a_fast_foot_loses_nothing(bench):
    if isinstance(bench, (ModemBench, AdapterLineBench)):
        pytest.skip("on a modem line what is over at once is no foot, but a spike")
    bench.pedal.open()
    for _ in range(5):
        bench.press()
        bench.release()
    edges = [bench.pedal.read(1.0) for _ in range(10)]
    assert [e.down for e in edges] == [True, False] * 5
    assert bench.pedal.read(0.0) is None


def test_nothing_comes_as_none_after_the_timeout(bench):
    bench.pedal.open()
    started = time.monotonic()
    assert bench.pedal.read(0.1) is None
    assert 0.09 <= time.monotonic() - started < 10
    assert bench.pedal.read(0) is None


def test_a_waiting_read_wakes_at_once(bench):
    bench.pedal.open()
    timer = threading.Timer(0.1, bench.press)
    timer.start()
    edge = bench.pedal.read(5.0)
    assert edge.down
    assert time.monotonic_ns() - edge.timestamp_ns < 2_000_000_000  # of the five that it would have waited
    timer.join()


def test_close_twice_and_open_again(bench):
    bench.pedal.close()
    bench.pedal.open()
    bench.press()
    bench.release()
    bench.pedal.close()
    bench.pedal.close()
    with pytest.raises(HardwareError):
        bench.pedal.read(0)
    bench.pedal.open()
    assert not bench.pedal.down
    assert bench.pedal.read(0.05) is None, "what was pressed while nobody listened is over"
    bench.press()
    down = bench.pedal.read(1.0)
    bench.release()
    up = bench.pedal.read(1.0)
    assert (down.down, up.down) == (True, False)


def test_pulled_while_in_use_it_is_gone(bench):
    bench.pedal.open()
    bench.unplug()
    with pytest.raises(DeviceGone) as caught:
        bench.pedal.read(1.0)
    assert caught.value.path == bench.pedal.info.path
    assert caught.value.hint
    bench.pedal.close()


def test_what_is_not_there_cannot_be_opened(bench):
    bench.unplug()
    with pytest.raises(DeviceGone) as caught:
        bench.pedal.open()
    assert caught.value.hint
    bench.pedal.close()


def test_the_driver_of_a_real_adapter_wakes_who_waits():
    """TIOCMIWAIT, on what the kernel has for it; without it the line would be looked at for ever."""
    bench = AdapterLineBench()
    try:
        bench.pedal.open()
        assert bench.pedal.waits
        before = time.monotonic_ns()
        bench.press()
        after = time.monotonic_ns()
        down = bench.pedal.read(10.0)
        assert down.down
        assert before <= down.timestamp_ns
        print(f"woken {(down.timestamp_ns - after) / 1e6:.1f} ms after the far end was open")
        assert bench.pedal.waits, "and goes on waiting"
        bench.release()
        assert not bench.pedal.read(10.0).down
        bench.unplug()
        with pytest.raises(DeviceGone):
            bench.pedal.read(10.0)
    finally:
        bench.end()
