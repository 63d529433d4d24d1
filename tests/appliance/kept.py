"""A virtual box that stays on between test runs, for whoever writes them: a boot under emulation takes minutes.

`python -m tests.appliance.kept DEB` boots one with the package installed, prints its folder and runs until Ctrl-C.
With SMARTBOX_BOX=FOLDER the tests use it instead of one of their own. `python -m tests.appliance.kept --refresh
FOLDER` copies the code of the working tree over that of the package and starts the units anew.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.appliance.virtualbox import VirtualBox

VARIABLE: Final = "SMARTBOX_BOX"
_STATE: Final = "kept.json"
_ROOT: Final = Path(__file__).parents[2]
_INSTALLED: Final = "/usr/lib/smartbox/lib/python3.11/site-packages"


class KeptBox(VirtualBox):
    """A box that another process has started; `close` leaves it on."""

    def __init__(self, folder: Path) -> None:
        state = json.loads((folder / _STATE).read_text())
        self.folder, self.overlay = folder, folder / "disk.qcow2"
        self.image, self.size, self.port = Path(state["image"]), tuple(state["size"]), int(state["port"])
        self.extra = tuple(state["extra"])
        self.started_s = 0.0
        self._qmp = None
        other = _Other(int(state["pid"]))
        self._process = other if other.poll() is None else None  # type: ignore[assignment]

    def power_on(self) -> None:
        super().power_on()
        keep(self)

    def close(self) -> None:
        if self._qmp is not None:
            self._qmp.close()
            self._qmp = None


class _Other:
    """As much of Popen as VirtualBox uses, of a process that is not our child."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            state = "Z"
        if state == "Z":  # it has ended, whether or not who started it has noticed
            self.returncode = 0
        return self.returncode

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        give_up = time.monotonic() + (timeout if timeout is not None else float("inf"))
        while self.poll() is None:
            if time.monotonic() > give_up:
                raise subprocess.TimeoutExpired(f"QEMU {self.pid}", timeout or 0.0)
            time.sleep(0.2)
        self.returncode = 0
        return 0


def keep(box: VirtualBox) -> None:
    state = {"pid": box.pid, "port": box.port, "image": str(box.image), "size": box.size, "extra": box.extra}
    (box.folder / _STATE).write_text(json.dumps(state))


def install(box: VirtualBox, package: Path) -> None:
    """As an engineer does it."""
    box.put(package, "/root/smartbox.deb")
    box.ssh("dpkg --install /root/smartbox.deb && rm /root/smartbox.deb", timeout_s=600)


def refresh(box: VirtualBox) -> None:
    """Compiled here: the package's own files are believed without a look at their sources."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("smartbox_tui", "hw"):
            shutil.copytree(_ROOT / name, Path(folder, name), ignore=shutil.ignore_patterns("__pycache__"))
        unchecked = ("--invalidation-mode", "unchecked-hash", "-s", folder, "-p", _INSTALLED)
        subprocess.run([sys.executable, "-m", "compileall", "-q", *unchecked, folder], check=True)
        packed = subprocess.run(
            ["tar", "-C", folder, "-cz", "smartbox_tui", "hw"], check=True, capture_output=True
        ).stdout
    box.ssh(f"tar -xz -C {_INSTALLED}", stdin=packed)
    box.ssh("systemctl restart 'smartbox-*'")


def main() -> None:
    if sys.argv[1] == "--refresh":
        refresh(KeptBox(Path(sys.argv[2])))
        return
    from tests.appliance.image import image

    box = VirtualBox(image(Path(os.environ.get("SMARTBOX_IMAGES", _ROOT / "build/appliance"))))
    try:
        box.boot()
        install(box, Path(sys.argv[1]))
        keep(box)
        print(box.folder, flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        box.close()


if __name__ == "__main__":
    main()
