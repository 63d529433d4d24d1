"""Devices that come and go, without missing one: the monitor starts first, then what is there is listed."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import pyudev

from hw.errors import HardwareError
from hw.identity import Node, Nodes, node_of, udev_nodes


class Change(StrEnum):
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class HotplugEvent:
    change: Change
    subsystem: str
    node: Node


class Monitor(Protocol):
    """What is used of pyudev.Monitor."""

    def start(self) -> None: ...

    def poll(self, timeout: float | None) -> pyudev.Device | None:
        """Raises OSError; ENOBUFS when the socket ran over and events are lost."""


def udev_monitor(subsystems: tuple[str, ...]) -> Monitor:
    """Listens to udev, not to the kernel: udev's properties and permissions are in place when it speaks."""
    monitor = pyudev.Monitor.from_netlink(pyudev.Context())
    for subsystem in subsystems:
        monitor.filter_by(subsystem)
    return monitor  # type: ignore[no-any-return]


class Hotplug:
    """The device nodes of some subsystems, as a stream of changes. Used from one thread.

    The first polls tell of every node that is there already. An overflow of the monitor's socket is made good
    by a new monitor and a new list: what came and what went in between is told then, nothing twice.
    """

    def __init__(
        self,
        subsystems: tuple[str, ...],
        *,
        monitor: Callable[[tuple[str, ...]], Monitor] = udev_monitor,
        nodes: Nodes = udev_nodes,
    ) -> None:
        self._subsystems = subsystems
        self._make_monitor = monitor
        self._nodes = nodes
        self._monitor: Monitor | None = None
        self._known: dict[str, tuple[str, Node]] = {}
        self._waiting: deque[HotplugEvent] = deque()

    def poll(self, timeout_s: float) -> HotplugEvent | None:
        """The next change, None after `timeout_s`. HardwareError when udev cannot be listened to at all."""
        try:
            if self._monitor is None:
                self._start()
            if not self._waiting and self._monitor is not None:
                device = self._monitor.poll(timeout_s)
                if device is not None:
                    self._hear(device)
        except ImportError as error:
            raise HardwareError("watch", "udev", "libudev is missing", "Install libudev1.") from error
        except OSError as error:
            self._monitor = None
            if error.errno != errno.ENOBUFS:
                raise HardwareError("watch", "udev", str(error), "Is udev running?") from error
            self._start()
        return self._waiting.popleft() if self._waiting else None

    def _start(self) -> None:
        monitor = self._make_monitor(self._subsystems)
        monitor.start()
        self._monitor = monitor
        there = {node.path: (sub, node) for sub in self._subsystems for node in self._nodes(sub)}
        for path, (subsystem, node) in list(self._known.items()):
            if path not in there or there[path][1].key != node.key:
                self._tell(Change.REMOVED, subsystem, node)
        for subsystem, node in there.values():
            self._tell(Change.ADDED, subsystem, node)

    def _hear(self, device: pyudev.Device) -> None:
        node = node_of(device)
        if node is None:
            return
        if device.action == "remove":
            self._tell(Change.REMOVED, device.subsystem, node)
        elif device.action == "add":
            self._tell(Change.ADDED, device.subsystem, node)

    def _tell(self, change: Change, subsystem: str, node: Node) -> None:
        """Queue a change, unless it was already told (the monitor and the list overlap)."""
        known = node.path in self._known
        if change is Change.ADDED and not known:
            self._known[node.path] = (subsystem, node)
            self._waiting.append(HotplugEvent(change, subsystem, node))
        elif change is Change.REMOVED and known:
            # The node as it was: a device that is gone has lost most of its properties.
            subsystem, node = self._known.pop(node.path)
            self._waiting.append(HotplugEvent(change, subsystem, node))
