"""A wall clock that a test sets, for real processes: a small library loaded before libc (movedclock.c).

libfaketime would move CLOCK_MONOTONIC, too, or not the kernel's word on being synchronised. Needs gcc.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import pytest

SOURCE = Path(__file__).with_suffix(".c")
NS = 1_000_000_000


class MovedClock:
    """Of all processes started while it is in force; `boot` begins another boot for those started after."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        compiler = shutil.which("gcc")
        if compiler is None:
            pytest.skip("needs gcc")
        library = folder / "movedclock.so"
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"],
            check=True,
        )  # fmt: skip
        self._folder, self._monkeypatch = folder, monkeypatch
        path = folder / "clock"
        path.write_bytes(bytes(16))
        self._fd = os.open(path, os.O_RDWR)
        self._map = mmap.mmap(self._fd, 16)
        monkeypatch.setenv("MOVED_CLOCK", str(path))
        monkeypatch.setenv("LD_PRELOAD", str(library))
        self.boot()

    def boot(self) -> None:
        """Whatever is started from now on runs in another boot (CLOCK_MONOTONIC runs on)."""
        path = self._folder / f"boot-{uuid4()}"
        path.write_text(f"{uuid4()}\n", encoding="ascii")
        self._monkeypatch.setenv("MOVED_BOOT", str(path))

    def set(self, offset_s: float, *, synchronised: bool) -> None:
        """The wall clock is wrong by so many seconds; whether the kernel calls it synchronised."""
        self._map[:] = struct.pack("qq", int(offset_s * NS), int(synchronised))

    def now(self) -> float:
        """What the processes see, seconds since the epoch."""
        offset_ns: int = struct.unpack("qq", self._map[:])[0]
        return time.time() + offset_ns / NS
