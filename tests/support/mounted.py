"""Real file systems in files and in memory, mounted for a test. Where nothing can be mounted: a visible skip."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.dcmtk import need

MAKERS = {"ext4": ["mkfs.ext4", "-q", "-F", "-O", "^has_journal"], "vfat": ["mkfs.vfat"]}


def run(*words: str | Path) -> bool:
    try:
        return subprocess.run([*map(str, words)], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def can_mount(kind: str) -> None:
    """Skips, saying why."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    known = Path("/proc/filesystems").read_text().split()
    if kind not in known and not run("modprobe", kind):
        pytest.skip(f"this kernel has no {kind}")


@dataclass
class Disk:
    """A medium that can be plugged in and pulled out. `image`: its file, or empty for one in memory."""

    kind: str
    mountpoint: Path
    image: Path

    def plug(self, *options: str) -> None:
        words = ["-o", ",".join(("loop", *options))]
        if not run("mount", "-t", self.kind, *words, self.image, self.mountpoint):
            pytest.skip(f"a {self.kind} image cannot be mounted here")

    def pull(self) -> None:
        """As by hand: whoever has a file open there keeps it, and nobody else sees it."""
        run("umount", "-l", self.mountpoint)

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


def disk(folder: Path, kind: str = "ext4", megabytes: int = 64) -> Disk:
    """Made, not plugged in yet."""
    can_mount(kind)
    program, *options = MAKERS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    image, mountpoint = folder / f"{kind}.img", folder / "mnt"
    mountpoint.mkdir(exist_ok=True)
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run([need(program), *options, str(image)], capture_output=True, check=True)
    return Disk(kind, mountpoint, image)
