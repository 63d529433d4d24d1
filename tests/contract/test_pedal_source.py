"""What every pedal does, whatever it is made of: run on the fake, on a real pty, on a real uinput device."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import struct
import threading
import time
from pathlib import Path

import pytest

from hw.base import PedalEdge, PedalSource
from hw.errors import DeviceGone, HardwareError
from hw.fake.evdev import FakeEvdev
from hw.fake.modem import FakeModem
from hw.pedal.evdev import EVENT, EvdevPedal
from hw.pedal.factory import pedal_source
from hw.pedal.serial_bytes import SerialBytesPedal
from hw.pedal.serial_line import SerialLinePedal

KEY_B = 48


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
    """A modem line. Its edges are found by looking: one that is over before the next look is none."""

    def __init__(self) -> None:
        self.device = FakeModem()
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


class UinputBench:
    """A real evdev device, made by the kernel."""

    UI_DEV_CREATE, UI_DEV_DESTROY = 0x5501, 0x5502
    UI_DEV_SETUP, UI_SET_EVBIT, UI_SET_KEYBIT = 0x405C5503, 0x40045564, 0x40045565
    UI_GET_SYSNAME = 2 << 30 | 64 << 16 | ord("U") << 8 | 44

    def __init__(self) -> None:
        try:
            self.fd = os.open("/dev/uinput", os.O_WRONLY)
        except OSError as error:
            pytest.skip(f"no usable /dev/uinput here ({error.strerror}): a real input device is not tested")
        fcntl.ioctl(self.fd, self.UI_SET_EVBIT, 1)
        fcntl.ioctl(self.fd, self.UI_SET_KEYBIT, KEY_B)
        setup = struct.pack("4H80sI", 3, 0x1234, 0x5678, 1, b"SmartBox test pedal", 0)
        fcntl.ioctl(self.fd, self.UI_DEV_SETUP, setup)
        fcntl.ioctl(self.fd, self.UI_DEV_CREATE)
        name = bytearray(64)
        fcntl.ioctl(self.fd, self.UI_GET_SYSNAME, name)
        folder = Path("/sys/devices/virtual/input", name.split(b"\0")[0].decode())
        path = Path("/dev/input", next(folder.glob("event*")).name)
        for _ in range(100):
            if path.exists():
                break
            time.sleep(0.02)
        self.pedal = EvdevPedal(key="left", device=str(path))

    def _send(self, value: int) -> None:
        os.write(self.fd, EVENT.pack(0, 0, 1, KEY_B, value) + EVENT.pack(0, 0, 0, 0, 0))

    def press(self) -> None:
        self._send(1)

    def release(self) -> None:
        self._send(0)

    def unplug(self) -> None:
        fcntl.ioctl(self.fd, self.UI_DEV_DESTROY)

    def end(self) -> None:
        self.pedal.close()
        os.close(self.fd)


BENCHES = {
    "evdev-fake": FakeEvdevBench,
    "evdev-uinput": UinputBench,
    "serial-bytes-pty": PtyBench,
    "serial-line-fake": ModemBench,
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


def test_a_fast_foot_loses_nothing(bench):
    if isinstance(bench, ModemBench):
        pytest.skip("a modem line keeps nothing: what is over before the next look is lost")
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
    assert 0.09 <= time.monotonic() - started < 1.0
    assert bench.pedal.read(0) is None


def test_a_waiting_read_wakes_at_once(bench):
    bench.pedal.open()
    timer = threading.Timer(0.1, bench.press)
    timer.start()
    edge = bench.pedal.read(5.0)
    assert edge.down
    assert time.monotonic_ns() - edge.timestamp_ns < 100_000_000
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


# ---- what only evdev can do


@pytest.fixture
def keys():
    return FakeEvdev((KEY_B, 29))


def evdev(keys: FakeEvdev, device: str = FakeEvdev.path) -> EvdevPedal:
    return EvdevPedal(key="left", device=device, calls=keys, nodes=lambda subsystem: [])


def test_an_open_pedal_is_grabbed_so_that_it_does_not_type(keys):
    pedal = evdev(keys)
    pedal.open()
    assert keys.grabbed
    pedal.close()
    assert not keys.grabbed


def test_a_pedal_that_sends_a_chord_is_pressed_once(keys):
    pedal = evdev(keys)
    pedal.open()
    for action in (keys.press, keys.release):
        action(29)
        action(KEY_B)
    edges = [pedal.read(0) for _ in range(3)]
    assert [e and e.down for e in edges] == [True, False, None]


def test_autorepeat_is_not_a_press(keys):
    pedal = evdev(keys)
    pedal.open()
    keys.press()
    keys.repeat()
    keys.repeat()
    keys.release()
    edges = [pedal.read(0) for _ in range(3)]
    assert [e and e.down for e in edges] == [True, False, None]


def test_one_button_of_a_block_of_pedals(keys):
    pedal = evdev(keys, f"{FakeEvdev.path}#{KEY_B:#x}")
    pedal.open()
    keys.press(29)
    keys.press(KEY_B)
    keys.release(29)
    edges = [pedal.read(0) for _ in range(2)]
    assert [e and e.down for e in edges] == [True, None]


def test_a_pedal_already_down_at_open_is_no_press(keys):
    pedal = evdev(keys)
    pedal.open()
    keys.press()
    pedal.close()
    pedal.open()
    assert pedal.read(0) is None
    keys.release()
    keys.press()
    assert [e.down for e in read_two(pedal)] == [False, True]


@pytest.mark.parametrize(("held", "expected"), [({KEY_B}, [True, None]), (set(), [None, None])])
def test_after_an_overflow_the_kernel_is_asked_what_is_down(keys, held, expected):
    pedal = evdev(keys)
    pedal.open()
    keys.overflow(held, lost=((KEY_B, 1), (KEY_B, 0), (KEY_B, 1)))
    assert [e and e.down for e in (pedal.read(0), pedal.read(0))] == expected


def test_an_old_kernel_without_the_clock_still_gives_monotonic_times(keys):
    keys.old_kernel = True
    pedal = evdev(keys)
    pedal.open()
    keys.press(at_ns=time.time_ns())
    assert abs(pedal.read(0).timestamp_ns - time.monotonic_ns()) < 1e9


@pytest.mark.parametrize(
    ("number", "name"), [(errno.EACCES, "DeviceRefused"), (errno.EBUSY, "DeviceBusy"), (errno.ENODEV, "DeviceGone")]
)
def test_a_refusal_says_why_and_what_to_do(keys, number, name):
    keys.fail_open = number
    with pytest.raises(HardwareError) as caught:
        evdev(keys).open()
    assert type(caught.value).__name__ == name
    assert caught.value.hint


def test_a_device_without_buttons_is_no_pedal():
    with pytest.raises(HardwareError, match="no buttons"):
        evdev(FakeEvdev(())).open()


# ---- what only serial lines can do


def test_any_byte_is_a_press_and_its_release():
    bench = PtyBench()
    pedal = SerialBytesPedal(key="left", device=os.ttyname(bench.slave))
    pedal.open()
    os.write(bench.master, b"\x00\xff")
    edges = [pedal.read(0.5) for _ in range(4)]
    assert [e.down for e in edges] == [True, False, True, False]
    assert edges[0].timestamp_ns == edges[1].timestamp_ns
    pedal.close()
    bench.end()


def test_a_port_is_held_alone():
    bench = PtyBench()
    bench.pedal.open()
    other = SerialBytesPedal(key="other", device=os.ttyname(bench.slave))
    with pytest.raises(HardwareError) as caught:
        other.open()
    assert type(caught.value).__name__ == "DeviceBusy"
    bench.end()


@pytest.mark.parametrize("options", ["press=31", "colour=red", "press=zz&release=30"])
def test_wrong_options_are_said_at_once(options):
    with pytest.raises(ValueError):  # noqa: PT011 - three sentences, one type
        SerialBytesPedal(key="left", device=f"/dev/ttyUSB0?{options}")


# ---- what only modem lines can do


def line(modem: FakeModem, options: str = "") -> SerialLinePedal:
    return SerialLinePedal(key="left", device=FakeModem.path + options, calls=modem, nodes=lambda subsystem: [])


def test_a_contact_that_opens_when_pressed():
    modem = FakeModem()
    modem.switch("cts", True)
    pedal = line(modem, "?active=low")
    pedal.open()
    assert modem.fed, "DTR and RTS feed the contact"
    assert pedal.read(0) is None
    modem.switch("cts", False)
    assert pedal.read(0.1).down


def test_a_port_without_modem_lines_is_no_pedal():
    """A pty is such a port."""
    bench = PtyBench()
    pedal = pedal_source("serial-line", key="left", device=os.ttyname(bench.slave))
    with pytest.raises(HardwareError, match="no modem lines"):
        pedal.open()
    bench.end()


@pytest.mark.parametrize("options", ["?line=tx", "?active=maybe", "?press=31"])
def test_wrong_options_of_a_line_are_said_at_once(options):
    with pytest.raises(ValueError, match="options"):
        line(FakeModem(), options)


def test_the_kinds_of_pedals():
    for kind, cls in (("evdev", EvdevPedal), ("serial-bytes", SerialBytesPedal), ("serial-line", SerialLinePedal)):
        assert isinstance(pedal_source(kind, key="left", device="/dev/null"), cls)
    with pytest.raises(ValueError, match="bluetooth"):
        pedal_source("bluetooth", key="left", device="")
