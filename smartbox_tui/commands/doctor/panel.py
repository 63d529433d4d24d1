"""The panel: terminal and font, framebuffer, touch, and whether a console runs on it. Nothing of it is changed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hw.errors import HardwareError
from smartbox_tui.commands.doctor.check import Check, Context, text_of

_VT: Final = "/dev/tty1"
_FRAMEBUFFER: Final = "/dev/fb0"
_LONG: Final = 64
"""Bits of the words in which sysfs writes what an input device can do, the highest word first."""
LEAST: Final = (80, 24)


def panel(context: Context) -> Iterator[Check]:
    yield from _console(context)
    yield from _terminal(context)
    yield from _framebuffer()
    yield from _touch(context)


def _console(context: Context) -> Iterator[Check]:
    if context.engine is None:
        yield Check("panel.console", None, "could not be checked because the engine does not answer")
        return
    here = [item for item in context.engine.get("sessions", []) if item.get("terminal") == "panel"]
    text = "a console runs on the panel" if here else "no console runs on a terminal of this machine"
    yield Check("panel.console", True if here else None, text, "systemctl status smartbox-console@tty1")


def _terminal(context: Context) -> Iterator[Check]:
    from hw.panel.vt import virtual_terminal

    try:
        file = os.open(_VT, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        yield Check("panel.font", None, f"could not be checked because {_VT} cannot be opened: {exc.strerror}",
                    "Run it as root.")  # fmt: skip
        return
    try:
        terminal = virtual_terminal(file)
        if terminal is None:
            yield Check("panel.font", None, f"{_VT} is no virtual terminal here")
            return
        try:
            columns, rows = terminal.cells()
        except HardwareError as exc:
            yield Check("panel.font", None, f"could not be checked: {exc}")
            return
        cell = terminal.cell()
    finally:
        os.close(file)
    font = f"{cell[0]}x{cell[1]}" if cell else "of unknown size"
    wanted = context.settings.panel.font
    fits = columns >= LEAST[0] and rows >= LEAST[1]
    as_set = wanted == "auto" or cell is None or font == wanted
    text = f"font {font}, {columns}x{rows} letters" + ("" if as_set else f"; {wanted} is set")
    yield Check("panel.font", fits and as_set, text, "smartbox panel setup; a smaller font where 80x24 do not fit.")


def _framebuffer() -> Iterator[Check]:
    if not Path(_FRAMEBUFFER).exists():
        yield Check("panel.framebuffer", None, f"there is no {_FRAMEBUFFER}: the live picture is drawn in blocks")
        return
    size = text_of(Path("/sys/class/graphics/fb0/virtual_size")).replace(",", "x")
    depth = text_of(Path("/sys/class/graphics/fb0/bits_per_pixel"))
    name = text_of(Path("/sys/class/graphics/fb0/name"))
    if not os.access(_FRAMEBUFFER, os.R_OK | os.W_OK):
        yield Check("panel.framebuffer", None, f"{name} {size}: this user may not open it", "Run it as root.")
        return
    yield Check("panel.framebuffer", depth in ("16", "24", "32"), f"{name} {size}, {depth} bits a pixel")


def touch_panels(root: Path = Path("/sys/class/input")) -> list[tuple[str, str]]:
    """Node and name of each touch screen; where there is none, of what "auto" takes in its place. From sysfs:
    nothing is opened."""
    from hw.panel.touch import Abilities

    found: dict[int | None, list[tuple[str, str]]] = {}
    for folder in sorted(root.glob("event*")):
        device = folder / "device"
        with contextlib.suppress(ValueError):
            can = [_bits(text_of(device / name)) for name in ("capabilities/key", "capabilities/abs", "properties")]
            found.setdefault(Abilities(*can).rank, []).append(
                (f"/dev/input/{folder.name}", text_of(device / "name"))
            )
    return found.get(0) or found.get(1) or []


def _bits(text: str) -> frozenset[int]:
    words = [int(word, 16) for word in reversed(text.split())]
    return frozenset(at * _LONG + bit for at, word in enumerate(words) for bit in range(_LONG) if word >> bit & 1)


def _touch(context: Context) -> Iterator[Check]:
    wanted = context.settings.panel.touch
    found = touch_panels()
    named = ", ".join(f"{name} on {path}" for path, name in found)
    if wanted == "none":
        yield Check("panel.touch", None, "none is set")
    elif found:
        calibrated = "calibrated" if context.settings.panel.calibration else "not calibrated"
        yield Check("panel.touch", True, f"{named}; {calibrated}")
    else:
        missed = wanted != "auto"
        yield Check("panel.touch", False if missed else None, "no touch panel is found",
                    "Check its USB cable; a mouse and the keyboard work, too.")  # fmt: skip
