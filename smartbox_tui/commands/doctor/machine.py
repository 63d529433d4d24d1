"""The machine: load, memory, heat; the clock, and who sets it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from smartbox_tui.commands.doctor.check import Check, Context, output, text_of
from smartbox_tui.spool.clock import synchronised

_LEAST_MEMORY: Final = 256 << 20
_BUSY: Final = 3.0
_HOT_C: Final = 85.0
_APART_S: Final = 30
_TIME_SERVICES: Final = ("systemd-timesyncd", "chrony", "ntpsec", "ntp", "openntpd")


def machine(_context: Context) -> Iterator[Check]:
    cores = os.cpu_count() or 1
    load = os.getloadavg()
    text = f"load {load[0]:.1f} now, {load[2]:.1f} in 15 minutes, {cores} cores"
    yield Check("load", load[2] < _BUSY * cores, text, "See `top`: what else runs there?")
    memory = {}
    for line in text_of(Path("/proc/meminfo")).splitlines():
        name, _, rest = line.partition(":")
        with contextlib.suppress(ValueError, IndexError):
            memory[name] = int(rest.split()[0]) << 10
    if "MemAvailable" in memory:
        free, whole = memory["MemAvailable"], memory.get("MemTotal", 0)
        swapped = memory.get("SwapTotal", 0) - memory.get("SwapFree", 0)
        text = f"{free >> 20} of {whole >> 20} MiB of memory are available" + (
            f", {swapped >> 20} MiB are swapped out" if swapped else ""
        )
        yield Check("memory", free >= _LEAST_MEMORY, text, "See `top`; recordings need some hundred MiB.")
    else:
        yield Check("memory", None, "could not be checked because /proc/meminfo does not say")
    heat = [int(text) / 1000 for zone in Path("/sys/class/thermal").glob("thermal_zone*/temp")
            if (text := text_of(zone)).lstrip("-").isdecimal()]  # fmt: skip
    if heat:
        hint = "Clean fan and slots; a hot machine loses frames."
        yield Check("heat", max(heat) < _HOT_C, f"{max(heat):.0f} °C at most", hint)


def clock(context: Context) -> Iterator[Check]:
    """The engine's own word where it answers: it knows what happened since the start."""
    said = (context.engine or {}).get("clock")
    good = said == "trusted" if said else synchronised()
    word = f"the clock is {'trusted' if good else 'unsure'}"
    services = [
        name for name in _TIME_SERVICES if (output("systemctl", "is-active", name) or "").strip() == "active"
    ]
    by = f", set by {', '.join(services)}" if services else ", no time service was seen to run"
    yield Check("clock", True if good else None, word + by, "Set up time synchronisation.")
    hardware = text_of(Path("/sys/class/rtc/rtc0/since_epoch"))
    if hardware.isdecimal():
        apart = abs(time.time() - int(hardware))
        text = f"the battery clock differs by {apart:.0f} s"
        hint = "hwclock --systohc; when it comes back after a power cut, the battery is empty."
        yield Check("clock.battery", apart < _APART_S, text, hint)
    else:
        yield Check("clock.battery", None, "could not be checked because no battery clock is to be seen")
