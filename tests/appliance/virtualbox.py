"""The virtual box: one machine under QEMU on a throw-away disk, worked as a real one is: power, panel, SSH."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from smartbox_tui.wire import client
from tests.appliance.qmp import Qmp
from tests.support.box import CtlError, until
from tests.support.dcmtk import free_port, need

HOST: Final = "10.0.2.2"
"""This machine's 127.0.0.1, seen from inside (QEMU's user network)."""
UNITS: Final = ("smartbox-capture.service", "smartbox-engine.service", "smartbox-console@tty1.service")
BOOT_S: Final = 300.0
"""Under emulation on a busy machine; a real box takes a tenth."""
TAP_S: Final = 0.15
_CMDLINE: Final = (
    "root=LABEL=root rw console=tty0 console=ttyS0 quiet loglevel=1 vt.global_cursor_default=0 consoleblank=0"
)


def accelerator() -> list[str]:
    """KVM only where the processor announces it, which /dev/kvm alone does not; emulation where KVM then fails."""
    emulation = ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max"]
    flags = Path("/proc/cpuinfo").read_text().split()
    if ("vmx" in flags or "svm" in flags) and os.access("/dev/kvm", os.W_OK):
        return ["-accel", "kvm", *emulation]
    return emulation


class VirtualBox:
    """A machine with an overlay of `disk` (or of another's `overlay`) in a folder of its own below /tmp.

    `image` is the folder that tests.appliance.image makes. `disk` is what its disk begins as, when it is not the
    image's. `boot`, then `ssh`, `tap_at`, `screendump`; `cut_power` and `boot` again is a power cut.
    """

    def __init__(
        self,
        image: Path,
        *,
        disk: Path | None = None,
        size: tuple[int, int] = (1280, 720),
        extra: tuple[str, ...] = (),
    ) -> None:
        self.image = image
        self.folder = Path(tempfile.mkdtemp(prefix="sbvm-"))
        self.overlay = self.folder / "disk.qcow2"
        self.size = size
        self.extra = extra
        self.port = free_port()
        self.started_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._qmp: Qmp | None = None
        backing = (disk or image / "disk.qcow2").absolute()
        create = ("create", "-q", "-f", "qcow2", "-b", str(backing), "-F", "qcow2", str(self.overlay))
        subprocess.run([need("qemu-img"), *create], check=True)

    @property
    def pid(self) -> int:
        """QEMU's. Raises AssertionError while the power is off."""
        assert self._process is not None, "the power is off"
        return self._process.pid

    # ---- power

    def power_on(self) -> None:
        """Starts the machine and returns at once."""
        assert self._process is None, "it runs already"
        width, height = self.size
        command = [
            need("qemu-system-x86_64"),
            *accelerator(),
            *("-m", "1536", "-smp", "2", "-nodefaults", "-display", "none", "-no-reboot"),
            *("-device", f"VGA,edid=on,xres={width},yres={height},vgamem_mb=32"),
            *("-kernel", str(self.image / "vmlinuz"), "-initrd", str(self.image / "initrd"), "-append", _CMDLINE),
            # What the guest has flushed is on the disk, and only that: a kill is a power cut.
            *("-drive", f"file={self.overlay},if=virtio,format=qcow2,cache=writeback"),
            *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:22"),
            *("-device", "virtio-net-pci,netdev=net,romfile="),
            *("-device", "qemu-xhci,id=xhci", "-device", "usb-tablet,bus=xhci.0"),
            *("-serial", f"file:{self.serial}", "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"),
            *self.extra,
        ]
        self.started_s = time.monotonic()
        with (self.folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def boot(self, timeout_s: float = BOOT_S) -> None:
        """Starts it, where it does not run, and waits until SSH answers."""
        if self._process is None:
            self.power_on()
        until(lambda: self._answers(), timeout_s, f"SSH of the virtual box; {self.folder}/serial.log")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            log = (self.folder / "qemu.log").read_text(errors="replace")
            raise AssertionError(f"QEMU has ended with {self._process.returncode}: {log}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._ssh("true", 20.0).returncode == 0
        return False

    def cut_power(self) -> None:
        """As pulling the plug: what the guest had not flushed is gone. The disk stays for the next `boot`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._forget()

    def power_off(self, timeout_s: float = 120.0) -> None:
        """As an engineer does: `systemctl poweroff`."""
        assert self._process is not None
        self._ssh("systemctl poweroff", 20.0)
        self._process.wait(timeout_s)
        self._forget()

    def _forget(self) -> None:
        if self._qmp is not None:
            self._qmp.close()
        self._process = self._qmp = None
        for name in ("qmp", "ssh", *(path.name for path in self.folder.glob("*.sock"))):
            (self.folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Ends it and drops its disk."""
        self.cut_power()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()

    @property
    def serial(self) -> Path:
        return self.folder / "serial.log"

    # ---- SSH

    def _ssh(
        self, command: str, timeout_s: float, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "ConnectTimeout": "15",
            "ControlMaster": "auto",  # a handshake takes seconds under emulation
            "ControlPath": str(self.folder / "ssh"),
            "ControlPersist": "600",
        }
        flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        target = ["-i", str(self.image / "id"), "-p", str(self.port), "root@127.0.0.1"]
        return subprocess.run(
            ["ssh", *flags, *target, command],
            check=False,
            capture_output=True,
            input=stdin,
            timeout=timeout_s,
        )

    def ssh(self, command: str, *, timeout_s: float = 240.0, stdin: bytes = b"") -> str:
        """What a shell command of root prints. Raises AssertionError with its standard error when it fails."""
        done = self._ssh(command, timeout_s, stdin)
        if done.returncode != 0:
            raise AssertionError(
                f"{command!r} ended with {done.returncode}: {done.stderr.decode()}{done.stdout.decode()}"
            )
        return done.stdout.decode()

    def put(self, source: Path, target: str, timeout_s: float = 300.0) -> None:
        """Copies a file into the box."""
        self.ssh(f"cat >{shlex.quote(target)}", timeout_s=timeout_s, stdin=source.read_bytes())

    def fetch(self, *sources: str, timeout_s: float = 300.0) -> bytes:
        """A file's content; of several one behind the other."""
        done = self._ssh(f"cat {shlex.join(sources)}", timeout_s)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def write(self, target: str, text: str) -> None:
        self.ssh(f"cat >{shlex.quote(target)}", stdin=text.encode())

    def ctl(self, *arguments: str, timeout_s: float = 240.0) -> Any:
        """`smartbox ctl … --json` as root in the box. Raises CtlError."""
        command = shlex.join(["smartbox", "ctl", *arguments, "--json"])
        done = self._ssh(command, timeout_s)
        lines = done.stdout.decode().strip()
        value = json.loads(lines) if lines else {}
        if done.returncode != 0:
            error = value.get("error", {}) if isinstance(value, dict) else {}
            message = error.get("message", done.stderr.decode())
            raise CtlError(error.get("code", ""), message, error.get("hint", ""), done.returncode)
        return value

    def unit(self, name: str, *keys: str) -> dict[str, str]:
        """Properties of a unit, as `systemctl show` has them."""
        text = self.ssh(f"systemctl show --property={','.join(keys)} {shlex.quote(name)}")
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def ask(self, process: str, target: str) -> Any:
        """What `engine` or `capture` answers to a GET, through SSH straight from its socket: to start a Python for
        each question takes seconds under emulation. Raises SmartBoxError."""
        socket = self.folder / f"{process}.sock"
        if not socket.exists():
            self.ssh("true")
            hop = ["-S", str(self.folder / "ssh"), "-O", "forward", "-o", "StreamLocalBindUnlink=yes"]
            forward = ["-L", f"{socket}:/run/smartbox/{socket.name}", "root@127.0.0.1"]
            subprocess.run(["ssh", *hop, *forward], check=True, capture_output=True)
        return client.get(socket, target)

    # ---- panel

    @property
    def qmp(self) -> Qmp:
        if self._qmp is None:
            until((self.folder / "qmp").is_socket, 30.0, "QEMU's monitor")
            self._qmp = Qmp(self.folder / "qmp")
        return self._qmp

    def screendump(self, png: Path) -> Path:
        return self.qmp.screendump(png)

    def screen_text(self) -> list[str]:
        """The rows of tty1 as characters, from the kernel's own memory of them (vcs(4)); no pixel is read."""
        columns = int(self.ssh("stty -F /dev/tty1 size").split()[1])
        raw = self._ssh("cat /dev/vcsu1", 60.0).stdout
        text = raw.decode("utf-32-le", "replace")
        return [text[at : at + columns].rstrip() for at in range(0, len(text), columns)]

    def tap_at(self, x: int, y: int) -> None:
        """A finger on a pixel of the panel."""
        width, height = self.size
        place = ((x + 0.5) / width, (y + 0.5) / height)
        self.qmp.pointer(*place)
        self.qmp.pointer(*place, down=True)
        time.sleep(TAP_S)
        self.qmp.pointer(*place, down=False)

    def tap_cell(self, column: int, row: int) -> None:
        """A finger on a character cell of tty1, both from 0."""
        rows, columns = (int(part) for part in self.ssh("stty -F /dev/tty1 size").split())
        width, height = self.size
        self.tap_at(int((column + 0.5) * (width // columns)), int((row + 0.5) * (height // rows)))

    def tap_text(self, text: str) -> None:
        """A finger on the first place that shows it. Raises AssertionError with what is there instead."""
        rows = self.screen_text()
        for number, row in enumerate(rows):
            if (at := row.find(text)) >= 0:
                self.tap_cell(at + len(text) // 2, number)
                return
        raise AssertionError(f"{text!r} is not on the screen:\n" + "\n".join(rows))
