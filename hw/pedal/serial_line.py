"""Pedals that close a contact between modem lines of a serial adapter (<asm-generic/termios.h>)."""

from __future__ import annotations

import errno
import os
import struct
import time
from collections import deque
from urllib.parse import parse_qsl

from hw.base import DeviceInfo, PedalEdge
from hw.calls import SystemCalls, hardware_error
from hw.errors import HardwareError, NotSupported
from hw.identity import Nodes, resolve, udev_nodes
from hw.pedal.lines import LineWaiter, count_of

TIOCEXCL, TIOCNXCL, TIOCMGET, TIOCMBIS = 0x540C, 0x540D, 0x5415, 0x5416
TCGETS, TCSETS = 0x5401, 0x5402
DTR, RTS = 0x002, 0x004
LINES = {"cts": 0x020, "dcd": 0x040, "ri": 0x080, "dsr": 0x100}

_INT = struct.Struct("i")
_TERMIOS = struct.Struct("4I20s")  # struct termios of <asm-generic/termbits.h>
_CLOCAL, _CRTSCTS = 0o4000, 0o20000000000
_NS = 1_000_000_000
_STEADY_NS = 4_000_000
"""A change that does not stand for so long is what an electrosurgical knife makes of a pedal's cable."""
_TAP_NS = 30_000_000
"""A foot is down for longer."""
_LOOK_S = 0.1
"""A line that moved just before it was waited for again is seen then."""
_LEFT_BEHIND = 4


class SerialLinePedal:
    """One pedal on one modem line of a serial port, held exclusively. DTR and RTS are on, to feed the contact.

    `device` is the port's path or a key of hw.identity, then options: `?line=cts|dsr|dcd|ri` (cts),
    `&active=high|low` (high: the line is on while the pedal is down). A pedal that is already down at `open`
    gives no press.

    A driver that can wakes us when the line moves (TIOCMIWAIT); the edge carries that moment. With one that cannot
    the line is looked at every 4 ms, which is how exact the edges are then. A press that came and went between two
    looks is told by the driver's count of edges (TIOCGICOUNT), where it is long enough for a foot.
    """

    poll_s = 0.004
    settle_s = 0.1
    """Lines move when a port is opened and its contact fed."""

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
        self._line, self._bit = line, LINES[line]
        self._active = active == "high"
        self._calls = calls or SystemCalls()
        self._nodes = nodes
        self._info = DeviceInfo(key=key, name=key, path=self._device)
        self._fd = -1
        self._down = False
        self._edges: deque[PedalEdge] = deque()
        self._waiter: LineWaiter | None = None
        self._left: list[LineWaiter] = []
        self._since_ns: int | None = None  # the line differs, not yet for long enough
        self._looked_ns = self._moved_ns = 0
        self._count: int | None = None

    @property
    def info(self) -> DeviceInfo:
        return self._info

    @property
    def down(self) -> bool:
        return self._down

    @property
    def waits(self) -> bool:
        """Whether the driver tells of changes; else the line is looked at again and again."""
        return self._waiter is not None and self._waiter.works

    def open(self) -> None:
        """DeviceGone, DeviceRefused, DeviceBusy; NotSupported for a port without modem lines (a pty)."""
        self.close()
        node = resolve(self._device, "tty", nodes=self._nodes)
        try:
            # Without O_NONBLOCK the open would wait for a carrier that a pedal never gives.
            self._fd = self._calls.open(node.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            self._calls.ioctl(self._fd, TIOCEXCL, 0)
            self._free_lines()
            self._calls.ioctl(self._fd, TIOCMBIS, bytearray(_INT.pack(DTR | RTS)))
            self._look()
            time.sleep(self.settle_s)
            self._count = count_of(self._calls, self._fd, self._line)
            self._down = self._look()
            self._looked_ns = time.monotonic_ns()
            self._wait_for_lines()
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
        moved_ns: int | None = None
        while not self._edges:
            try:
                self._step(moved_ns)
            except OSError as error:
                # An adapter that was pulled answers EIO as often as ENODEV.
                gone = OSError(errno.ENODEV if error.errno == errno.EIO else error.errno, str(error))
                raise hardware_error("read", self._info.path, gone) from error
            if not self._edges:
                left = give_up - time.monotonic()
                if left <= 0:
                    return None
                moved_ns = self._sleep(left)
        return self._edges.popleft()

    def close(self) -> None:
        """Never waits, not even for a driver that waits for the line."""
        if self._waiter is not None:
            self._waiter.leave()
            self._left.append(self._waiter)
        self._waiter = None
        if self._fd >= 0:
            try:
                self._calls.ioctl(self._fd, TIOCNXCL, 0)
            except OSError:
                pass
            try:
                self._calls.close(self._fd)
            except OSError:
                pass
        self._fd = -1
        self._edges.clear()
        self._since_ns = None

    def _step(self, moved_ns: int | None) -> None:
        """One look at the line. `moved_ns`: the driver said that it moved then. Raises OSError."""
        before_ns, count = self._looked_ns, self._count
        self._count = count_of(self._calls, self._fd, self._line)
        down = self._look()
        now_ns = self._looked_ns = time.monotonic_ns()
        if moved_ns is not None:
            self._moved_ns = moved_ns
        if down != self._down:
            if self._since_ns is None:
                self._since_ns = moved_ns or now_ns
            if now_ns - self._since_ns >= _STEADY_NS:
                self._edges.append(PedalEdge(down, self._since_ns))
                self._down, self._since_ns = down, None
            return
        began_ns = self._since_ns or moved_ns or before_ns
        if (self._since_ns is not None or self._count != count) and now_ns - began_ns >= _TAP_NS:
            at_ns = self._since_ns or moved_ns or now_ns
            self._edges += (PedalEdge(not down, at_ns), PedalEdge(down, now_ns))
        self._since_ns = None

    def _sleep(self, left_s: float) -> int | None:
        """Until the line may have moved; the moment of it where the driver says so."""
        calm = self._since_ns is None and self._looked_ns - self._moved_ns > _TAP_NS
        if self._waiter is not None and self._waiter.works and calm:
            return self._waiter.wait(min(_LOOK_S, left_s))
        time.sleep(min(self.poll_s, left_s))
        return self._waiter.wait(0) if self._waiter is not None else None

    def _wait_for_lines(self) -> None:
        self._left = [each for each in self._left if not each.ended]
        if len(self._left) < _LEFT_BEHIND:
            self._waiter = LineWaiter(self._calls, self._calls.duplicate(self._fd), self._bit)

    def _free_lines(self) -> None:
        """The driver keeps its hands off the lines: no flow control, no hang-up when a carrier goes."""
        mode = bytearray(_TERMIOS.size)
        try:
            self._calls.ioctl(self._fd, TCGETS, mode)
            said = list(_TERMIOS.unpack(mode))
            said[2] = (said[2] | _CLOCAL) & ~_CRTSCTS
            self._calls.ioctl(self._fd, TCSETS, bytearray(_TERMIOS.pack(*said)))
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EINVAL):
                raise

    def _look(self) -> bool:
        lines = bytearray(_INT.size)
        self._calls.ioctl(self._fd, TIOCMGET, lines)
        return bool(_INT.unpack(lines)[0] & self._bit) == self._active
