"""Recordings: every frame once, from before the press, over instances, gaps and full disks."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from hw.base import PixelFormat, SignalState
from hw.errors import SignalChanged
from hw.fake.source import Fail, FakeSource, Frames, Gap, Says, Stall
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.media import h264, ts
from smartbox_tui.spool.sidecar import SidecarState, read_sidecar
from smartbox_tui.wire import commands, events
from tests.capture.rig import Destination, Rig, new_id, probe, strips, until
from tests.support.stalls import StallWatch

H264_HP_41 = "1.2.840.10008.1.2.4.102"


def assert_every_frame_once(numbers: list[int], lost: int) -> None:
    """In order, none twice, and none missing but those that the source says it lost."""
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - numbers[0] + 1 == len(numbers) + lost


def check_clip(rig: Rig, instance: Any) -> list[int]:
    """A closed clip whose file, sidecar and answer say the same; answers its frame numbers."""
    path, sidecar = rig.file(instance), rig.sidecar(instance)
    stream = probe(path)
    numbers = strips(path)
    assert sidecar.state is SidecarState.CLOSED
    assert int(stream["nb_read_frames"]) == sidecar.frames == instance["frames"] == len(numbers)
    assert stream["profile"] == "High"
    assert sidecar.bytes == path.stat().st_size
    assert sidecar.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    scan = ts.scan(path)
    assert scan.whole
    assert scan.frames == sidecar.frames
    assert sidecar.duration_s == pytest.approx(float(stream["duration"]), abs=0.002)
    return numbers


def test_a_clip_has_every_frame_once_from_before_the_press(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig, StallWatch() as machine:
        time.sleep(2.2)
        press_ns = time.monotonic_ns()
        started = rig.command(commands.RecordStart, at_ns=press_ns)
        assert rig.source().recording
        time.sleep(1.5)
        stopped = rig.command(commands.RecordStop)
        end_ns = time.monotonic_ns()
        (instance,) = stopped["instances"]
        assert instance["id"] == started["picture"]
        numbers = check_clip(rig, instance)
        assert_every_frame_once(numbers, stopped["frames_lost"])
        assert stopped["frames_lost"] == 0 or machine.withheld
        # preroll_s = 1: from the last IDR before that, which comes at least once a second.
        assert 1.0 <= (press_ns - instance["frame_ns"]) / 1e9 <= 2.1
        assert instance["duration_s"] >= (end_ns - press_ns) / 1e9 + 0.8
        assert instance["transfer_syntax_uid"] == H264_HP_41
        assert rig.told(events.RecordingStarted)
        assert rig.told(events.RecordingStopped)


def test_the_stream_is_high_profile_with_closed_gops_of_a_second_at_most(tmp_path: Path) -> None:
    with Rig(tmp_path, FakeSource([Frames(70), Gap(7)])) as rig:
        (instance,) = rig.record(2.5)["instances"]
        keys = []
        with av.open(str(rig.file(instance))) as container:
            for packet in container.demux(video=0):
                if packet.pts is None:
                    continue
                kinds = [kind for kind, _ in h264.nal_units(bytes(packet))]
                assert kinds[0] == 9  # each unit begins with its delimiter
                assert packet.pts == packet.dts
                if packet.is_keyframe:
                    assert {h264.NAL_IDR, h264.NAL_SPS, 8} <= set(kinds)
                    keys.append(packet.pts)
        assert all(later - earlier <= 90_000 for earlier, later in itertools.pairwise(keys))
        sps = h264.find_sps(ts.first_access_unit(rig.file(instance)))
        assert sps is not None
        assert (sps.profile_idc, sps.level_idc) == (h264.PROFILE_HIGH, 41)
        assert (sps.width, sps.height, sps.fps, sps.full_range) == (320, 240, 30, False)


def test_level_4_2_and_its_transfer_syntax_where_the_rate_needs_it() -> None:
    from hw.base import VideoFormat
    from smartbox_tui.capture.encoder import Encoder
    from smartbox_tui.media.encoders import CODECS

    def stream_of(width: int, height: int, fps: int) -> Any:
        form = VideoFormat(PixelFormat.I420, width, height, Fraction(fps), full_range=False)
        codec = CODECS["h264"]
        encoder = Encoder(codec, form, codec.plan(width, height, Fraction(fps)), 8_000_000)
        encoder.encode(av.VideoFrame(width, height, "yuv420p"), 0, 0, idr=True)
        return encoder.stream

    assert stream_of(1920, 1080, 30).transfer_syntax_uid == H264_HP_41
    assert stream_of(1920, 1080, 60).transfer_syntax_uid == "1.2.840.10008.1.2.4.104"
    assert stream_of(1920, 1080, 120).fps == 60


def test_a_gap_stays_a_gap_and_is_counted(tmp_path: Path) -> None:
    source = FakeSource()
    with Rig(tmp_path, source) as rig:
        rig.command(commands.RecordStart)
        time.sleep(0.3)
        source.then(Gap(9))
        time.sleep(0.8)
        (instance,) = rig.command(commands.RecordStop)["instances"]
        numbers = check_clip(rig, instance)
        steps = [later - earlier for earlier, later in itertools.pairwise(numbers)]
        assert sorted(set(steps)) == [1, 10]
        assert instance["frames_lost"] == 9
        assert instance["duration_s"] == pytest.approx((numbers[-1] - numbers[0] + 1) / 30, abs=0.02)


def test_a_clip_goes_on_without_a_seam_in_the_next_instance(tmp_path: Path) -> None:
    cap = 1 << 20
    destinations = (
        Destination(name="large", host="a", aet="A"),
        Destination(name="small", host="b", aet="B", max_instance_bytes=cap),
    )
    source = {"size": "640x480", "bitrate": 4_000_000}
    with Rig(tmp_path, of=source, destinations=destinations) as rig, StallWatch() as machine:
        identity = new_id()
        rig.command(commands.RecordStart, id=identity)
        rig.command(commands.RecordMark, text="early")
        time.sleep(7)
        stopped = rig.command(commands.RecordStop)
        assert len(stopped["instances"]) >= 2
        numbers: list[int] = []
        for part, instance in enumerate(stopped["instances"]):
            numbers += check_clip(rig, instance)
            assert instance["bytes"] <= cap
            sidecar = rig.sidecar(instance)
            assert (sidecar.part, sidecar.command) == (part, identity)
            assert len(sidecar.marks) == (1 if part == 0 else 0)
        assert_every_frame_once(numbers, stopped["frames_lost"])
        assert stopped["frames_lost"] == 0 or machine.withheld
        assert stopped["frames"] == len(numbers)
        assert len({each["sop_instance_uid"] for each in stopped["instances"]}) == len(stopped["instances"])


def test_repeats_of_start_mark_and_stop_find_what_is_there(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        start, mark, stop = new_id(), new_id(), new_id()
        answers: list[Any] = []
        threads = [
            threading.Thread(target=lambda: answers.append(rig.command(commands.RecordStart, id=start)))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [answer["picture"] for answer in answers] == [start] * 3
        with pytest.raises(SmartBoxError) as caught:
            rig.command(commands.RecordStart)
        assert caught.value.code == "already-recording"
        marked = rig.command(commands.RecordMark, id=mark, text="polyp")
        assert rig.command(commands.RecordMark, id=mark, text="polyp") == marked
        stopped = rig.command(commands.RecordStop, id=stop)
        assert rig.command(commands.RecordStop, id=stop) == stopped
        rig.restart()
        assert rig.command(commands.RecordStop, id=stop)["instances"] == stopped["instances"]
        assert rig.command(commands.RecordMark, id=mark) == marked
        assert rig.command(commands.RecordStart, id=start)["instances"] == stopped["instances"]
        assert len(list(rig.paths.spool.glob("*/*.ts"))) == 1
        assert [each["text"] for each in rig.sidecar(stopped["instances"][0]).marks] == ["polyp"]
        for kind in (commands.RecordStop, commands.RecordMark):
            with pytest.raises(SmartBoxError) as caught:
                rig.command(kind)
            assert caught.value.code == "not-recording"


def test_a_source_that_stops_is_opened_anew_and_the_recording_goes_on(tmp_path: Path) -> None:
    source = FakeSource()
    with Rig(tmp_path, source) as rig:
        rig.command(commands.RecordStart)
        time.sleep(0.3)
        source.then(Stall(1.8))
        until(lambda: rig.source().signal_state == "no-signal", 5)
        until(lambda: source.opened == 2 and rig.source().signal, 5)
        time.sleep(0.4)
        (instance,) = rig.command(commands.RecordStop)["instances"]
        check_clip(rig, instance)
        assert "no signal for" in rig.sidecar(instance).note


def test_a_grabber_pulled_in_a_recording_closes_the_clip_and_a_new_one_goes_on_when_it_is_back(
    tmp_path: Path,
) -> None:
    source = FakeSource()
    with Rig(tmp_path, source) as rig:
        rig.command(commands.RecordStart)
        time.sleep(0.5)
        source.then(Fail(refused_opens=4))
        until(lambda: rig.source().signal_state == "gone", 5)

        def closed() -> list[Any]:
            paths = [path for path in rig.paths.spool.glob("*/*.json") if len(path.stem) == 36]
            return [each for each in map(read_sidecar, paths) if each.state == "closed"]

        (first,) = until(closed, 5, "the clip is closed while the grabber is away")
        assert rig.source().recording is not None
        until(lambda: rig.source().signal, 10)
        time.sleep(0.6)
        answer = rig.command(commands.RecordStop)
        before, after = answer["instances"]
        assert before["id"] == first.id
        assert "unplugged" in rig.sidecar(before).note
        numbers = [check_clip(rig, each) for each in (before, after)]
        assert numbers[1][0] > numbers[0][-1]
        assert answer["frames"] == sum(map(len, numbers))
        assert [rig.sidecar(each).part for each in (before, after)] == [0, 1]


def test_a_recording_can_be_stopped_while_the_grabber_is_away(tmp_path: Path) -> None:
    source = FakeSource()
    with Rig(tmp_path, source) as rig:
        rig.command(commands.RecordStart)
        time.sleep(0.4)
        source.then(Fail(refused_opens=1000))
        until(lambda: rig.source().signal_state == "gone")
        time.sleep(0.5)
        stop = new_id()
        (instance,) = rig.command(commands.RecordStop, id=stop)["instances"]
        check_clip(rig, instance)
        assert rig.sidecar(instance).stop_command
        assert rig.command(commands.RecordStop, id=stop)["instances"][0]["id"] == instance["id"]


def test_after_coming_back_in_another_format_a_new_instance_begins(tmp_path: Path) -> None:
    source = FakeSource(pixel=PixelFormat.I420)
    with Rig(tmp_path, source) as rig:
        rig.command(commands.RecordStart)
        time.sleep(0.4)
        source._format = FakeSource(width=640, height=480)._format
        source.then(Fail(SignalChanged("read", "/dev/fake", "the picture at the input has changed")))
        said = set()

        def other() -> bool:
            said.add((now := rig.source()).signal_state)
            return now.width == 640

        until(other, 5)
        assert said <= {"ok", "starting"}, "no signal is lost where another one comes"
        time.sleep(0.4)
        stopped = rig.command(commands.RecordStop)
        sizes = [(rig.sidecar(each).width, rig.sidecar(each).height) for each in stopped["instances"]]
        assert sizes == [(320, 240), (640, 480)]
        for instance in stopped["instances"]:
            check_clip(rig, instance)


def test_a_recording_of_a_dead_source_can_be_stopped_and_keeps_everything(tmp_path: Path) -> None:
    source = FakeSource()
    with Rig(tmp_path, source) as rig:
        rig.command(commands.RecordStart)
        time.sleep(0.4)
        source.then(Fail(refused_opens=1000))
        until(lambda: rig.source().signal_state == "gone")
        (instance,) = rig.command(commands.RecordStop)["instances"]
        assert len(check_clip(rig, instance)) >= 10
        with pytest.raises(SmartBoxError) as caught:
            rig.command(commands.RecordStart)
        assert caught.value.code == "device-gone"


def test_what_was_before_a_loss_is_no_preroll(tmp_path: Path) -> None:
    source = FakeSource()
    with Rig(tmp_path, source) as rig:
        time.sleep(1.2)
        source.then(Says(SignalState.NO_SIGNAL))
        until(lambda: not rig.source().signal)
        time.sleep(2.5)
        source.then(Says(SignalState.OK))
        until(lambda: rig.source().signal)
        time.sleep(1.2)
        (instance,) = rig.record(0.2)["instances"]
        assert instance["duration_s"] < 2.5


def test_no_recording_is_begun_on_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    with Rig(tmp_path, reserve_bytes=1 << 60) as rig:
        with pytest.raises(SmartBoxError, match="free") as caught:
            rig.command(commands.RecordStart)
        assert caught.value.code == "disk-full"
        rig.still()


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A tmpfs of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small tmpfs")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"mount is not allowed here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_fills_up_closes_the_clip_with_what_is_on_it(tmp_path: Path, small_disk: Path) -> None:
    with Rig(tmp_path, state=small_disk, of={"size": "640x480", "bitrate": 8_000_000}) as rig:
        rig.command(commands.RecordStart)
        until(lambda: rig.told(events.RecordingStopped), 20, "the disk is full")
        assert rig.source().recording is None
        stop = new_id()
        answer = rig.command(commands.RecordStop, id=stop)
        assert "full" in answer["note"]
        assert rig.command(commands.RecordStop, id=stop) == answer
        (instance,) = answer["instances"]
        assert len(check_clip(rig, instance)) > 20
        # Once the file is gone (sent, released) everything works again.
        with pytest.raises(SmartBoxError) as caught:
            _until_refused(rig)
        assert caught.value.code == "disk-full"
        rig.file(instance).unlink()
        rig.still()


def _until_refused(rig: Rig) -> None:
    for _ in range(200):
        rig.still()
