"""Stable device keys. /dev/videoN and /dev/input/eventN change with every boot; the port a plug is in does not.

A key is udev's ID_PATH without the interface (`pci-0000:00:14.0-usb-0:2`), or its tail (`usb-0:2`), or, to name
one of several interfaces, all of it (`pci-0000:00:14.0-usb-0:2:1.0`), or udev's ID_SERIAL, where no other device
that is plugged in has the same. A name that begins with "/" is no key: it is used as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import pyudev

from hw.base import DeviceInfo
from hw.errors import DeviceGone, HardwareError

_INTERFACE = re.compile(r":\d+\.\d+$")


@dataclass(frozen=True, slots=True)
class Node:
    """One device node as udev knows it."""

    path: str
    id_path: str
    id_serial: str = ""
    name: str = ""
    manufacturer: str = ""
    model: str = ""
    serial: str = ""

    @property
    def key(self) -> str:
        """The stable key, or the node's path where udev knows none (a virtual device)."""
        return _INTERFACE.sub("", self.id_path) or self.path

    def matches(self, key: str) -> bool:
        """Whether `key` means this node's device."""
        if not key:
            return False
        if key in (self.id_path, self.id_serial, self.path):
            return True
        # The tail must be whole components: usb-0:3 is not usb-0:3.1 behind a hub, nor usb-0:33.
        return bool(self.id_path) and re.search(rf"(^|-){re.escape(key)}(:\d+\.\d+)?$", self.id_path) is not None

    @property
    def info(self) -> DeviceInfo:
        return DeviceInfo(
            self.key, self.name or self.model or self.path, self.path, self.manufacturer, self.model, self.serial
        )


class Nodes(Protocol):
    """Where the nodes of a subsystem ("video4linux", "input", "tty") come from."""

    def __call__(self, subsystem: str) -> Iterable[Node]: ...


def node_of(device: pyudev.Device) -> Node | None:
    """What udev says about a device; None for one without a node in /dev."""
    if not device.device_node:
        return None
    said = device.properties
    name = said.get("ID_V4L_PRODUCT") or _attribute(device, "name") or _parent_name(device)
    return Node(
        path=device.device_node,
        id_path=said.get("ID_PATH", ""),
        id_serial=said.get("ID_SERIAL", ""),
        name=name,
        manufacturer=said.get("ID_VENDOR_FROM_DATABASE") or said.get("ID_VENDOR", "").replace("_", " "),
        model=said.get("ID_MODEL", "").replace("_", " "),
        serial=said.get("ID_SERIAL_SHORT", ""),
    )


def udev_nodes(subsystem: str) -> list[Node]:
    """The nodes that are there now, in the order of their numbers."""
    try:
        context = pyudev.Context()
    except ImportError:
        # No libudev (a bare container): there, devices can be named by path only.
        return []
    nodes = [node_of(device) for device in context.list_devices(subsystem=subsystem)]
    return sorted((node for node in nodes if node), key=lambda node: _natural(node.path))


def resolve(
    key: str, subsystem: str, *, accept: Callable[[str], bool] = lambda path: True, nodes: Nodes = udev_nodes
) -> Node:
    """The node that `key` means; of several the first whose path `accept` likes (a grabber has more than one).

    A key that begins with "/" is answered as it is, whether or not there is such a node. DeviceGone when nothing
    matches; its hint names the keys that are there. HardwareError where the key means several devices.
    """
    there = list(nodes(subsystem))
    if key.startswith("/"):
        return next((node for node in there if node.path == key), Node(key, ""))
    found = [node for node in there if node.matches(key) and accept(node.path)]
    ports = list(dict.fromkeys(node.key for node in found))
    if len(ports) > 1 and all(node.id_path for node in found):
        # Whichever were taken, one day it is the other: two equal grabbers would change places.
        raise HardwareError(
            "find", key, f"{len(ports)} equal devices have that name", f"Name the port: {' or '.join(ports)}."
        )
    if found:
        return found[0]
    known = sorted({node.key for node in there if accept(node.path)})
    hint = f"There are: {', '.join(known)}." if known else "No such device is plugged in at all."
    raise DeviceGone("find", key, "nothing is plugged in there", hint)


def _attribute(device: pyudev.Device, name: str) -> str:
    try:
        return str(device.attributes.asstring(name))
    except (KeyError, UnicodeDecodeError, OSError):
        return ""


def _parent_name(device: pyudev.Device) -> str:
    parent = device.parent
    return _attribute(parent, "name") if parent is not None else ""


def _natural(path: str) -> tuple[str, int]:
    digits = re.search(r"(\d+)$", path)
    return (path[: digits.start()], int(digits.group())) if digits else (path, -1)
