"""Pedals that close a contact between modem lines of a serial adapter (<asm-generic/termios.h>)."""

from __future__ import annotations

import errno
import os
import struct
import time
from urllib.parse import parse_qsl

from hw.base import DeviceInfo, PedalEdge
from hw.calls import SystemCalls, hardware_error
from hw.errors import HardwareError, NotSupported
from hw.identity import Nodes, resolve, udev_nodes

TIOCEXCL, TIOCMGET, TIOCMBIS = 0x540C, 0x5415, 0x5416
DTR, RTS = 0x002, 0x004
LINES = {"cts": 0x020, "dcd": 0x040, "ri": 0x080, "dsr": 0x100}

_INT = struct.Struct("i")


class SerialLinePedal:
    """One pedal on one modem line of a serial port, held exclusively. DTR and RTS are on, to feed the contact.

    `device` is the port's path or a key of hw.identity, then options: `?line=cts|dsr|dcd|ri` (cts),
    `&active=high|low` (high: the line is on while the pedal is down). A pedal that is already down at `open`
    gives no press.

    The line is looked at every 4 ms, which is how exact the edges are. TIOCMIWAIT would sleep until a change,
    but it has no timeout, no time stamp, some adapters lack it, and nothing wakes it when the program ends.
    """

    poll_s = 0.004

    def __init__(
        self, *, key: str, device: str, calls: SystemCalls | None = None, nodes: Nodes = udev_nodes
    ) -> None:
        """ValueError for options that are unknown."""
        self._device, _, query = device.partition("?")
        options = dict(parse_qsl(query, strict_parsing=bool(query)))
        line, active = options.pop("line", "cts"), options.pop("active", "high")
        if options or line not in LINES or active not in ("high", "low"):
            raise ValueError(
                f"options of a serial line are line={'|'.join(LINES)} and active=high|low, not {query!r}"
            )
        self._bit = LINES[line]
        self._active = active == "high"
        self._calls = calls or SystemCalls()
        self._nodes = nodes
        self._info = DeviceInfo(key=key, name=key, path=self._device)
        self._fd = -1
        self._down = False

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def open(self) -> None:
        """DeviceGone, DeviceRefused, DeviceBusy; NotSupported for a port without modem lines (a pty)."""
        self.close()
        node = resolve(self._device, "tty", nodes=self._nodes)
        try:
            # Without O_NONBLOCK the open would wait for a carrier that a pedal never gives.
            self._fd = self._calls.open(node.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            self._calls.ioctl(self._fd, TIOCEXCL, 0)
            self._calls.ioctl(self._fd, TIOCMBIS, bytearray(_INT.pack(DTR | RTS)))
            self._down = self._look()
        except OSError as error:
            self.close()
            if error.errno in (errno.ENOTTY, errno.EINVAL):
                raise NotSupported(
                    "open",
                    node.path,
                    "the port has no modem lines",
                    "Use the pedal's own adapter, or serial-bytes.",
                ) from error
            raise hardware_error("open", node.path, error) from error
        self._info = DeviceInfo(
            self._info.key, node.name or node.path, node.path, node.manufacturer, node.model, node.serial
        )

    def read(self, timeout_s: float) -> PedalEdge | None:
        if self._fd < 0:
            raise HardwareError("read", self._info.path, "not open")
        give_up = time.monotonic() + timeout_s
        while True:
            try:
                down = self._look()
            except OSError as error:
                # An adapter that was pulled answers EIO as often as ENODEV.
                gone = OSError(errno.ENODEV if error.errno == errno.EIO else error.errno, str(error))
                raise hardware_error("read", self._info.path, gone) from error
            if down != self._down:
                self._down = down
                return PedalEdge(down, time.monotonic_ns())
            left = give_up - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(self.poll_s, left))

    def close(self) -> None:
        if self._fd >= 0:
            try:
                self._calls.close(self._fd)
            except OSError:
                pass
        self._fd = -1

    def _look(self) -> bool:
        lines = bytearray(_INT.size)
        self._calls.ioctl(self._fd, TIOCMGET, lines)
        return bool(_INT.unpack(lines)[0] & self._bit) == self._active
