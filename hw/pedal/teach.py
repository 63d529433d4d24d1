"""Press to teach: listens to everything that could be a pedal, and says which device was pressed, and how."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import select
import struct
import termios
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hw.calls import SystemCalls, io_read
from hw.errors import DeviceBusy
from hw.evdev import EV_KEY, EVENT, EVIOCGBIT_KEY, EVIOCGNAME, EVIOCGRAB, KEY_BYTES
from hw.identity import Node, Nodes, udev_nodes
from hw.pedal.lines import errors_of
from hw.pedal.serial_bytes import MOST_BYTES
from hw.pedal.serial_line import DTR, LINES, RTS, TIOCEXCL, TIOCMBIS, TIOCMGET, TIOCNXCL

_LOOK_S: Final = 0.004
_AGAIN_S: Final = 1.0
"""What is plugged in while somebody teaches is found within that time."""
_SETTLE_S: Final = 0.1
"""Modem lines move when a port is opened."""
_RELEASE_S: Final = 1.0
_SPEEDS: Final = (9600, 19200, 38400, 57600, 115200, 4800, 2400, 1200)
"""The likely ones first; a press at another speed than is listened at costs one more press."""
_MESSAGE_GAP_S: Final = 0.05

_EVENT_NODE: Final = re.compile(r"/event\d+$")
_SERIAL_NODE: Final = re.compile(r"/tty(USB|ACM|AMA|XRUSB|S|GS|O|mxc)\d+$")
_TOUCH: Final = frozenset({0x145, 0x14A})  # BTN_TOOL_FINGER, BTN_TOUCH: panels and pads
_POWER: Final = frozenset({116, 142, 143})  # KEY_POWER, KEY_SLEEP, KEY_WAKEUP: the box's own buttons
_LETTERS: Final = frozenset({*range(16, 26), *range(30, 39), *range(44, 51)})
_ESCAPE: Final = 1
_GAMEPAD: Final = frozenset(range(0x120, 0x140))  # BTN_JOYSTICK to BTN_THUMBR
_EVIOCGBIT_ABS: Final = io_read("E", 0x20 + 3, 8)
_PLACE: Final = 0b11  # ABS_X, ABS_Y


@dataclass(frozen=True, slots=True)
class Taught:
    """`kind` and `device` as the settings have them (device: a key of hw.identity and the kind's options)."""

    kind: str
    device: str
    name: str


class _Port:
    """One open device. `look` answers what was pressed on it, None so far; raises OSError when it is gone."""

    def __init__(self, calls: SystemCalls, node: Node, flags: int) -> None:
        self.calls, self.node = calls, node
        self.fd = calls.open(node.path, flags | os.O_NONBLOCK | os.O_NOCTTY)

    def look(self) -> Taught | None:
        raise NotImplementedError

    def close(self) -> None:
        try:
            self.calls.close(self.fd)
        except OSError:
            pass

    def read(self, size: int) -> bytes:
        """What waits; nothing where nothing does. Raises OSError."""
        if not self.calls.poll(self.fd, select.POLLIN, 0) & (select.POLLIN | select.POLLERR | select.POLLHUP):
            return b""
        try:
            data = self.calls.read(self.fd, size)
        except BlockingIOError:
            return b""
        if not data:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return data


class _Keys(_Port):
    """A USB HID pedal. A keyboard counts, many pedals pretend to be one; it is not grabbed, and its Escape key is
    the way out for the person who teaches."""

    def __init__(self, calls: SystemCalls, node: Node) -> None:
        """Raises OSError; EBUSY where another program has it; ENOTTY for what is no pedal: no buttons, a touch
        panel, the power button."""
        super().__init__(calls, node, os.O_RDONLY)
        try:
            bits = bytearray(KEY_BYTES)
            calls.ioctl(self.fd, EVIOCGBIT_KEY, bits)
            self._codes = {code for code in range(KEY_BYTES * 8) if bits[code >> 3] >> (code & 7) & 1}
            if not self._codes - _POWER or self._codes & _TOUCH:
                raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
            name = bytearray(256)
            calls.ioctl(self.fd, EVIOCGNAME, name)
            self._name = name.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
            self._keyboard = self._codes >= _LETTERS
            self._grab()
        except OSError:
            self.close()
            raise

    def _grab(self) -> None:
        """A keyboard for a moment only: of one that another program has nothing would be heard."""
        try:
            self.calls.ioctl(self.fd, EVIOCGRAB, 1)
        except OSError as error:
            if error.errno == errno.EBUSY and self._points():
                raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY)) from None
            raise
        if self._keyboard:
            self.calls.ioctl(self.fd, EVIOCGRAB, 0)

    def _points(self) -> bool:
        """Whether it says a place: the console's own touch panel, where it is no gamepad."""
        bits = bytearray(8)
        try:
            self.calls.ioctl(self.fd, _EVIOCGBIT_ABS, bits)
        except OSError:
            return False
        return bits[0] & _PLACE == _PLACE and not self._codes & _GAMEPAD

    def look(self) -> Taught | None:
        data = self.read(EVENT.size * 64)
        for _, _, kind, code, value in EVENT.iter_unpack(data[: len(data) // EVENT.size * EVENT.size]):
            if kind == EV_KEY and value == 1 and not (self._keyboard and code == _ESCAPE):
                return self._taught(code)
        return None

    def _taught(self, code: int) -> Taught:
        said = self._name or self.node.info.name
        if self._keyboard:
            return Taught("evdev", f"{self.node.key}#{code}", f"{said} (a keyboard, key {code})")
        several = len(self._codes) > 1
        return Taught("evdev", f"{self.node.key}#{code}" if several else self.node.key, said)


class _Serial(_Port):
    """A serial port: what comes first, a modem line that moves or a byte, is how the pedal speaks."""

    def __init__(self, calls: SystemCalls, node: Node) -> None:
        """Raises OSError; EBUSY where another program has the port."""
        super().__init__(calls, node, os.O_RDWR)
        try:
            _lock(self.fd)
            calls.ioctl(self.fd, TIOCEXCL, 0)
            _raw(self.fd)
            self._modem = self._feed()
        except OSError:
            self.close()
            raise
        self._settled_s = time.monotonic() + _SETTLE_S
        self._speed = _SPEEDS[0]
        self._errors = errors_of(calls, self.fd)
        self._lines: int | None = None

    def look(self) -> Taught | None:
        if time.monotonic() < self._settled_s:
            self.read(256)  # what was sent while nobody listened is no press of now
            return None
        if self._modem:
            lines = self._said()
            if self._lines is not None and (moved := lines ^ self._lines):
                name, bit = next((name, bit) for name, bit in LINES.items() if moved & bit)
                level = "high" if lines & bit else "low"
                return Taught("serial-line", f"{self.node.key}?line={name}&active={level}", self._name())
            self._lines = lines
        first = self.read(256)
        return self._bytes(first) if first else None

    def close(self) -> None:
        """A thread that a pedal left waiting may have it open, too: it would stay exclusive."""
        try:
            self.calls.ioctl(self.fd, TIOCNXCL, 0)
        except OSError:
            pass
        super().close()

    def _bytes(self, first: bytes) -> Taught | None:
        """The messages of press and release; the press alone where nothing else follows. None where the line's
        speed is another: it is listened at the next one, and the person presses again."""
        messages, heard_s = [bytearray(first)], time.monotonic()
        give_up_s = heard_s + _RELEASE_S
        while time.monotonic() < give_up_s:
            if data := self.read(256):
                now_s = time.monotonic()
                if now_s - heard_s > _MESSAGE_GAP_S:
                    messages.append(bytearray())
                messages[-1] += data
                heard_s = now_s
            time.sleep(_LOOK_S)
        if self._garbled():
            self._next_speed()
            return None
        press = bytes(messages[0])
        # A pedal that is held may say its press again and again.
        release = next((bytes(each) for each in messages[1:] if bytes(each) != press), b"")
        speed = f"&baud={self._speed}" if self._speed != _SPEEDS[0] else ""
        return Taught("serial-bytes", f"{self.node.key}{_options(press, release)}{speed}", self._name())

    def _garbled(self) -> bool:
        """Whether bytes came that were none: the line's speed is another, as far as the driver counts such."""
        before, self._errors = self._errors, errors_of(self.calls, self.fd)
        return self._errors != before

    def _next_speed(self) -> None:
        self._speed = _SPEEDS[(_SPEEDS.index(self._speed) + 1) % len(_SPEEDS)]
        _raw(self.fd, self._speed)
        self._settled_s = time.monotonic() + _SETTLE_S

    def _name(self) -> str:
        return self.node.info.name

    def _feed(self) -> bool:
        """DTR and RTS on, for a contact between lines; whether the port has any."""
        try:
            self.calls.ioctl(self.fd, TIOCMBIS, bytearray(struct.pack("i", DTR | RTS)))
            self._said()
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EINVAL):
                raise
            return False
        return True

    def _said(self) -> int:
        lines = bytearray(4)
        self.calls.ioctl(self.fd, TIOCMGET, lines)
        return int(struct.unpack("i", lines)[0]) & sum(LINES.values())


def _lock(fd: int) -> None:
    """pyserial's way of holding a port; EBUSY where somebody does."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY)) from None
    except OSError:
        pass  # no real port


def _options(press: bytes, release: bytes) -> str:
    """The settings' options for what was heard. Where one message is a part of the other, the bytes by which they
    differ; where only one has such a byte, it is the press."""
    press, release = press[:MOST_BYTES], release[:MOST_BYTES]
    if not release:
        return f"?press={press.hex()}"
    if press in release or release in press:
        down = next((byte for byte in press if byte not in release), None)
        up = next((byte for byte in release if byte not in press), None)
        if down is None or up is None:
            only = down if down is not None else up
            return f"?press={only:02x}" if only is not None else f"?press={press.hex()}"
        return f"?press={down:02x}&release={up:02x}"
    return f"?press={press.hex()}&release={release.hex()}"


def _raw(fd: int, speed: int = _SPEEDS[0]) -> None:
    """8N1 and no translation, as SerialBytesPedal has it."""
    try:
        mode = termios.tcgetattr(fd)
        mode[0] = termios.IGNBRK
        mode[1] = mode[3] = 0
        mode[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        mode[4] = mode[5] = getattr(termios, f"B{speed}")
        termios.tcsetattr(fd, termios.TCSANOW, mode)
        termios.tcflush(fd, termios.TCIFLUSH)
    except (termios.error, OSError):
        pass  # no real port; one that is broken fails at the next call


class PedalTeacher:
    """`also`: serial ports by path that udev does not know. `without`: a device that is no pedal, by key or path.

    A device that another program has is left out, and is told where nothing else was pressed. Used once.
    """

    def __init__(
        self,
        *,
        also: Iterable[str] = (),
        without: str = "",
        calls: SystemCalls | None = None,
        nodes: Nodes = udev_nodes,
    ) -> None:
        self._also = tuple(also)
        self._without = without
        self._calls = calls or SystemCalls()
        self._nodes = nodes
        self._ports: dict[str, _Port] = {}
        self._busy: dict[str, str] = {}

    def wait(self, seconds: float, ended: threading.Event) -> Taught | None:
        """What was pressed first; None after `seconds`, or when `ended` is set. Blocks. Raises DeviceBusy after
        `seconds` where another program has some that could be pedals; `path` names them."""
        give_up_s = time.monotonic() + seconds
        again_s = 0.0
        try:
            while (now_s := time.monotonic()) < give_up_s:
                if now_s >= again_s:
                    self._open()
                    again_s = now_s + _AGAIN_S
                for path, port in list(self._ports.items()):
                    try:
                        taught = port.look()
                    except OSError:  # pulled out while somebody teaches
                        self._ports.pop(path).close()
                        continue
                    if taught is not None:
                        return taught
                if ended.wait(_LOOK_S):
                    return None
        finally:
            for port in self._ports.values():
                port.close()
            self._ports.clear()
        if self._busy:
            names = ", ".join(sorted(set(self._busy.values())))
            hint = "End the other program: fuser -v shows which it is."
            raise DeviceBusy("listen to", names, "another program has it", hint)
        return None

    def _open(self) -> None:
        """Opens what is there and not yet open."""
        self._busy.clear()
        for node in self._nodes("input"):
            if _EVENT_NODE.search(node.path):
                self._try(_Keys, node)
        serial = [node for node in self._nodes("tty") if _SERIAL_NODE.search(node.path)]
        known = {node.path for node in serial}
        for node in (*serial, *(Node(path, "") for path in self._also if path not in known)):
            self._try(_Serial, node)

    def _try(self, kind: type[_Keys] | type[_Serial], node: Node) -> None:
        if node.path in self._ports or (self._without and node.matches(self._without)):
            return
        try:
            self._ports[node.path] = kind(self._calls, node)
        except OSError as error:  # no pedal, or gone again
            if error.errno == errno.EBUSY:
                self._busy[node.path] = node.info.name
