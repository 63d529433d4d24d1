"""What a V4L2 source makes of what drivers do: choices, faults, signals."""

from __future__ import annotations

import errno
import threading
import time
from fractions import Fraction

import pytest

from hw.base import PixelFormat, SignalState
from hw.errors import DeviceBusy, DeviceGone, DeviceRefused, HardwareError, NotSupported, SignalChanged
from hw.fake.pictures import luma_of
from hw.fake.v4l2 import Behaviour, FakeV4l2
from hw.identity import Node
from hw.video.strip import read_strip
from hw.video.v4l2 import abi
from hw.video.v4l2.device import BUFFERS, V4l2Source

SIZE = [(320, 240)]


def source_of(device, *, path=FakeV4l2.path, width=320, height=240, fps=100, nodes=()):
    return V4l2Source(
        key="endo",
        name="",
        device=path,
        width=width,
        height=height,
        fps=Fraction(fps),
        calls=device,
        nodes=lambda subsystem: nodes,
    )


def opened(**behaviour):
    device = FakeV4l2(Behaviour(**{"fps": Fraction(100), **behaviour}))
    source = source_of(device)
    source.open()
    return device, source


def numbers(source, count):
    frames = [source.read(1.0) for _ in range(count)]
    return [(frame.sequence, frame.lost) for frame in frames]


# ---- agreeing


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"YUYV": SIZE, "NV12": SIZE, "MJPG": SIZE}, PixelFormat.MJPEG),
        ({"YUYV": SIZE, "NV12": SIZE}, PixelFormat.NV12),
        ({"H264": SIZE, "YUYV": SIZE}, PixelFormat.YUYV),
        ({"MJPG": [(640, 480)], "YUYV": SIZE}, PixelFormat.YUYV),
        ({"MJPG": [(640, 480)], "YUYV": [(800, 600)]}, PixelFormat.MJPEG),
    ],
)
def test_the_best_format_in_the_asked_size_is_taken(sizes, expected):
    form = source_of(FakeV4l2(Behaviour(sizes=sizes))).open()
    assert form.pixel is expected
    assert (form.width, form.height) == sizes[{v: k for k, v in CODES.items()}[expected]][0]


CODES = {"MJPG": PixelFormat.MJPEG, "NV12": PixelFormat.NV12, "YUYV": PixelFormat.YUYV}


def test_a_device_without_a_format_of_ours_says_what_it_has():
    with pytest.raises(NotSupported, match="GREY, BA81") as caught:
        opened(sizes={"GREY": SIZE, "BA81": SIZE})
    assert "YUYV" in caught.value.hint


@pytest.mark.parametrize("caps", [0, abi.CAP_VIDEO_CAPTURE_MPLANE, abi.CAP_VIDEO_CAPTURE])
def test_a_node_that_does_not_capture_is_refused_by_its_own_capabilities(caps):
    """The fake's whole-device capabilities always claim capture: device_caps decide."""
    with pytest.raises(NotSupported) as caught:
        opened(caps=caps)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("code", "colorspace", "quantization", "full"),
    [
        ("MJPG", 0, 2, True),
        ("YUYV", 0, 0, False),
        ("YUYV", 7, 0, True),
        ("NV12", 3, 1, True),
        ("NV12", 7, 2, False),
    ],
)
def test_the_range_is_the_driver_s(code, colorspace, quantization, full):
    _, source = opened(sizes={code: SIZE}, colorspace=colorspace, quantization=quantization)
    assert source.read(1).format.full_range is full


def test_the_rate_is_the_driver_s_exactly():
    device = FakeV4l2(Behaviour(fps=Fraction(30000, 1001)))
    source = source_of(device)
    assert source.open().fps == Fraction(30000, 1001)
    source.close()
    assert source_of(device, fps=25).open().fps == 25


def test_a_receiver_is_set_to_what_comes_in_and_has_its_rate():
    device = FakeV4l2(Behaviour(sizes={"NV12": SIZE}, timings=(1280, 720), rate_fixed=True, fps=Fraction(50)))
    form = source_of(device, fps=30).open()
    assert (form.width, form.height, form.fps) == (1280, 720, 50)


def test_a_key_finds_the_node_that_captures():
    device = FakeV4l2(Behaviour(siblings=("/dev/video00",)))
    nodes = [
        Node("/dev/video00", "pci-1-usb-0:2:1.0"),
        Node("/dev/video0", "pci-1-usb-0:2:1.0", manufacturer="Acme"),
    ]
    source = source_of(device, path="usb-0:2", nodes=nodes)
    source.open()
    assert source.info.path == "/dev/video0"
    assert (source.info.key, source.info.name, source.info.manufacturer) == ("endo", "Fake grabber", "Acme")


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.EACCES, DeviceRefused),
        (errno.EBUSY, DeviceBusy),
        (errno.ENOENT, DeviceGone),
        (errno.EMFILE, HardwareError),
    ],
)
def test_a_failed_open_is_explained(number, error):
    with pytest.raises(error) as caught:
        opened(open_errno=number)
    assert caught.value.hint
    assert caught.value.path == FakeV4l2.path


def test_another_program_streams():
    device = FakeV4l2(Behaviour(stream_errno=errno.EBUSY))
    with pytest.raises(DeviceBusy):
        source_of(device).open()
    assert not device.is_open, "nothing stays open after a failure"


# ---- streaming


def test_gaps_in_the_sequence_are_lost_frames():
    _, source = opened(missing={2, 3, 6})
    assert numbers(source, 6) == [(0, 0), (1, 0), (4, 2), (5, 0), (7, 1), (8, 0)]


