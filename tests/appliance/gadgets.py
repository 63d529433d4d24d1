"""USB devices plugged into the virtual box from its inside: a foot pedal and serial adapters, made by the kernel's
gadget drivers over dummy_hcd (Documentation/usb/gadget_configfs.rst). Each has a bus, so a port, of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from tests.appliance.virtualbox import VirtualBox

_TOOL: Final = "/run/gadget.py"
_PORTS: Final = 4

KEYBOARD: Final = (
    "05010906a101"  # generic desktop, keyboard, an application of it
    "0507150026ff00190029ff"  # its keys 0 to 255
    "750895038100"  # three bytes, each a key that is down
    "c0"
)
"""A HID report of three bytes: the usages of the keys that are down, 0 for none."""
KEY_E, KEY_N = 8, 17
"""Usages of letters (HID usage tables, 10); the codes of <linux/input-event-codes.h> are others: 18, 49."""

TOOL: Final = '''
import json, os, sys, time
CONFIG = "/sys/kernel/config/usb_gadget"

def put(path, value):
    with open(path, "wb") as file:
        file.write(value if isinstance(value, bytes) else value.encode() + b"\\n")

def make(port, kind, report):
    here = f"{CONFIG}/g{port}"
    os.makedirs(f"{here}/strings/0x409")
    os.makedirs(f"{here}/configs/c.1")
    function = f"{here}/functions/{kind}.{port}"
    os.makedirs(function)
    put(f"{here}/idVendor", "0x1209"); put(f"{here}/idProduct", f"0x000{port + 1}")
    put(f"{here}/strings/0x409/manufacturer", "Test"); put(f"{here}/strings/0x409/product", f"{kind} {port}")
    put(f"{here}/strings/0x409/serialnumber", "1")
    if kind == "hid":
        put(f"{function}/protocol", "0"); put(f"{function}/subclass", "0"); put(f"{function}/report_length", "3")
        put(f"{function}/report_desc", bytes.fromhex(report))
    os.symlink(function, f"{here}/configs/c.1/{kind}.{port}")

def plug(port):
    put(f"{CONFIG}/g{port}/UDC", f"dummy_udc.{port}")

def pull(port):
    put(f"{CONFIG}/g{port}/UDC", "")

def drop(port):
    here = f"{CONFIG}/g{port}"
    if not os.path.isdir(here):
        return
    if open(f"{here}/UDC").read().strip():
        pull(port)
    (name,) = os.listdir(f"{here}/functions")
    os.unlink(f"{here}/configs/c.1/{name}")
    for folder in (f"configs/c.1", f"functions/{name}", "strings/0x409"):
        os.rmdir(f"{here}/{folder}")
    os.rmdir(here)

class Hid:
    """Its node is gone between pull and plug, and has another number than its port."""
    def __init__(self, port):
        (name,) = os.listdir(f"{CONFIG}/g{port}/functions")
        major, minor = open(f"{CONFIG}/g{port}/functions/{name}/dev").read().strip().split(":")
        self.path = os.path.realpath(f"/dev/char/{major}:{minor}")
    def keys(self, codes):
        fd = os.open(self.path, os.O_WRONLY)
        try:
            os.write(fd, bytes((codes + [0, 0, 0])[:3]))
        finally:
            os.close(fd)

def line(port):
    (name,) = os.listdir(f"{CONFIG}/g{port}/functions")
    return "/dev/ttyGS" + open(f"{CONFIG}/g{port}/functions/{name}/port_num").read().strip()

opened = {}
said = []
for step in json.loads(sys.argv[1]):
    what, rest = step[0], step[1:]
    before = time.monotonic_ns()
    if what == "sleep":
        time.sleep(rest[0])
    elif what == "keys":
        Hid(rest[0]).keys(rest[1])
    elif what == "bytes":
        fd = os.open(line(rest[0]), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        os.write(fd, bytes.fromhex(rest[1]))
        os.close(fd)
    elif what == "open":
        opened[rest[0]] = os.open(line(rest[0]), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    elif what == "close":
        os.close(opened.pop(rest[0]))
    else:
        {"make": make, "plug": plug, "pull": pull, "drop": drop}[what](*rest)
    said.append([before, time.monotonic_ns()])
print(json.dumps(said))
'''


@dataclass(frozen=True, slots=True)
class Span:
    """CLOCK_MONOTONIC of the box in ns, before and after a step."""

    before: int
    after: int


def keys(port: int, *usages: int) -> tuple[Any, ...]:
    """A step: these keys of a HID device are down, no others."""
    return ("keys", port, list(usages))


def sleep(seconds: float) -> tuple[Any, ...]:
    return ("sleep", seconds)


class Gadgets:
    """`run` does steps in the box, close behind each other: ("plug", PORT), ("pull", PORT), `keys`, ("bytes", PORT,
    HEX), ("open", PORT) and ("close", PORT) of the adapter's far end, which moves DSR and DCD, `sleep`."""

    def __init__(self, box: VirtualBox) -> None:
        self._box = box
        box.write(_TOOL, TOOL)
        mount = "mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config"
        box.ssh(f"modprobe dummy_hcd num={_PORTS} && modprobe libcomposite && {{ {mount}; }}")
        self.end()

    def run(self, *steps: tuple[Any, ...]) -> list[Span]:
        """One for each step."""
        said = self._box.ssh(f"python3 -S -E {_TOOL} '{json.dumps(steps)}'")
        return [Span(*each) for each in json.loads(said)]

    def end(self) -> None:
        """All pulled and gone."""
        self.run(*(("drop", port) for port in range(_PORTS)))

    @staticmethod
    def port(number: int) -> str:
        """As the settings name it."""
        return f"platform-dummy_hcd.{number}-usb-0:1"
