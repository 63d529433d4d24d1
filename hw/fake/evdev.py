"""Made-up input devices: real input_event structs through a real pipe, ioctls answered from memory."""

from __future__ import annotations

import errno
import os
import struct
import threading
import time
from collections.abc import Iterable

from hw import evdev
from hw.calls import SystemCalls

_NS = 1_000_000_000
REPORT = (evdev.EV_SYN, evdev.SYN_REPORT, 0)


class FakeInput(SystemCalls):
    """One /dev/input/event0. `ids`: bus, maker, product, version (struct input_id).

    `fail_open` is an errno the next opens fail with, `old_kernel` refuses to set the clock; `grabbed` tells whether
    somebody has it, `other_grab` that another program has.
    """

    path = "/dev/input/event0"

    def __init__(self, name: str, ids: tuple[int, int, int, int]) -> None:
        self._name = name
        self._ids = ids
        self._lock = threading.Lock()
        self._pipe: tuple[int, int] | None = None
        self.gone = False
        self.grabbed = False
        self.other_grab = False
        self.old_kernel = False
        self.fail_open = 0

    def unplug(self) -> None:
        self.gone = True
        self._write([REPORT])

    def replug(self) -> None:
        """It comes back with nothing down."""
        self.gone = False

    def open(self, path: str, flags: int) -> int:
        if self.fail_open:
            raise OSError(self.fail_open, os.strerror(self.fail_open), path)
        if self.gone or path != self.path:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        with self._lock:
            self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            return self._pipe[0]

    def close(self, fd: int) -> None:
        with self._lock:
            self.grabbed = False
            if self._pipe is None or self._pipe[0] != fd:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            for end in self._pipe:
                os.close(end)
            self._pipe = None

    def read(self, fd: int, size: int) -> bytes:
        data = super().read(fd, size)
        if self.gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return data

    def ioctl(self, fd: int, request: int, argument: object) -> None:
        if self.gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        if request == evdev.EVIOCGRAB:
            if argument and (self.grabbed or self.other_grab):
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            self.grabbed = bool(argument)
            return
        assert isinstance(argument, bytearray)
        answer = self._answer(request, argument)
        if answer is None:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        argument[: len(answer)] = answer

    def _answer(self, request: int, argument: bytearray) -> bytes | None:
        """What the kernel writes for an ioctl; None where it knows none such."""
        if request == evdev.EVIOCSCLOCKID:
            if self.old_kernel:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            assert struct.unpack("i", argument)[0] == evdev.CLOCK_MONOTONIC
            return b""
        if request == evdev.EVIOCGBIT_KEY:
            return bits(len(argument), self._keys())
        if request == evdev.EVIOCGKEY:
            return bits(len(argument), self._keys_down())
        if request == evdev.EVIOCGNAME:
            return self._name.encode() + b"\0"
        if request == evdev.EVIOCGID:
            return struct.pack("4H", *self._ids)
        return None

    def _keys(self) -> Iterable[int]:
        """The codes of the keys it has."""
        raise NotImplementedError

    def _keys_down(self) -> Iterable[int]:
        raise NotImplementedError

    def _write(self, events: Iterable[tuple[int, int, int]], at_ns: int | None = None) -> None:
        """(type, code, value) each; lost where nobody has opened it, as with a real one."""
        at = time.monotonic_ns() if at_ns is None else at_ns
        with self._lock:
            if self._pipe is not None:
                packed = (evdev.EVENT.pack(at // _NS, at % _NS // 1000, *event) for event in events)
                os.write(self._pipe[1], b"".join(packed))


class FakeEvdev(FakeInput):
    """Plays one pedal with the given key codes. Give it as `calls`; press and release it from any thread, once it
    is open."""

    def __init__(self, codes: tuple[int, ...] = (0x30,), name: str = "Fake pedal") -> None:
        super().__init__(name, (3, 0x0C45, 0x7403, 1))
        self._codes = codes
        self._down: set[int] = set()

    def press(self, code: int | None = None, at_ns: int | None = None) -> None:
        self._key(code, 1, at_ns)

    def repeat(self, code: int | None = None) -> None:
        """An autorepeat, as a held key sends."""
        self._key(code, 2, None)

    def release(self, code: int | None = None, at_ns: int | None = None) -> None:
        self._key(code, 0, at_ns)

    def overflow(self, held: set[int], lost: tuple[tuple[int, int], ...] = ()) -> None:
        """The kernel's queue runs over: SYN_DROPPED, a rest of stale (code, value) events, then the report."""
        self._down = held
        stale = [(evdev.EV_KEY, code, value) for code, value in lost]
        self._write([(evdev.EV_SYN, evdev.SYN_DROPPED, 0), *stale, REPORT])

    def replug(self) -> None:
        super().replug()
        self._down.clear()

    def _keys(self) -> Iterable[int]:
        return self._codes

    def _keys_down(self) -> Iterable[int]:
        self._forget_keys()
        return self._down

    def _forget_keys(self) -> None:
        """As the kernel does: who asks what is down is not told again how it came to that."""
        if self._pipe is None:
            return
        try:
            kept = [
                each for each in evdev.EVENT.iter_unpack(os.read(self._pipe[0], 1 << 16)) if each[2] != evdev.EV_KEY
            ]
        except BlockingIOError:
            return
        for each in kept:
            os.write(self._pipe[1], evdev.EVENT.pack(*each))

    def _key(self, code: int | None, value: int, at_ns: int | None) -> None:
        assert self._pipe, "nobody has opened the pedal"
        chosen = self._codes[0] if code is None else code
        if value != 2:
            (self._down.add if value else self._down.discard)(chosen)
        self._write([(evdev.EV_KEY, chosen, value), REPORT], at_ns)


def bits(size: int, numbers: Iterable[int]) -> bytes:
    """A kernel's bit field of `size` bytes with those set."""
    field = bytearray(size)
    for number in numbers:
        field[number >> 3] |= 1 << (number & 7)
    return bytes(field)
