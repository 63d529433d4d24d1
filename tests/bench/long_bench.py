"""A recording of three hours faster than real time: the real recorder and muxer, a looped real stream, a real disk.

    python -m tests.bench.long_bench [--hours 3] [--cap 2147483648] [--codec h264|mpeg2|hevc] [--folder DIR]

Each part is read back in a process of its own when it is closed (whole, counted, hashed, its first and last frame
numbers decoded), then removed, so that no more than three lie on the disk. Prints one JSON object; 1 when a frame
is missing or doubled, a part cannot be played by itself, or memory grows.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import av
import numpy as np

from hw.base import Frame, PixelFormat, VideoFormat
from hw.video.mucosa import Mucosa
from hw.video.strip import draw_strip, read_strip, strip_size
from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.clock import NS
from smartbox_tui.capture.convert import Converter
from smartbox_tui.capture.encoder import Encoder
from smartbox_tui.capture.recorder import Recorder
from smartbox_tui.capture.recordings import MOST_BYTES
from smartbox_tui.media import ts
from smartbox_tui.media.encoders import CODECS
from smartbox_tui.media.tsmux import CLOCK_HZ, PACKET
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.spool.sidecar import Sidecar, SidecarState
from smartbox_tui.wire.current import boot_id

FPS: Final = 30
LOOP: Final = 300
"""Frames of the looped stream; whole GOPs of all codecs, so that its end is followed by its beginning."""

_WAITING: Final = 8 << 20
_TAIL: Final = PACKET * 60_000
_GROWTH_MB: Final = 48
_WARM: Final = 0.1


def looped(codec: str, width: int, height: int, bits_per_s: int = 8_000_000) -> list[AccessUnit]:
    """The test pattern, LOOP frames of it in a row, encoded as capture does, at whatever speed this machine has."""
    form = VideoFormat(PixelFormat.I420, width, height, Fraction(FPS), full_range=False)
    encoder = Encoder(CODECS[codec], form, CODECS[codec].plan(width, height, form.fps), bits_per_s)
    pattern = Mucosa(width, height)
    pattern.neutralise(*strip_size(width))
    converter, units = Converter(), []
    for number in range(LOOP):
        data = pattern.draw(number / FPS)
        luma = np.frombuffer(data, np.uint8)[: width * height].reshape(height, width)
        draw_strip(luma, number, number * 1000 // FPS)
        picture = converter.to_video(Frame(data, form, number, 0, number * NS // FPS))
        units.append(encoder.encode(picture, number * NS // FPS, 0, idr=not number))
    return units


def checked(path: Path) -> dict[str, Any]:
    """What a closed part holds, read from the file alone."""
    scan = ts.scan(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        head = file.read(_TAIL)
        file.seek(max(0, (path.stat().st_size - _TAIL) // PACKET * PACKET))
        tail = file.read()
        file.seek(0)
        while block := file.read(1 << 20):
            digest.update(block)
    assert scan.first_pts is not None
    assert scan.last_pts is not None
    return {
        "whole": scan.whole,
        "frames": scan.frames,
        "ticks": scan.last_pts - scan.first_pts,
        "sha256": digest.hexdigest(),
        "first": _numbers(head, most=2)[0],
        "last": _numbers(tail)[-1],
    }


def _numbers(stream: bytes, most: int = 1 << 30) -> list[int]:
    """The frame numbers in a piece of a transport stream, from the first GOP that begins in it on."""
    found: list[int] = []
    with av.open(io.BytesIO(stream), format="mpegts") as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:, : plane.width]
            strip = read_strip(luma)
            if strip.ok:
                found.append(strip.number)
            if len(found) >= most:
                break
    return found


class Checker:
    """Reads each closed part back and removes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: queue.Queue[Sidecar | None] = queue.Queue()
        self.done: list[tuple[Sidecar, dict[str, Any]]] = []
        self.waiting = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def begun(self, sidecar: Sidecar) -> None:
        """Called by the recorder for each part, new or closed."""
        if sidecar.state is SidecarState.CLOSED:
            self.waiting += 1
            self._parts.put(sidecar)

    def end(self) -> None:
        self._parts.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (sidecar := self._parts.get()) is not None:
            path = self._folder / sidecar.file
            answer = subprocess.run(
                [sys.executable, "-m", "tests.bench.long_bench", "--check", str(path)],
                capture_output=True,
                text=True,
                check=True,
            )
            self.done.append((sidecar, json.loads(answer.stdout)))
            path.unlink()
            self.waiting -= 1


