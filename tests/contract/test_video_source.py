"""What every video source does, whatever it is made of: run on each of ours and on a real device."""

from __future__ import annotations

import ctypes
import fcntl
import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from hw.base import Controlled, Frame, PixelFormat, SignalState, Telling, VideoFormat, VideoSource
from hw.calls import SystemCalls, io_both
from hw.errors import DeviceGone, HardwareError, NotSupported
from hw.fake.pictures import luma_of, picture
from hw.fake.source import Fail, FakeSource
from hw.fake.v4l2 import Behaviour, Control, FakeV4l2
from hw.video.factory import video_source
from hw.video.strip import read_strip
from hw.video.v4l2 import abi
from hw.video.v4l2.device import V4l2Source
from hw.video.v4l2.formats import picture_bytes
from hw.video.v4l2.query import text_of
from hw.video.v4l2.requests import Requests

WIDTH, HEIGHT, FPS = 320, 240, Fraction(50)
VIDIOC_S_INPUT = io_both("V", 39, 4)
ASKED = {"key": "endo", "name": "Endoscope", "width": WIDTH, "height": HEIGHT, "fps": FPS}


@dataclass
class Bench:
    """`restore` puts a pulled device back, once its source is closed."""

    source: VideoSource
    pull: Callable[[], None] | None = None
    strip: bool = True
    real_time: bool = True
    restore: Callable[[], None] = lambda: None


def write_video(path: Path, count: int = 40) -> Path:
    """A file of `count` frames that tell their numbers."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"crf": "12", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(count):
            data = picture(PixelFormat.I420, WIDTH, HEIGHT, number)
            planes = np.frombuffer(data, np.uint8).reshape(HEIGHT * 3 // 2, WIDTH)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        out.mux(stream.encode())
    return path


def pattern(tmp_path):
    return Bench(video_source("pattern", device="", **ASKED))


def file(tmp_path):
    path = write_video(tmp_path / "clip.mp4")
    return Bench(video_source("file", device=str(path), **ASKED))


def grabber(**behaviour):
    def make(tmp_path):
        device = FakeV4l2(Behaviour(fps=FPS, **behaviour))
        source = V4l2Source(device=FakeV4l2.path, calls=device, nodes=lambda subsystem: [], **ASKED)
        return Bench(source, device.unplug)

    return make


def scripted(tmp_path):
    source = FakeSource(key="endo", name="Endoscope", fps=FPS)
    return Bench(source, lambda: source.then(Fail(refused_opens=9)), real_time=False)


def real(tmp_path):
    for path in sorted(map(str, Path("/dev").glob("video*"))):
        source = video_source("v4l2", device=path, **ASKED)
        try:
            source.open()
        except HardwareError:
            continue
        source.close()
        return Bench(video_source("v4l2", device=path, **ASKED), strip=False)
    pytest.skip("no /dev/video* that captures here: a real grabber is not tested")


def vivid(kind):
    """The kernel's test grabber at its input of that kind; unbound from its driver it is pulled."""
    driver = Path("/sys/bus/platform/drivers/vivid")

    def node():
        names = Path("/sys/class/video4linux").glob("video*/name")
        found = [name.parent.name for name in names if name.read_text().startswith("vivid-000-vid-cap")]
        return f"/dev/{found[0]}" if found else ""

    def put_back():
        if not (driver / "vivid.0").exists():
            (driver / "bind").write_text("vivid.0")
        until = time.monotonic() + 30
        while not (node() and os.access(node(), os.W_OK)):
            assert time.monotonic() < until, "the test grabber does not come back"
            time.sleep(0.05)

    def make(tmp_path):
        if not (path := node()):
            pytest.skip("no vivid here: a grabber's inputs and its unplugging are not tested on the kernel")
        fd = os.open(path, os.O_RDWR)
        try:
            inputs = Requests(SystemCalls(), fd).inputs()
            index = next(each.index for each in inputs if text_of(each.name).startswith(kind))
            fcntl.ioctl(fd, VIDIOC_S_INPUT, ctypes.c_int(index))
        finally:
            os.close(fd)
        source = video_source("v4l2", device=path, **ASKED)
        return Bench(source, lambda: (driver / "unbind").write_text("vivid.0"), strip=False, restore=put_back)

    return make


