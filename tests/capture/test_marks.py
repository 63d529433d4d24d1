"""A mark knows its frame: the last one at or before its moment, in the part that has it, whatever was lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.spool.sidecar import Sidecar, read_sidecar
from smartbox_tui.wire import commands
from tests.capture.rig import Rig, new_id, strips, until
from tests.capture.test_seams import Parts


def started(parts: Parts) -> None:
    parts.recorder.preload([parts.unit(0)])
    parts.recorder.start()


def marks(sidecar: Sidecar) -> dict[str, int]:
    return {each["text"]: each["frame"] for each in sidecar.marks}


def test_the_frame_is_counted_in_the_part_after_lost_frames_too(tmp_path: Path) -> None:
    parts = Parts(tmp_path, 10 << 20, 1.5)
    started(parts)
    there = [number for number in range(1, 20) if number not in (5, 6, 7)]
    for number in there:
        parts.recorder.feed(parts.unit(number))
    parts.until_written()
    half = 1_000_000_000 // 60
    parts.recorder.mark(new_id(), "first", parts.at_ns(0) - 5)
    parts.recorder.mark(new_id(), "on four", parts.at_ns(4))
    parts.recorder.mark(new_id(), "in the gap", parts.at_ns(6))
    parts.recorder.mark(new_id(), "between", parts.at_ns(9) + half)
    parts.recorder.mark(new_id(), "not written yet", parts.at_ns(25) + half)
    for number in range(20, 40):
        parts.recorder.feed(parts.unit(number))
    parts.until_written()
    clip = next(iter(parts.sheets.values()))
    path = parts.recorder.folder / f"{clip.id}.json"
    # durable while it is still being recorded: a crash costs the place of the last moment's marks at most
    until(lambda: all("frame" in each for each in read_sidecar(path).marks), what="the frames in the sidecar")
    parts.recorder.mark(new_id(), "the last", parts.at_ns(39) + half)
    (closed,) = parts.recorder.stop(parts.at_ns(39), new_id())
    assert closed.frames == 40 - 3
    assert marks(closed) == {
        "first": 1,
        "on four": 5,
        "in the gap": 5,
        "between": 7,
        "not written yet": 23,
        "the last": 37,
    }
    assert read_sidecar(path).marks == closed.marks


def test_a_mark_goes_with_its_frame_over_a_seam(tmp_path: Path) -> None:
    parts = Parts(tmp_path, 100_000, 1.9)
    started(parts)
    for number in range(1, 29):
        parts.recorder.feed(parts.unit(number))
    parts.until_written()
    early, late = new_id(), new_id()
    parts.recorder.mark(early, "before", parts.at_ns(12))
    parts.recorder.mark(late, "after", parts.at_ns(33))  # its frame is not even written
    assert len(parts.sheets) == 1
    for number in range(29, 45):
        parts.recorder.feed(parts.unit(number))
    parts.until_written()
    first, second = parts.recorder.stop(parts.at_ns(44), new_id())
    seam = first.frames
    assert seam == 30
    assert marks(first) == {"before": 13}
    assert marks(second) == {"after": 33 - seam + 1}
    assert second.marks[0]["at_s"] == pytest.approx((33 - seam) / 30, abs=0.01)


def test_a_stop_that_reaches_back_leaves_marks_in_the_clip(tmp_path: Path) -> None:
    parts = Parts(tmp_path, 10 << 20, 1.3)
    started(parts)
    for number in range(1, 35):
        parts.recorder.feed(parts.unit(number))
    parts.until_written()
    parts.recorder.mark(new_id(), "late", parts.at_ns(30))
    (closed,) = parts.recorder.stop(parts.at_ns(20), new_id())
    assert closed.frames == 21
    assert marks(closed) == {"late": 21}


def test_a_mark_made_now_shows_the_frame_of_its_moment(tmp_path: Path) -> None:
    """Through encoder and all, on the test pattern."""
    with Rig(tmp_path) as rig:
        rig.command(commands.RecordStart)
        until(lambda: rig.source().recording.seconds > 1.0, what="a second of it")
        rig.command(commands.RecordMark, text="now")
        until(lambda: rig.source().recording.seconds > 2.0, what="another")
        (instance,) = rig.command(commands.RecordStop)["instances"]
        sidecar, path = rig.sidecar(instance), rig.file(instance)
    (mark,) = sidecar.marks
    numbers = strips(path)
    shown = numbers[mark["frame"] - 1] - numbers[0]
    assert shown == pytest.approx(mark["at_s"] * 30, abs=1.5)


def test_while_the_grabber_is_unplugged_there_is_nothing_to_mark_and_the_recording_has_not_ended(
    tmp_path: Path,
) -> None:
    parts = Parts(tmp_path, 10 << 20, 1.5)
    started(parts)
    parts.recorder.cut("the grabber was unplugged")
    until(lambda: parts.recorder.closed, what="the part is closed")
    with pytest.raises(SmartBoxError) as caught:
        parts.recorder.mark(new_id(), "nothing", parts.at_ns(1))
    assert caught.value.code == "device-gone"
    parts.recorder.stop(parts.at_ns(1), new_id())
    with pytest.raises(SmartBoxError) as caught:
        parts.recorder.mark(new_id(), "over", parts.at_ns(1))
    assert caught.value.code == "not-recording"
