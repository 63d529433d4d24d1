"""The pedals by the name of their kind."""

from __future__ import annotations

from typing import Final

from hw.base import PedalSource
from hw.calls import SystemCalls

_MS = 1_000_000

DEBOUNCE_NS: Final = {"evdev": 20 * _MS, "serial-line": 30 * _MS, "serial-bytes": 20 * _MS, "key": 20 * _MS}
"""By kind: what follows an edge within that time is no press. Most pedals with a controller of their own have
settled their contact before they speak, some have not; a bare contact on a modem line has nobody who does."""


def pedal_source(kind: str, *, key: str, device: str, calls: SystemCalls | None = None) -> PedalSource:
    """A pedal of `kind` "evdev", "serial-bytes" or "serial-line", not yet opened.

    `device` is a path or a key of hw.identity, with options as the kind's class says. ValueError for any other
    kind and for options that make no sense. `calls`: one hw.pedal.shared.SharedCalls for all pedals of a process,
    or two on one device are in each other's way; a line that sends bytes is one pedal's alone.
    """
    match kind:
        case "evdev":
            from hw.pedal.evdev import EvdevPedal

            return EvdevPedal(key=key, device=device, calls=calls)
        case "serial-bytes":
            from hw.pedal.serial_bytes import SerialBytesPedal

            return SerialBytesPedal(key=key, device=device)
        case "serial-line":
            from hw.pedal.serial_line import SerialLinePedal

            return SerialLinePedal(key=key, device=device, calls=calls)
    raise ValueError(f"unknown kind of pedal: {kind!r}")
