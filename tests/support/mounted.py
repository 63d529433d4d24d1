"""Real file systems in files and in memory, mounted for a test. Where nothing can be mounted: a visible skip."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.box import until
from tests.support.dcmtk import need

MAKERS = {"ext4": ["mkfs.ext4", "-q", "-F", "-O", "^has_journal"], "vfat": ["mkfs.vfat"]}


def run(*words: str | Path) -> bool:
    try:
        return subprocess.run([*map(str, words)], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


DRIVERS = {"vfat": ["fusefat", "-f", "-o", "rw+"]}
"""Programs that stand in for a kernel without it."""


def can_mount(kind: str) -> list[str]:
    """The program that does it, nothing for the kernel. Skips, saying why."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    known = Path("/proc/filesystems").read_text().split()
    if kind in known or run("modprobe", kind):
        return []
    driver = DRIVERS.get(kind, [])
    if not driver or shutil.which(driver[0]) is None or not os.access("/dev/fuse", os.W_OK):
        pytest.skip(f"this kernel has no {kind}, and there is no driver for it")
    return driver


@dataclass
class Disk:
    """A medium that can be plugged in and pulled out. `image`: its file, or empty for one in memory."""

    kind: str
    mountpoint: Path
    image: Path
    driver: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def plug(self, *options: str) -> None:
        if self.driver:
            words = [*self.driver, str(self.image), str(self.mountpoint)]
            self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            until(lambda: os.path.ismount(self.mountpoint), 10, "the medium to be mounted")
            return
        words = ["-o", ",".join(("loop", *options))]
        if not run("mount", "-t", self.kind, *words, self.image, self.mountpoint):
            pytest.skip(f"a {self.kind} image cannot be mounted here")

    def pull(self) -> None:
        """As by hand: whoever has a file open there keeps it, and nobody else sees it."""
        run("umount", "-l", self.mountpoint)
        process, self.process = self.process, None
        if process is not None:
            process.wait(30)

    def eject(self) -> bool:
        """False: somebody uses it."""
        return run("umount", self.mountpoint)

    def options(self, *options: str) -> None:
        assert run("mount", "-o", ",".join(("remount", *options)), self.mountpoint)

    def freeze(self) -> None:
        """Whatever writes to it hangs in the kernel, until `thaw`."""
        if not run(need("fsfreeze"), "-f", self.mountpoint):
            pytest.skip("the file system cannot be frozen here")

    def thaw(self) -> None:
        run("fsfreeze", "-u", self.mountpoint)

    def close(self) -> None:
        self.thaw()
        while run("umount", "-l", self.mountpoint):
            pass
        if self.process is not None:
            self.process.wait(30)


def disk(folder: Path, kind: str = "ext4", megabytes: int = 64) -> Disk:
    """Made, not plugged in yet."""
    driver = can_mount(kind)
    program, *options = MAKERS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    image, mountpoint = folder / f"{kind}.img", folder / "mnt"
    mountpoint.mkdir(exist_ok=True)
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run([need(program), *options, str(image)], capture_output=True, check=True)
    return Disk(kind, mountpoint, image, driver)