def record(folder: Path, codec: str, hours: float, cap: int) -> dict[str, Any]:
    """Records `hours` into `folder` and answers what was found."""
    units = looped(codec, 1920, 1080)
    total = int(hours * 3600 * FPS)
    exam = str(uuid4())
    place = exam_dir(folder, exam)
    place.mkdir(parents=True)
    checker = Checker(place)
    base_ns = time.monotonic_ns()
    recorder = Recorder(
        place,
        _sidecar(exam, base_ns),
        max_bytes=min(cap, MOST_BYTES) - (64 << 10),
        begun=checker.begun,
        ended=lambda _recorder, reason: print(reason, file=sys.stderr, end=""),
        drained=lambda: True,
    )

    def unit(number: int) -> AccessUnit:
        each = units[number % LOOP]
        return AccessUnit(each.data, base_ns + number * NS // FPS, each.idr, 0, units[0].stream)

    started = time.monotonic()
    recorder.preload([unit(number) for number in range(FPS)])
    recorder.start()
    warm_mb, peak_mb = 0.0, 0.0
    for number in range(FPS, total + 1):
        if number % FPS == 0:
            while recorder.waiting_bytes > _WAITING or checker.waiting > 1:
                time.sleep(0.002)
            now_mb = _rss_mb()
            if number < total * _WARM:
                warm_mb = max(warm_mb, now_mb)
            peak_mb = max(peak_mb, now_mb)
        recorder.feed(unit(number))  # the last one is past the stop: it says that all before are here
    parts = recorder.stop(base_ns + (total - 1) * NS // FPS, str(uuid4()))
    seconds = time.monotonic() - started
    checker.end()
    return _judged(checker.done, parts, units, total) | {
        "codec": codec,
        "hours": hours,
        "cap": cap,
        "bytes": sum(part.bytes for part in parts),
        "rss_warm_mb": round(warm_mb, 1),
        "rss_peak_mb": round(peak_mb, 1),
        "rss_growth_mb": round(max(0.0, peak_mb - warm_mb), 1),
        "seconds": round(seconds, 1),
        "speed_factor": round(hours * 3600 / seconds, 1),
    }


def _judged(
    done: list[tuple[Sidecar, dict[str, Any]]], parts: list[Sidecar], units: list[AccessUnit], total: int
) -> dict[str, Any]:
    """What is wrong is listed, each with the part's number."""
    wrong = []
    seams = 0
    offset = done[0][1]["first"] if done else 0
    at = 0
    for (sidecar, found), part in zip(done, parts, strict=True):
        ticks = (sidecar.frames - 1) * CLOCK_HZ / FPS
        for what, good in (
            ("index", sidecar.part == part.part == len([each for each in parts if each.part < part.part])),
            ("whole", found["whole"] and found["frames"] == sidecar.frames),
            ("hash", found["sha256"] == sidecar.sha256),
            ("times", abs(found["ticks"] - ticks) <= 1),
            ("duration", abs((sidecar.duration_s or 0) - sidecar.frames / FPS) < 0.002),
            ("first frame", (found["first"] - offset) % LOOP == at % LOOP),
            ("last frame", (found["last"] - offset) % LOOP == (at + sidecar.frames - 1) % LOOP),
            ("begin", abs(sidecar.frame_ns - parts[0].frame_ns - at * NS // FPS) <= 1),
        ):
            if not good:
                wrong.append(f"part {sidecar.part}: {what}")
        at += sidecar.frames
        seams += sidecar.part > 0
    return {
        "parts": len(parts),
        "frames_in": total,
        "frames_out": at,
        "frames_lost": sum(part.frames_lost for part in parts),
        "seams_checked": seams,
        "wrong": wrong,
    }


def _sidecar(exam: str, at_ns: int) -> Sidecar:
    identity = str(uuid4())
    values: dict[str, Any] = {"id": identity, "exam": exam, "revision": 1, "source": "long", "kind": "clip"}
    values |= {"file": f"{identity}.ts", "state": SidecarState.PINNED, "command": identity, "trigger": "api"}
    values |= {"trigger_ns": at_ns, "frame_ns": at_ns, "captured_at": "", "boot_id": boot_id(), "clock": "trusted"}
    values |= {"width": 0, "height": 0, "fps_num": FPS, "fps_den": 1, "sop_class": "video-endoscopic"}
    return Sidecar(**values, sampling="420", media="")


def _rss_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def main(argv: list[str]) -> int:
    """Prints the JSON; 0, or 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="long_bench")
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--cap", type=int, default=MOST_BYTES)
    parser.add_argument("--codec", default="h264", choices=sorted(CODECS))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--check", type=Path)
    options = parser.parse_args(argv)
    if options.check:
        print(json.dumps(checked(options.check)))
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as root:
        if (free := shutil.disk_usage(root).free) < 4 * min(options.cap, MOST_BYTES):
            print(f"{free >> 20} MB are free on that disk: too few for four parts", file=sys.stderr)
            return 1
        result = record(Path(root), options.codec, options.hours, options.cap)
    print(json.dumps(result))
    good = (
        not result["wrong"]
        and result["frames_in"] == result["frames_out"]
        and not result["frames_lost"]
        and result["rss_growth_mb"] <= _GROWTH_MB
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
