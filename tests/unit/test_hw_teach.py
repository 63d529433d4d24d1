"""Press to teach, with the fakes and with real ptys: which device it was, and how the settings name it."""

from __future__ import annotations

import os
import pty
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from hw.calls import SystemCalls
from hw.errors import DeviceBusy
from hw.fake.evdev import FakeEvdev
from hw.fake.modem import FakeModem
from hw.fake.several import FakeSeveral
from hw.fake.touch import FakePanel
from hw.identity import Node
from hw.panel.contacts import BTN_LEFT, Protocol
from hw.pedal.evdev import EvdevPedal
from hw.pedal.lines import TIOCGICOUNT
from hw.pedal.serial_bytes import SerialBytesPedal
from hw.pedal.serial_line import SerialLinePedal
from hw.pedal.teach import PedalTeacher, Taught

KEY_A, KEY_B, KEY_POWER, BTN_TOUCH, ESCAPE = 30, 48, 116, 0x14A, 1
KEYBOARD = tuple(range(1, 84))

INPUT = Node("/dev/input/event0", "pci-0000:00:14.0-usb-0:2:1.0", name="Foot Switch")
SERIAL = Node("/dev/ttyUSB0", "pci-0000:00:14.0-usb-0:3:1.0", model="FT232")


def teach(
    act: Callable[[], None], calls: SystemCalls | None = None, nodes: tuple[Node, ...] = (), **values: object
) -> Taught | None:
    """What is learnt when `act` happens a quarter of a second after the start."""
    by = {
        "input": [each for each in nodes if "input" in each.path],
        "tty": [each for each in nodes if "tty" in each.path],
    }
    teacher = PedalTeacher(calls=calls, nodes=lambda subsystem: by[subsystem], **values)  # type: ignore[arg-type]
    timer = threading.Timer(0.25, act)
    timer.start()
    try:
        return teacher.wait(3.0, threading.Event())
    finally:
        timer.join()


def test_a_pedal_with_one_button_is_named_by_its_port() -> None:
    device = FakeEvdev((KEY_B,), "Foot Switch")
    assert teach(device.press, device, (INPUT,)) == Taught("evdev", "pci-0000:00:14.0-usb-0:2", "Foot Switch")
    assert not device.grabbed, "it is let go of again"


def test_of_several_buttons_the_one_that_was_pressed_is_meant() -> None:
    device = FakeEvdev((KEY_A, KEY_B), "Three pedals")

    def act() -> None:
        device.press(KEY_B)
        device.release(KEY_B)

    taught = teach(act, device, (INPUT,))
    assert taught == Taught("evdev", f"pci-0000:00:14.0-usb-0:2#{KEY_B}", "Three pedals")
    # What was learnt works as a setting.
    pedal = EvdevPedal(key="p", device=taught.device, calls=device, nodes=lambda subsystem: [INPUT])
    pedal.open()
    device.press(KEY_A)
    device.press(KEY_B)
    assert pedal.read(1.0).down
    assert pedal.read(0.05) is None
    pedal.close()


def test_a_keyboard_counts_says_so_keeps_its_escape_and_is_not_grabbed() -> None:
    device = FakeEvdev(KEYBOARD, "Cherry")

    def act() -> None:
        assert not device.grabbed
        device.press(ESCAPE)
        device.release(ESCAPE)
        device.press(KEY_B)

    taught = teach(act, device, (INPUT,))
    assert taught == Taught("evdev", f"pci-0000:00:14.0-usb-0:2#{KEY_B}", f"Cherry (a keyboard, key {KEY_B})")


@pytest.mark.parametrize("codes", [(BTN_TOUCH, KEY_B), (KEY_POWER,), ()])
def test_touch_panels_and_power_buttons_are_no_pedals(codes: tuple[int, ...]) -> None:
    device = FakeEvdev(codes)
    opened = []
    real = device.close
    device.close = lambda fd: (opened.append(fd), real(fd))[1]  # type: ignore[method-assign]
    teacher = PedalTeacher(calls=device, nodes=lambda subsystem: [INPUT] if subsystem == "input" else [])
    assert teacher.wait(0.3, threading.Event()) is None
    assert opened, "it was looked at and closed again"


def test_the_scanner_is_no_pedal_and_a_release_is_no_press() -> None:
    device = FakeEvdev((KEY_B,))
    assert teach(lambda: None, device, (INPUT,), without="usb-0:2") is None
    assert teach(device.release, device, (INPUT,)) is None


def test_what_is_plugged_in_meanwhile_is_heard_and_what_is_pulled_does_no_harm() -> None:
    first, second = FakeEvdev((KEY_A,)), FakeEvdev((KEY_B,))
    second.path = "/dev/input/event1"
    second.gone = True
    calls = FakeSeveral(first, second)
    other = Node("/dev/input/event1", "pci-0000:00:14.0-usb-0:9:1.0")

    def act() -> None:
        first.unplug()
        second.replug()
        time.sleep(1.3)
        second.press()

    taught = teach(act, calls, (INPUT, other))
    assert taught is not None
    assert taught.device == "pci-0000:00:14.0-usb-0:9"


@pytest.mark.parametrize(("line", "before", "active"), [("dsr", False, "high"), ("cts", True, "low")])
def test_a_modem_line_and_which_way_it_moves(line: str, before: bool, active: str) -> None:
    device = FakeModem()
    device.switch(line, before)
    taught = teach(lambda: device.switch(line, not before), device, (SERIAL,))
    assert taught == Taught("serial-line", f"pci-0000:00:14.0-usb-0:3?line={line}&active={active}", "FT232")
    assert not device.fed, "the port is closed"
    device.switch(line, before)
    pedal = SerialLinePedal(key="p", device=taught.device, calls=device, nodes=lambda subsystem: [SERIAL])
    pedal.open()
    device.switch(line, not before)
    assert pedal.read(1.0).down
    pedal.close()


