"""USB devices that the kernel plays to itself: gadgets of configfs (Documentation/usb/gadget_configfs.rst) on the
buses of dummy_hcd. Needs root, the modules dummy_hcd and libcomposite, and configfs; of Python its own library:
`python3 gadget.py STEPS` does steps in a machine where nothing else is installed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

GADGETS = Path("/sys/kernel/config/usb_gadget")
CONTROLLERS = Path("/sys/class/udc")


class Gadget:
    """The device on bus `port`: of `kind` hid, with the report descriptor `report`, or acm, a serial adapter."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.here = GADGETS / f"g{port}"
        self._far = -1

    @staticmethod
    def possible(port: int) -> bool:
        return (CONTROLLERS / f"dummy_udc.{port}").exists() and os.access(GADGETS, os.W_OK)

    @property
    def function(self) -> Path:
        return next((self.here / "functions").iterdir())

    def make(self, kind: str, report: str = "") -> None:
        """`report` in hex; its reports are of three bytes. It is not plugged in yet."""
        (self.here / "strings/0x409").mkdir(parents=True)
        (self.here / "configs/c.1").mkdir(parents=True)
        function = self.here / f"functions/{kind}.{self.port}"
        function.mkdir()
        said = {
            "idVendor": "0x1209",
            "idProduct": f"0x{self.port + 1:04x}",
            "strings/0x409/manufacturer": "Test",
            "strings/0x409/product": f"{kind} {self.port}",
            "strings/0x409/serialnumber": "1",
        }
        for name, value in said.items():
            (self.here / name).write_text(value + "\n")
        if kind == "hid":
            for name, value in (("protocol", "0"), ("subclass", "0"), ("report_length", "3")):
                (function / name).write_text(value + "\n")
            (function / "report_desc").write_bytes(bytes.fromhex(report))
        (self.here / "configs/c.1" / function.name).symlink_to(function)

    def plug(self) -> None:
        (self.here / "UDC").write_text(f"dummy_udc.{self.port}\n")

    def pull(self) -> None:
        (self.here / "UDC").write_text("\n")

    def drop(self) -> None:
        """Pulls it and takes it apart, if there is one."""
        if not self.here.is_dir():
            return
        if (self.here / "UDC").read_text().strip():
            self.pull()
        function = self.function
        (self.here / "configs/c.1" / function.name).unlink()
        for folder in (self.here / "configs/c.1", function, self.here / "strings/0x409", self.here):
            folder.rmdir()

    # ---- its far end

    def keys(self, *usages: int) -> None:
        """Of a HID device: these are down, at most three. It stays open: the next ones must not take long."""
        if self._far < 0:
            major, _, minor = (self.function / "dev").read_text().strip().partition(":")
            number = os.makedev(int(major), int(minor))
            path = next(path for path in Path("/dev").glob("hidg*") if path.stat().st_rdev == number)
            self._far = os.open(path, os.O_WRONLY)
        os.write(self._far, bytes((*usages, 0, 0, 0)[:3]))

    def send(self, data: str) -> None:
        """Of a serial adapter: bytes in hex."""
        fd = os.open(self.line, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            os.write(fd, bytes.fromhex(data))
        finally:
            os.close(fd)

    def open(self) -> None:
        """Of a serial adapter: DSR and DCD come up on the near end."""
        self._far = os.open(self.line, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def close(self) -> None:
        """And go down."""
        if self._far >= 0:
            os.close(self._far)
        self._far = -1

    @property
    def line(self) -> str:
        return "/dev/ttyGS" + (self.function / "port_num").read_text().strip()


def run(steps: list[list[Any]]) -> list[tuple[int, int]]:
    """[NAME, PORT, ARGUMENTS …] each, a method of the gadget at that port; or ["sleep", SECONDS]. When each began
    and ended (CLOCK_MONOTONIC, ns)."""
    gadgets: dict[int, Gadget] = {}
    spans = []
    for name, what, *rest in steps:
        before = time.monotonic_ns()
        if name == "sleep":
            time.sleep(what)
        else:
            getattr(gadgets.setdefault(what, Gadget(what)), name)(*rest)
        spans.append((before, time.monotonic_ns()))
    return spans


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))
