"""Finding devices by the port they are plugged into, and noticing when they come and go."""

from __future__ import annotations

import errno
from collections import deque
from dataclasses import dataclass, field, replace

import pytest

from hw.errors import DeviceGone, HardwareError
from hw.hotplug import Change, Hotplug
from hw.identity import Node, resolve

VIDEO = [
    Node("/dev/video2", "pci-0000:00:14.0-usb-0:2:1.0", "Magewell_USB_Capture", "USB Capture"),
    Node("/dev/video3", "pci-0000:00:14.0-usb-0:2:1.0", "Magewell_USB_Capture", "USB Capture"),
    Node("/dev/video4", "pci-0000:00:14.0-usb-0:2.1:1.0", "Cam_1"),
    Node("/dev/video5", "pci-0000:00:14.0-usb-0:22:1.0", "Cam_2"),
    Node("/dev/video6", "", ""),
]


def find(key, accept=lambda path: True):
    return resolve(key, "video4linux", accept=accept, nodes=lambda subsystem: VIDEO).path


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("pci-0000:00:14.0-usb-0:2", "/dev/video2"),
        ("pci-0000:00:14.0-usb-0:2:1.0", "/dev/video2"),
        ("usb-0:2", "/dev/video2"),
        ("usb-0:2.1", "/dev/video4"),
        ("usb-0:22", "/dev/video5"),
        ("Cam_2", "/dev/video5"),
        ("/dev/video6", "/dev/video6"),
        ("/dev/v4l/by-path/anything", "/dev/v4l/by-path/anything"),
    ],
)
def test_a_key_means_one_port(key, path):
    assert find(key) == path


def test_of_several_nodes_the_one_with_pictures():
    assert find("usb-0:2", accept=lambda path: path == "/dev/video3") == "/dev/video3"


@pytest.mark.parametrize("key", ["usb-0:3", "usb-0", "b-0:2", ""])
def test_an_empty_port_is_gone_and_the_hint_names_what_is_there(key):
    with pytest.raises(DeviceGone) as caught:
        find(key, accept=lambda path: path != "/dev/video3")
    assert "pci-0000:00:14.0-usb-0:22" in caught.value.hint


TWINS = [
    Node("/dev/video0", "pci-0000:00:14.0-usb-0:1:1.0", "Macro_USB3_Video_2021"),
    Node("/dev/video1", "pci-0000:00:14.0-usb-0:1:1.0", "Macro_USB3_Video_2021"),
    Node("/dev/video2", "pci-0000:00:14.0-usb-0:4:1.0", "Macro_USB3_Video_2021"),
    Node("/dev/video3", "pci-0000:03:00.0-usb-0:4:1.0", "Cam_9"),
]


def test_two_equal_devices_keep_their_places_whatever_their_numbers():
    swapped = [replace(node, path=f"/dev/video{(number + 2) % 4}") for number, node in enumerate(TWINS)]
    for key in ("pci-0000:00:14.0-usb-0:1", "pci-0000:00:14.0-usb-0:4", "Cam_9"):
        before = resolve(key, "video4linux", nodes=lambda subsystem: TWINS)
        after = resolve(key, "video4linux", nodes=lambda subsystem: swapped)
        assert (before.key, before.id_serial) == (after.key, after.id_serial)
        assert before.path != after.path


@pytest.mark.parametrize("key", ["Macro_USB3_Video_2021", "usb-0:4"])
def test_a_name_that_two_devices_have_is_not_guessed(key):
    with pytest.raises(HardwareError, match="2 equal devices") as caught:
        resolve(key, "video4linux", nodes=lambda subsystem: TWINS)
    assert not isinstance(caught.value, DeviceGone)
    assert "pci-0000:00:14.0-usb-0:4" in caught.value.hint
    alone = resolve(key, "video4linux", nodes=lambda subsystem: [TWINS[2]])
    assert alone.path == "/dev/video2"


def test_a_key_survives_what_made_it():
    for node in VIDEO[:4:2]:
        assert find(node.key) == node.path
    assert VIDEO[0].info.key == "pci-0000:00:14.0-usb-0:2"


# ---- hotplug


@dataclass
class FakeDevice:
    """As much of pyudev.Device as is looked at."""

    action: str
    device_node: str
    subsystem: str = "video4linux"
    properties: dict = field(default_factory=dict)
    parent: None = None

    @property
    def attributes(self):
        return self

    def asstring(self, name):
        raise KeyError(name)


class FakeUdev:
    """A monitor and the list of what is there, with a socket that can run over."""

    def __init__(self):
        self.there = {}
        self.socket = deque()
        self.started = 0
        self.on_start = lambda: None

    def monitor(self, subsystems):
        self.socket.clear()
        return self

    def start(self):
        self.started += 1
        self.on_start()

    def poll(self, timeout):
        if not self.socket:
            return None
        event = self.socket.popleft()
        if isinstance(event, OSError):
            raise event
        return event

    def nodes(self, subsystem):
        return list(self.there.values())

    def plug(self, path, heard=True):
        self.there[path] = Node(path, f"usb-{path}")
        if heard:
            self.socket.append(FakeDevice("add", path))

    def pull(self, path, heard=True):
        del self.there[path]
        if heard:
            self.socket.append(FakeDevice("remove", path))


def changes(hotplug):
    told = []
    while event := hotplug.poll(0):
        told.append((event.change, event.node.path))
    return told


def test_what_is_there_is_told_then_what_changes():
    udev = FakeUdev()
    udev.plug("/dev/video0", heard=False)
    hotplug = Hotplug(("video4linux",), monitor=udev.monitor, nodes=udev.nodes)
    assert changes(hotplug) == [(Change.ADDED, "/dev/video0")]
    udev.plug("/dev/video1")
    udev.pull("/dev/video0")
    assert changes(hotplug) == [(Change.ADDED, "/dev/video1"), (Change.REMOVED, "/dev/video0")]


def test_a_device_plugged_in_between_monitor_and_list_is_told_once():
    udev = FakeUdev()
    udev.on_start = lambda: udev.plug("/dev/video0")
    hotplug = Hotplug(("video4linux",), monitor=udev.monitor, nodes=udev.nodes)
    assert changes(hotplug) == [(Change.ADDED, "/dev/video0")]
    assert changes(hotplug) == []


def test_an_overflow_of_the_socket_is_made_good():
    udev = FakeUdev()
    udev.plug("/dev/video0", heard=False)
    udev.plug("/dev/video1", heard=False)
    hotplug = Hotplug(("video4linux",), monitor=udev.monitor, nodes=udev.nodes)
    changes(hotplug)
    udev.pull("/dev/video0", heard=False)
    udev.plug("/dev/video2", heard=False)
    udev.socket.append(OSError(errno.ENOBUFS, "no buffer space"))
    assert changes(hotplug) == [(Change.REMOVED, "/dev/video0"), (Change.ADDED, "/dev/video2")]
    assert udev.started == 2


def test_another_failure_is_said_and_the_next_poll_tries_again():
    udev = FakeUdev()
    hotplug = Hotplug(("video4linux",), monitor=udev.monitor, nodes=udev.nodes)
    changes(hotplug)
    udev.socket.append(OSError(errno.EIO, "broken"))
    with pytest.raises(HardwareError):
        hotplug.poll(0)
    udev.plug("/dev/video0", heard=False)
    assert changes(hotplug) == [(Change.ADDED, "/dev/video0")]
