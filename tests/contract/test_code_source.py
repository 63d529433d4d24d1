"""What every scanner does: run on the fake, on made-up keys, on a real uinput keyboard."""

from __future__ import annotations

import threading
import time

import pytest

from hw.base import CodeSource
from hw.errors import DeviceGone, HardwareError
from hw.evdev import EV_KEY
from hw.fake.evdev import FakeEvdev
from hw.fake.scanner import ENTER, KEYS, FakeScanner, presses, scan
from hw.panel.keys import SETTLE_NS
from hw.panel.scanner import WedgeScanner
from tests.support.uinput import UinputDevice


class PlainBench:
    def __init__(self) -> None:
        self.scanner = FakeScanner()
        self.scan = self.scanner.scan
        self.unplug = self.scanner.unplug
        self.replug = self.scanner.replug

    def open(self) -> None:
        self.scanner.open()

    def end(self) -> None:
        self.scanner.close()


class KeysBench:
    def __init__(self) -> None:
        self.device = FakeEvdev(KEYS, "Fake scanner")
        self.scanner = WedgeScanner(
            key="scanner", device=FakeEvdev.path, calls=self.device, nodes=lambda subsystem: []
        )
        self.unplug = self.device.unplug
        self.replug = self.device.replug

    def open(self) -> None:
        self.scanner.open()
        time.sleep(SETTLE_NS / 1e9 + 0.02)

    def scan(self, text: str) -> None:
        scan(self.device, text)

    def end(self) -> None:
        self.scanner.close()


class UinputBench:
    """A real keyboard, made by the kernel."""

    def __init__(self) -> None:
        self.device = UinputDevice("SmartBox test scanner", keys=KEYS)
        self.scanner = WedgeScanner(key="scanner", device=self.device.path)
        self.unplug = self.device.unplug

    def open(self) -> None:
        self.scanner.open()
        time.sleep(SETTLE_NS / 1e9 + 0.02)

    def scan(self, text: str) -> None:
        for code, down in [*presses(text), (ENTER, True), (ENTER, False)]:
            self.device.send((EV_KEY, code, int(down)))
            time.sleep(0.001)

    def replug(self) -> None:
        before = self.device.path
        self.device.plug()
        if self.device.path != before:
            pytest.skip("the kernel gave the keyboard another number: by path it is another device")

    def end(self) -> None:
        self.scanner.close()
        self.device.end()


BENCHES = {"plain-fake": PlainBench, "wedge-fake-keys": KeysBench, "wedge-uinput": UinputBench}


@pytest.fixture(params=BENCHES)
def bench(request):
    bench = BENCHES[request.param]()
    yield bench
    bench.end()


def test_it_is_a_code_source(bench):
    assert isinstance(bench.scanner, CodeSource)
    bench.open()
    assert bench.scanner.info.key == "scanner"
    assert bench.scanner.info.path.startswith("/dev/input/")
    assert bench.scanner.info.name


def test_codes_come_whole_and_in_order(bench):
    bench.open()
    bench.scan("47-2")  # both fit into the 64 events that the kernel keeps for who does not read
    bench.scan("P/7")
    assert bench.scanner.read(1.0) == "47-2"
    assert bench.scanner.read(1.0) == "P/7"
    assert bench.scanner.read(0.05) is None


def test_nothing_comes_as_none_after_the_timeout(bench):
    bench.open()
    started = time.monotonic()
    assert bench.scanner.read(0.1) is None
    assert 0.09 <= time.monotonic() - started < 10
    assert bench.scanner.read(0) is None


def test_a_waiting_read_wakes_at_once(bench):
    bench.open()
    timer = threading.Timer(0.1, bench.scan, ("ABC",))
    timer.start()
    assert bench.scanner.read(5.0) == "ABC"
    timer.join()


def test_close_twice_and_open_again(bench):
    bench.scanner.close()
    bench.open()
    bench.scan("1")
    bench.scanner.close()
    bench.scanner.close()
    with pytest.raises(HardwareError):
        bench.scanner.read(0)
    bench.open()
    assert bench.scanner.read(0.05) is None, "what was scanned before is over"
    bench.scan("2")
    assert bench.scanner.read(1.0) == "2"


def test_pulled_it_is_gone_and_back_it_works_again(bench):
    bench.open()
    bench.unplug()
    with pytest.raises(DeviceGone) as caught:
        bench.scanner.read(1.0)
    assert caught.value.path == bench.scanner.info.path
    assert caught.value.hint
    with pytest.raises(DeviceGone) as caught:
        bench.scanner.open()
    assert caught.value.hint
    bench.replug()
    bench.open()
    bench.scan("back")
    assert bench.scanner.read(1.0) == "back"
