"""The pedals by the name of their kind."""

from __future__ import annotations

from hw.base import PedalSource
from hw.calls import SystemCalls


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
