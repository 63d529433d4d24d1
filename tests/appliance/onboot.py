"""A hand that works the box as soon as it has started, without a network to reach it through: a unit in it, which
says on the serial line when it is done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from tests.appliance.virtualbox import VirtualBox

_FOLDER: Final = "/root/onboot"
_UNIT: Final = "onboot.service"
_DONE: Final = "onboot: done"
_SAID: Final = "The clock is not yet sure"
_SERVICE: Final = f"""
[Unit]
After=getty.target
[Service]
Type=exec
ExecStart=/bin/sh {_FOLDER}/run
[Install]
WantedBy=multi-user.target
"""
_SCRIPT: Final = f"""
cd {_FOLDER}
until smartbox ctl sources --json | grep -q '"signal": *true'; do sleep 1; done
id=$(cat /proc/sys/kernel/random/uuid) # asked again it is the same exam
until smartbox ctl exam open --id $id --patient-file patient.json --json >exam.json; do sleep 1; done
smartbox ctl still --json >still.json
smartbox ctl exam close --json >closed.json
smartbox ctl status --json >status.json
cat /sys/class/net/e*/carrier >carrier
ip -4 -o address show scope global >addresses
for look in $(seq 300); do
    iconv -f UTF-32LE -t UTF-8 /dev/vcsu1 >screen && grep -q '{_SAID}' screen && break
    sleep 1
done
sync
echo '{_DONE}' >/dev/ttyS0
"""
# adjtimex(2): ADJ_STATUS | ADJ_MAXERROR with neither an error nor STA_UNSYNC, as a time daemon does
_SYNCHRONISE: Final = """
import ctypes, struct
timex = ctypes.create_string_buffer(256)
struct.pack_into("I", timex, 0, 0x10 | 0x04)
assert ctypes.CDLL(None).adjtimex(timex) != -1
"""


@dataclass(frozen=True)
class Told:
    """What it has found: the answers to its commands, the network's state then, and the panel's text."""

    still: dict[str, Any]
    status: dict[str, Any]
    carrier: str
    addresses: str
    screen: str


def install(box: VirtualBox, patient: dict[str, str]) -> None:
    """At the next start it opens an exam, takes a still, closes, and waits for the panel to speak of the clock."""
    box.ssh(f"mkdir -p {_FOLDER}")
    box.write(f"{_FOLDER}/patient.json", json.dumps(patient))
    box.write(f"{_FOLDER}/run", _SCRIPT)
    box.write(f"/etc/systemd/system/{_UNIT}", _SERVICE)
    box.ssh(f"systemctl enable {_UNIT}")


def remove(box: VirtualBox) -> None:
    box.ssh(f"systemctl disable --now {_UNIT}; rm -rf {_FOLDER} /etc/systemd/system/{_UNIT}")


def done(box: VirtualBox) -> bool:
    return _DONE in box.serial.read_text(errors="replace")


def told(box: VirtualBox) -> Told:
    names = ("still.json", "status.json", "carrier", "addresses", "screen")
    texts = [box.ssh(f"cat {_FOLDER}/{name}") for name in names]
    still, status = (json.loads(text) for text in texts[:2])
    return Told(still, status, texts[2].strip(), texts[3].strip(), texts[4])


def synchronise(box: VirtualBox) -> None:
    """The kernel's clock is declared right."""
    box.ssh("/usr/lib/smartbox/bin/python3 -", stdin=_SYNCHRONISE.encode())
