"""Capture's numbers: frames lost, trigger to disk while recording, memory, time to the first frame.

    python -m tests.bench.capture_bench [--seconds 60] [--stills 40] [--size 1920x1080] [--fps 30]
                                         [--codec h264|mpeg2|hevc] [--load N]

Prints one JSON object. `--load N` keeps N other processes busy meanwhile, as sending and screens would.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.capture.rig import Process, probe


def _busy() -> None:
    while True:
        sum(range(100_000))


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1)


def _memory_mb(pid: int) -> dict[str, float]:
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    return {
        "rss_mb": round(int(fields["VmRSS"].split()[0]) / 1024, 1),
        "peak_mb": round(int(fields["VmHWM"].split()[0]) / 1024, 1),
    }


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(
    root: Path, seconds: float, stills: int, size: str, fps: int, preroll_s: float, codec: str
) -> dict[str, Any]:
    """Records for `seconds` with `stills` taken meanwhile, evenly spread."""
    box = Process(root, size=size, keys=f'fps = {fps}\ncodec = "{codec}"')
    box.config.write_text(box.config.read_text().replace("preroll_s = 1.0", f"preroll_s = {preroll_s}"))
    begun = time.monotonic()
    child = box.start()
    first_frame_s = time.monotonic() - begun
    time.sleep(preroll_s + 1)
    idle = box.status()["sources"][0]["frames_lost"]
    started = time.monotonic()
    cpu = _cpu_s(child.pid)
    box.command("record-start")
    start_ms = (time.monotonic() - started) * 1000
    told: list[float] = []
    answered: list[float] = []
    for index in range(stills):
        time.sleep(max(0, started + seconds * (index + 0.5) / stills - time.monotonic()))
        before = time.monotonic()
        told.append(box.command("still")["instance"]["trigger_to_disk_ms"])
        answered.append((time.monotonic() - before) * 1000)
    time.sleep(max(0, started + seconds - time.monotonic()))
    cpu = (_cpu_s(child.pid) - cpu) / (time.monotonic() - started)
    memory = _memory_mb(child.pid)
    before = time.monotonic()
    stopped = box.command("record-stop")
    stop_ms = (time.monotonic() - before) * 1000
    lost_in_all = box.status()["sources"][0]["frames_lost"]
    box.end()
    clips = [each for each in box.sidecars() if each.kind == "clip"]
    counted = sum(int(probe(box.bitstream(each))["nb_read_frames"]) for each in clips)
    return {
        "codec": codec,
        "size": size,
        "fps": fps,
        "seconds": seconds,
        "frames": stopped["frames"],
        "frames_counted": counted,
        "frames_lost": stopped["frames_lost"],
        "frames_lost_before_recording": idle,
        "frames_lost_in_all": lost_in_all,
        "first_frame_s": round(first_frame_s, 2),
        "record_start_ms": round(start_ms, 1),
        "record_stop_ms": round(stop_ms, 1),
        "stills": stills,
        "trigger_to_disk_ms": {
            "p50": round(statistics.median(told), 1),
            "p95": _percentile(told, 0.95),
            "max": round(max(told), 1),
        },
        "answer_ms": {"p50": round(statistics.median(answered), 1), "p95": _percentile(answered, 0.95)},
        "cpu_cores": round(cpu, 2),
        **memory,
    }


def main(argv: list[str]) -> int:
    """Prints the JSON; 0, or 1 when a bar of DESIGN section 8 is missed."""
    parser = argparse.ArgumentParser(prog="capture_bench")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--stills", type=int, default=40)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--preroll", type=float, default=10)
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--load", type=int, default=0)
    options = parser.parse_args(argv)
    others = [multiprocessing.Process(target=_busy, daemon=True) for _ in range(options.load)]
    for other in others:
        other.start()
    try:
        with tempfile.TemporaryDirectory() as root:
            result = measure(
                Path(root),
                options.seconds,
                options.stills,
                options.size,
                options.fps,
                options.preroll,
                options.codec,
            )
    finally:
        for other in others:
            other.kill()
    print(json.dumps(result | {"load": options.load}))
    good = (
        result["frames_lost"] == 0
        and result["frames"] == result["frames_counted"]
        and result["trigger_to_disk_ms"]["p95"] <= 150
        and result["peak_mb"] <= 250
        and result["first_frame_s"] <= 2
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
