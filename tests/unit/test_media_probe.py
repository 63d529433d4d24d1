"""What a file of video is: told as ffprobe tells it, whatever it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.probe import lines, probe
from smartbox_tui.model.instance import H264_HP_41, HEVC_MP_51, MPEG2_MPML
from tests.support.clips import H264, HEVC, MPEG2, clip, needs_ffmpeg, probed

pytestmark = needs_ffmpeg

ROOT = Path(__file__).parents[2]
SQUARE = " -vf setsar=1"


@pytest.mark.parametrize("suffix", ["ts", "mp4"])
@pytest.mark.parametrize(
    ("codec", "word", "profile", "syntax"),
    [
        (H264, "h264", "High", H264_HP_41),
        (HEVC, "hevc", "Main", HEVC_MP_51),
        (MPEG2, "mpeg2", "Main", MPEG2_MPML),
        ("-c:v libx264 -profile:v baseline -g 15 -bf 0", "h264", "Baseline", ""),
        ("-c:v libx264 -profile:v main -g 15 -bf 2", "h264", "Main", ""),
    ],
)
def test_as_ffprobe_tells_it(tmp_path: Path, suffix: str, codec: str, word: str, profile: str, syntax: str) -> None:
    path = clip(tmp_path / f"a.{suffix}", codec + SQUARE, "640x480", "30000/1001", 40)
    found = probe(path)
    (stream,) = probed(path)["streams"]
    assert (found.codec, found.profile, found.damage) == (word, profile, "")
    assert found.frames == int(stream["nb_read_frames"]) == 40
    assert found.fps == stream["r_frame_rate"] == "30000/1001"
    assert (found.width, found.height, found.level_idc) == (stream["width"], stream["height"], stream["level"])
    assert found.duration_s == pytest.approx(40 * 1.001 / 30, abs=0.001)
    assert (found.audio, found.sample_aspect, found.progressive) == (False, "1:1", True)
    assert found.gop_frames == (12 if word == "mpeg2" else 15)
    assert found.b_frames == ("-bf 2" in codec)
    assert found.transfer_syntax_uid == syntax
    assert bool(found.unfit) == (not syntax)
    assert found.bytes == path.stat().st_size
    assert "640x480" in lines(found)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("-c:v libx264 -profile:v high422 -pix_fmt yuv422p", "4:2:0"),
        ("-c:v libx265 -pix_fmt yuv420p10le -x265-params log-level=none", "8 bits"),
        (H264 + " -vf setsar=12/11", "square"),
        (MPEG2 + " -r 24", "24 frames"),
        ("-c:v libx264 -preset ultrafast -x264-params 8x8dct=1 -level 5.1", "level 5.1"),
    ],
)
def test_why_it_does_not_fit(tmp_path: Path, options: str, why: str) -> None:
    found = probe(clip(tmp_path / "a.mp4", options, frames=12))
    assert why in found.unfit
    assert found.damage == ""
    assert found.transfer_syntax_uid == ""


def test_interlaced_with_sound_and_quicktime(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", "-c:v libx264 -x264-params interlaced=1:bframes=0 -vf setfield=tff", frames=12)
    assert not probe(path).progressive
    sound = "-f lavfi -i sine -map 0 -map 1 -c:v copy -c:a aac -t 0.4 -f mov"
    subprocess.run(["ffmpeg", "-v", "error", "-i", path, *sound.split(), tmp_path / "b.mov"], check=True)
    found = probe(tmp_path / "b.mov")
    assert (found.audio, found.brand, found.container) == (True, "qt", "mp4")


@pytest.mark.parametrize(
    ("content", "container"),
    [
        (b"", ""),
        (b"no video" * 1000, ""),
        (bytes(5000), ""),
        (b"\x00\x00\x00\x18ftypisom" + bytes(500), ""),
        (b"\x00\x00\x00\x01\x67" + bytes(range(200)), "raw"),
        ((b"\x47\x1f\xff\x10" + bytes(184)) * 20, "ts"),
    ],
)
def test_whatever_it_is_it_is_told(tmp_path: Path, content: bytes, container: str) -> None:
    (tmp_path / "a").write_bytes(content)
    found = probe(tmp_path / "a")
    assert (found.container, found.codec, found.frames, found.transfer_syntax_uid) == (container, "", 0, "")
    assert found.unfit
    assert lines(found)


def test_a_torn_one_and_one_that_is_not_there(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:-3000])
    assert probe(path).damage
    with pytest.raises(SmartBoxError) as caught:
        probe(tmp_path / "none")
    assert caught.value.code == "not-found"


def test_the_child(tmp_path: Path) -> None:
    def ask(path: Path) -> tuple[int, Any]:
        command = [sys.executable, "-m", "smartbox_tui.cli", "media", "probe", str(path), "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, check=False)
        return done.returncode, json.loads(done.stdout)

    status, value = ask(clip(tmp_path / "a.ts"))
    assert (status, value["frames"], value["container"]) == (0, 45, "ts")
    status, value = ask(tmp_path / "none")
    assert (status, value["error"]["code"]) == (1, "not-found")
