"""Touch panels in trouble: lost events, palms, stuck fingers, and finding the right device among the wrong ones."""

from __future__ import annotations

import errno

import pytest

from hw.base import TouchKind
from hw.calls import SystemCalls
from hw.errors import DeviceBusy, DeviceGone, DeviceRefused, NotSupported
from hw.fake.evdev import FakeEvdev
from hw.fake.touch import FakePanel
from hw.identity import Node
from hw.panel import contacts as code
from hw.panel.contacts import STUCK_NS, Protocol
from hw.panel.touch import INPUT_PROP_POINTER, EvdevTouch

DOWN, MOVE, UP = TouchKind.DOWN, TouchKind.MOVE, TouchKind.UP


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000_000

    def __call__(self) -> int:
        return self.now


def opened(device: FakePanel, **more) -> EvdevTouch:
    panel = EvdevTouch(device=FakePanel.path, calls=device, nodes=lambda subsystem: [], **more)
    panel.open()
    return panel


def told(panel: EvdevTouch) -> list[tuple[TouchKind, bool]]:
    events = []
    while (event := panel.read(0.02)) is not None:
        events.append((event.kind, event.cancelled))
    return events


@pytest.mark.parametrize("protocol", Protocol)
def test_lost_events_a_finger_that_left_meanwhile_is_up(protocol):
    device = FakePanel(protocol)
    panel = opened(device)
    device.down(0.5, 0.5)
    device.deaf = True
    device.up()
    device.overflow()
    assert [kind for kind, _ in told(panel)] == [DOWN, UP]
    device.down(0.2, 0.2)
    device.up()
    assert [kind for kind, _ in told(panel)] == [DOWN, UP], "nothing is left over from before"


@pytest.mark.parametrize("protocol", [Protocol.SLOTS, Protocol.SINGLE])
def test_lost_events_a_finger_that_came_meanwhile_is_down_at_its_place(protocol):
    device = FakePanel(protocol)
    panel = opened(device)
    device.deaf = True
    device.down(0.25, 0.75)
    device.overflow()
    event = panel.read(1.0)
    assert event is not None
    assert (event.kind, event.x, event.y) == (DOWN, pytest.approx(0.25, abs=0.01), pytest.approx(0.75, abs=0.01))
    device.up()
    assert told(panel) == [(UP, False)]


def test_lost_events_one_finger_gone_and_another_there_are_two_touches():
    device = FakePanel()
    panel = opened(device)
    device.down(0.5, 0.5)
    device.deaf = True
    device.up()
    device.down(0.1, 0.1)
    device.overflow()
    assert [kind for kind, _ in told(panel)] == [DOWN, UP, DOWN]


def test_a_panel_without_slots_that_lost_events_taps_nothing():
    """It says nothing of what is on it: the touch is over, but nobody has lifted a finger."""
    device = FakePanel(Protocol.PACKETS)
    panel = opened(device)
    device.down(0.5, 0.5)
    device.overflow()
    assert told(panel) == [(DOWN, False), (UP, True)]


@pytest.mark.parametrize("protocol", [Protocol.SLOTS, Protocol.PACKETS])
def test_a_palm_is_no_finger(protocol):
    device = FakePanel(protocol)
    panel = opened(device)
    device.down(0.5, 0.9, finger=0, palm=True)
    assert told(panel) == []
    device.down(0.2, 0.2, finger=1)
    device.up(finger=1)
    assert told(panel) == [(DOWN, False), (UP, False)], "a finger beside the palm is heard"


@pytest.mark.parametrize("protocol", [Protocol.SLOTS, Protocol.PACKETS])
def test_what_lies_on_the_panel_for_long_is_let_go_of_and_others_are_heard(protocol):
    clock, device = Clock(), FakePanel(protocol)
    panel = opened(device, clock=clock)
    device.down(0.5, 0.5, finger=0, at_ns=clock.now)
    assert told(panel) == [(DOWN, False)]
    clock.now += STUCK_NS - 1
    assert told(panel) == []
    clock.now += 2
    assert told(panel) == [(UP, True)]
    device.down(0.1, 0.1, finger=1)
    device.up(finger=1)
    assert told(panel) == [(DOWN, False), (UP, False)]
    device.up(finger=0)
    device.down(0.6, 0.6, finger=0)
    assert told(panel) == [(DOWN, False)], "the drop was wiped off: a finger at its place is one again"


def test_on_a_panel_for_one_finger_a_stuck_one_presses_nothing():
    clock, device = Clock(), FakePanel(Protocol.SINGLE)
    panel = opened(device, clock=clock)
    device.down(0.5, 0.5, at_ns=clock.now)
    clock.now += STUCK_NS + 1
    assert told(panel) == [(DOWN, False), (UP, True)]
    device.move(0.6, 0.6)
    device.up()
    assert told(panel) == []
    device.down(0.2, 0.2)
    assert told(panel) == [(DOWN, False)]


def test_a_finger_that_drags_for_a_minute_is_not_stuck():
    clock, device = Clock(), FakePanel()
    panel = opened(device, clock=clock)
    device.down(0.1, 0.5, at_ns=clock.now)
    for step in range(1, 60):
        clock.now += 1_000_000_000
        device.move(0.1 + step * 0.01, 0.5, at_ns=clock.now)
        assert (UP, True) not in told(panel)


def test_without_slots_the_finger_that_stays_is_not_the_one_that_left():
    device = FakePanel(Protocol.PACKETS)
    panel = opened(device)
    device.down(0.2, 0.2, finger=0)
    device.down(0.8, 0.8, finger=1)
    device.up(finger=0)
    device.up(finger=1)
    assert told(panel) == [(DOWN, False), (UP, False)]


# ---- which one


