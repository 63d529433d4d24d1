"""Pedals that send bytes over a serial line."""

from __future__ import annotations

import errno
import select
import termios
import time
from collections import deque
from urllib.parse import parse_qsl

import serial

from hw.base import DeviceInfo, PedalEdge
from hw.calls import SystemCalls, hardware_error
from hw.errors import DeviceGone, HardwareError
from hw.identity import Nodes, resolve, udev_nodes

_OPTIONS = ("press", "release", "baud")


class SerialBytesPedal:
    """One pedal on a serial port (8N1), held exclusively.

    `device` is the port's path or a key of hw.identity, then options: `?press=XX&release=YY` are the bytes (hex)
    of the press and the release edge, `&baud=N` the speed (9600). Without them any byte is a press and its
    release at one moment. A line has no time stamps of its own: edges carry the moment they were read.
    """

    def __init__(
        self, *, key: str, device: str, calls: SystemCalls | None = None, nodes: Nodes = udev_nodes
    ) -> None:
        """ValueError for options that are unknown or not in pairs."""
        self._device, _, query = device.partition("?")
        options = dict(parse_qsl(query, strict_parsing=bool(query)))
        if unknown := options.keys() - set(_OPTIONS):
            raise ValueError(f"unknown option of a serial pedal: {', '.join(sorted(unknown))}")
        if ("press" in options) != ("release" in options):
            raise ValueError("a serial pedal needs both, press and release, or neither")
        self._press = int(options["press"], 16) if "press" in options else None
        self._release = int(options["release"], 16) if "release" in options else None
        self._baud = int(options.get("baud", "9600"))
        self._calls = calls or SystemCalls()
        self._nodes = nodes
        self._info = DeviceInfo(key=key, name=key, path=self._device)
        self._port: serial.Serial | None = None
        self._edges: deque[PedalEdge] = deque()
        self._down = False

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def open(self) -> None:
        """DeviceGone, DeviceRefused, DeviceBusy (another program holds the port)."""
        self.close()
        node = resolve(self._device, "tty", nodes=self._nodes)
        try:
            self._port = serial.Serial(node.path, self._baud, timeout=0, exclusive=True)
            # What was sent while nobody listened is no press of now.
            self._port.reset_input_buffer()
        except (OSError, termios.error) as error:
            self.close()
            number = error.errno if isinstance(error, OSError) else None
            if number == errno.EAGAIN:
                # pyserial's lock on the port is taken; a program that used TIOCEXCL gives EBUSY instead.
                raise hardware_error("open", node.path, OSError(errno.EBUSY, str(error))) from error
            if number:
                raise hardware_error("open", node.path, OSError(number, str(error))) from error
            raise HardwareError("open", node.path, str(error), "Check the port.") from error
        self._down = False
        self._info = DeviceInfo(
            self._info.key, node.name or node.path, node.path, node.manufacturer, node.model, node.serial
        )

    def read(self, timeout_s: float) -> PedalEdge | None:
        if self._port is None:
            raise HardwareError("read", self._info.path, "not open")
        give_up = time.monotonic() + timeout_s
        while not self._edges:
            left = give_up - time.monotonic()
            try:
                if not self._calls.poll(self._port.fileno(), select.POLLIN, max(0.0, left)):
                    return None
                at = time.monotonic_ns()
                self._take(self._port.read(64), at)
            # pyserial says it in three ways: SerialException (an OSError), OSError, termios.error.
            except (OSError, termios.error) as error:
                raise DeviceGone(
                    "read", self._info.path, "the port was unplugged", "Plug it in again, into the same port."
                ) from error
        return self._edges.popleft()

    def close(self) -> None:
        if self._port is not None:
            try:
                self._port.close()
            except (OSError, termios.error):
                pass
        self._port = None
        self._edges.clear()

    def _take(self, data: bytes, at_ns: int) -> None:
        for byte in data:
            if self._press is None:
                self._edges += (PedalEdge(True, at_ns), PedalEdge(False, at_ns))
            elif byte == self._press and not self._down:
                self._down = True
                self._edges.append(PedalEdge(True, at_ns))
            elif byte == self._release and self._down:
                self._down = False
                self._edges.append(PedalEdge(False, at_ns))
