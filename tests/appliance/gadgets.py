"""USB devices plugged into the virtual box from its inside: a foot pedal, serial adapters. Each has a bus, and so a
port, of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.appliance.cells import SLOW_S
from tests.appliance.virtualbox import VirtualBox
from tests.support.box import until

_TOOL: Final = Path(__file__).parents[1] / "support/gadget.py"
_THERE: Final = "/run/gadget.py"
_PORTS: Final = 5

KEYBOARD: Final = (
    "05010906a101"  # generic desktop, keyboard, an application of it
    "0507150026ff00190029ff"  # its keys 0 to 255
    "750895038100"  # three bytes, each a key that is down
    "c0"
)
"""A HID report of three bytes: the usages of the keys that are down, 0 for none."""
KEY_E, KEY_N = 8, 17
"""Usages of letters (HID usage tables, 10); the codes of <linux/input-event-codes.h> are others: 18, 49."""

Step = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """CLOCK_MONOTONIC of the box in ns, before and after a step."""

    before: int
    after: int


def keys(port: int, *usages: int) -> Step:
    """These keys of a HID device are down, no others."""
    return ("keys", port, *usages)


def sleep(seconds: float) -> Step:
    return ("sleep", seconds)


class Gadgets:
    """`run` does steps in the box, close behind each other, as tests.support.gadget has them."""

    def __init__(self, box: VirtualBox) -> None:
        self._box = box
        box.put(_TOOL, _THERE)
        mount = "mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config"
        box.ssh(f"modprobe dummy_hcd num={_PORTS} && modprobe libcomposite && {{ {mount}; }}")
        self.end()

    def run(self, *steps: Step) -> list[Span]:
        """One for each step."""
        said = self._box.ssh(f"python3 -S -E {_THERE} '{json.dumps(steps)}'")
        return [Span(*each) for each in json.loads(said)]

    def begin(self, *steps: Step) -> None:
        """They go on by themselves; what they opened is closed behind the last."""
        steps_text = json.dumps(steps)
        self._box.ssh(f"setsid python3 -S -E {_THERE} '{steps_text}' >/dev/null 2>&1 </dev/null &")

    def ended(self) -> None:
        """Waits for those that were begun."""
        until(lambda: "/run/gadget" not in self._box.ssh("ps -eo args"), SLOW_S, "the steps to end")

    def end(self) -> None:
        """All pulled and gone."""
        self.run(*(("drop", port) for port in range(_PORTS)))

    @staticmethod
    def port(number: int) -> str:
        """As the settings name it."""
        return f"platform-dummy_hcd.{number}-usb-0:1"
