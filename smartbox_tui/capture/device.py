"""What a source's device can do and what it is set to: its controls and formats, for settings and engineers."""

from __future__ import annotations

import logging
from typing import Any, Final

from hw.base import Controlled, VideoControl, VideoSource
from hw.errors import DeviceGone, HardwareError, NotSupported
from hw.video.v4l2.device import V4l2Source
from smartbox_tui.capture.trouble import text_of
from smartbox_tui.errors import SmartBoxError

log = logging.getLogger(__name__)

_PASSES: Final = 2
"""A value that an automatic rules can be set once that is off, in whichever order they are named."""


def wanted_controls(setting: str) -> list[tuple[str, int]]:
    """Of `sources.controls`, as in "brightness=128, gain=4"."""
    pairs = (part.split("=") for part in setting.replace(" ", "").split(",") if part)
    return [(name, int(value)) for name, value in pairs]


def set_controls(source: VideoSource, setting: str) -> str:
    """Sets an open source's controls; why some are not set, as sentences, empty when all are. Raises DeviceGone.

    What cannot be set is no reason to see nothing.
    """
    left = wanted_controls(setting)
    if not left:
        return ""
    if not isinstance(source, Controlled):
        return "This kind of source has no controls."
    failed: dict[str, str] = {}
    for _ in range(_PASSES):
        again = []
        for name, value in left:
            try:
                source.set_control(name, value)
                failed.pop(name, None)
            except DeviceGone:
                raise
            except HardwareError as exc:
                failed[name] = (
                    f"{exc.reason}. {exc.hint}" if isinstance(exc, NotSupported) else f"{name}: {exc.reason}."
                )
                again.append((name, value))
        left = again
    return " ".join(failed.values())


def described(source: VideoSource, identity: str) -> dict[str, Any]:
    """Controls, formats and inputs of a source's device, as JSON has them. Raises device-gone, refused."""
    try:
        if isinstance(source, V4l2Source):
            return _v4l2(source)
        return {
            "controls": [_control(each) for each in source.controls()] if isinstance(source, Controlled) else []
        }
    except DeviceGone as exc:
        raise SmartBoxError("device-gone", f"Source {identity}: {text_of(exc)}.", exc.hint) from exc
    except HardwareError as exc:
        raise SmartBoxError("refused", f"Source {identity}: {text_of(exc)}.", exc.hint) from exc


def _v4l2(source: V4l2Source) -> dict[str, Any]:
    told = source.capabilities()
    formats = [
        {
            "code": layout.code,
            "format": layout.pixel.value if layout.pixel else None,
            "sizes": [
                {
                    "width": size.width,
                    "height": size.height,
                    "rates": [round(float(rate), 3) for rate in size.rates],
                }
                for size in layout.sizes
            ],
        }
        for layout in told.layouts
    ]
    return {
        "device": told.info.path,
        "key": told.info.key,
        "name": told.info.name,
        "serial": told.info.serial,
        "driver": told.driver,
        "bus": told.bus,
        "inputs": list(told.inputs),
        "input": told.selected,
        "digital": told.digital,
        "analogue": told.analogue,
        "signal_state": told.signal.value,
        "signal_facts": told.facts,
        "formats": formats,
        "controls": [_control(each) for each in told.controls],
    }


def _control(control: VideoControl) -> dict[str, Any]:
    return {
        "name": control.name,
        "kind": control.kind,
        "value": control.value,
        "minimum": control.minimum,
        "maximum": control.maximum,
        "step": control.step,
        "default": control.default,
        "choices": [{"value": value, "name": name} for value, name in control.choices.items()],
        "writable": control.writable,
    }
