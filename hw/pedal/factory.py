"""The pedals by the name of their kind."""

from __future__ import annotations

from hw.base import PedalSource
from hw.errors import NotSupported


def pedal_source(kind: str, *, key: str, device: str) -> PedalSource:
    """A pedal of `kind` "evdev" or "serial-bytes", not yet opened; `device` as the kind's module says.

    NotSupported for "serial-line" (not built yet), ValueError for any other kind.
    """
    match kind:
        case "evdev":
            from hw.pedal.evdev import EvdevPedal

            return EvdevPedal(key=key, device=device)
        case "serial-bytes":
            from hw.pedal.serial_bytes import SerialBytesPedal

            return SerialBytesPedal(key=key, device=device)
        case "serial-line":
            raise NotSupported(
                "open",
                device,
                "pedals on modem lines (CTS, DSR, DCD) are not built yet",
                "Use a USB pedal (evdev) or one that sends bytes (serial-bytes).",
            )
    raise ValueError(f"unknown kind of pedal: {kind!r}")