def test_a_pedal_that_was_in_use_is_taught_and_used_again() -> None:
    device = FakeModem()
    pedal = SerialLinePedal(key="p", device=FakeModem.path, calls=device, nodes=lambda subsystem: [])
    pedal.open()
    pedal.close()  # its thread still waits for the line
    assert device.waiting == 0
    taught = teach(lambda: device.switch("dsr", True), device, (SERIAL,))
    assert taught is not None
    pedal.open()
    device.switch("cts", True)
    assert pedal.read(1.0).down
    pedal.close()


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    master, slave = pty.openpty()
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(
    ("press", "release", "options", "edges"),
    [
        (b"1", b"0", "?press=31&release=30", [True, False]),
        (b"D\r", b"U\r", "?press=440d&release=550d", [True, False]),
        (b"P\r\n", b"", "?press=500d0a", [True, False]),
        (b"x", b"", "?press=78", [True, False]),
        (b"DU", b"U", "?press=44", [True, False]),
        (b"aD", b"aDU", "?press=55", [True, False]),
    ],
)
def test_bytes_on_a_real_line(
    line: tuple[int, str], press: bytes, release: bytes, options: str, edges: list[bool]
) -> None:
    master, path = line

    def act() -> None:
        os.write(master, press)
        time.sleep(0.2)
        os.write(master, release)

    taught = teach(act, None, (), also=(path,))
    assert taught == Taught("serial-bytes", f"{path}{options}", path)
    pedal = SerialBytesPedal(key="p", device=taught.device)
    pedal.open()
    os.write(master, press + release)
    assert [pedal.read(1.0).down for _ in edges] == edges
    assert pedal.read(0.05) is None
    pedal.close()


def test_a_press_that_is_repeated_while_it_is_held_is_no_release(line: tuple[int, str]) -> None:
    master, path = line

    def act() -> None:
        for message in (b"D1", b"D1", b"D1", b"U1"):
            os.write(master, message)
            time.sleep(0.15)

    taught = teach(act, None, (), also=(path,))
    assert taught is not None
    assert taught.device == f"{path}?press=4431&release=5531"


class OtherSpeed(SystemCalls):
    """A driver that counts framing errors until it is listened at the pedal's speed."""

    def __init__(self, speed: int) -> None:
        self.speed, self.errors = speed, 0

    def ioctl(self, fd: int, request: int, argument: object) -> None:
        if request != TIOCGICOUNT:
            super().ioctl(fd, request, argument)
            return
        if termios.tcgetattr(fd)[4] != self.speed:
            self.errors += 1
        assert isinstance(argument, bytearray)
        argument[24:28] = struct.pack("i", self.errors)


def test_the_speed_of_the_line_is_found_by_pressing_again(line: tuple[int, str]) -> None:
    master, path = line
    calls = OtherSpeed(termios.B38400)
    ended = threading.Event()
    taught: list[Taught | None] = []
    teacher = PedalTeacher(calls=calls, nodes=lambda subsystem: [], also=(path,))
    teaching = threading.Thread(target=lambda: taught.append(teacher.wait(30.0, ended)))
    teaching.start()
    for _ in range(10):
        time.sleep(0.3)
        os.write(master, b"1")
        time.sleep(0.2)
        os.write(master, b"0")
        time.sleep(1.2)
        if taught:
            break
    ended.set()
    teaching.join(10)
    assert taught[0] is not None
    assert taught[0].device == f"{path}?press=31&release=30&baud=38400"


def test_a_port_that_somebody_holds_is_left_alone_and_named(line: tuple[int, str]) -> None:
    master, path = line
    pedal = SerialBytesPedal(key="p", device=path)
    pedal.open()
    with pytest.raises(DeviceBusy) as caught:
        teach(lambda: os.write(master, b"x") and None, None, (), also=(path,))
    assert caught.value.path == path
    assert pedal.read(1.0).down
    pedal.close()


def test_it_ends_when_it_is_told_to() -> None:
    ended = threading.Event()
    threading.Timer(0.1, ended.set).start()
    started = time.monotonic()
    assert PedalTeacher(nodes=lambda subsystem: []).wait(30, ended) is None
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("codes", [(KEY_B,), KEYBOARD])
def test_a_pedal_that_another_program_has_is_left_out_and_named(codes: tuple[int, ...]) -> None:
    device = FakeEvdev(codes, "Foot Switch")
    device.other_grab = True
    with pytest.raises(DeviceBusy) as caught:
        teach(lambda: None, device, (INPUT,))
    assert caught.value.path == "Foot Switch"
    assert caught.value.hint
    assert not device.grabbed


def test_the_pointer_that_the_console_has_is_no_pedal_that_is_missed() -> None:
    panel = FakePanel(Protocol.SINGLE)
    panel.button, panel.other_grab = BTN_LEFT, True
    assert teach(lambda: None, panel, (INPUT,)) is None


def test_of_one_that_is_free_again_nothing_is_told() -> None:
    device = FakeEvdev((KEY_B,))
    device.other_grab = True

    def act() -> None:
        device.other_grab = False

    assert teach(act, device, (INPUT,)) is None


def test_who_presses_another_one_is_told_that_and_nothing_else() -> None:
    first, second = FakeEvdev((KEY_A,)), FakeEvdev((KEY_B,))
    first.other_grab = True
    second.path = "/dev/input/event1"
    other = Node("/dev/input/event1", "pci-0000:00:14.0-usb-0:9:1.0")
    taught = teach(second.press, FakeSeveral(first, second), (INPUT, other))
    assert taught is not None
    assert taught.device == "pci-0000:00:14.0-usb-0:9"
