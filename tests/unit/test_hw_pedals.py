"""What only one kind of pedal can do: chords, overflows, options, inverted contacts."""

from __future__ import annotations

import errno
import itertools
import os
import pty
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.errors import DeviceBusy, DeviceGone, HardwareError
from hw.evdev import EVENT
from hw.fake.evdev import FakeEvdev
from hw.fake.several import FakeSeveral
from hw.identity import Node
from hw.pedal.evdev import EvdevPedal
from hw.pedal.factory import pedal_source
from hw.pedal.serial_bytes import Messages, SerialBytesPedal
from hw.pedal.serial_line import SerialLinePedal

KEY_B = 48


def read_two(pedal):
    return pedal.read(1.0), pedal.read(1.0)


@pytest.fixture
def port():
    """(master descriptor, path) of a real serial line, as far as the kernel has one without hardware."""
    master, slave = pty.openpty()
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


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


def test_a_device_that_never_falls_silent_holds_up_nobody_who_reads(keys, monkeypatch):
    """A pedal that is a mouse, and is moved: its events are no edges, and never end."""
    pedal = evdev(keys)
    pedal.open()
    moved = EVENT.pack(0, 0, 2, 0, 1) + EVENT.pack(0, 0, 0, 0, 0)
    looks = []
    monkeypatch.setattr(keys, "poll", lambda fd, events, timeout_s: events)
    monkeypatch.setattr(keys, "read", lambda fd, size: looks.append(size) or moved)
    assert pedal.read(0.02) is None
    assert looks


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


def test_of_a_pedal_s_nodes_the_one_with_keys(keys):
    nodes = [
        Node("/dev/input/mouse0", "pci-1-usb-0:3:1.0"),
        Node("/dev/input/event0", "pci-1-usb-0:3:1.0", manufacturer="PCsensor"),
        Node("/dev/input/event9", "pci-1-usb-0:4:1.0"),
    ]
    pedal = EvdevPedal(key="left", device="usb-0:3", calls=keys, nodes=lambda subsystem: nodes)
    pedal.open()
    assert (pedal.info.path, pedal.info.name) == ("/dev/input/event0", "Fake pedal")
    assert (pedal.info.manufacturer, pedal.info.model) == ("PCsensor", "0c45:7403")
    pedal.close()
    with pytest.raises(DeviceGone) as caught:
        EvdevPedal(key="left", device="usb-0:5", calls=keys, nodes=lambda subsystem: nodes).open()
    assert "pci-1-usb-0:3" in caught.value.hint


def test_two_equal_pedals_are_kept_apart_by_the_port_they_are_in():
    first, second = FakeEvdev((KEY_B,)), FakeEvdev((KEY_B,))
    second.path = "/dev/input/event1"
    nodes = [
        Node("/dev/input/event0", "pci-1-usb-0:3:1.0", id_serial="PCsensor_FootSwitch"),
        Node("/dev/input/event1", "pci-1-usb-0:4:1.0", id_serial="PCsensor_FootSwitch"),
    ]
    calls = FakeSeveral(first, second)
    left, right = (
        EvdevPedal(key=key, device=device, calls=calls, nodes=lambda subsystem: nodes)
        for key, device in (("left", "usb-0:3"), ("right", "usb-0:4"))
    )
    left.open()
    right.open()
    second.press()
    assert left.read(0) is None
    assert right.read(0.5).down
    left.close()
    right.close()
    nodes.reverse()  # they come up in the other order
    nodes[0], nodes[1] = (
        Node("/dev/input/event0", "pci-1-usb-0:4:1.0", id_serial="PCsensor_FootSwitch"),
        Node("/dev/input/event1", "pci-1-usb-0:3:1.0", id_serial="PCsensor_FootSwitch"),
    )
    right.open()
    assert right.info.path == "/dev/input/event0"
    right.close()


def test_one_that_somebody_else_has_grabbed_is_busy(keys):
    keys.grabbed = True
    with pytest.raises(DeviceBusy) as caught:
        evdev(keys).open()
    assert caught.value.hint


# ---- what only serial lines can do


def test_any_byte_is_a_press_and_its_release(port):
    master, path = port
    pedal = SerialBytesPedal(key="left", device=path)
    pedal.open()
    edges = []
    for message in (b"\x00\r\n", b"\xff"):
        os.write(master, message)
        edges += [pedal.read(0.5) for _ in range(2)]
        assert pedal.read(0.15) is None, "a message of several bytes is one press"
    assert [e.down for e in edges] == [True, False, True, False]
    assert edges[0].timestamp_ns == edges[1].timestamp_ns
    pedal.close()


