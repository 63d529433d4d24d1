"""DCMTK's storescp as a peer, and dciodvfy, from their Debian packages. A missing one is a visible skip."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


def need(program: str) -> str:
    """The program's path, or a skip that names it."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], timeout_s: float = 15.0) -> None:
    """Returns when something listens; looks in /proc, because a probing connection would be an association."""
    wanted = f":{port:04X} "
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if f"{fields[1]} ".endswith(wanted) and fields[3] == "0A":
                    return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on {port}")


@dataclass(frozen=True)
class StoreScp:
    port: int
    folder: Path

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.is_file())


@contextlib.contextmanager
def storescp(
    folder: Path, *options: str, environment: dict[str, str] | None = None, port: int = 0
) -> Iterator[StoreScp]:
    """A storescp that takes every transfer syntax and writes to `folder` unless `options` say otherwise; on a free
    port unless one is given."""
    program = need("storescp")
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    every = [] if any(option.startswith("+x") for option in options) else ["+xa"]
    command = [program, *every, "-od", str(folder), *options, str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | (environment or {})
    )
    try:
        wait_for_port(port, process)
        yield StoreScp(port, folder)
    finally:
        process.terminate()
        process.wait(10)


def dciodvfy(path: Path) -> tuple[list[str], list[str]]:
    """(errors, warnings) of an object, one sentence each."""
    result = subprocess.run([need("dciodvfy"), str(path)], capture_output=True, check=False)
    lines = (result.stderr + result.stdout).decode("utf-8", "replace").splitlines()
    errors = [line for line in lines if line.startswith("Error")]
    if result.returncode and not errors:
        errors = [f"dciodvfy ended with {result.returncode}: {lines[-1:]}"]
    return errors, [line for line in lines if line.startswith("Warning")]
