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
MOST_BYTES = 16
_STALE_NS = 1_000_000_000
"""The rest of a message that comes so late belongs to no beginning."""
_REPEAT_NS = 100_000_000
"""Of a pedal that says nothing at its release: messages closer than that are one press, repeated while held."""


def pattern_of(text: str) -> bytes:
    """The bytes of a message from hex digits. ValueError for none, for more than 16, and for what is no hex."""
    pattern = bytes.fromhex(text)
    if not 1 <= len(pattern) <= MOST_BYTES:
        raise ValueError(f"a message of a pedal has 1 to {MOST_BYTES} bytes, not {len(pattern)}")
    return pattern


class Messages:
    """Finds the messages of a pedal in what comes, whatever lies between. `release` None: it says nothing then."""

    def __init__(self, press: bytes, release: bytes | None) -> None:
        """ValueError where one message is part of the other: the line could not be understood."""
        if release is not None and (press in release or release in press):
            raise ValueError("the messages of press and release must differ, and neither be part of the other")
        self._press, self._release = press, release
        self._heard = bytearray()
        self._times: deque[int] = deque()

    def take(self, data: bytes, at_ns: int) -> list[tuple[bool, int]]:
        """(press or release, when its first byte came) of each message that is complete now."""
        if self._times and at_ns - self._times[-1] > _STALE_NS:
            self.forget()
        found = []
        for byte in data:
            self._heard.append(byte)
            self._times.append(at_ns)
            for down, message in ((True, self._press), (False, self._release)):
                if message is not None and self._heard.endswith(message):
                    found.append((down, self._times[-len(message)]))
                    self.forget()
                    break
            while len(self._heard) > MOST_BYTES:
                del self._heard[0]
                self._times.popleft()
        return found

    def forget(self) -> None:
        self._heard.clear()
        self._times.clear()


class SerialBytesPedal:
    """One pedal on a serial port (8N1), held exclusively.

    `device` is the port's path or a key of hw.identity, then options: `?press=HEX&release=HEX` are the messages
    of the press and the release edge, `&baud=N` the speed (9600). Without `release` a message is a press and its
    release at one moment, and one that is repeated within 100 ms the same press; without both any bytes are.
    What lies between messages is ignored, and so is a release without a press. A line has no time stamps of its
    own: edges carry the moment their first byte was read.
    """

    def __init__(
        self, *, key: str, device: str, calls: SystemCalls | None = None, nodes: Nodes = udev_nodes
    ) -> None:
        """ValueError for options that are unknown, no messages, or messages that cannot be told apart."""
        self._device, _, query = device.partition("?")
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
        if unknown := options.keys() - set(_OPTIONS):
            raise ValueError(f"unknown option of a serial pedal: {', '.join(sorted(unknown))}")
        if "release" in options and "press" not in options:
            raise ValueError("a serial pedal with a message for its release needs one for its press")
        press, release = (pattern_of(options[name]) if name in options else None for name in ("press", "release"))
        self._taps = release is None
        self._messages = Messages(press, release) if press is not None else None
        self._baud = int(options.get("baud", "9600"))
        if self._baud not in serial.Serial.BAUDRATES:
            raise ValueError(f"{self._baud} is no speed of a serial line")
        self._calls = calls or SystemCalls()
        self._nodes = nodes
        self._info = DeviceInfo(key=key, name=key, path=self._device)
        self._port: serial.Serial | None = None
        self._edges: deque[PedalEdge] = deque()
        self._down = False
        self._tapped_ns: int | None = None

    @property
    def down(self) -> bool:
        return self._down

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
        self._down, self._tapped_ns = False, None
        if self._messages is not None:
            self._messages.forget()
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
        messages = [(True, at_ns)] if self._messages is None and data else []
        if self._messages is not None:
            messages = self._messages.take(data, at_ns)
        for down, began_ns in messages:
            if self._taps:
                again = self._tapped_ns is not None and began_ns - self._tapped_ns < _REPEAT_NS
                self._tapped_ns = began_ns
                if not again:
                    self._edges += (PedalEdge(True, began_ns), PedalEdge(False, began_ns))
            elif down != self._down:
                self._down = down
                self._edges.append(PedalEdge(down, began_ns))
