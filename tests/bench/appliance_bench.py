"""The package in the virtual box: power to console, idle memory, live picture, touch to reaction. Prints JSON.

    SMARTBOX_DEB=FILE python -m tests.bench.appliance_bench [--touches 10] [--seconds 20]

Under emulation every figure is ten to thirty times that of a box; what they say is which part is how large. With
SMARTBOX_BOX=FOLDER in a box that stays on (tests.appliance.kept).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.appliance import kept
from tests.appliance.conftest import IMAGES_VARIABLE, PACKAGE_VARIABLE, SHOTS
from tests.appliance.grabber import WEBCAM, Grabber
from tests.appliance.image import image
from tests.appliance.looks import is_console, pixels
from tests.appliance.virtualbox import VirtualBox, accelerator
from tests.support.box import until

UNITS: Final = {
    "capture": "smartbox-capture.service",
    "engine": "smartbox-engine.service",
    "console": "smartbox-console@tty1.service",
}
SETTINGS: Final = """
station_name = "BENCH"
language = "en"
[[sources]]
id = "endo"
kind = "v4l2"
device = "/dev/video0"
size = "640x360"
fps = 5
"""
PARTS: Final = ("boot", "idle", "picture", "touch")
SLOW_S: Final = 900.0
LOOK_S: Final = 0.5
BUTTON: Final = "Status"
"""Its screen changes nothing, and Escape leaves it."""


def _seconds(box: VirtualBox, unit: str, *keys: str) -> dict[str, float]:
    """Times of a unit on systemd's clock, which begins with the kernel."""
    found = box.unit(unit, *(f"{key}Monotonic" for key in keys))
    return {key: round(int(found[f"{key}Monotonic"]) / 1e6, 1) for key in keys}


def boot(box: VirtualBox, folder: Path) -> dict[str, Any]:
    """From power-on: what the panel shows, then systemd's own times."""
    box.power_off(SLOW_S)
    box.power_on()
    while not is_console(box.screendump(folder / "boot.png")):
        time.sleep(LOOK_S)  # each look takes from the processor that is measured
        if time.monotonic() - box.started_s > SLOW_S:
            raise AssertionError("no console")
    drawn_s = time.monotonic() - box.started_s
    box.boot(SLOW_S)
    active = ["active"] * len(UNITS)
    until(lambda: box.ssh(f"systemctl is-active {' '.join(UNITS.values())} || true").split() == active, SLOW_S)
    until(lambda: not box.ssh("systemctl list-jobs --no-legend").strip(), SLOW_S, "systemd's last job")
    chain = box.ssh(f"systemd-analyze critical-chain {UNITS['console']} 2>&1 || true")
    told = box.ssh("systemd-analyze 2>&1 || true").strip()
    units = {
        name: _seconds(box, unit, "InactiveExitTimestamp", "ActiveEnterTimestamp") for name, unit in UNITS.items()
    }
    return {
        "power_to_console_s": round(drawn_s, 1),
        "units": units,
        "basic_target_s": _seconds(box, "basic.target", "ActiveEnterTimestamp")["ActiveEnterTimestamp"],
        "systemd": re.sub(r"\s+", " ", told),
        "console_chain": chain.splitlines()[3:],
    }


def _slow_source(box: VirtualBox) -> None:
    """The grabber's webcam delivers as many pictures as are asked for; its HDMI, which it begins with, up to 60 a
    second, and under emulation they leave nothing for the rest."""
    box.ssh(f"systemctl stop {UNITS['capture']}")
    Grabber(box).choose(WEBCAM)
    box.ssh(f"systemctl start {UNITS['capture']}", timeout_s=SLOW_S)


def idle(box: VirtualBox, seconds: float) -> dict[str, Any]:
    """Memory and the share of one core of each process while nobody does anything."""
    pids = {name: box.unit(unit, "MainPID")["MainPID"] for name, unit in UNITS.items()}
    ask = "; ".join(
        f"echo {name} $(awk '/^Pss:/ {{print $2}}' /proc/{pid}/smaps_rollup) $(cut -d' ' -f14,15 /proc/{pid}/stat)"
        for name, pid in pids.items()
    )
    look = f"cat /proc/uptime; {ask}"
    told = box.ssh(f"{look}; sleep {seconds}; {look}; getconf CLK_TCK").split("\n")
    rows = len(pids) + 1
    first, second, ticks = told[:rows], told[rows : 2 * rows], int(told[2 * rows])
    took = float(second[0].split()[0]) - float(first[0].split()[0])
    result = {}
    for before, after in zip(first[1:], second[1:], strict=True):
        name, pss, *used = after.split()
        share = (sum(map(int, used)) - sum(map(int, before.split()[2:]))) / ticks / took
        result[name] = {"pss_mb": round(int(pss) / 1024, 1), "core_percent": round(share * 100, 1)}
    return result


