"""JPEGs to pixels: the same as another decoder's, and a sentence for what is damaged."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from smartbox_tui.commands.media_files import making
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.decode import decode, read_index
from smartbox_tui.media.made import Made

ROOT = Path(__file__).parents[2]


def jpeg(width: int, height: int, sampling: str = "422", seed: int = 1) -> bytes:
    """A smooth picture with an edge."""
    rows, columns = np.mgrid[0:height, 0:width]
    picture = np.stack([rows * 3 + seed * 20, columns * 2, rows + columns], axis=-1) % 256
    return simplejpeg.encode_jpeg(picture.astype(np.uint8), quality=90, colorsubsampling=sampling)


def decoded(path: Path, out: Path, index: list[tuple[int, int]], length: int | None = None) -> Made:
    with making(out) as (_path, file):
        return decode(path, length, index, file)


@pytest.mark.parametrize("sampling", ["422", "444"])
def test_a_still_is_what_another_decoder_makes_of_it(tmp_path: Path, sampling: str) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(322, 200, sampling))
    made = decoded(tmp_path / "a.jpg", tmp_path / "a.rgb", [])
    data = (tmp_path / "a.rgb").read_bytes()
    assert (made.bytes, made.width, made.height, made.frames, made.sampling) == (len(data), 322, 200, 1, "rgb")
    assert len(data) == 322 * 200 * 3
    assert made.sha256 == hashlib.sha256(data).hexdigest()
    if shutil.which("djpeg"):
        other = subprocess.run(["djpeg", "-ppm", str(tmp_path / "a.jpg")], capture_output=True, check=True).stdout
        assert other[-len(data) :] == data
    elif shutil.which("ffmpeg"):
        command = f"ffmpeg -v error -i {tmp_path}/a.jpg -f rawvideo -pix_fmt rgb24 -"
        other = subprocess.run(command.split(), capture_output=True, check=True).stdout
        difference = np.frombuffer(other, np.uint8).astype(int) - np.frombuffer(data, np.uint8)
        assert np.abs(difference).mean() < 2


def test_a_burst_is_decoded_frame_by_frame(tmp_path: Path) -> None:
    frames = [jpeg(160, 120, seed=seed) for seed in range(5)]
    index, at = [], 0
    for frame in frames:
        index.append((at, len(frame)))
        at += len(frame)
    path = tmp_path / "a.mjpeg"
    path.write_bytes(b"".join(frames) + b"torn")
    made = decoded(path, tmp_path / "a.rgb", index, at)
    assert (made.frames, made.bytes) == (5, 5 * 160 * 120 * 3)
    expected = b"".join(simplejpeg.decode_jpeg(frame).tobytes() for frame in frames)
    assert (tmp_path / "a.rgb").read_bytes() == expected


def test_extended_sequential_and_grey(tmp_path: Path) -> None:
    data = jpeg(160, 120)
    (tmp_path / "a.jpg").write_bytes(data.replace(b"\xff\xc0", b"\xff\xc1", 1))
    decoded(tmp_path / "a.jpg", tmp_path / "a.rgb", [])
    assert (tmp_path / "a.rgb").read_bytes() == simplejpeg.decode_jpeg(data).tobytes()
    picture = np.full((120, 160, 1), 77, np.uint8)
    (tmp_path / "g.jpg").write_bytes(simplejpeg.encode_jpeg(picture, colorspace="GRAY", colorsubsampling="Gray"))
    made = decoded(tmp_path / "g.jpg", tmp_path / "g.rgb", [])
    assert (made.bytes, made.sampling) == (160 * 120, "grey")


def _huge(data: bytes) -> bytes:
    at = data.index(b"\xff\xc0")
    return data[: at + 5] + b"\xff\xdc\xff\xdc" + data[at + 9 :]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: b"nothing" * 500,
        lambda data: data[: len(data) // 2],
        lambda data: data[:-300] + b"\xff\xd9",
        _huge,
    ],
)
def test_a_damaged_picture_is_a_sentence_and_leaves_nothing(tmp_path: Path, spoil: Any) -> None:
    (tmp_path / "a.jpg").write_bytes(spoil(jpeg(320, 240)))
    with pytest.raises(SmartBoxError) as caught:
        decoded(tmp_path / "a.jpg", tmp_path / "a.rgb", [])
    assert caught.value.code == "invalid-object"
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_frames_of_several_sizes_and_an_index_beyond_the_file(tmp_path: Path) -> None:
    one, two = jpeg(160, 120), jpeg(120, 160)
    (tmp_path / "a").write_bytes(one + two)
    with pytest.raises(SmartBoxError, match="Picture 2"):
        decoded(tmp_path / "a", tmp_path / "a.rgb", [(0, len(one)), (len(one), len(two))])
    with pytest.raises(SmartBoxError, match="cut off"):
        decoded(tmp_path / "a", tmp_path / "a.rgb", [(0, len(one)), (len(one), len(two) + 1)])
    with pytest.raises(SmartBoxError, match="cut off"):
        decoded(tmp_path / "a", tmp_path / "a.rgb", [(0, len(one)), (len(one), len(two))], len(one) + 5)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[[1]]", "[[0, 0]]", "[[-1, 5]]", "[[0, 1, 2]]", "null", "7"])
def test_an_index_that_is_none(text: str) -> None:
    with pytest.raises(SmartBoxError) as caught:
        read_index(text)
    assert caught.value.code == "bad-value"


@pytest.mark.parametrize("from_stdin", [True, False])
def test_the_child(tmp_path: Path, from_stdin: bool) -> None:
    frames = [jpeg(160, 120, seed=seed) for seed in range(2)]
    (tmp_path / "a").write_bytes(b"".join(frames))
    index = json.dumps([(0, len(frames[0])), (len(frames[0]), len(frames[1]))])
    length = str(sum(map(len, frames)))
    command = [sys.executable, "-m", "smartbox_tui.cli", "media", "decode", str(tmp_path / "a"), "--json"]
    command += ["--length", length, "--index", "-" if from_stdin else index, "--out", str(tmp_path / "a.rgb")]
    done = subprocess.run(command, input=index.encode(), stdout=subprocess.PIPE, cwd=ROOT, check=True)
    value = json.loads(done.stdout)
    assert (value["frames"], value["media"], value["width"]) == (2, "rgb", 160)
    assert value["sha256"] == hashlib.sha256((tmp_path / "a.rgb").read_bytes()).hexdigest()