SIZE = [(WIDTH, HEIGHT)]
BENCHES = {
    "pattern": pattern,
    "file": file,
    "v4l2-mjpeg": grabber(
        sizes={"MJPG": SIZE},
        timings=(WIDTH, HEIGHT),
        controls={"Brightness": Control(0x00980900, 128), "Gain": Control(0x00980913, 4, 0, 8, 2)},
    ),
    "v4l2-nv12": grabber(sizes={"NV12": SIZE}, padding=64),
    "v4l2-yuyv": grabber(sizes={"YUYV": SIZE}, padding=64),
    "v4l2-yu12": grabber(sizes={"YU12": SIZE}, padding=64),
    "v4l2-uyvy": grabber(sizes={"UYVY": SIZE}, padding=64),
    "v4l2-rgb": grabber(sizes={"RGB3": SIZE}, padding=64),
    "v4l2-bgr": grabber(sizes={"BGR3": SIZE}),
    "v4l2-fields-below": grabber(sizes={"YUYV": SIZE}, padding=64, field=abi.FIELD_SEQ_BT),
    "v4l2-fields-in-turn": grabber(sizes={"UYVY": SIZE}, padding=64, field=abi.FIELD_ALTERNATE),
    "v4l2-wall-clock": grabber(sizes={"YUYV": SIZE}, wall_clock=True),
    "scripted": scripted,
    "v4l2-real": real,
    "vivid-webcam": vivid("Webcam"),
    "vivid-hdmi": vivid("HDMI"),
}


@pytest.fixture(params=BENCHES)
def bench(request, tmp_path):
    bench = BENCHES[request.param](tmp_path)
    yield bench
    bench.source.close()
    bench.restore()


def take(source: VideoSource, count: int) -> list[Frame]:
    frames = [source.read(2.0) for _ in range(count)]
    assert None not in frames
    return [frame for frame in frames if frame]


def number_in(frame: Frame) -> int:
    strip = read_strip(luma_of(frame.format.pixel, frame.format.width, frame.format.height, frame.data))
    assert strip.ok
    return strip.number


def test_it_says_what_it_is_and_what_it_delivers(bench):
    source = bench.source
    assert isinstance(source, VideoSource)
    assert source.info.key == "endo"
    assert source.signal() is SignalState.STARTING
    form = source.open()
    assert isinstance(form, VideoFormat)
    assert isinstance(form.fps, Fraction)
    assert source.info.key == "endo"
    assert source.info.name
    assert source.info.path
    assert source.signal() is SignalState.OK
    for frame in take(source, 3):
        assert frame.format == form
        if form.pixel is PixelFormat.MJPEG:
            assert bytes(frame.data[:2]) == b"\xff\xd8"
        else:
            assert len(frame.data) == picture_bytes(form.pixel, form.width, form.height)


def test_the_size_that_was_asked_for_comes_in_every_layout(bench):
    if not bench.strip:
        pytest.skip("a real device need not have the size, and shows no strip")
    form = bench.source.open()
    assert (form.width, form.height) == (WIDTH, HEIGHT)
    frames = take(bench.source, 4)
    numbers = [number_in(frame) for frame in frames]
    steps = [frame.lost + 1 for frame in frames[1:]]
    assert [b - a for a, b in itertools.pairwise(numbers)] == steps


def test_times_are_monotonic_and_sequence_and_lost_agree(bench):
    form = bench.source.open()
    frames = take(bench.source, 20)
    for before, frame in itertools.pairwise(frames):
        assert frame.timestamp_ns > before.timestamp_ns
        assert frame.sequence == before.sequence + 1 + frame.lost
    assert abs(time.monotonic_ns() - frames[-1].timestamp_ns) < 1e9
    assert frames[0].lost == 0
    if not bench.strip:
        return  # a camera in the dark delivers fewer pictures than it promised
    shown_s = (frames[-1].timestamp_ns - frames[0].timestamp_ns) / 1e9
    due = 1 + shown_s * form.fps
    assert abs(due - (frames[-1].sequence - frames[0].sequence + 1)) < 3


