"""Real clips for the tests of media children, made by ffmpeg, and what ffmpeg says is in a clip."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.media.tsmux import TsMuxer
from smartbox_tui.media.units import Clip

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg")

H264 = "-c:v libx264 -preset ultrafast -tune zerolatency -x264-params 8x8dct=1:keyint=15:bframes=0:aud=1:scenecut=0"
HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=none:bframes=0:keyint=15:aud=1:repeat-headers=1"
MPEG2 = "-c:v mpeg2video -b:v 4M -maxrate 6M -bufsize 1835008 -bf 0 -g 12"
CODECS = {"h264": H264, "hevc": HEVC, "mpeg2": MPEG2}


def clip(path: Path, codec: str = H264, size: str = "320x240", rate: str = "30", frames: int = 45) -> Path:
    """A moving picture, made by ffmpeg; the container follows from the name."""
    command = f"ffmpeg -v error -y -f lavfi -i testsrc2=size={size}:rate={rate} -frames:v {frames} -pix_fmt yuv420p"
    form = {"ts": "mpegts", "mp4": "mp4"}[path.suffix[1:]]
    subprocess.run([*command.split(), *codec.split(), "-f", form, str(path)], check=True)
    return path


def ours(path: Path, made: Path, times_ns: list[int] | None = None) -> Path:
    """The frames of a clip, without B-frames, as capture writes them: `media.tsmux`, at these times."""
    with Clip(made) as source, path.open("wb") as out:
        mux = TsMuxer(source.codec)
        for number, unit in enumerate(source.units()):
            at = times_ns[number] if times_ns else number * 1_000_000_000 // 30
            out.write(mux.access_unit(unit.data, at, idr=unit.key))
    return path


def pictures(path: Path, length: int | None = None) -> list[str]:
    """The hash of each decoded frame, by ffmpeg."""
    source = ["-i", str(path)] if length is None else ["-i", f"subfile,,start,0,end,{length},,:{path}"]
    command = ["ffmpeg", "-v", "error", *source, "-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not done.stderr
    return [line.rsplit(",", 1)[1].strip() for line in done.stdout.splitlines() if not line.startswith("#")]


def times(path: Path) -> list[float]:
    """When each frame is shown, in seconds, in the order of showing."""
    frames = probed(path, "-show_frames", "-show_entries", "frame=pts_time")["frames"]
    return [float(frame["pts_time"]) for frame in frames]


def probed(path: Path, *what: str) -> Any:
    command = ["ffprobe", "-v", "warning", *(what or ("-count_frames", "-show_streams")), "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not done.stderr
    return json.loads(done.stdout)
