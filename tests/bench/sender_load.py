"""What the sender's benchmark sends, who takes it, and the commands that are compared."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
import simplejpeg

from smartbox_tui.media.tsmux import TsMuxer
from smartbox_tui.model.instance import H264_HP_41
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, write_sidecar
from smartbox_tui.wire.current import boot_id
from tests.bench.long_bench import FPS, LOOP, looped
from tests.support.box import PROGRAM
from tests.support.certificates import Authority, Pair
from tests.support.spooled import put_exam

WIDTH: Final = 1920
HEIGHT: Final = 1080
_NS: Final = 1_000_000_000
_TAKEN: Final = datetime.fromisoformat("2026-11-20T10:00:00.000+01:00")


# ---- what is sent


def still_of(size: int) -> bytes:
    """A 1080p picture as 4:2:2 baseline JPEG, as near to `size` bytes as its noise can be tuned."""
    random = np.random.default_rng(5)
    noise = random.normal(0, 1, (HEIGHT, WIDTH, 3))
    ramp = np.linspace(40, 200, WIDTH)[None, :, None]
    low, high, best = 0.0, 40.0, b""
    for _ in range(9):
        amplitude = (low + high) / 2
        picture = np.clip(ramp + amplitude * noise, 0, 255).astype(np.uint8)
        best = simplejpeg.encode_jpeg(picture, quality=80, colorspace="RGB", colorsubsampling="422")
        low, high = (amplitude, high) if len(best) < size else (low, amplitude)
    return best


def _put(folder: Path, exam: str, number: int, kind: str, suffix: str, data: bytes | Path, **more: Any) -> None:
    """A closed picture, as capture leaves it. `data`: the bitstream, or a file that is moved there."""
    identity = str(uuid4())
    path = folder / f"{identity}.{suffix}"
    if isinstance(data, Path):
        data.rename(path)
    else:
        path.write_bytes(data)
    values: dict[str, Any] = {"id": identity, "exam": exam, "revision": 1, "source": "endo", "kind": kind}
    values |= {"file": path.name, "state": SidecarState.CLOSED, "command": identity, "trigger": "api"}
    values |= {"trigger_ns": 1, "frame_ns": 1, "boot_id": boot_id(), "clock": "trusted"}
    values |= {"captured_at": (_TAKEN + timedelta(seconds=number)).isoformat(timespec="milliseconds")}
    values |= {"width": WIDTH, "height": HEIGHT, "fps_num": FPS, "fps_den": 1, "bytes": path.stat().st_size}
    write_sidecar(folder, Sidecar(**values, **more))


def put_stills(spool: Path, count: int, size: int) -> None:
    """Each with a comment segment of its own, so that no two are the same bytes."""
    exam = put_exam(spool)
    picture = still_of(size)
    for number in range(count):
        data = picture[:2] + b"\xff\xfe\x00\x06" + number.to_bytes(4, "big") + picture[2:]
        sha256 = hashlib.sha256(data).hexdigest()
        more = {"sampling": "422", "media": "jpeg", "sop_class": "vl-endoscopic", "sha256": sha256}
        _put(spool / exam, exam, number, "still", "jpg", data, **more)


def put_clip(spool: Path, size: int) -> None:
    """A recording of looped real frames in the box's own transport stream, just below `size` bytes."""
    exam = put_exam(spool)
    folder = spool / exam
    units = looped("h264", WIDTH, HEIGHT, bits_per_s=40_000_000)
    path, digest, frames, written = folder / "clip.made", hashlib.sha256(), 0, 0
    mux = TsMuxer("h264")
    largest = max(len(unit.data) for unit in units) + (64 << 10)
    with path.open("wb") as file:
        while written < size - largest:
            unit = units[frames % LOOP]
            data = mux.access_unit(unit.data, frames * _NS // FPS, idr=unit.idr)
            file.write(data)
            digest.update(data)
            written += len(data)
            frames += 1
    more: dict[str, Any] = {
        "sampling": "420",
        "media": "h264-ts",
        "sop_class": "video-endoscopic",
        "sha256": digest.hexdigest(),
    }
    more |= {"transfer_syntax_uid": H264_HP_41, "frames": frames, "duration_s": frames / FPS}
    _put(folder, exam, 0, "clip", "ts", path, **more)


class State:
    """A state folder whose spool holds the pictures; `fresh` makes every one of them new to the queue again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = folder / "spool"
        self.spool.mkdir(parents=True)

    def files(self, out: Path) -> list[Path]:
        """The objects as Part 10 files, by the box's own export; the headers are made by its own adoption."""
        smartbox("store", "rebuild", "--state", str(self.folder))
        smartbox("dicom", "export", "--state", str(self.folder), "--out", str(out))
        self.fresh()
        return sorted(out.glob("*.dcm"))

    def fresh(self) -> None:
        for path in (*self.folder.glob("smartbox.db*"), *self.spool.glob("*/ledger.jsonl")):
            path.unlink()


def smartbox(*arguments: str) -> Any:
    done = subprocess.run([*PROGRAM, *arguments, "--json"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{arguments[:2]} ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}"
        )
    return json.loads(done.stdout)


# ---- processes


@dataclass(frozen=True)
class Run:
    """A finished command: the wall time of the whole, its peak memory and what it printed."""

    seconds: float
    peak_mb: float
    text: str


def run(command: Sequence[str]) -> Run:
    """Raises RuntimeError when it fails: a comparison with one that stopped early is none."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watch = Peak(process.pid)
    text, errors = process.communicate()
    seconds = time.monotonic() - begin
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {errors[-500:]} {text[-500:]}")
    return Run(seconds, watch.end(), text)


class Peak:
    """The highest resident memory of a process (VmHWM), in MB, also of one that ends meanwhile."""

    def __init__(self, pid: int) -> None:
        self._path = Path(f"/proc/{pid}/status")
        self._peak_mb = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        with contextlib.suppress(OSError, IndexError):
            while True:
                self._peak_mb = int(self._path.read_text().split("VmHWM:")[1].split()[0]) / 1000
                if self._ended.wait(0.02):
                    return

    def end(self) -> float:
        self._ended.set()
        self._thread.join()
        return round(self._peak_mb, 1)


def load() -> float:
    return round(os.getloadavg()[0], 2)


def median_of(repeats: int, **tools: Callable[[], Any]) -> dict[str, list[Any]]:
    """Runs the tools in turn, `repeats` times; so a load that comes and goes meets them all alike."""
    found: dict[str, list[Any]] = {name: [] for name in tools}
    for number in range(repeats):
        names = list(tools)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            found[name].append(tools[name]())
    return found


def middle(values: Sequence[float]) -> float:
    return float(statistics.median(values))


# ---- the commands that are compared

LIST_OPTION: Final = {"still": "-xy", "clip": "-xn"}
"""What storescu is to propose for the kind of object."""


def storescu(port: int, aet: str, kind: str, files: Sequence[Path], *more: str) -> Run:
    option = LIST_OPTION[kind]
    return run(["storescu", "-aec", aet, "-R", option, *more, "127.0.0.1", str(port), *map(str, files)])


def at_once(parts: Sequence[tuple[int, Sequence[Path]]]) -> float:
    """Seconds until storescu has sent the stills of each (port, files), all at the same time."""
    begin = time.monotonic()
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(lambda part: storescu(part[0], "STORESCP", "still", part[1]), parts))
    return time.monotonic() - begin


def dcmsend(port: int, aet: str, files: Sequence[Path]) -> Run:
    return run(["dcmsend", "-aec", aet, "--decompress-never", "127.0.0.1", str(port), *map(str, files)])


def ours(port: int, aet: str, files: Sequence[Path], *more: str, host: str = "127.0.0.1") -> Run:
    command = [*PROGRAM, "--json", "dicom", "send", "--to", f"{host}:{port}:{aet}", *more, *map(str, files)]
    done = run(command)
    if (sent := json.loads(done.text)["sent"]) != len(files):
        raise RuntimeError(f"{sent} of {len(files)} were stored")
    return done


@dataclass(frozen=True)
class Certificates:
    authority: Path
    server: Pair

    @property
    def of_scp(self) -> list[str]:
        return ["+tls", str(self.server.key), str(self.server.cert), "-ic"]

    @property
    def of_scu(self) -> list[str]:
        return ["+tla", "+cf", str(self.authority)]

    @property
    def ours(self) -> list[str]:
        return ["--tls", "--ca-file", str(self.authority), "--tls-name", "localhost"]


def certificates(folder: Path) -> Certificates:
    authority = Authority(folder)
    return Certificates(authority.cert, authority.issue("localhost", "server", "DNS:localhost"))


@contextlib.contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """A folder for a peer; gone afterwards, for the disk's sake."""
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
