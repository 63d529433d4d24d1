"""The scripted source does what its script says: capture's tests stand on it."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest

from hw.base import PixelFormat, SignalState
from hw.errors import DeviceBusy, DeviceGone
from hw.fake.pictures import luma_of
from hw.fake.source import Fail, FakeSource, Frames, Freeze, Gap, Says, Stall
from hw.video.strip import read_strip


def read_all(source, count):
    return [source.read(1.0) for _ in range(count)]


def test_a_gap_is_counted_by_the_next_frame():
    source = FakeSource([Frames(2), Gap(3), Frames(2)], paced=False, endless=False)
    source.open()
    frames = read_all(source, 4)
    assert [f.sequence for f in frames] == [0, 1, 5, 6]
    assert [f.lost for f in frames] == [0, 0, 3, 0]
    assert source.read(0.0) is None


def test_paced_frames_and_gaps_take_their_time():
    source = FakeSource([Frames(2), Gap(3), Frames(1), Stall(0.2), Frames(1)], fps=Fraction(50))
    source.open()
    first, second, third, fourth = read_all(source, 4)
    assert second.timestamp_ns - first.timestamp_ns == 20_000_000
    assert third.timestamp_ns - second.timestamp_ns == 80_000_000
    assert fourth.timestamp_ns - third.timestamp_ns >= 200_000_000
    assert fourth.lost == 0


def test_a_timed_out_read_loses_nothing():
    source = FakeSource([Frames(1), Stall(0.2), Frames(2), Fail()], endless=False)
    source.open()
    assert source.read(1).sequence == 0
    assert source.read(0.01) is None
    assert [f.sequence for f in read_all(source, 2)] == [1, 2]
    with pytest.raises(DeviceGone):
        source.read(1)


def test_gone_until_it_is_plugged_in_again():
    source = FakeSource([Frames(1), Fail(refused_opens=2), Frames(1)], paced=False)
    source.open()
    source.read(1)
    with pytest.raises(DeviceGone):
        source.read(1)
    assert source.signal() is SignalState.GONE
    source.close()
    for _ in range(2):
        with pytest.raises(DeviceGone):
            source.open()
    source.open()
    assert source.read(1).sequence == 1
    assert source.signal() is SignalState.OK
    assert source.opened == 2


def test_any_error_can_be_scripted_and_added_while_running():
    source = FakeSource(paced=False)
    source.open()
    source.read(1)
    source.then(Fail(DeviceBusy("read", "/dev/fake", "taken")))
    with pytest.raises(DeviceBusy):
        source.read(1)


def test_a_dead_cable_may_go_on_delivering_frames():
    source = FakeSource([Frames(1), Says(SignalState.NO_CABLE), Freeze(), Frames(3)], paced=False)
    source.open()
    assert source.signal() is SignalState.OK
    frames = read_all(source, 4)
    assert source.signal() is SignalState.NO_CABLE
    assert len({bytes(f.data) for f in frames[1:]}) == 1
    assert [f.sequence for f in frames] == [0, 1, 2, 3]


@pytest.mark.parametrize("pixel", [each for each in PixelFormat if each is not PixelFormat.H264])
def test_the_picture_tells_its_number(pixel):
    source = FakeSource([Gap(7)], pixel=pixel, paced=False)
    source.open()
    frame = source.read(1)
    strip = read_strip(luma_of(pixel, 320, 240, frame.data))
    assert (strip.ok, strip.number) == (True, 7)
    assert abs(frame.timestamp_ns - time.monotonic_ns()) < 1e9