def picture(box: VirtualBox, seconds: float) -> Any:
    """`panel_bench` in the box, into its framebuffer, with its console away."""
    box.put(Path(__file__).with_name("panel_bench.py"), "/run/panel_bench.py")
    box.ssh(f"systemctl stop {UNITS['console']}")
    try:
        command = f"/usr/lib/smartbox/bin/python3 /run/panel_bench.py --real /dev/tty1 --seconds {seconds}"
        return json.loads(box.ssh(command, timeout_s=SLOW_S))
    finally:
        box.ssh(f"systemctl start {UNITS['console']}", timeout_s=SLOW_S)


def touch(box: VirtualBox, folder: Path, touches: int) -> dict[str, Any]:
    """A finger comes down on a button: until the panel's pixels there have changed. `look_ms` is what one look at
    them takes, the error of it all."""
    until(lambda: is_console(box.screendump(folder / "touch.png")), SLOW_S, "the console")
    rows = until(lambda: found if BUTTON in "\n".join(found := box.screen_text()) else [], SLOW_S, BUTTON)
    line, text = next((number, row) for number, row in enumerate(rows) if BUTTON in row)
    high, wide = (int(part) for part in box.ssh("stty -F /dev/tty1 size").split())
    x = (text.index(BUTTON) + len(BUTTON) / 2) / wide
    y = (line + 0.5) / high
    took, looks = [], []

    def look() -> Any:
        begun = time.monotonic()
        shown = pixels(box.screendump(folder / "touch.png"))
        looks.append(time.monotonic() - begun)
        height, width = shown.shape[:2]
        return shown[int(y * height) - 8 : int(y * height) + 8, int(x * width) - 40 : int(x * width) + 40]

    for _ in range(touches):
        box.qmp.pointer(x, y)
        time.sleep(5.0)
        before = look()
        begun = time.monotonic()
        box.qmp.pointer(x, y, down=True)
        while np.array_equal(before, look()) and time.monotonic() - begun < SLOW_S:
            pass
        took.append(time.monotonic() - begun)
        box.qmp.pointer(x, y, down=False)
        time.sleep(5.0)
        box.qmp.command("send-key", keys=[{"type": "qcode", "data": "esc"}])
        time.sleep(5.0)
    return {
        "touches": touches,
        "p50_ms": round(statistics.median(took) * 1000),
        "max_ms": round(max(took) * 1000),
        "look_ms": round(statistics.median(looks) * 1000),
    }


def _measure(part: str, box: VirtualBox, shots: Path, options: argparse.Namespace) -> Any:
    if part == "boot":
        return boot(box, shots)
    if part == "idle":
        return idle(box, options.seconds)
    if part == "picture":
        return picture(box, options.seconds)
    return touch(box, shots, options.touches)


def main() -> None:
    parser = argparse.ArgumentParser(prog="appliance_bench")
    parser.add_argument("--touches", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    folder = os.environ.get(kept.VARIABLE)
    box: VirtualBox
    if folder:
        box = kept.KeptBox(Path(folder))
    else:
        box = VirtualBox(image(Path(os.environ.get(IMAGES_VARIABLE, SHOTS.parent))))
    result: dict[str, Any] = {"accelerator": accelerator()[1]}
    try:
        box.boot(SLOW_S)
        if not folder:
            kept.install(box, Path(os.environ[PACKAGE_VARIABLE]))
        before = box.ssh("cat /etc/smartbox/smartbox.toml")
        box.write("/etc/smartbox/smartbox.toml", SETTINGS)
        with tempfile.TemporaryDirectory() as name:
            for part in options.parts:
                if part != PARTS[0]:
                    _slow_source(box)
                print(f"measuring {part}", file=sys.stderr, flush=True)
                result[part] = _measure(part, box, Path(name), options)
                print(json.dumps(result[part]), file=sys.stderr, flush=True)
        if folder:
            box.write("/etc/smartbox/smartbox.toml", before)
    finally:
        box.close()
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