def test_a_frame_belongs_to_its_reader(bench):
    bench.source.open()
    frames = take(bench.source, 3)
    copies = [bytes(frame.data) for frame in frames]
    take(bench.source, 12)
    assert [bytes(frame.data) for frame in frames] == copies
    bench.source.close()
    assert [bytes(frame.data) for frame in frames] == copies


def test_none_when_nothing_comes_in_time(bench):
    bench.source.open()
    take(bench.source, 2)
    answers = [bench.source.read(0) for _ in range(40)]
    assert None in answers
    started = time.monotonic()
    assert bench.source.read(0.002) is None or bench.source.read(0.002) is None
    assert time.monotonic() - started < 5
    assert take(bench.source, 1)


def test_who_reads_late_is_told_what_was_lost(bench):
    if not bench.real_time:
        pytest.skip("a script loses what it says, whatever the reader does")
    form = bench.source.open()
    first = take(bench.source, 1)[0]
    time.sleep(0.6)
    # Drivers keep some pictures: they come first, the gap after them.
    frames = take(bench.source, 10)
    assert sum(frame.lost for frame in frames) >= 0.25 * form.fps
    assert frames[-1].sequence - first.sequence == sum(1 + frame.lost for frame in frames)
    assert abs(time.monotonic_ns() - frames[-1].timestamp_ns) < 1e9


def test_close_twice_and_open_again(bench):
    bench.source.close()
    bench.source.open()
    take(bench.source, 2)
    bench.source.close()
    bench.source.close()
    with pytest.raises(HardwareError):
        bench.source.read(0)
    bench.source.open()
    frames = take(bench.source, 3)
    assert frames[0].lost == 0
    assert frames[2].timestamp_ns > frames[0].timestamp_ns


def test_open_twice_is_open_once(bench):
    bench.source.open()
    bench.source.open()
    assert take(bench.source, 2)


def test_pulled_while_streaming_it_is_gone_at_once(bench):
    if bench.pull is None:
        pytest.skip("cannot be pulled")
    bench.source.open()
    take(bench.source, 2)
    bench.pull()
    started = time.monotonic()
    with pytest.raises(DeviceGone) as caught:
        take(bench.source, 20)
    assert time.monotonic() - started < 5
    assert caught.value.path == bench.source.info.path
    assert bench.source.signal() is SignalState.GONE
    bench.source.close()
    with pytest.raises(DeviceGone):
        bench.source.open()
    assert bench.source.signal() is SignalState.GONE


def test_controls_are_told_while_it_is_open_and_take_what_they_are_told(bench):
    source = bench.source
    if not isinstance(source, Controlled):
        pytest.skip("has no controls")
    assert source.controls() == ()
    source.open()
    for control in source.controls():
        assert control.kind in ("number", "switch", "choice")
        assert control.minimum <= control.value <= control.maximum
        assert all(control.minimum <= choice <= control.maximum for choice in control.choices)
        if control.writable:
            source.set_control(control.name, control.value)
        with pytest.raises(NotSupported):
            source.set_control(control.name, control.maximum + control.step)
    with pytest.raises(NotSupported):
        source.set_control("no_such_control", 1)
    take(source, 2)
    source.close()
    with pytest.raises(HardwareError):
        source.set_control("brightness", 1)


def test_facts_are_words_for_people(bench):
    source = bench.source
    if not isinstance(source, Telling):
        pytest.skip("tells nothing")
    source.open()
    assert source.signal() is SignalState.OK
    assert "\n" not in source.facts()


def test_no_other_kind():
    with pytest.raises(ValueError, match="ndi"):
        video_source("ndi", device="", **ASKED)
