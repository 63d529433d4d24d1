"""The virtual box's disk: a bare Debian with the kernel's test devices, built by mmdebstrap and kept by a hash.

`python -m tests.appliance.image FOLDER` prints the folder of the image that fits: disk.qcow2, vmlinuz, initrd and
the key `id` of root's SSH. Needs root or unprivileged user namespaces, the network only when there is none yet.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

SUITE: Final = "bookworm"
PACKAGES: Final = (
    "systemd-sysv systemd-timesyncd udev dbus kmod iproute2 procps zstd initramfs-tools "
    "linux-image-amd64 openssh-server v4l-utils python3"
).split()
"""What an installed Debian 12 has, the kernel with its test devices (vivid, uinput, dummy_hcd), and v4l2-ctl."""
BUILD_PACKAGES: Final = ("linux-headers-amd64", "v4l2loopback-dkms")
"""To compile one module; gone again from the image."""
SIZE: Final = "6G"
_HOOK: Final = Path(__file__).with_name("customize.sh")
_NO_DOCS: Final = ("man", "doc", "locale", "info")


def image(folder: Path) -> Path:
    """The image's own folder below `folder`, built where it is missing: some minutes. Raises CalledProcessError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs want it at once
        found = folder / f"{SUITE}-{_fingerprint()}"
        if not found.is_dir():
            with tempfile.TemporaryDirectory(dir=folder) as work:
                _build(Path(work))
                made = Path(work) / "made"
                made.rename(found)
        return found


def _fingerprint() -> str:
    told = "\n".join([SUITE, SIZE, *PACKAGES, *BUILD_PACKAGES, _HOOK.read_text()])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _build(work: Path) -> None:
    made, root = work / "made", work / "root"
    made.mkdir()
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "virtual box", "-f", str(made / "id"))
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _NO_DOCS]
    _run(
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        "--include=" + ",".join([*PACKAGES, *BUILD_PACKAGES]),
        '--aptopt=Acquire::Languages "none"',
        '--aptopt=APT::Install-Recommends "false"',
        *excluded,
        f"--customize-hook=sh {_HOOK} $1 {made / 'id.pub'}",
        SUITE,
        str(root),
        *_mirrors(),
    )
    for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
        shutil.copy(next((root / "boot").glob(pattern)), made / name)
    for node in (root / "dev").iterdir():  # the kernel makes its own
        shutil.rmtree(node) if node.is_dir() and not node.is_symlink() else node.unlink()
    raw = work / "disk.raw"
    _run("truncate", "--size", SIZE, str(raw))
    _run("mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(root), str(raw))
    _run("qemu-img", "convert", "-O", "qcow2", str(raw), str(made / "disk.qcow2"))


def _mirrors() -> list[str]:
    """Those of this machine, where it is of the same suite; else mmdebstrap's own."""
    own = os.environ.get("SMARTBOX_MIRROR", "/etc/apt/sources.list.d/debian.sources")
    return [own] if own.startswith("http") or (Path(own).is_file() and SUITE in Path(own).read_text()) else []


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    print(image(Path(sys.argv[1]).absolute()))