def test_damaged_pictures_are_dropped_and_counted():
    _, source = opened(damaged={1, 4}, short={5})
    assert numbers(source, 4) == [(0, 0), (2, 1), (3, 0), (6, 2)]


def test_a_short_raw_picture_is_damaged():
    _, source = opened(sizes={"YUYV": SIZE}, short={1})
    assert numbers(source, 2) == [(0, 0), (2, 1)]


def test_a_driver_that_does_not_count():
    _, source = opened(counts=False, damaged={2})
    assert [lost for _, lost in numbers(source, 4)] == [0, 0, 1, 0]


def test_a_sequence_that_wraps_goes_on():
    _, source = opened()
    source.read(1)
    source._last_sequence = 0xFFFFFFFF
    source._sequence = 0xFFFFFFFF
    source._count(2)
    assert source._sequence == 0x1_0000_0002


def test_a_reader_who_stays_away_loses_what_the_buffers_cannot_hold():
    _, source = opened()
    source.read(1)
    time.sleep(0.3)
    lost = [lost for _, lost in numbers(source, BUFFERS + 2)]
    assert sum(lost) > 15
    assert lost[:2] == [0, 0], "what was kept comes first"


@pytest.mark.parametrize(("wall_clock", "kernel_time"), [(False, True), (True, False)])
def test_the_kernel_s_time_where_it_is_monotonic(wall_clock, kernel_time):
    _, source = opened(wall_clock=wall_clock)
    frame = source.read(1)
    assert frame.kernel_time is kernel_time
    assert abs(frame.timestamp_ns - time.monotonic_ns()) < 1e8


@pytest.mark.parametrize("code", ["YUYV", "NV12", "YU12"])
def test_padding_at_the_ends_of_rows_is_removed(code):
    _, source = opened(sizes={code: SIZE}, padding=32)
    frame = source.read(1)
    data = bytes(frame.data)
    assert b"\x55" not in data
    assert read_strip(luma_of(frame.format.pixel, 320, 240, data)).ok


def test_a_webcam_s_jpeg_comes_as_it_is():
    _, source = opened()
    frame = source.read(1)
    data = bytes(frame.data)
    assert b"AVI1" in data[:32]
    assert b"\xff\xc4" not in data[: data.index(b"\xff\xda")]
    assert data.endswith(b"junk")
    assert read_strip(luma_of(PixelFormat.MJPEG, 320, 240, data)).ok


def test_no_pictures_and_no_error_is_a_timeout():
    device, source = opened()
    source.read(1)
    device.stop()
    while source.read(0) is not None:
        pass
    assert source.read(0.05) is None
    device.stop(False)
    assert source.read(1) is not None


def test_unplugged_while_waiting():
    device, source = opened()
    device.stop()
    while source.read(0) is not None:
        pass
    threading.Timer(0.1, device.unplug).start()
    started = time.monotonic()
    with pytest.raises(DeviceGone):
        source.read(30)
    assert time.monotonic() - started < 25, "not by the end of the wait"
    assert source.signal() is SignalState.GONE
    source.close()
    device.replug()
    assert source.open()
    assert source.signal() is SignalState.OK


def test_another_picture_at_the_input_asks_for_a_reopen():
    device, source = opened(timings=(320, 240))
    source.read(1)
    device.behaviour.timings = (640, 480)
    device.change_source(640, 480)
    with pytest.raises(SignalChanged):
        numbers(source, 20)
    source.close()
    form = source.open()
    assert (form.width, form.height) == (640, 480)


def test_a_driver_that_stops_with_an_error_asks_for_a_reopen():
    device, source = opened()
    device.fail()
    with pytest.raises(HardwareError) as caught:
        numbers(source, 20)
    assert not isinstance(caught.value, DeviceGone)
    source.close()
    source.open()
    assert source.read(1)


def test_without_events_it_streams_all_the_same():
    _, source = opened(events=False)
    assert source.read(1)


# ---- signal


@pytest.mark.parametrize(
    ("status", "timings", "state"),
    [
        (0, None, SignalState.OK),
        (abi.IN_ST_NO_SIGNAL, None, SignalState.NO_SIGNAL),
        (abi.IN_ST_NO_POWER, None, SignalState.NO_SIGNAL),
        (abi.IN_ST_NO_H_LOCK, None, SignalState.UNSTABLE),
        (abi.IN_ST_NO_SYNC, None, SignalState.UNSTABLE),
        (abi.IN_ST_NO_SIGNAL, errno.ENOLINK, SignalState.NO_CABLE),
        (0, errno.ENOLINK, SignalState.NO_CABLE),
        (0, errno.ENOLCK, SignalState.UNSTABLE),
        (0, errno.ERANGE, SignalState.UNSUPPORTED),
        (0, errno.ENODATA, SignalState.OK),
        (abi.IN_ST_NO_SIGNAL, (320, 240), SignalState.NO_SIGNAL),
    ],
)
def test_the_signal_in_the_words_of_the_contract(status, timings, state):
    device, source = opened()
    device.behaviour.status, device.behaviour.timings = status, timings
    assert source.signal() is state


def test_a_receiver_that_streams_nothing_without_a_signal_still_says_why():
    device = FakeV4l2(Behaviour(timings=errno.ENOLINK, stream_errno=errno.ENOLINK))
    source = source_of(device)
    with pytest.raises(HardwareError, match="no usable signal"):
        source.open()
    assert source.signal() is SignalState.NO_CABLE
    device.behaviour.timings, device.behaviour.stream_errno = (320, 240), 0
    source.open()
    assert source.signal() is SignalState.OK
