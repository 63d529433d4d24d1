"""The rings and queues between the threads: bounded, and never silently losing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from hw.base import Frame, PixelFormat, VideoFormat
from hw.fake.pictures import picture
from hw.fake.source import FakeSource
from smartbox_tui.capture import clipfile
from smartbox_tui.capture.access import AccessUnit, Stream
from smartbox_tui.capture.encoding import EncoderThreads
from smartbox_tui.capture.frames import FrameRing, NoFrame
from smartbox_tui.capture.once import Once
from smartbox_tui.capture.preroll import PrerollRing
from smartbox_tui.wire import commands
from tests.capture.rig import Rig, strips
from tests.support.stalls import StallWatch

NS = 1_000_000_000
STREAM = Stream(1, 320, 240, Fraction(10), "1.2")
FORM = VideoFormat(PixelFormat.I420, 320, 240, Fraction(30), full_range=False)


def unit(tenth: int, stream: Stream = STREAM, size: int = 100) -> AccessUnit:
    """A unit at that tenth of a second; an IDR at each whole second."""
    return AccessUnit(bytes(size), tenth * NS // 10, tenth % 10 == 0, 0, stream)


def frame(number: int, data: bytes = b"x") -> Frame:
    return Frame(data, FORM, number, 0, number * NS // 30)


def ring_of(tenths: range, preroll_s: float = 3, most_bytes: int = 1 << 20) -> PrerollRing:
    ring = PrerollRing(preroll_s, most_bytes)
    for tenth in tenths:
        ring.add(unit(tenth))
    return ring


@pytest.mark.parametrize(("asked", "first"), [(60, 60), (65, 60), (69, 60), (70, 70), (0, 40), (99, 80)])
def test_a_recording_begins_with_the_last_idr_before_the_time_asked_for(asked: int, first: int) -> None:
    units = ring_of(range(85)).since(asked * NS // 10)
    assert units[0].timestamp_ns == first * NS // 10
    assert units[-1].timestamp_ns == 84 * NS // 10
    assert len(units) == 85 - first


def test_the_preroll_is_bounded_in_bytes_but_keeps_the_gop_being_made() -> None:
    assert len(ring_of(range(100), most_bytes=2500).since(0)) == 20
    assert len(ring_of(range(100), most_bytes=1).since(0)) == 10
    assert len(ring_of(range(100), preroll_s=0).since(0)) <= 20


def test_units_before_the_first_idr_and_of_another_stream_are_not_used() -> None:
    assert ring_of(range(5, 9)).since(0) == []
    ring = ring_of(range(20))
    ring.add(unit(20, Stream(2, 640, 480, Fraction(10), "1.2")))
    assert len(ring.since(0)) == 1


def test_the_frame_ring_is_bounded_in_time_and_bytes() -> None:
    ring = FrameRing(ring_s=0.5, ring_bytes=1 << 20)
    for number in range(60):
        ring.put(frame(number))
    assert ring.pin(ring.hold(0)).frame.sequence == 59 - 15
    small = FrameRing(ring_s=9, ring_bytes=3000)
    for number in range(60):
        small.put(frame(number, bytes(1000)))
    assert small.pin(small.hold(0)).frame.sequence == 57


def test_the_nearest_frame_is_pinned_and_a_stale_ring_answers_none() -> None:
    ring = FrameRing()
    for number in range(10):
        ring.put(frame(number))
    for at_ns, number in ((5 * NS // 30, 5), (5 * NS // 30 + 10_000_000, 5), (5 * NS // 30 + 20_000_000, 6)):
        pinned = ring.pin(ring.hold(at_ns))
        assert (pinned.frame.sequence, pinned.note) == (number, "")
    with pytest.raises(NoFrame):
        ring.pin(ring.hold(2 * NS))
    ring.clear()
    with pytest.raises(NoFrame):
        ring.pin(ring.hold(0))


def test_a_trigger_waits_for_the_frame_that_is_on_its_way() -> None:
    ring = FrameRing()
    ring.put(frame(0))
    threading.Timer(0.03, lambda: ring.put(frame(1))).start()
    assert ring.pin(ring.hold(NS // 30)).frame.sequence == 1


def run(threads: EncoderThreads) -> Callable[[], None]:
    for name, body in threads.threads:
        threading.Thread(target=body, name=name, daemon=True).start()
    return threads.end


def test_an_encoder_that_is_too_slow_drops_and_counts_and_never_keeps_the_reader() -> None:
    units: list[AccessUnit] = []

    def slow(each: AccessUnit) -> None:
        units.append(each)
        time.sleep(0.02)

    threads = EncoderThreads("test", "h264", 1_000_000, slow, lambda *_: None)
    end = run(threads)
    data = picture(PixelFormat.I420, 320, 240, 0)
    started = time.monotonic()
    for number in range(100):
        threads.put(frame(number, data))
    assert time.monotonic() - started < 0.2
    while not threads.drained:
        time.sleep(0.01)
    threads.put(frame(100, data))
    while not threads.drained:
        time.sleep(0.01)
    end()
    assert threads.lost > 50
    assert len(units) + sum(each.lost for each in units) == 101


def test_a_broken_picture_is_lost_and_counted_and_the_next_is_encoded() -> None:
    units: list[AccessUnit] = []
    threads = EncoderThreads("test", "h264", 1_000_000, units.append, lambda *_: None)
    end = run(threads)
    data = picture(PixelFormat.I420, 320, 240, 0)
    for number, content in enumerate((data, data[:-1], data)):
        threads.put(frame(number, content))
    while not threads.drained:
        time.sleep(0.01)
    end()
    assert [each.lost for each in units] == [0, 1]
    assert threads.lost == 1


def test_a_disk_that_stalls_costs_no_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, stalls = clipfile.os.write, [1.5]

    def slow(fd: int, data: Any) -> int:
        if len(data) > 1000 and stalls and threading.current_thread().name == "record-endo":
            time.sleep(stalls.pop())
        return write(fd, data)

    with Rig(tmp_path, FakeSource()) as rig, StallWatch() as machine:
        rig.command(commands.RecordStart)
        monkeypatch.setattr(clipfile.os, "write", slow)
        time.sleep(2.2)
        answer = rig.command(commands.RecordStop)
        numbers = strips(rig.file(answer["instances"][0]))
        assert not stalls
        assert numbers[-1] - numbers[0] + 1 == len(numbers) + answer["frames_lost"]
        assert answer["frames_lost"] == 0 or machine.withheld


def test_once_runs_once_and_tells_all_the_same() -> None:
    once, runs, answers = Once(), [], []

    def action() -> int:
        runs.append(1)
        time.sleep(0.1)
        if len(runs) == 2:
            raise ValueError("second")
        return len(runs)

    threads = [threading.Thread(target=lambda: answers.append(once.run("a", action))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [1] * 5
    with pytest.raises(ValueError, match="second"):
        once.run("a", action)
    assert once.run("a", action) == 3
