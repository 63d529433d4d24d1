"""The media children: a clip of 2 GiB in the other container, and a minute of Full HD in MPEG2. Prints JSON.

    python -m tests.bench.media_bench [--mib 2048] [--seconds 20]

Each child runs as the engine starts it; time and peak memory are the child's own.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from smartbox_tui.media.tsmux import TsMuxer
from smartbox_tui.media.units import Clip
from tests.support.clips import clip

_CODEC = (
    "-c:v libx264 -preset ultrafast -tune zerolatency -b:v 8M -maxrate 8M -bufsize 8M "
    "-x264-params 8x8dct=1:keyint=30:bframes=0:aud=1:scenecut=0:nal-hrd=cbr"
)


def _looped(source: Path, out: Path, size: int) -> int:
    """Writes the source's frames again and again, time going on, up to `size` bytes; answers how many."""
    with Clip(source) as opened:
        units = [(unit.data, unit.key) for unit in opened.units()]
    mux, frames, written = TsMuxer(), 0, 0
    with out.open("wb", 1 << 20) as file:
        while written < size:
            for data, key in units:
                packets = mux.access_unit(data, frames * 1_001_000_000 // 30_000 * 1000, idr=key)
                file.write(packets)
                frames, written = frames + 1, written + len(packets)
    return frames


def _peak_kib(pid: int) -> int:
    """Not wait4's figure, which counts what the parent had when it forked."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")), 0)


def _child(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "smartbox_tui.cli", "media", *arguments, "--json"]
    begin = time.monotonic()
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while not select.select([process.stdout], [], [], 0.05)[0]:
            peak = max(peak, _peak_kib(process.pid))
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"media {arguments[0]} ended with {process.returncode}: {said.decode()}")
    answer = json.loads(said)
    return {
        "seconds": round(time.monotonic() - begin, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mib": round(peak / 1024, 1),
        "frames": answer["frames"],
        "bytes": answer["bytes"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="media_bench")
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="smartbox-media-") as name:
        folder = Path(name)
        source = clip(folder / "short.ts", _CODEC, "1920x1080", "30", options.seconds * 30)
        frames = _looped(source, folder / "long.ts", options.mib << 20)
        to_mp4 = ("remux", str(folder / "long.ts"), "--container", "mp4", "--out", str(folder / "long.mp4"))
        result["remux_ts_to_mp4"] = _child(*to_mp4)
        (folder / "long.ts").unlink()
        to_ts = ("remux", str(folder / "long.mp4"), "--container", "ts", "--out", str(folder / "long.ts"))
        result["remux_mp4_to_ts"] = _child(*to_ts)
        for remuxed in result.values():
            if remuxed["frames"] != frames:
                raise SystemExit(f"{remuxed['frames']} frames of {frames}")
        for codec in ("mpeg2", "h264"):
            arguments = ("transcode", str(source), "--codec", codec, "--container", "ts")
            made = _child(*arguments, "--out", str(folder / f"{codec}.ts"))
            made["frames_per_second"] = round(made["frames"] / made["seconds"], 1)
            result[f"transcode_1080p30_to_{codec}"] = made
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
