"""The system calls that drivers of ours make, behind one small object, and what their errors mean.

The fakes in hw.fake subclass `SystemCalls` and play a device; everything above the calls is the real code.
"""

from __future__ import annotations

import errno
import fcntl
import math
import mmap
import os
import select

from hw.errors import DeviceBusy, DeviceGone, DeviceRefused, HardwareError, NotSupported


class SystemCalls:
    """Straight through to the kernel. All raise OSError."""

    def open(self, path: str, flags: int) -> int:
        return os.open(path, flags | os.O_CLOEXEC)

    def close(self, fd: int) -> None:
        os.close(fd)

    def duplicate(self, fd: int) -> int:
        """Another descriptor of the same open device (dup(2))."""
        return os.dup(fd)

    def ioctl(self, fd: int, request: int, argument: object) -> None:
        """`argument` is an int, or a writable buffer that the kernel reads and changes in place."""
        fcntl.ioctl(fd, request, argument, True)  # type: ignore[call-overload]

    def mmap(self, fd: int, length: int, offset: int) -> mmap.mmap:
        return mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)

    def poll(self, fd: int, events: int, timeout_s: float) -> int:
        """The events that happened (POLLERR and POLLHUP too), 0 when none did within `timeout_s`."""
        poller = select.poll()
        poller.register(fd, events)
        # Rounded up: rounding down would spin through the last millisecond.
        happened = poller.poll(max(0, math.ceil(timeout_s * 1000)))
        return happened[0][1] if happened else 0

    def read(self, fd: int, size: int) -> bytes:
        return os.read(fd, size)


def _number(direction: int, kind: str, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord(kind) << 8 | number


def io_none(kind: str, number: int) -> int:
    """_IO of <asm-generic/ioctl.h> (x86-64, aarch64)."""
    return _number(0, kind, number, 0)


def io_write(kind: str, number: int, size: int) -> int:
    """_IOW: the kernel reads the argument."""
    return _number(1, kind, number, size)


def io_read(kind: str, number: int, size: int) -> int:
    """_IOR: the kernel writes the argument."""
    return _number(2, kind, number, size)


def io_both(kind: str, number: int, size: int) -> int:
    """_IOWR."""
    return _number(3, kind, number, size)


_MEANINGS: dict[int, tuple[type[HardwareError], str, str]] = {
    errno.ENODEV: (DeviceGone, "the device was unplugged", "Plug it in again, into the same port."),
    errno.ENXIO: (DeviceGone, "the device was unplugged", "Plug it in again, into the same port."),
    errno.ENOENT: (DeviceGone, "there is no such device", "Check the plug and the device's name in the settings."),
    errno.EBUSY: (
        DeviceBusy,
        "another program uses the device",
        "End the other program: fuser -v shows which it is.",
    ),
    errno.EACCES: (
        DeviceRefused,
        "no permission",
        "The service's user needs the device's group (video, input, dialout).",
    ),
    errno.EPERM: (
        DeviceRefused,
        "no permission",
        "The service's user needs the device's group (video, input, dialout).",
    ),
    errno.ENOTTY: (NotSupported, "the device does not know this request", "Is this the right kind of device?"),
    errno.EINVAL: (NotSupported, "the device cannot do this", "Ask for another size, rate or kind."),
}


def hardware_error(op: str, path: str, error: OSError) -> HardwareError:
    """What an OSError of a device means to a person, as the right HardwareError (to be raised by the caller)."""
    meaning = _MEANINGS.get(error.errno or 0)
    if meaning is None:
        return HardwareError(op, path, error.strerror or str(error), "Unplug the device, plug it in again.")
    kind, reason, hint = meaning
    return kind(op, path, reason, hint)
