"""A made-up /dev/input/event0: real input_event structs through a real pipe, ioctls answered from memory."""

from __future__ import annotations

import errno
import os
import struct
import time

from hw import evdev
from hw.calls import SystemCalls

_NS = 1_000_000_000


class FakeEvdev(SystemCalls):
    """Plays one pedal with the given key codes. Give it as `calls`; press and release it from any thread.

    `fail_open` is an errno the next opens fail with, `old_kernel` refuses to set the clock; `grabbed` tells
    whether somebody has it.
    """

    path = "/dev/input/event0"

    def __init__(self, codes: tuple[int, ...] = (0x30,), name: str = "Fake pedal") -> None:
        self._codes = codes
        self._name = name
        self._down: set[int] = set()
        self._pipe: tuple[int, int] | None = None
        self.gone = False
        self.grabbed = False
        self.old_kernel = False
        self.fail_open = 0

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
        self._write(evdev.EV_SYN, evdev.SYN_DROPPED, 0)
        for code, value in lost:
            self._write(evdev.EV_KEY, code, value)
        self._write(evdev.EV_SYN, evdev.SYN_REPORT, 0)

    def unplug(self) -> None:
        self.gone = True
        if self._pipe:
            self._write(evdev.EV_SYN, evdev.SYN_REPORT, 0)

    def replug(self) -> None:
        self.gone = False
        self._down.clear()

    def open(self, path: str, flags: int) -> int:
        if self.fail_open:
            raise OSError(self.fail_open, os.strerror(self.fail_open), path)
        if self.gone or path != self.path:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        return self._pipe[0]

    def close(self, fd: int) -> None:
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
            if self.grabbed and argument:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            self.grabbed = bool(argument)
            return
        assert isinstance(argument, bytearray)
        if request == evdev.EVIOCSCLOCKID:
            if self.old_kernel:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            assert struct.unpack("i", argument)[0] == evdev.CLOCK_MONOTONIC
        elif request == evdev.EVIOCGBIT_KEY:
            _set_bits(argument, self._codes)
        elif request == evdev.EVIOCGKEY:
            self._forget_keys()
            _set_bits(argument, tuple(self._down))
        elif request == evdev.EVIOCGNAME:
            name = self._name.encode() + b"\0"
            argument[: len(name)] = name
        elif request == evdev.EVIOCGID:
            argument[:] = struct.pack("4H", 3, 0x0C45, 0x7403, 1)
        else:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))

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
        chosen = self._codes[0] if code is None else code
        if value != 2:
            (self._down.add if value else self._down.discard)(chosen)
        self._write(evdev.EV_KEY, chosen, value, at_ns)
        self._write(evdev.EV_SYN, evdev.SYN_REPORT, 0, at_ns)

    def _write(self, kind: int, code: int, value: int, at_ns: int | None = None) -> None:
        assert self._pipe, "nobody has opened the pedal"
        at = time.monotonic_ns() if at_ns is None else at_ns
        os.write(self._pipe[1], evdev.EVENT.pack(at // _NS, at % _NS // 1000, kind, code, value))


def _set_bits(bits: bytearray, codes: tuple[int, ...]) -> None:
    for code in codes:
        bits[code >> 3] |= 1 << (code & 7)