def test_a_port_is_held_alone(port):
    pedal = SerialBytesPedal(key="left", device=port[1])
    pedal.open()
    with pytest.raises(DeviceBusy):
        SerialBytesPedal(key="other", device=port[1]).open()
    pedal.close()


def test_a_serial_pedal_is_found_by_its_port(port):
    nodes = [Node(port[1], "pci-0000:00:14.0-usb-0:4:1.0", model="Pedal 3")]
    pedal = SerialBytesPedal(key="left", device="usb-0:4?baud=19200", nodes=lambda subsystem: nodes)
    pedal.open()
    assert (pedal.info.path, pedal.info.model) == (port[1], "Pedal 3")
    pedal.close()


@pytest.mark.parametrize(
    "options",
    ["release=31", "colour=red", "press=zz&release=30", "press=", "press=31&release=0131", "baud=12345"],
)
def test_wrong_options_are_said_at_once(options):
    with pytest.raises(ValueError):  # noqa: PT011 - three sentences, one type
        SerialBytesPedal(key="left", device=f"/dev/ttyUSB0?{options}")


def test_messages_of_several_bytes_with_junk_between_and_in_pieces(port):
    master, path = port
    pedal = SerialBytesPedal(key="left", device=f"{path}?press=024403&release=025503&baud=19200")
    pedal.open()
    for piece in (b"\x00\xff\x02", b"\x44", b"\x03\x03", b"\x02\x02\x55\x03junk"):
        os.write(master, piece)
        time.sleep(0.02)
    assert [pedal.read(0.5).down for _ in range(2)] == [True, False]
    os.write(master, b"\x02\x44\x03" * 3)  # said again and again while it is held
    assert pedal.read(0.5).down
    assert pedal.down
    assert pedal.read(0.05) is None
    os.write(master, b"\x02\x55\x03\x02\x55\x03")
    assert not pedal.read(0.5).down
    assert pedal.read(0.05) is None
    pedal.close()


def test_a_message_whose_end_never_came_is_forgotten():
    messages = Messages(b"AB", b"CD")
    assert messages.take(b"A", 1_000_000_000) == []
    assert messages.take(b"B", 3_000_000_000) == []
    assert messages.take(b"xA", 4_000_000_000) == []
    assert messages.take(b"BxxCD", 4_500_000_000) == [(True, 4_000_000_000), (False, 4_500_000_000)]


junk = st.binary(max_size=6).map(lambda data: bytes(byte | 0x80 for byte in data))


@given(st.lists(st.tuples(junk, st.booleans()), max_size=12), st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_every_message_is_found_once_whatever_lies_between_and_however_it_is_cut(said, cuts):
    press, release = b"\x02DN\x03", b"\x02UP\x03"
    line = b"".join(between + (press if down else release) for between, down in said)
    messages, found, at_ns = Messages(press, release), [], 0
    for cut in itertools.cycle(cuts):
        if not line:
            break
        piece, line, at_ns = line[:cut], line[cut:], at_ns + 1_000_000
        found += messages.take(piece, at_ns)
    assert [down for down, _ in found] == [down for _, down in said]
    assert [at for _, at in found] == sorted(at for _, at in found)


def test_a_press_that_is_repeated_while_it_is_held_is_one_where_no_release_is_said(port):
    master, path = port
    pedal = SerialBytesPedal(key="left", device=f"{path}?press=44")
    pedal.open()
    for _ in range(5):
        os.write(master, b"D")
        time.sleep(0.03)
    assert [pedal.read(0.2) and True for _ in range(3)] == [True, True, None]
    time.sleep(0.15)
    os.write(master, b"D")
    assert [e.down for e in read_two(pedal)] == [True, False]
    pedal.close()


def test_the_kinds_of_pedals():
    for kind, cls in (("evdev", EvdevPedal), ("serial-bytes", SerialBytesPedal), ("serial-line", SerialLinePedal)):
        assert isinstance(pedal_source(kind, key="left", device="/dev/null"), cls)
    with pytest.raises(ValueError, match="bluetooth"):
        pedal_source("bluetooth", key="left", device="")
