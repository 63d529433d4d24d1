"""Three pedals that are one device: each hears its own button, one grab serves all, and the device comes back."""

from __future__ import annotations

import errno
import threading
import time

import pytest

from hw.errors import DeviceBusy, DeviceGone
from hw.evdev import EVIOCGKEY
from hw.fake.evdev import FakeEvdev
from hw.fake.modem import FakeModem
from hw.pedal.evdev import EvdevPedal
from hw.pedal.serial_line import SerialLinePedal
from hw.pedal.shared import SharedCalls

BUTTONS = (30, 48, 46)


def block() -> tuple[FakeEvdev, list[EvdevPedal]]:
    device = FakeEvdev(BUTTONS, "Three pedals")
    calls = SharedCalls(device)
    return device, [
        EvdevPedal(key=f"p{code}", device=f"{FakeEvdev.path}#{code}", calls=calls, nodes=lambda subsystem: [])
        for code in BUTTONS
    ]


def test_without_sharing_only_one_of_them_opens() -> None:
    device = FakeEvdev(BUTTONS)
    device.grabbed = True
    with pytest.raises(DeviceBusy):
        EvdevPedal(key="p", device=FakeEvdev.path, calls=device, nodes=lambda subsystem: []).open()


def test_each_pedal_hears_its_own_button_with_the_time_of_the_press() -> None:
    device, pedals = block()
    for pedal in pedals:
        pedal.open()
    assert device.grabbed
    heard: list[tuple[str, bool, int]] = []

    def listen(pedal: EvdevPedal) -> None:
        for _ in range(2):
            edge = pedal.read(5.0)
            assert edge is not None
            heard.append((pedal.info.key, edge.down, edge.timestamp_ns))

    threads = [threading.Thread(target=listen, args=(pedal,)) for pedal in pedals]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    at_ns = time.monotonic_ns()
    for index, code in enumerate(BUTTONS):
        device.press(code, at_ns + index * 1_000_000)
        device.release(code, at_ns + index * 1_000_000 + 500_000)
    for thread in threads:
        thread.join(5)
    expected = {
        (f"p{code}", down, (at_ns + index * 1_000_000 + (0 if down else 500_000)) // 1000)
        for index, code in enumerate(BUTTONS)
        for down in (True, False)
    }
    assert {(key, down, at // 1000) for key, down, at in heard} == expected
    pedals[0].close()
    assert device.grabbed, "the others still have it"
    pedals[1].close()
    pedals[2].close()
    assert not device.grabbed


def test_one_that_is_closed_and_opened_again_hears_only_what_comes_then() -> None:
    device, pedals = block()
    first, second, _ = pedals
    first.open()
    second.open()
    assert second.read(0.05) is None
    device.press(30)
    device.release(30)
    assert first.read(1.0)
    first.close()
    device.press(30)
    device.release(30)
    first.open()
    assert first.read(0.1) is None
    device.press(30)
    assert first.read(1.0)
    for pedal in pedals:
        pedal.close()


def test_all_are_told_that_it_is_gone_and_all_come_back() -> None:
    device, pedals = block()
    for pedal in pedals:
        pedal.open()
        assert pedal.read(0) is None
    device.unplug()
    for pedal in pedals:
        with pytest.raises(DeviceGone) as caught:
            pedal.read(2.0)
        assert caught.value.hint
    with pytest.raises(DeviceGone):
        pedals[0].open()
    for pedal in pedals[1:]:
        pedal.close()
    device.replug()
    for pedal in pedals:
        pedal.open()
    device.press(48)
    assert pedals[1].read(1.0).down
    for pedal in pedals:
        pedal.close()
    assert not device.grabbed


def test_it_comes_back_while_one_of_them_has_not_yet_noticed() -> None:
    device, pedals = block()
    first, second, _ = pedals
    first.open()
    second.open()
    device.unplug()
    with pytest.raises(DeviceGone):
        first.read(2.0)
    first.close()
    second.close()
    device.replug()
    first.open()
    device.press(30)
    assert first.read(1.0).down
    first.close()


def test_keys_lost_in_the_kernel_are_asked_for_by_each() -> None:
    device, pedals = block()
    for pedal in pedals:
        pedal.open()
        assert pedal.read(0) is None
    device.overflow(held={48})
    assert pedals[1].read(1.0).down
    assert pedals[0].read(0.1) is None
    for pedal in pedals:
        pedal.close()


def test_who_asks_what_is_down_takes_no_press_from_the_others() -> None:
    """The kernel drops the keys that wait when somebody asks for their state (EVIOCGKEY)."""
    device, pedals = block()
    for pedal in pedals:
        pedal.open()
    device.press(48)
    asking = pedals[0]._device
    assert asking is not None
    assert asking.codes(EVIOCGKEY) == {48}
    down = pedals[1].read(1.0)
    assert down is not None
    assert down.down
    for pedal in pedals:
        pedal.close()


def test_one_contact_is_opened_again_while_the_other_stays() -> None:
    device = FakeModem()
    calls = SharedCalls(device)
    first, second = (
        SerialLinePedal(key=line, device=f"{FakeModem.path}?line={line}", calls=calls, nodes=lambda subsystem: [])
        for line in ("cts", "dsr")
    )
    first.open()
    second.open()
    first.close()
    with pytest.raises(OSError, match="busy"):
        device.open(FakeModem.path, 0)  # another program: the second still holds it
    first.open()
    device.switch("cts", True)
    assert first.read(1.0).down
    assert second.read(0.05) is None
    first.close()
    second.close()
    device.switch("cts", False)
    device.switch("dsr", True)  # who still waited for a line goes with it
    second.open()
    assert second.down
    second.close()


def test_two_contacts_on_one_adapter() -> None:
    device = FakeModem()
    calls = SharedCalls(device)
    pedals = [
        SerialLinePedal(key=line, device=f"{FakeModem.path}?line={line}", calls=calls, nodes=lambda subsystem: [])
        for line in ("cts", "dsr")
    ]
    for pedal in pedals:
        pedal.open()
    device.switch("dsr", True)
    assert pedals[1].read(1.0).down
    assert pedals[0].read(0.05) is None
    device.unplug()
    for pedal in pedals:
        with pytest.raises(DeviceGone):
            pedal.read(1.0)
        pedal.close()


def test_what_the_device_refuses_is_raised_as_it_is() -> None:
    device, pedals = block()
    device.fail_open = errno.ENODEV
    with pytest.raises(DeviceGone):
        pedals[0].open()
    device.fail_open = 0
    pedals[0].open()
    pedals[0].close()
