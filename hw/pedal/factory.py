"""The pedals by the name of their kind."""

from __future__ import annotations

from hw.base import PedalSource


def pedal_source(kind: str, *, key: str, device: str) -> PedalSource:
    """A pedal of `kind` "evdev", "serial-bytes" or "serial-line", not yet opened.

    `device` is a path or a key of hw.identity, with options as the kind's class says. ValueError for any other
    kind and for options that make no sense.
    """
    match kind:
        case "evdev":
            from hw.pedal.evdev import EvdevPedal

            return EvdevPedal(key=key, device=device)
        case "serial-bytes":
            from hw.pedal.serial_bytes import SerialBytesPedal

            return SerialBytesPedal(key=key, device=device)
        case "serial-line":
            from hw.pedal.serial_line import SerialLinePedal

            return SerialLinePedal(key=key, device=device)
    raise ValueError(f"unknown kind of pedal: {kind!r}")
