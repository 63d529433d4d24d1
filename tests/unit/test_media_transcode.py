"""Clips in another codec: legal for DICOM, the same pictures at the same times, and never half made."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from smartbox_tui.commands.media_files import hidden, making
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media import mpeg2
from smartbox_tui.media.encoding import bitrate_for, plan_for
from smartbox_tui.media.made import Made
from smartbox_tui.media.transcode import transcode
from smartbox_tui.media.units import Clip
from smartbox_tui.model.instance import H264_HP_41, H264_HP_42_2D, MPEG2_MPHL, MPEG2_MPML
from tests.support.clips import H264, HEVC, MPEG2, clip, needs_ffmpeg, ours, probed, times

pytestmark = needs_ffmpeg

ROOT = Path(__file__).parents[2]


def transcoded(source: Path, out: Path, codec: str, most: int = 0) -> Made:
    with Clip(source) as opened, making(out) as (path, file):
        return transcode(opened, codec, most, path, file)


def child(*arguments: str) -> tuple[int, Any]:
    command = [sys.executable, "-m", "smartbox_tui.cli", "media", *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, check=False)
    return done.returncode, json.loads(done.stdout)


def lumas(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


def difference(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - two).mean())


def units(path: Path) -> list[tuple[bytes, bool]]:
    with Clip(path) as opened:
        return [(unit.data, unit.key) for unit in opened.units()]


@pytest.mark.parametrize(
    ("size", "rate", "syntax", "level"),
    [
        ("320x240", "30", MPEG2_MPML, mpeg2.LEVEL_MAIN),
        ("720x576", "25", MPEG2_MPML, mpeg2.LEVEL_MAIN),
        ("640x480", "30000/1001", MPEG2_MPML, mpeg2.LEVEL_MAIN),
        ("1280x720", "50", MPEG2_MPHL, mpeg2.LEVEL_HIGH),
        ("1920x1080", "25", MPEG2_MPHL, mpeg2.LEVEL_HIGH),
    ],
)
@pytest.mark.parametrize("codec", [H264, HEVC])
def test_mpeg2_within_its_level(tmp_path: Path, codec: str, size: str, rate: str, syntax: str, level: int) -> None:
    source = clip(tmp_path / "a.ts", codec, size, rate, frames=33)
    made = transcoded(source, tmp_path / "b.ts", "mpeg2")
    assert (made.transfer_syntax_uid, made.frames, made.dropped, made.repeated) == (syntax, 33, 0, 0)
    assert f"{made.width}x{made.height}" == size
    assert Fraction(made.fps_num, made.fps_den) == Fraction(rate)
    (stream,) = probed(tmp_path / "b.ts")["streams"]
    assert (stream["codec_name"], stream["profile"], stream["level"]) == ("mpeg2video", "Main", level)
    assert stream["nb_read_frames"] == "33"
    assert stream["sample_aspect_ratio"] == "1:1"
    before, after = times(source), times(tmp_path / "b.ts")
    assert [round((at - before[0]) * 90_000) for at in before] == pytest.approx(
        [round((at - after[0]) * 90_000) for at in after], abs=1
    )
    for one, two in zip(lumas(source), lumas(tmp_path / "b.ts"), strict=True):
        assert difference(one, two) < 6
    found = units(tmp_path / "b.ts")
    keys = [number for number, (_, key) in enumerate(found) if key]
    assert max(after - before for before, after in pairwise([*keys, len(found)])) <= 15
    for data, key in found:
        assert mpeg2.picture_type(data) == ("I" if key else "P")
        if key:
            told = mpeg2.find_sequence(data)
            assert told is not None
            assert mpeg2.closed_gop(data)
            assert told.bitrate <= mpeg2.BOUNDS[level].bitrate
            assert told.vbv_bits <= mpeg2.BOUNDS[level].vbv_bits
            assert told.wide == (syntax == MPEG2_MPHL), "PS3.5 8.2.6: aspect_ratio_information is 0011"
            assert told.aspect == 1


def test_a_picture_of_no_legal_size_gets_black_borders(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.ts", size="800x600", rate="25", frames=10)
    made = transcoded(source, tmp_path / "b.ts", "mpeg2")
    assert (made.width, made.height, made.transfer_syntax_uid) == (1280, 720, MPEG2_MPHL)
    first, second = lumas(source)[3], lumas(tmp_path / "b.ts")[3]
    assert difference(first, second[60:660, 240:1040]) < 6
    assert second[:50].mean() < 20
    assert second[:, :230].mean() < 20


def test_a_larger_picture_is_made_smaller(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.ts", size="2560x1600", rate="30", frames=6)
    made = transcoded(source, tmp_path / "b.ts", "mpeg2")
    assert (made.width, made.height, made.frames) == (1920, 1080, 6)


def test_sixty_frames_of_full_hd_become_thirty(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.ts", size="1920x1080", rate="60", frames=20)
    made = transcoded(source, tmp_path / "b.ts", "mpeg2")
    assert (made.frames, made.dropped, made.repeated) == (10, 10, 0)
    assert (made.fps_num, made.fps_den) == (30, 1)
    after = times(tmp_path / "b.ts")
    assert after[-1] - after[0] == pytest.approx(18 / 60, abs=0.001)


@pytest.mark.parametrize(
    ("rate", "into", "frames", "out"),
    [("15", Fraction(30), 30, 60), ("24", Fraction(25), 48, 50), ("10", Fraction(30), 20, 60), ("20", 25, 40, 50)],
)
def test_a_rate_without_a_code_keeps_its_time(
    tmp_path: Path, rate: str, into: Fraction, frames: int, out: int
) -> None:
    source = clip(tmp_path / "a.ts", size="320x240", rate=rate, frames=frames)
    made = transcoded(source, tmp_path / "b.ts", "mpeg2")
    assert Fraction(made.fps_num, made.fps_den) == into
    assert abs(made.frames - out) <= 1
    assert made.frames == frames - made.dropped + made.repeated
    assert made.dropped == 0
    steps = [after - before for before, after in pairwise(times(tmp_path / "b.ts"))]
    assert steps == pytest.approx([float(1 / into)] * len(steps), abs=0.001)
    before, after = lumas(source), lumas(tmp_path / "b.ts")
    for number, picture in enumerate(after):
        shown = (number + 0.5) / float(into) * float(rate)
        assert difference(picture, before[min(int(shown), frames - 1)]) < 6, number


@pytest.mark.parametrize("rate", ["30", "15"])
def test_gaps_stay_gaps_and_no_frame_is_invented(tmp_path: Path, rate: str) -> None:
    step = 1_000_000_000 // int(rate)
    at = [number * step + (3_000_000_000 if number > 20 else 0) for number in range(40)]
    source = ours(tmp_path / "a.ts", clip(tmp_path / "made.ts", rate=rate, frames=40), at)
    made = transcoded(source, tmp_path / "b.ts", "mpeg2")
    assert abs(made.frames - (40 if rate == "30" else 80)) <= 2
    after = times(tmp_path / "b.ts")
    (gap,) = [two - one for one, two in pairwise(after) if two - one > 0.1]
    assert gap == pytest.approx(3 + 1 / 30, abs=0.001)
    found = units(tmp_path / "b.ts")
    behind = next(number for number, (one, two) in enumerate(pairwise(after)) if two - one > 0.1) + 1
    assert found[behind][1], "after a gap a GOP begins"


@pytest.mark.parametrize(
    ("source_codec", "size", "rate", "syntax"),
    [
        (MPEG2, "720x576", "25", H264_HP_41),
        (HEVC, "1920x1080", "30", H264_HP_41),
        ("-c:v libx264 -profile:v baseline -preset ultrafast", "640x480", "30", H264_HP_41),
        (H264, "1920x1080", "60", H264_HP_42_2D),
    ],
)
@pytest.mark.parametrize("container", ["ts", "mp4"])
def test_h264_high_profile(
    tmp_path: Path, source_codec: str, size: str, rate: str, syntax: str, container: str
) -> None:
    source = clip(tmp_path / "a.ts", source_codec, size, rate, frames=40)
    out = tmp_path / f"b.{container}"
    status, made = child("transcode", str(source), "--codec", "h264", "--container", container, "--out", str(out))
    assert status == 0, made
    assert (made["transfer_syntax_uid"], made["frames"], made["media"]) == (syntax, 40, f"h264-{container}")
    (stream,) = probed(out)["streams"]
    assert (stream["profile"], stream["nb_read_frames"]) == ("High", "40")
    assert stream["level"] == (41 if syntax == H264_HP_41 else 42)
    kinds = probed(out, "-show_frames", "-show_entries", "frame=pict_type,key_frame")["frames"]
    assert {frame["pict_type"] for frame in kinds} == {"I", "P"}
    for one, two in zip(lumas(source), lumas(out), strict=True):
        assert difference(one, two) < 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ts", out.name]


def test_fields_and_oblong_pixels_become_frames_and_square_ones(tmp_path: Path) -> None:
    options = "-c:v libx264 -preset ultrafast -x264-params interlaced=1:bframes=0 -vf setsar=64/45,setfield=tff"
    source = clip(tmp_path / "a.ts", options, "720x576", "25", frames=20)
    made = transcoded(source, tmp_path / "b.ts", "mpeg2")
    assert made.frames == 20
    assert (made.width, made.height) == (1280, 720)
    (stream,) = probed(tmp_path / "b.ts")["streams"]
    assert stream["sample_aspect_ratio"] == "1:1"
    assert stream["field_order"] == "progressive"
    picture = lumas(tmp_path / "b.ts")[5]
    assert picture[72:648, 128:1152].std() > 20
    assert picture[:70].mean() < 20


def test_full_range_becomes_limited(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.ts", H264 + " -vf scale=out_range=full -color_range pc", frames=6)
    transcoded(source, tmp_path / "b.ts", "mpeg2")
    with av.open(str(source)) as one, av.open(str(tmp_path / "b.ts")) as two:
        before = next(one.decode(video=0)).to_ndarray(format="rgb24")
        after = next(two.decode(video=0)).to_ndarray(format="rgb24")
    assert difference(before, after) < 8


def test_what_is_too_large_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.ts", size="1280x720", frames=60)
    with pytest.raises(SmartBoxError) as caught:
        transcoded(source, tmp_path / "b.ts", "mpeg2", 200_000)
    assert caught.value.code == "invalid-object"
    assert "max_instance_bytes" in caught.value.hint
    made = transcoded(source, tmp_path / "b.ts", "mpeg2", 2_600_000)
    assert made.bytes <= 2_600_000
    (tmp_path / "b.ts").unlink()
    arguments = (
        "--codec",
        "mpeg2",
        "--container",
        "mp4",
        "--max-bytes",
        "200000",
        "--out",
        str(tmp_path / "b.mp4"),
    )
    status, value = child("transcode", str(source), *arguments)
    assert (status, value["error"]["code"]) == (1, "invalid-object")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ts"]


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.3])
def test_a_damaged_clip_is_a_sentence(tmp_path: Path, keep: float) -> None:
    data = bytearray(ours(tmp_path / "made.ts", clip(tmp_path / "x.ts")).read_bytes())
    source = tmp_path / "a.ts"
    if keep == 0.3:  # random bytes in the pictures, the packets whole
        noise = np.random.default_rng(3).integers(0, 256, len(data), dtype=np.uint8).tobytes()
        for at in range(len(data) // 3 // 188 * 188, len(data) // 2, 188):
            data[at + 60 : at + 180] = noise[at + 60 : at + 180]
        source.write_bytes(data)
    else:
        source.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(SmartBoxError) as caught:
        transcoded(source, tmp_path / "b.ts", "mpeg2")
    assert caught.value.code == "invalid-object"
    assert not (tmp_path / "b.ts").exists()


def test_plans() -> None:
    assert plan_for("h264", 3840, 2160, Fraction(30)).form.height < 1200
    assert plan_for("h264", 1920, 1080, Fraction(120)).form.every == 2
    assert plan_for("mpeg2", 3840, 2160, Fraction(60)).form.fps == 30
    assert plan_for("mpeg2", 640, 481, Fraction(30)).form.height == 480
    with pytest.raises(ValueError, match="rate"):
        plan_for("mpeg2", 640, 480, Fraction(0))
    plan = plan_for("mpeg2", 1920, 1080, Fraction(30))
    assert bitrate_for(plan, "h264", 8_000_000, 0, Fraction(60)) == 20_000_000
    assert bitrate_for(plan, "h264", 60_000_000, 0, Fraction(60)) == 80_000_000
    with pytest.raises(ValueError, match="few"):
        bitrate_for(plan, "h264", 8_000_000, 10_000_000, Fraction(60))


@pytest.mark.parametrize("container", ["ts", "mp4"])
def test_a_killed_child_leaves_only_hidden_files_and_the_next_one_clears_them(
    tmp_path: Path, container: str
) -> None:
    source = clip(tmp_path / "a.ts", size="1280x720", frames=90)
    out = tmp_path / f"b.{container}"
    arguments = ("transcode", str(source), "--codec", "mpeg2", "--container", container, "--out", str(out))
    command = [sys.executable, "-m", "smartbox_tui.cli", "media", *arguments, "--json"]
    for delay in (0.0, 0.15):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
        while not hidden(out).exists() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(delay)
        process.kill()
        process.communicate()
        names = {path.name for path in tmp_path.iterdir()} - {"a.ts", out.name}
        assert all(name.startswith(".") for name in names)
    status, made = child(*arguments)
    assert (status, made["frames"]) == (0, 90)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ts", out.name]
