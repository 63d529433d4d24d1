"""Bursts: one instance of many frames, in a row, durable, with its index; what a crash leaves of one is kept."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from hw.base import PixelFormat, SignalState
from hw.fake.pictures import as_webcam, picture
from hw.fake.source import FakeSource, Frames, Gap, Says
from hw.video.strip import read_strip
from smartbox_tui.capture import bursts
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media.jpeg import entropy_coded, repair, whole_pictures
from smartbox_tui.model.instance import JPEG_BASELINE, SOP_CLASSES
from smartbox_tui.spool.sidecar import Sidecar, SidecarState, write_sidecar
from smartbox_tui.wire import commands, events
from tests.capture.rig import Rig, exam_in, new_id, process, until


def frames_of(path: Path, sidecar: Sidecar) -> list[bytes]:
    data = path.read_bytes()
    assert len(data) == sidecar.bytes
    return [data[at : at + length] for at, length in sidecar.index]


def numbers_in(frames: list[bytes]) -> list[int]:
    strips = [read_strip(np.asarray(simplejpeg.decode_jpeg(each, "GRAY"))[:, :, 0]) for each in frames]
    assert all(strip.ok for strip in strips)
    return [strip.number for strip in strips]


def in_a_row(numbers: list[int]) -> bool:
    return all(later == earlier + 1 for earlier, later in itertools.pairwise(numbers))


def burst(rig: Rig, count: int, **values: Any) -> Any:
    return rig.command(commands.Still, burst=count, **values)["instance"]


def jpeg(number: int, sampling: str, width: int = 320, height: int = 240) -> bytes:
    """Baseline with the strip in it, as a webcam sends it."""
    luma = np.frombuffer(picture(PixelFormat.I420, width, height, number), np.uint8)[: width * height]
    chroma = np.full((height, width if sampling == "444" else width // 2), 128, np.uint8)
    return as_webcam(simplejpeg.encode_jpeg_yuv_planes(luma.reshape(height, width), chroma, chroma, quality=90))


def own(number: int) -> bytes:
    """As it stands in a burst's file."""
    return repair(jpeg(number, "422")).data


