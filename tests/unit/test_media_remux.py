"""Clips in another container: every frame and its time, byte by byte, as ffmpeg sees it, and nothing half made."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smartbox_tui.commands import media_make
from smartbox_tui.commands.media_files import hidden, making
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media import remux as remux_module
from smartbox_tui.media.examine import examine
from smartbox_tui.media.made import Made
from smartbox_tui.media.mp4 import read_movie
from smartbox_tui.media.remux import remux
from smartbox_tui.media.tsmux import TsMuxer
from smartbox_tui.media.units import Clip
from tests.support.clips import CODECS, H264, clip, needs_ffmpeg, ours, pictures, probed, times

pytestmark = needs_ffmpeg

ROOT = Path(__file__).parents[2]


def remuxed(source: Path, out: Path, length: int | None = None) -> Made:
    with Clip(source, length) as opened, making(out) as (path, file):
        return remux(opened, out.suffix[1:], path, file)


def child(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "smartbox_tui.cli", "media", *arguments, "--json"]


def run(*arguments: str) -> tuple[int, Any]:
    done = subprocess.run(child(*arguments), stdout=subprocess.PIPE, cwd=ROOT, check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("codec", CODECS)
def test_ts_to_mp4_and_back_keeps_every_byte(tmp_path: Path, codec: str) -> None:
    captured = ours(tmp_path / "a.ts", clip(tmp_path / "made.ts", CODECS[codec], frames=45))
    made = remuxed(captured, tmp_path / "a.mp4")
    assert (made.frames, made.media, made.width, made.height) == (45, f"{codec}-mp4", 320, 240)
    assert Fraction(made.fps_num, made.fps_den) == 30
    assert made.bytes == (tmp_path / "a.mp4").stat().st_size
    assert made.sha256 == hashlib.sha256((tmp_path / "a.mp4").read_bytes()).hexdigest()
    assert pictures(tmp_path / "a.mp4") == pictures(captured)
    back = remuxed(tmp_path / "a.mp4", tmp_path / "b.ts")
    if codec == "hevc":  # x265 writes other start codes than x264
        assert pictures(tmp_path / "b.ts") == pictures(captured)
    else:
        assert (tmp_path / "b.ts").read_bytes() == captured.read_bytes()
    assert back.frames == 45


@pytest.mark.parametrize("codec", CODECS)
def test_what_a_player_reads_of_the_mp4(tmp_path: Path, codec: str) -> None:
    captured = ours(
        tmp_path / "a.ts", clip(tmp_path / "made.ts", CODECS[codec] + " -color_range pc -colorspace bt709")
    )
    remuxed(captured, tmp_path / "a.mp4")
    (stream,) = probed(tmp_path / "a.mp4")["streams"]
    assert stream["codec_tag_string"] == {"h264": "avc1", "hevc": "hvc1", "mpeg2": "mp4v"}[codec]
    assert (stream["nb_frames"], stream["nb_read_frames"], stream["start_time"]) == ("45", "45", "0.000000")
    assert stream["sample_aspect_ratio"] == "1:1"
    assert float(stream["duration"]) == pytest.approx(1.5, abs=0.001)
    if codec != "mpeg2":
        assert (stream["color_range"], stream["color_space"]) == ("pc", "bt709")
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "it plays while it loads"
    assert b"elst" not in data
    if codec != "mpeg2":
        assert b"colrnclx" in data
    movie = read_movie(lambda at, count: data[at : at + count], len(data))
    assert movie.front
    assert movie.track is not None
    assert (movie.track.timescale, movie.track.frames) == (90_000, 45)


def test_gaps_and_uneven_times_stay(tmp_path: Path) -> None:
    made = clip(tmp_path / "made.ts", frames=60)
    at, when = [], 0
    for number in range(60):
        at.append(when)
        when += 33_366_700 + (number * 7919 % 2000 - 1000) * 1000 + (2_500_000_000 if number == 31 else 0)
    captured = ours(tmp_path / "a.ts", made, at)
    remuxed(captured, tmp_path / "a.mp4")
    before, after = times(captured), times(tmp_path / "a.mp4")
    assert len(after) == 60
    assert after[0] == 0
    assert [round((each - before[0]) * 90_000) for each in before] == [round(each * 90_000) for each in after]
    assert after[32] - after[31] > 2.4
    remuxed(tmp_path / "a.mp4", tmp_path / "b.ts")
    assert (tmp_path / "b.ts").read_bytes() == captured.read_bytes()


def test_only_the_first_bytes_belong_to_it(tmp_path: Path) -> None:
    whole = ours(tmp_path / "a.ts", clip(tmp_path / "made.ts"))
    length = whole.stat().st_size
    with whole.open("ab") as file:
        file.write(whole.read_bytes() + bytes(5000))
    made = remuxed(whole, tmp_path / "a.mp4", length)
    assert made.frames == 45
    assert pictures(tmp_path / "a.mp4") == pictures(whole, length)
    with pytest.raises(SmartBoxError, match="shorter"):
        remuxed(whole, tmp_path / "b.mp4", 10 * length)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "a.ts", "made.ts"]


@pytest.mark.parametrize("target", ["ts", "mp4"])
def test_reordered_frames_of_others(tmp_path: Path, target: str) -> None:
    source = clip(tmp_path / "a.mp4", "-c:v libx264 -preset medium -bf 3", frames=50)
    made = remuxed(source, tmp_path / f"b.{target}")
    assert made.frames == 50
    assert pictures(tmp_path / f"b.{target}") == pictures(source)
    before, after = times(source), times(tmp_path / f"b.{target}")
    assert [round(at - before[0], 4) for at in before] == [round(at - after[0], 4) for at in after]
    if target == "mp4":
        assert after[0] == 0


def test_an_mp4_without_parameter_sets_in_its_frames_becomes_a_stream_that_can_be_entered_anywhere(
    tmp_path: Path,
) -> None:
    options = "-c:v libx264 -preset ultrafast -bf 0 -g 10 -flags +global_header"
    source = clip(tmp_path / "a.mp4", options, frames=30)
    remuxed(source, tmp_path / "a.ts")
    assert pictures(tmp_path / "a.ts") == pictures(source)
    data = (tmp_path / "a.ts").read_bytes()
    tables = [at for at in range(0, len(data), 188) if data[at + 1 : at + 3] == b"\x40\x00"]
    assert len(tables) == 3
    (tmp_path / "end.ts").write_bytes(data[tables[-1] :])
    assert pictures(tmp_path / "end.ts") == pictures(source)[20:]


def test_sound_is_left_out(tmp_path: Path) -> None:
    silent = clip(tmp_path / "silent.mp4", frames=30)
    sound = "-f lavfi -i sine -map 0 -map 1 -c:v copy -c:a aac -t 1"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(silent), *sound.split(), str(tmp_path / "a.mp4")], check=True
    )
    made = remuxed(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert made.frames == 30
    (stream,) = probed(tmp_path / "b.mp4")["streams"]
    assert stream["codec_type"] == "video"


def test_one_frame_alone(tmp_path: Path) -> None:
    captured = ours(tmp_path / "a.ts", clip(tmp_path / "made.ts", frames=1))
    made = remuxed(captured, tmp_path / "a.mp4")
    assert (made.frames, made.fps_num) == (1, 30)
    assert pictures(tmp_path / "a.mp4") == pictures(captured)
    remuxed(tmp_path / "a.mp4", tmp_path / "b.ts")
    assert (tmp_path / "b.ts").read_bytes() == captured.read_bytes()


@pytest.mark.parametrize("angle", ["90", "180"])
def test_a_turned_picture_is_refused(tmp_path: Path, angle: str) -> None:
    upright = clip(tmp_path / "a.mp4", frames=5)
    command = f"ffmpeg -v error -i {upright} -c copy -metadata:s:v rotate={angle} {tmp_path}/b.mp4"
    subprocess.run(command.split(), check=True)
    for target in ("c.ts", "c.mp4"):
        with pytest.raises(SmartBoxError, match="rotated"):
            remuxed(tmp_path / "b.mp4", tmp_path / target)
    assert remuxed(upright, tmp_path / "c.ts").frames == 5


# ---- damage


def _missing(data: bytes) -> bytes:
    middle = len(data) // 376 * 188
    return data[:middle] + data[middle + 188 * 5 :]


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("nothing", lambda data: b""),
        ("text", lambda data: b"no picture at all\n" * 2000),
        ("zeros", lambda data: bytes(188 * 50)),
        ("tables only", lambda data: data[: 188 * 2] * 4),
        ("a hole", _missing),
        ("no beginning", lambda data: data[188 * 3 :]),
        ("playlist", lambda data: b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/hostname\n" * 50),
    ],
)
def test_a_damaged_stream_is_a_sentence_and_leaves_nothing(tmp_path: Path, name: str, spoil: Any) -> None:
    data = ours(tmp_path / "made.ts", clip(tmp_path / "x.ts")).read_bytes()
    (tmp_path / "a.ts").write_bytes(spoil(data))
    with pytest.raises(SmartBoxError) as caught:
        remuxed(tmp_path / "a.ts", tmp_path / "a.mp4")
    assert caught.value.code == "invalid-object"
    assert str(tmp_path) not in caught.value.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ts", "made.ts", "x.ts"]


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.97])
def test_a_cut_mp4_is_told(tmp_path: Path, keep: float) -> None:
    source = clip(tmp_path / "a.mp4", H264 + " -movflags faststart")
    data = source.read_bytes()
    source.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(SmartBoxError) as caught:
        remuxed(source, tmp_path / "b.ts")
    assert caught.value.code == "invalid-object"
    assert not (tmp_path / "b.ts").exists()


@pytest.fixture(scope="module")
def sound_ones(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("sound")
    return [
        clip(folder / f"{codec}.{suffix}", options, "160x120", frames=12).read_bytes()
        for codec, options in CODECS.items()
        for suffix in ("mp4", "ts")
    ]


@given(
    st.integers(0, 5), st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8)), max_size=4)
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_wrong_it_is_remuxed_or_told(
    sound_ones: list[bytes], tmp_path: Path, which: int, patches: list[tuple[int, bytes]]
) -> None:
    data = bytearray(sound_ones[which])
    for place, patch in patches:
        at = len(data) - 1 - place % min(len(data), 3000) if place % 2 else place % len(data)
        data[at : at + len(patch)] = patch
    source = tmp_path / "a"
    source.write_bytes(data)
    out = tmp_path / ("b.ts" if which % 2 == 0 else "b.mp4")
    code = ""
    try:
        remuxed(source, out)
    except SmartBoxError as exc:
        code = exc.code
    assert code in ("", "invalid-object")
    assert out.exists() == (not code)
    assert not hidden(out).exists()
    out.unlink(missing_ok=True)


def test_a_change_of_format_within_is_told(tmp_path: Path) -> None:
    first, second = clip(tmp_path / "a.ts"), clip(tmp_path / "b.ts", size="640x480")
    with Clip(first) as one, Clip(second) as two, (tmp_path / "c.ts").open("wb") as out:
        mux, number = TsMuxer(), 0
        for opened in (one, two):
            for unit in opened.units():
                out.write(mux.access_unit(unit.data, number * 33_333_333, idr=unit.key))
                number += 1
    with pytest.raises(SmartBoxError, match="format changes"):
        remuxed(tmp_path / "c.ts", tmp_path / "c.mp4")


def test_a_result_that_is_not_the_same_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captured = ours(tmp_path / "a.ts", clip(tmp_path / "made.ts"))
    kept = remux_module.sample

    def worse(codec: str, units: list[bytes]) -> bytes:
        data = kept(codec, units)
        return data[:-1] + bytes((data[-1] ^ 1,))

    monkeypatch.setattr(remux_module, "sample", worse)
    with pytest.raises(SmartBoxError, match="not written as it should be"):
        remuxed(captured, tmp_path / "a.mp4")
    assert not (tmp_path / "a.mp4").exists()


# ---- the child


def test_the_child_answers_with_one_object(tmp_path: Path) -> None:
    captured = ours(tmp_path / "a.ts", clip(tmp_path / "made.ts"))
    length = str(captured.stat().st_size)
    out = tmp_path / "a.mp4"
    status, value = run("remux", str(captured), "--length", length, "--container", "mp4", "--out", str(out))
    assert status == 0
    assert value["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert (value["frames"], value["media"]) == (45, "h264-mp4")
    data = out.read_bytes()
    assert examine(lambda at, count: data[at : at + count], len(data)).frames == 45
    status, value = run("remux", str(tmp_path / "none.ts"), "--container", "mp4", "--out", str(out))
    assert (status, value["error"]["code"]) == (1, "not-found")
    status, value = run("remux", str(captured), "--container", "mp4", "--out", str(tmp_path / "no" / "a.mp4"))
    assert (status, value["error"]["code"]) == (1, "not-found")


def test_a_killed_child_leaves_a_hidden_file_that_the_next_one_takes_over(tmp_path: Path) -> None:
    captured = ours(tmp_path / "a.ts", clip(tmp_path / "made.ts", size="1280x720", frames=300))
    out = tmp_path / "a.mp4"
    arguments = ("remux", str(captured), "--container", "mp4", "--out", str(out))
    for delay in (0.0, 0.02, 0.1):
        process = subprocess.Popen(child(*arguments), stdout=subprocess.PIPE, cwd=ROOT)
        while not hidden(out).exists() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        names = {path.name for path in tmp_path.iterdir()} - {"a.ts", "made.ts"}
        assert names <= {out.name, hidden(out).name}
        if out.exists():  # it was faster
            assert len(pictures(out)) == 300
            out.unlink()
    status, value = run(*arguments)
    assert (status, value["frames"]) == (0, 300)
    assert not hidden(out).exists()


def test_a_child_that_is_told_to_end_clears_away(tmp_path: Path) -> None:
    captured = ours(tmp_path / "a.ts", clip(tmp_path / "made.ts", size="1280x720", frames=300))
    out = tmp_path / "a.mp4"
    process = subprocess.Popen(
        child("remux", str(captured), "--container", "mp4", "--out", str(out)), stdout=subprocess.PIPE, cwd=ROOT
    )
    while not begun(hidden(out)) and process.poll() is None:
        time.sleep(0.005)
    process.terminate()
    process.communicate()
    assert not hidden(out).exists()


def begun(path: Path) -> bool:
    """With something in it: an empty one may be left by a child that ends just then, for the next to take."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def test_two_at_once_do_not_write_into_each_other(tmp_path: Path) -> None:
    with making(tmp_path / "a.mp4") as (path, file):
        file.write(b"first")
        with pytest.raises(SmartBoxError) as caught, making(tmp_path / "a.mp4"):
            pass
        assert caught.value.code == "in-use"
        assert path.exists()
    assert (tmp_path / "a.mp4").read_bytes() == b"first"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("action", ["remux", "transcode", "decode"])
def test_a_full_disk_is_told_as_such_and_left_as_it_was(tmp_path: Path, small_disk: Path, action: str) -> None:
    out = small_disk / "a.mp4"
    if action == "decode":
        source, options = tmp_path / "a.jpg", []
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=1280x720", "-frames:v", "1"]
        subprocess.run([*command, str(source)], check=True)
    else:
        source, options = clip(tmp_path / "a.ts", size="1280x720"), ["--container", "mp4"]
        options += ["--codec", "mpeg2"] if action == "transcode" else []
    status, value = run(action, str(source), *options, "--out", str(out))
    assert (status, value["error"]["code"]) == (1, "disk-full")
    assert list(small_disk.iterdir()) == []


def test_every_action_of_the_command_line_is_known() -> None:
    from smartbox_tui.cli import build_parser

    for action in media_make.ACTIONS:
        with pytest.raises(SystemExit) as caught:
            build_parser().parse_args(["media", action])
        assert caught.value.code == 2