class Several(SystemCalls):
    """Devices by path; each is a fake of its own."""

    def __init__(self, **devices: SystemCalls) -> None:
        self.devices = {f"/dev/input/{name}": device for name, device in devices.items()}
        self.opened: dict[int, SystemCalls] = {}

    def open(self, path: str, flags: int) -> int:
        if path not in self.devices:
            raise FileNotFoundError(errno.ENOENT, "no such device", path)
        device = self.devices[path]
        fd = device.open("/dev/input/event0", flags)
        self.opened[fd] = device
        return fd

    def close(self, fd: int) -> None:
        self.opened.pop(fd).close(fd)

    def ioctl(self, fd: int, request: int, argument: object) -> None:
        self.opened[fd].ioctl(fd, request, argument)

    def read(self, fd: int, size: int) -> bytes:
        return self.opened[fd].read(fd, size)


def panel(**what) -> FakePanel:
    device = FakePanel(what.pop("protocol", Protocol.SLOTS))
    for name, value in what.items():
        setattr(device, name, value)
    return device


def pointer(**what) -> FakePanel:
    """QEMU's usb-tablet: absolute, a left button, not said to be direct."""
    return panel(protocol=Protocol.SINGLE, properties=set(), button=code.BTN_LEFT, **what)


def nodes(*found: tuple[str, str]):
    return lambda subsystem: [Node(f"/dev/input/{name}", id_path) for name, id_path in found]


def chosen(calls: Several, there, device: str = "auto", **more) -> str:
    source = EvdevTouch(device=device, calls=calls, nodes=there, **more)
    source.open()
    path, key = source.info.path, source.info.key
    source.close()
    assert key == next(node.key for node in there("input") if node.path == path)
    return path


PORTS = nodes(("event3", "usb-0:3:1.0"), ("event4", "usb-0:4:1.0"), ("event5", "usb-0:1:1.0"))


def test_auto_takes_the_touch_panel_before_an_absolute_pointer():
    calls = Several(event3=FakeEvdev(), event4=pointer(), event5=panel())
    assert chosen(calls, PORTS) == "/dev/input/event5"
    del calls.devices["/dev/input/event5"]
    assert chosen(calls, PORTS) == "/dev/input/event4"


def test_of_two_panels_auto_takes_the_one_with_the_first_key_and_the_settings_may_name_the_other():
    calls = Several(event3=panel(), event4=FakeEvdev(), event5=panel())
    assert chosen(calls, PORTS) == "/dev/input/event5", "usb-0:1, whatever its number is after this boot"
    assert chosen(calls, PORTS, "usb-0:3") == "/dev/input/event3"


def test_a_touch_panel_that_came_later_outdoes_the_pointer_that_was_taken():
    calls = Several(event4=pointer())
    source = EvdevTouch(calls=calls, nodes=PORTS)
    source.open()
    assert not source.outdone()
    calls.devices["/dev/input/event5"] = panel()
    assert source.outdone()
    source.open()
    assert source.info.path == "/dev/input/event5"
    assert not source.outdone()
    named = EvdevTouch(device="usb-0:4", calls=calls, nodes=PORTS)
    named.open()
    assert not named.outdone(), "what is named is wanted"


@pytest.mark.parametrize(
    "wrong",
    [
        FakeEvdev(),  # a pedal or keyboard
        pointer(extra_keys=(0x130,)),  # a gamepad
        pointer(extra_keys=tuple(range(16, 26))),  # a keyboard with a pad, a pedal that plays one
        panel(properties={INPUT_PROP_POINTER}, extra_keys=(0x145,)),  # a touch pad
        pointer(extra_keys=(0x140,)),  # a graphics tablet
        panel(properties={6}),  # an accelerometer
    ],
)
def test_auto_takes_nothing_else(wrong):
    with pytest.raises(DeviceGone) as caught:
        chosen(Several(event3=wrong), PORTS)
    assert caught.value.hint


def test_auto_leaves_pedals_and_scanners_alone_that_look_like_pointers():
    calls = Several(event3=pointer())
    assert chosen(calls, PORTS) == "/dev/input/event3"
    with pytest.raises(DeviceGone):
        chosen(calls, PORTS, never=["usb-0:3#0x110"])


def test_what_is_named_is_taken_though_auto_would_not():
    calls = Several(event3=pointer(extra_keys=(0x140,)))
    assert chosen(calls, PORTS, "/dev/input/event3") == "/dev/input/event3"


def test_a_named_device_that_has_no_place_to_touch_is_refused():
    with pytest.raises(NotSupported) as caught:
        chosen(Several(event3=FakeEvdev()), PORTS, "/dev/input/event3")
    assert caught.value.hint


def test_no_right_to_look_is_said_as_that():
    calls = Several(event3=panel(fail_open=errno.EACCES))
    for device in ("auto", "usb-0:3"):
        with pytest.raises(DeviceRefused) as caught:
            chosen(calls, PORTS, device)
        assert "input" in caught.value.hint


def test_another_program_has_it():
    with pytest.raises(DeviceBusy) as caught:
        chosen(Several(event3=panel(other_grab=True)), PORTS)
    assert caught.value.path == "/dev/input/event3"


def test_pulled_and_plugged_in_elsewhere_auto_finds_it_again():
    device = panel()
    calls = Several(event3=device)
    source = EvdevTouch(calls=calls, nodes=PORTS)
    source.open()
    device.unplug()
    with pytest.raises(DeviceGone):
        source.read(1.0)
    with pytest.raises(DeviceGone):
        source.open()
    device.replug()
    calls.devices = {"/dev/input/event4": device}
    source.open()
    assert source.info.key == "usb-0:4"
    device.down(0.5, 0.5)
    event = source.read(1.0)
    assert event is not None
    assert event.kind is DOWN
