"""A video file as a source: any file, in its own shape and range, round and round in real time."""

from __future__ import annotations

import time
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from hw.base import PixelFormat
from hw.errors import DeviceGone, HardwareError, NotSupported
from hw.fake.pictures import luma_of
from hw.fake.pictures import picture as grey
from hw.video.file import FileSource
from hw.video.strip import read_strip


def write(
    path: Path, *, count=30, width=320, height=240, rate=30, codec="libx264", pixel="yuv420p", make=None, sar=None
):
    make = make or (lambda number: grey(PixelFormat.I420, width, height, number))
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel
        if sar:
            stream.codec_context.sample_aspect_ratio = sar
        if codec == "libx264":
            stream.options = {"crf": "10", "preset": "ultrafast"}
        if pixel.startswith("yuvj"):
            stream.codec_context.color_range = 2
        for number in range(count):
            planes = np.frombuffer(make(number), np.uint8).reshape(height * 3 // 2, width)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            if pixel.startswith("yuvj"):
                frame = frame.reformat(format=pixel, src_color_range=2, dst_color_range=2)
            elif pixel != "yuv420p":
                frame = frame.reformat(format=pixel)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def opened(path, width=320, height=240, fps=30):
    source = FileSource(key="f", name="File", device=str(path), width=width, height=height, fps=Fraction(fps))
    return source, source.open()


def luma(frame):
    return luma_of(PixelFormat.I420, frame.format.width, frame.format.height, frame.data)


def shown(source, count):
    return [read_strip(luma(source.read(1))).number for _ in range(count)]


@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.mkv", "a.avi"])
def test_it_begins_anew_and_goes_on_counting(tmp_path, name):
    source, form = opened(write(tmp_path / name, count=10))
    assert form.fps == 30
    frames = [source.read(1) for _ in range(25)]
    assert [read_strip(luma(frame)).number for frame in frames] == [i % 10 for i in range(25)]
    assert [frame.sequence for frame in frames] == list(range(25))
    assert (frames[24].timestamp_ns - frames[0].timestamp_ns) / 1e9 == pytest.approx(24 / 30, abs=1e-6)


def test_a_lower_rate_takes_every_other_picture(tmp_path):
    source, form = opened(write(tmp_path / "a.mp4", rate=60), fps=30)
    assert form.fps == 30
    assert shown(source, 5) == [0, 2, 4, 6, 8]


def test_a_higher_rate_invents_no_picture(tmp_path):
    source, form = opened(write(tmp_path / "a.mp4", rate=25), fps=60)
    assert form.fps == 25
    assert shown(source, 4) == [0, 1, 2, 3]


def test_an_ntsc_rate_stays_exact(tmp_path):
    _, form = opened(write(tmp_path / "a.mp4", rate=Fraction(30000, 1001)))
    assert form.fps == Fraction(30000, 1001)


def test_the_file_s_own_size_where_none_is_asked(tmp_path):
    _, form = opened(write(tmp_path / "a.mp4", width=400, height=200), width=0, height=0)
    assert (form.width, form.height) == (400, 200)


@pytest.mark.parametrize(
    ("size", "sar", "columns", "rows"),
    [
        ((320, 240), None, (80, 400), (0, 240)),
        ((320, 90), None, (0, 480), (52, 188)),
        ((240, 240), (2, 1), (0, 480), (0, 240)),
    ],
)
def test_the_picture_keeps_its_shape(tmp_path, size, sar, columns, rows):
    width, height = size
    white = bytes([200]) * (width * height) + bytes([128]) * (width * height // 2)
    sar = Fraction(*sar) if sar else None
    source, form = opened(
        write(tmp_path / "a.mkv", width=width, height=height, make=lambda n: white, sar=sar), 480, 240
    )
    assert (form.width, form.height) == (480, 240)
    plane = luma(source.read(1))
    lit = plane > 100
    assert (lit.any(axis=0).argmax(), 480 - lit.any(axis=0)[::-1].argmax()) == columns
    assert (lit.any(axis=1).argmax(), 240 - lit.any(axis=1)[::-1].argmax()) == rows
    if sar is None:
        assert plane.min() == 16


def ramp(number):
    luma = np.tile(np.arange(0, 256, 256 / 320).astype(np.uint8), (240, 1))
    return luma.tobytes() + bytes([128]) * (160 * 120 * 2)


def test_full_range_stays_full_range(tmp_path):
    path = write(tmp_path / "a.avi", codec="mjpeg", pixel="yuvj422p", make=ramp, count=2)
    source, form = opened(path)
    assert form.full_range
    plane = luma(source.read(1))
    assert plane.min() <= 3
    assert plane.max() >= 252


def test_limited_range_stays_limited_range(tmp_path):
    source, form = opened(write(tmp_path / "a.mp4", make=ramp, count=2))
    assert not form.full_range
    got = luma(source.read(1)).astype(int)
    assert abs(got - np.frombuffer(ramp(0), np.uint8)[: 320 * 240].reshape(240, 320)).mean() < 2


def test_rgb_becomes_limited_range(tmp_path):
    white = bytes([235]) * (320 * 240) + bytes([128]) * (160 * 120 * 2)
    source, form = opened(write(tmp_path / "a.mkv", codec="ffv1", pixel="bgr0", make=lambda n: white, count=2))
    assert not form.full_range
    assert abs(int(luma(source.read(1)).mean()) - 235) <= 1


def test_after_a_long_absence_it_does_not_hurry_after_the_clock(tmp_path):
    source, _ = opened(write(tmp_path / "a.mp4", count=300, rate=60), fps=60)
    assert shown(source, 2) == [0, 1]
    time.sleep(1.5)
    frame = source.read(1)
    assert frame.lost > 60
    assert read_strip(luma(frame)).number < 10, "the file goes on where it stood"
    assert abs(time.monotonic_ns() - frame.timestamp_ns) < 1e8
    time.sleep(0.3)
    frame = source.read(1)
    assert 10 < frame.lost < 30
    assert read_strip(luma(frame)).number > 15, "a short absence is skipped"


def test_a_missing_file_is_gone(tmp_path):
    with pytest.raises(DeviceGone) as caught:
        opened(tmp_path / "nothing.mp4")
    assert caught.value.path.endswith("nothing.mp4")
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"", b"no video at all\n" * 100, b"\x00" * 10000])
def test_what_is_no_video_is_not_supported(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(NotSupported) as caught:
        opened(path)
    assert caught.value.hint


def test_a_file_with_sound_only_is_not_supported(tmp_path):
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(1600))
    with pytest.raises(NotSupported, match="no video"):
        opened(path)


def test_a_truncated_file_plays_what_there_is(tmp_path):
    path = write(tmp_path / "a.ts", count=60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    source, _ = opened(path)
    numbers = shown(source, 50)
    assert 0 in numbers[1:], "it begins anew"


def test_an_odd_size_is_refused(tmp_path):
    with pytest.raises(HardwareError, match="321x240"):
        opened(write(tmp_path / "a.mp4"), width=321)
