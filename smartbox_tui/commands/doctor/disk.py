"""The disk that the pictures lie on: what it is, and how fast it keeps its promises (fsync)."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from smartbox_tui.commands.doctor.check import Check, Context, text_of

SYNCS: Final = 40
SYNC_BYTES: Final = 16384
"""About what a recording writes between two of its own."""
WRITE_BYTES: Final = 16 << 20
SECONDS: Final = 2.0
"""For all of it, on whatever disk."""
SYNC_P95_MS: Final = 30.0
"""A still is four of them, and must be safe within 150 ms (DESIGN section 8)."""
SYNC_WORST_MS: Final = 250.0
"""A recording loses at most what lies between two of its own."""
_NEEDED_FREE: Final = 256 << 20
_TRY: Final = ".doctor-"
_HEADROOM: Final = 4
"""Times the rate of all sources that the disk should write: pictures are sent and remuxed meanwhile."""


def disk(context: Context) -> Iterator[Check]:
    folder = _existing(context.folders.state)
    mount = mount_of(folder)
    if mount is None:
        yield Check("disk.mount", None, "could not be checked because /proc/self/mountinfo does not name it")
    else:
        point, kind, options, device = mount
        words = [
            word for word in options.split(",") if word == "ro" or word.startswith(("data=", "commit=", "barrier"))
        ]
        volatile = kind in ("tmpfs", "ramfs")
        text = f"{point}: {kind} on {device}" + (f" ({', '.join(words)})" if words else "") + _sort(folder)
        hint = (
            "Pictures there are gone with the power: give another state folder."
            if volatile
            else "Mount it writable."
        )
        yield Check("disk.mount", not (volatile or "ro" in words), text, hint)
    yield from _worn(folder)
    if context.recording:
        yield Check("disk.sync", None, "could not be checked because a recording runs", "Try again after it.")
        return
    try:
        yield from _measured(context, folder)
    except OSError as exc:
        yield Check("disk.sync", None, f"could not be checked because nothing can be written: {exc.strerror}",
                    "Run it as root or as the box's user; see whether the disk is full.")  # fmt: skip


def _existing(folder: Path) -> Path:
    return next((each for each in (folder, *folder.parents) if os.access(each, os.F_OK)), Path("/"))


def mount_of(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> tuple[str, str, str, str] | None:
    """Mount point, file system, all options, device (proc(5)); of several at one place the last."""
    number = folder.stat().st_dev
    found = None
    for line in text_of(mounts).splitlines():
        left, _, right = line.partition(" - ")
        words, more = left.split(), right.split()
        if len(words) > 5 and len(more) > 2 and words[2] == f"{os.major(number)}:{os.minor(number)}":
            found = (words[4], more[0], f"{words[5]},{more[2]}", more[1])
    return found


def _block(folder: Path) -> Path | None:
    """The whole disk's folder in /sys; None for what is no block device."""
    number = folder.stat().st_dev
    part = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    with contextlib.suppress(OSError):
        part = part.resolve(strict=True)
        return part.parent if (part / "partition").exists() else part
    return None


def _sort(folder: Path) -> str:
    block = _block(folder)
    turning = text_of(block / "queue" / "rotational") if block is not None else ""
    model = text_of(block / "device" / "model") if block is not None else ""
    kind = {"0": "flash", "1": "turning disk"}.get(turning, "")
    return "".join(f", {part}" for part in (model, kind) if part)


def _worn(folder: Path) -> Iterator[Check]:
    """Of eMMC, which says itself how much of its life is used, in tenths (JESD84-B51, DEVICE_LIFE_TIME_EST)."""
    block = _block(folder)
    said = text_of(block / "device" / "life_time") if block is not None else ""
    with contextlib.suppress(ValueError):
        if tenths := max((int(word, 16) for word in said.split()), default=0):
            text = f"{(tenths - 1) * 10} to {tenths * 10} % of its life are used"
            yield Check("disk.wear", tenths < 9, text, "Have it replaced soon; what archives have is safe.")


def _measured(context: Context, folder: Path) -> Iterator[Check]:
    for stale in folder.glob(f"{_TRY}*"):
        stale.unlink(missing_ok=True)
    stat = os.statvfs(folder)
    if stat.f_bavail * stat.f_frsize < _NEEDED_FREE:
        yield Check(
            "disk.sync", None, "could not be checked because too little is free", "Free space on that disk."
        )
        return
    path = folder / f"{_TRY}{os.getpid()}"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        begun = time.monotonic()
        times: list[float] = []
        while len(times) < SYNCS and time.monotonic() - begun < SECONDS / 2:
            os.write(file, os.urandom(SYNC_BYTES))
            before = time.monotonic()
            os.fsync(file)
            times.append((time.monotonic() - before) * 1000)
        half, most, worst = (part(sorted(times), share) for share in (0.5, 0.95, 1.0))
        text = f"fsync takes {half:.1f} ms (half of them), {most:.1f} ms (95 of 100), {worst:.0f} ms at most"
        good = most <= SYNC_P95_MS and worst <= SYNC_WORST_MS
        yield Check("disk.sync", good, f"{text}; {SYNC_P95_MS:.0f} ms are needed", _SLOW)
        block, written = os.urandom(1 << 20), 0
        begun = time.monotonic()
        while written < WRITE_BYTES and time.monotonic() - begun < SECONDS / 2:
            os.write(file, block)
            os.fdatasync(file)
            written += len(block)
        rate = written / max(1e-6, time.monotonic() - begun)
    finally:
        os.close(file)
        path.unlink(missing_ok=True)
    needed = _HEADROOM * sum(item.bitrate for item in context.settings.sources) / 8
    text = f"writes {rate / 1e6:.0f} MB/s; {needed / 1e6:.0f} MB/s are needed for all sources"
    yield Check("disk.speed", rate >= needed, text, _SLOW)


_SLOW: Final = "See what else writes there; a card or disk that is worn out or old is slow: have it replaced."


def part(ordered: list[float], share: float) -> float:
    """The value below which that share of them lies (nearest rank)."""
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]
