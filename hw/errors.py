"""What can go wrong with hardware. Each error names the operation, the device and what to do.

The application translates these in one place each (capture, console) into its own error family.
"""

from __future__ import annotations


class HardwareError(Exception):
    """A device failed. `op` is what was tried, `path` the device, `hint` what a person can do."""

    def __init__(self, op: str, path: str, reason: str = "", hint: str = "") -> None:
        super().__init__(f"{op} {path}: {reason}" if reason else f"{op} {path}")
        self.op = op
        self.path = path
        self.reason = reason
        self.hint = hint


class DeviceGone(HardwareError):
    """The device is not there, or was pulled while in use (ENODEV, ENOENT)."""


class DeviceBusy(HardwareError):
    """Another program has the device (EBUSY)."""


class DeviceRefused(HardwareError):
    """No permission (EACCES, EPERM)."""


class NotSupported(HardwareError):
    """The device cannot do what is asked: no such format, not a capture device, no such event."""


class SignalChanged(HardwareError):
    """Another picture comes in than the device was set to: opened anew it delivers that."""