def test_a_burst_is_one_instance_of_frames_in_a_row(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        identity, asked_ns = new_id(), time.monotonic_ns()
        answer = rig.command(commands.Still, id=identity, burst=5, at_ns=asked_ns)
        instance = answer["instance"]
        assert answer["instances"] == [instance]
        assert (instance["kind"], instance["frames"], instance["id"]) == ("burst", 5, identity)
        assert instance["sop_class_uid"] == SOP_CLASSES["multiframe-sc"]
        assert instance["transfer_syntax_uid"] == JPEG_BASELINE
        assert abs(instance["frame_ns"] - asked_ns) < 1.1e9 / 30
        sidecar = rig.sidecar(instance)
        assert (sidecar.state, sidecar.media, sidecar.sop_class) == (SidecarState.CLOSED, "jpegs", "multiframe-sc")
        assert (sidecar.width, sidecar.height, sidecar.sampling) == (320, 240, "422")
        frames = frames_of(rig.file(instance), sidecar)
        numbers = numbers_in(frames)
        assert numbers[-1] - numbers[0] + 1 == 5 + sidecar.frames_lost
        assert sidecar.frame_time_ms is not None
        assert sidecar.frame_time_ms == pytest.approx((numbers[-1] - numbers[0]) / 4 * 1000 / 30, abs=0.1)
        assert sidecar.duration_s == instance["duration_s"] == round(5 * sidecar.frame_time_ms / 1000, 3)
        assert [at for at, _ in sidecar.index] == [sum(map(len, frames[:number])) for number in range(5)]
        assert all(simplejpeg.decode_jpeg_header(each)[3] == "422" for each in frames)
        assert sidecar.note == "", "the exam made for this press takes all of it"
        assert rig.command(commands.Still, id=identity, burst=5) == answer
        (told,) = until(lambda: rig.told(events.StillTaken))
        assert (told.instance.kind, told.instance.frames) == ("burst", 5)
        held = rig.assembly.service.held()
        assert held is not None
        assert (held.stills, held.bursts, held.clips) == (0, 1, 0)
        assert not list(rig.paths.spool.glob("*/.*")), "nothing temporary is left"
        rig.restart()
        assert rig.command(commands.Still, id=identity, burst=5)["instance"]["bytes"] == instance["bytes"]
        assert len(list(rig.paths.spool.glob("*/*.mjpeg"))) == 1


def test_the_frame_time_is_as_measured_and_lost_frames_are_counted(tmp_path: Path) -> None:
    source = FakeSource(fps=Fraction(20))
    with Rig(tmp_path, source, of={"fps": 20.0}) as rig:
        at_ns = time.monotonic_ns()
        source.then(Frames(5), Gap(4))
        sidecar = rig.sidecar(burst(rig, 12, at_ns=at_ns))
        assert (sidecar.frames, sidecar.frames_lost) == (12, 4)
        assert sidecar.frame_time_ms == pytest.approx(50 * 15 / 11, abs=1)


def test_a_burst_of_one_is_a_still_and_one_of_too_many_is_refused(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        assert burst(rig, 1)["kind"] == "still"
        for count in (0, -1, bursts.BURST_MAX + 1):
            with pytest.raises(SmartBoxError, match="burst") as caught:
                burst(rig, count)
            assert caught.value.code == "bad-value"


def test_the_grabbers_own_jpegs_are_passed_on(tmp_path: Path) -> None:
    sent: dict[int, bytes] = {}

    def make(number: int) -> bytes:
        return sent.setdefault(number, jpeg(number, "422"))

    with Rig(tmp_path, FakeSource(pixel=PixelFormat.MJPEG, make=make)) as rig:
        instance = burst(rig, 4)
        frames = frames_of(rig.file(instance), rig.sidecar(instance))
        numbers = numbers_in(frames)
        assert in_a_row(numbers)
        assert [entropy_coded(each) for each in frames] == [entropy_coded(sent[number]) for number in numbers]


@pytest.mark.parametrize("first", ["444", "422"])
def test_all_frames_have_the_sampling_of_the_first(tmp_path: Path, first: str) -> None:
    """A grabber that changes its mind with every frame."""
    turn = 0 if first == "444" else 1

    def make(number: int) -> bytes:
        return jpeg(number, ("444", "422")[number % 2])

    with Rig(tmp_path, FakeSource(pixel=PixelFormat.MJPEG, make=make)) as rig:
        seen = {}
        while first not in seen:
            instance = burst(rig, 4)
            seen[rig.sidecar(instance).sampling] = instance
        instance = seen[first]
        frames = frames_of(rig.file(instance), rig.sidecar(instance))
        numbers = numbers_in(frames)
        assert in_a_row(numbers)
        assert numbers[0] % 2 == turn
        assert {simplejpeg.decode_jpeg_header(each)[3] for each in frames} == {first}


def test_a_broken_picture_of_the_grabber_is_passed_over(tmp_path: Path) -> None:
    torn: list[int] = []

    def make(number: int) -> bytes:
        if number % 7 == 3:
            torn.append(number)
            return b"\xff\xd8torn"
        return jpeg(number, "422")

    with Rig(tmp_path, FakeSource(pixel=PixelFormat.MJPEG, make=make)) as rig:
        for _ in range(4):
            try:
                instance = burst(rig, 8)
            except SmartBoxError as exc:  # the very frame of the press
                if exc.code != "refused":
                    raise
                continue
            numbers = numbers_in(frames_of(rig.file(instance), rig.sidecar(instance)))
            assert len(numbers) == 8
            missing = set(range(numbers[0], numbers[-1])) - set(numbers)
            assert missing == {number for number in torn if numbers[0] < number < numbers[-1]}
            assert rig.sidecar(instance).frames_lost == len(missing) > 0
            return
    raise AssertionError("no burst could be taken")


def test_when_the_signal_goes_what_there_is_counts(tmp_path: Path) -> None:
    source = FakeSource(fps=Fraction(10))
    with Rig(tmp_path, source, of={"fps": 10.0}) as rig:
        answers: list[Any] = []
        taking = threading.Thread(target=lambda: answers.append(burst(rig, 20)))
        taking.start()
        time.sleep(0.55)
        source.then(Says(SignalState.NO_CABLE))
        taking.join()
        assert 2 <= answers[0]["frames"] < 20
        sidecar = rig.sidecar(answers[0])
        assert sidecar.note == "the signal was lost"
        assert len(frames_of(rig.file(answers[0]), sidecar)) == answers[0]["frames"]


def test_a_signal_that_goes_at_once_leaves_a_burst_of_one(tmp_path: Path) -> None:
    source = FakeSource(fps=Fraction(5))
    with Rig(tmp_path, source, of={"fps": 5.0}) as rig:
        source.then(Says(SignalState.NO_CABLE))
        try:
            instance = burst(rig, 5)
        except SmartBoxError:
            pytest.skip("the signal was gone before the press")
        sidecar = rig.sidecar(instance)
        if instance["frames"] == 1:
            assert (sidecar.kind, sidecar.frame_time_ms, sidecar.duration_s) == ("burst", None, None)
        assert len(sidecar.index) == instance["frames"]


def test_a_burst_ends_with_its_exam(tmp_path: Path) -> None:
    """What the camera sees after that is the next patient."""
    with Rig(tmp_path, FakeSource(fps=Fraction(10)), of={"fps": 10.0}) as rig:
        first, second = exam_in(rig.paths.spool), exam_in(rig.paths.spool)
        rig.command(commands.HoldExam, exam=first, revision=1)
        answers: list[Any] = []
        taking = threading.Thread(target=lambda: answers.append(burst(rig, 25)))
        taking.start()
        time.sleep(0.5)
        rig.command(commands.HoldExam, exam=second, revision=1)
        settled_ns = time.monotonic_ns()
        taking.join()
        sidecar = rig.sidecar(answers[0])
        assert (sidecar.exam, sidecar.note) == (first, "the exam ended")
        assert 1 < sidecar.frames < 25
        assert sidecar.frame_ns + (sidecar.frames - 1) * 1e8 < settled_ns
        assert rig.still()["exam"] == second


def test_a_burst_can_be_discarded_as_a_whole(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        kept = rig.still()
        instance = burst(rig, 3)
        answer = rig.command(commands.DiscardLast, reason="blurred")["instance"]
        assert (answer["id"], answer["discarded"]) == (instance["id"], True)
        assert rig.sidecar(instance).state is SidecarState.DISCARDED
        held = rig.assembly.service.held()
        assert held is not None
        assert (held.stills, held.bursts) == (1, 0)
        assert rig.command(commands.DiscardLast, reason="x")["instance"]["id"] == kept["id"]


# ---- disks


def test_a_full_disk_ends_a_burst_with_whole_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    told: list[int] = []

    def write(fd: int, data: bytes | memoryview) -> int:
        """The third picture finds room for a few bytes alone."""
        if bytes(data[:2]) == b"\xff\xd8" or told[2:3]:
            told.append(len(data))
            if len(told) == 3:
                return real(fd, data[:100])
            if len(told) == 4:
                raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data)

    with Rig(tmp_path) as rig:
        monkeypatch.setattr(os, "write", write)
        instance = burst(rig, 5)
        monkeypatch.undo()
        sidecar = rig.sidecar(instance)
        assert (instance["frames"], sidecar.note) == (2, "the disk took no more")
        assert len(numbers_in(frames_of(rig.file(instance), sidecar))) == 2


def test_after_a_failed_fsync_nothing_is_promised_and_the_next_start_keeps_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with Rig(tmp_path) as rig:
        identity = new_id()
        monkeypatch.setattr(os, "fdatasync", fail)
        with pytest.raises(SmartBoxError) as caught:
            burst(rig, 20, id=identity)
        assert caught.value.code == "refused"
        monkeypatch.undo()
        (path,) = rig.paths.spool.glob("*/*.mjpeg")
        rig.restart()
        answer = burst(rig, 20, id=identity)
        assert answer["id"] == identity
        assert answer["frames"] == len(whole_pictures(path.read_bytes())) > 1
        assert rig.sidecar(answer).note == bursts.CRASHED


# ---- crashes


def left_open(rig: Rig, tail: bytes, frames: int = 3) -> tuple[Sidecar, bytes]:
    """What a crash in a burst leaves: a sidecar that says `recording`, and a file with a torn end."""
    exam = exam_in(rig.paths.spool)
    folder = rig.paths.spool / exam
    identity = new_id()
    whole = b"".join(own(number) for number in range(frames))
    sidecar = Sidecar(
        id=identity, exam=exam, revision=1, source="endo", kind="burst", file=f"{identity}.mjpeg",
        state=SidecarState.RECORDING, command=identity, trigger="api", trigger_ns=1, frame_ns=1,
        captured_at="2026-11-21T10:00:00.000+01:00", boot_id="other", clock="trusted", width=320, height=240,
        fps_num=25, fps_den=1, sop_class="multiframe-sc", sampling="422", media="jpegs",
        transfer_syntax_uid=JPEG_BASELINE, frames=0,
    )  # fmt: skip
    (folder / sidecar.file).write_bytes(whole + tail)
    (folder / f".{identity}.room").write_bytes(bytes(100))
    write_sidecar(folder, sidecar)
    return sidecar, whole


@pytest.mark.parametrize(
    "tail", [b"", b"\xff", b"\xff\xd8\xff\xe0\x00", own(9)[:-7], bytes(5000), b"\xff\xd9", b"nonsense"]
)
def test_what_a_crash_left_of_a_burst_is_closed_with_what_is_counted(tmp_path: Path, tail: bytes) -> None:
    rig = Rig(tmp_path)
    sidecar, whole = left_open(rig, tail)
    with rig:
        path = rig.paths.spool / sidecar.exam / sidecar.file
        instance = {"kind": "burst", "exam": sidecar.exam, "id": sidecar.id}
        until(lambda: rig.sidecar(instance).state is SidecarState.CLOSED)
        closed = rig.sidecar(instance)
        assert path.read_bytes() == whole
        assert (closed.frames, closed.bytes, closed.note) == (3, len(whole), bursts.CRASHED)
        assert (closed.frame_time_ms, closed.duration_s) == (40.0, 0.12)
        assert numbers_in(frames_of(path, closed)) == [0, 1, 2]
        assert not list(path.parent.glob(".*"))
        again = burst(rig, 3, id=sidecar.id)
        assert (again["id"], again["frames"]) == (sidecar.id, 3)


def test_a_crash_after_the_first_frame_leaves_a_burst_of_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    sidecar, _ = left_open(rig, b"\xff\xd8", 1)
    with rig:
        instance = {"kind": "burst", "exam": sidecar.exam, "id": sidecar.id}
        until(lambda: rig.sidecar(instance).state is SidecarState.CLOSED)
        closed = rig.sidecar(instance)
        assert (closed.kind, closed.frames, closed.frame_time_ms, closed.duration_s) == ("burst", 1, None, None)


def test_a_burst_without_a_whole_frame_is_closed_as_discarded(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    sidecar, _ = left_open(rig, b"\xff\xd8\xff", 0)
    with rig:
        instance = {"kind": "burst", "exam": sidecar.exam, "id": sidecar.id}
        until(lambda: rig.sidecar(instance).state is SidecarState.DISCARDED)
        assert rig.sidecar(instance).frames == 0


def test_the_scan_parses_markers_instead_of_searching_bytes() -> None:
    """A thumbnail in an APP segment, and an EOI within one, are no pictures."""
    plain = own(1)
    with_thumbnail = plain[:2] + b"\xff\xfe\x00\x0a" + b"\xff\xd9\xff\xd8\xff\xe0\xff\xd9" + plain[2:]
    short, long = len(plain), len(with_thumbnail)
    found = whole_pictures(plain + with_thumbnail + plain)
    assert found == [(0, short), (short, long), (short + long, short)]
    assert whole_pictures(b"") == []
    for cut in range(0, len(with_thumbnail), 97):
        assert whole_pictures(with_thumbnail[:cut]) == []


def test_a_killed_capture_keeps_the_frames_of_its_burst(tmp_path: Path) -> None:
    with process(tmp_path, size="640x480", keys="fps = 10") as box:
        identity = new_id()
        failed = threading.Event()

        def take() -> None:
            try:
                box.command("still", id=identity, burst=30)
            except Exception:
                failed.set()

        taking = threading.Thread(target=take)
        taking.start()
        (path,) = until(lambda: list(box.paths.spool.glob("*/*.mjpeg")))
        until(lambda: len(whole_pictures(path.read_bytes())) >= 5)
        assert box.child is not None
        os.kill(box.child.pid, signal.SIGKILL)
        box.child.wait()
        taking.join()
        assert failed.is_set()
        left = len(whole_pictures(path.read_bytes()))
        box.start()
        (sidecar,) = until(lambda: [each for each in box.sidecars() if each.state is SidecarState.CLOSED])
        assert (sidecar.id, sidecar.frames, sidecar.note) == (identity, left, bursts.CRASHED)
        numbers = numbers_in(frames_of(path, sidecar))
        assert numbers == sorted(set(numbers))
        again = box.command("still", id=identity, burst=30)
        assert (again["instance"]["id"], again["instance"]["frames"]) == (identity, left)
        assert len(list(box.paths.spool.glob("*/*.mjpeg"))) == 1


def test_the_frames_keep_their_order_on_a_busy_source(tmp_path: Path) -> None:
    """A burst of the most frames there may be, at a rate that leaves no time."""
    with Rig(tmp_path, of={"fps": 60.0, "size": "1280x720"}) as rig:
        instance = burst(rig, bursts.BURST_MAX)
        sidecar = rig.sidecar(instance)
        numbers = numbers_in(frames_of(rig.file(instance), sidecar))
        assert len(numbers) == bursts.BURST_MAX
        assert numbers[-1] - numbers[0] + 1 == len(numbers) + sidecar.frames_lost
