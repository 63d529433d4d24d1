"""What only a pedal on a modem line can do: wait for it without being held, count, tell a foot from a spike."""

from __future__ import annotations

import os
import pty
import threading
import time

import pytest

from hw.errors import DeviceBusy, HardwareError
from hw.fake.modem import FakeModem
from hw.pedal.factory import pedal_source
from hw.pedal.serial_line import SerialLinePedal


def read_two(pedal):
    return pedal.read(1.0), pedal.read(1.0)


@pytest.fixture
def port():
    """The path of a real serial line, as far as the kernel has one without hardware."""
    master, slave = pty.openpty()
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


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


def ended(question) -> bool:
    give_up = time.monotonic() + 10
    while not question():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True


def test_closing_never_waits_for_a_driver_that_waits_for_the_line():
    modem = FakeModem()
    pedal = line(modem)
    pedal.open()
    assert pedal.waits
    assert pedal.read(0.3) is None
    began = time.monotonic()
    pedal.close()
    assert time.monotonic() - began < 1
    pedal.open()  # the port is not held by who waits
    other = line(modem)
    with pytest.raises(DeviceBusy):
        other.open()
    modem.switch("cts", True)
    assert pedal.read(1.0).down
    assert ended(lambda: modem.waiting == 1), "who was left behind has gone with the edge"
    pedal.close()


def test_a_pedal_opened_again_and_again_leaves_no_more_than_a_few_threads_behind():
    modem = FakeModem()
    pedal = line(modem)
    pedal.settle_s = 0
    for _ in range(10):
        pedal.open()
        pedal.close()
    pedal.open()
    assert not pedal.waits
    modem.switch("cts", True)
    assert pedal.read(1.0).down, "then it is looked at"
    pedal.close()


@pytest.mark.parametrize("waits", [True, False])
def test_a_driver_that_cannot_wait_or_does_not_is_looked_at(waits):
    modem = FakeModem(waits=waits)
    modem.spins = waits
    pedal = line(modem)
    pedal.open()
    assert ended(lambda: not pedal.waits)
    modem.switch("cts", True)
    assert pedal.read(1.0).down
    time.sleep(0.05)
    modem.switch("cts", False)
    assert not pedal.read(1.0).down
    pedal.close()


@pytest.mark.parametrize("waits", [True, False])
def test_an_edge_has_the_time_of_the_line_not_of_the_look(waits):
    pedal = line(modem := FakeModem(waits=waits))
    pedal.open()
    assert pedal.read(0.2) is None
    threading.Timer(0.2, modem.switch, ("cts", True)).start()
    edge = pedal.read(5.0)
    assert edge.timestamp_ns < time.monotonic_ns() - 3_000_000, "it has stood before it counts"
    pedal.close()


def test_a_press_between_two_looks_is_told_by_the_driver_s_count():
    modem = FakeModem(waits=False)
    pedal = line(modem)
    pedal.open()
    assert pedal.read(0) is None
    modem.switch("cts", True)
    time.sleep(0.2)  # nobody looks: the machine is busy
    modem.switch("cts", False)
    down, up = read_two(pedal)
    assert (down.down, up.down) == (True, False)
    assert pedal.read(0.05) is None


@pytest.mark.parametrize("waits", [True, False])
def test_a_spike_on_the_line_is_no_press(waits):
    modem = FakeModem(waits=waits)
    pedal = line(modem)
    pedal.open()
    threads = [threading.Timer(0.1 * count, spike, (modem,)) for count in range(1, 6)]
    for thread in threads:
        thread.start()
    assert pedal.read(1.0) is None
    modem.switch("cts", True)
    assert pedal.read(1.0).down
    pedal.close()


def spike(modem: FakeModem) -> None:
    modem.switch("cts", True)
    modem.switch("cts", False)


def test_a_pedal_found_down_is_down_and_gives_no_press():
    modem = FakeModem()
    modem.switch("cts", True)
    pedal = line(modem)
    pedal.open()
    assert pedal.down
    assert pedal.read(0.05) is None
    pedal.close()


def test_a_port_without_modem_lines_is_no_pedal(port):
    """A pty is such a port."""
    with pytest.raises(HardwareError, match="no modem lines"):
        pedal_source("serial-line", key="left", device=port).open()


@pytest.mark.parametrize("options", ["?line=tx", "?active=maybe", "?press=31"])
def test_wrong_options_of_a_line_are_said_at_once(options):
    with pytest.raises(ValueError, match="options"):
        line(FakeModem(), options)
