"""Where a clip goes on in the next instance: no frame lost or doubled, and a stop that reaches back over it."""

from __future__ import annotations

import hashlib
import itertools
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from hw.base import PixelFormat
from hw.fake.source import FakeSource
from smartbox_tui.capture.access import AccessUnit, Stream
from smartbox_tui.capture.recorder import Recorder
from smartbox_tui.media import ts
from smartbox_tui.media.encoders import CODECS
from smartbox_tui.model.instance import H264_HP_41
from smartbox_tui.spool.layout import exam_dir
from smartbox_tui.spool.sidecar import Sidecar, SidecarState
from smartbox_tui.wire import commands
from tests.capture.rig import Destination, Process, Rig, exam_in, new_id, strips, until
from tests.support.stalls import StallWatch

EACH = sorted(CODECS)


@pytest.mark.parametrize("codec", EACH)
def test_a_clip_goes_on_without_a_seam_in_further_instances(codec: str, tmp_path: Path) -> None:
    cap = 1 << 20
    destinations = (Destination(name="small", host="b", aet="B", max_instance_bytes=cap),)
    source = {"size": "640x480", "bitrate": 6_000_000, "codec": codec}
    with Rig(tmp_path, of=source, destinations=destinations) as rig, StallWatch() as machine:
        rig.command(commands.RecordStart)
        time.sleep(7)
        stopped = rig.command(commands.RecordStop)
        parts = stopped["instances"]
        assert len(parts) >= 2
        numbers: list[int] = []
        firsts: list[int] = []
        inside = 0  # lost within a part
        for index, instance in enumerate(parts):
            sidecar, path = rig.sidecar(instance), rig.file(instance)
            own = strips(path)
            numbers += own
            firsts.append(own[0])
            inside += own[-1] - own[0] + 1 - len(own)
            scan = ts.scan(path)
            assert scan.whole
            assert scan.frames == sidecar.frames == len(own)
            assert (sidecar.part, sidecar.state) == (index, SidecarState.CLOSED)
            assert path.stat().st_size == sidecar.bytes <= cap - (64 << 10)
            assert mp4_bytes(path, tmp_path / "part.mp4") <= cap - (64 << 10)
            assert sidecar.duration_s == pytest.approx((own[-1] - own[0] + 1) / 30, abs=0.05)
        # every frame once, over all parts: what is missing is what the source itself says it lost
        assert numbers == sorted(set(numbers))
        assert numbers[-1] - numbers[0] + 1 == len(numbers) + stopped["frames_lost"]
        # a machine that is too slow loses anywhere; one that loses at the seams alone has a defect there
        assert stopped["frames_lost"] == inside or inside or machine.withheld
        taken = [rig.sidecar(each) for each in parts]
        for (before, first), (after, next_) in itertools.pairwise(zip(taken, firsts, strict=True)):
            gap_s = (after.frame_ns - before.frame_ns) / 1e9
            assert gap_s == pytest.approx((next_ - first) / 30, abs=0.05)
            assert after.captured_at > before.captured_at


def test_a_cap_that_a_second_does_not_fit_in_is_kept(tmp_path: Path) -> None:
    cap = 1 << 20
    destinations = (Destination(name="small", host="b", aet="B", max_instance_bytes=cap),)
    # noise: a second of it at this bit rate is some megabytes
    noise = np.random.default_rng(1).integers(0, 256, (8, 240 * 3 // 2 * 320), np.uint8)
    source = FakeSource(pixel=PixelFormat.I420, make=lambda number: noise[number % 8].tobytes())
    with Rig(tmp_path, source, of={"bitrate": 40_000_000}, destinations=destinations) as rig:
        stopped = rig.record(2.5)
        assert len(stopped["instances"]) >= 3
        assert all(each["bytes"] <= cap - (64 << 10) for each in stopped["instances"])
        assert sum(each["frames"] for each in stopped["instances"]) == stopped["frames"]


class Parts:
    """A recorder fed by hand: a unit a frame, every tenth an IDR, its parts as they become known. The first frame
    was `ago_s` seconds ago."""

    def __init__(self, folder: Path, cap: int, ago_s: float) -> None:
        self.base_ns = time.monotonic_ns() - int(ago_s * 1e9)
        self.sheets: dict[str, Sidecar] = {}
        held = exam_in(folder)
        self.recorder = Recorder(
            exam_dir(folder, held),
            sheet(held, self.base_ns),
            max_bytes=cap,
            begun=lambda each: self.sheets.__setitem__(each.id, each),
            ended=lambda _recorder, _reason: None,
            drained=lambda: True,
        )

    def unit(self, number: int) -> AccessUnit:
        data = b"\0\0\0\1\x09\x10" + number.to_bytes(4, "big") * 250
        stream = Stream(1, 320, 240, Fraction(30), H264_HP_41)
        return AccessUnit(data, self.at_ns(number), number % 10 == 0, 0, stream)

    def at_ns(self, number: int) -> int:
        return self.base_ns + number * 1_000_000_000 // 30

    def until_written(self) -> None:
        until(lambda: not self.recorder.waiting_bytes, what="all is written")


def sheet(exam: str, at_ns: int) -> Sidecar:
    identity = new_id()
    values: dict[str, Any] = {"id": identity, "exam": exam, "revision": 1, "source": "s", "kind": "clip"}
    values |= {"file": f"{identity}.ts", "state": SidecarState.PINNED, "command": identity, "trigger": "api"}
    values |= {"trigger_ns": at_ns, "frame_ns": at_ns, "captured_at": "", "boot_id": "", "clock": "trusted"}
    values |= {"width": 0, "height": 0, "fps_num": 30, "fps_den": 1, "sop_class": "video-endoscopic"}
    return Sidecar(**values, sampling="420", media="")


def test_a_stop_reaches_back_over_a_seam(tmp_path: Path) -> None:
    """A press is known up to a second later: of what came after it nothing stays, in whichever part it lies."""
    parts = Parts(tmp_path, 100_000, 1.3)
    recorder = parts.recorder
    recorder.preload([parts.unit(0)])
    recorder.start()
    # 64 KiB are kept for an MP4's boxes, a frame has 1 KiB: the fourth GOP does not fit
    for number in range(1, 35):
        recorder.feed(parts.unit(number))
    parts.until_written()
    first, second = sorted(parts.sheets.values(), key=lambda each: each.part)
    seam = round((second.frame_ns - parts.base_ns) * 30 / 1e9)
    assert seam == 30
    assert first.state is SidecarState.RECORDING  # a stop may still reach into it
    assert recorder.state().frames == 35
    mark = recorder.mark(new_id(), "before the seam", parts.at_ns(seam - 2))
    assert mark["at_s"] == pytest.approx((seam - 2) / 30, abs=0.01)
    # the press was three frames before the seam
    stop = new_id()
    closed = recorder.stop(parts.at_ns(seam - 3), stop)
    assert [each.part for each in closed] == [0]
    (kept,) = closed
    assert kept.frames == seam - 2  # the frame of the press is the last one
    assert kept.stop_command == stop
    assert [each["text"] for each in kept.marks] == ["before the seam"]
    assert parts.sheets[second.id].state is SidecarState.DISCARDED
    path = recorder.folder / kept.file
    assert ts.scan(path).whole
    assert ts.scan(path).frames == kept.frames
    assert hashlib.sha256(path.read_bytes()).hexdigest() == kept.sha256
    assert not (recorder.folder / second.file).read_bytes()


def test_killed_just_after_a_seam_both_parts_are_closed_and_one_recording_goes_on(tmp_path: Path) -> None:
    destination = f'[[destinations]]\nname = "a"\nhost = "h"\naet = "A"\nmax_instance_bytes = {1 << 20}\n'
    box = Process(tmp_path, size="640x480", keys="bitrate = 6000000", extra=destination)
    box.start()
    try:
        box.command("record-start")

        def begun() -> bool:
            """A part without a whole frame would be discarded, not closed."""
            files = [box.bitstream(each) for each in box.sidecars() if each.kind == "clip"]
            sizes = [file.stat().st_size for file in files if file.exists()]  # the sidecar comes first
            return len(sizes) > 1 and min(sizes) > 60_000

        until(begun, what="a seam")
        box.kill()
        left = [each for each in box.sidecars() if each.kind == "clip"]
        assert sum(each.state is SidecarState.RECORDING for each in left) == 2
        box.start()
        ids = {each.id for each in left}

        def closed() -> list[Sidecar]:
            found = [each for each in box.sidecars() if each.id in ids and each.state is SidecarState.CLOSED]
            return found if len(found) == len(left) else []

        parts = sorted(until(closed, what="both are closed"), key=lambda each: each.part)
        resumed = until(
            lambda: [e for e in box.sidecars() if e.kind == "clip" and e.id not in ids], what="it goes on"
        )
        assert len({each.command for each in resumed}) == 1
        box.command("record-stop")
    finally:
        box.end()
    numbers: list[int] = []
    for part in parts:
        own = strips(box.bitstream(part))
        assert part.frames == len(own)
        numbers += own
    assert numbers == sorted(set(numbers))


def test_two_seconds_after_a_seam_the_part_before_is_closed(tmp_path: Path) -> None:
    parts = Parts(tmp_path, 100_000, 6.7)
    recorder = parts.recorder
    recorder.preload([parts.unit(0)])
    recorder.start()
    for number in range(1, 200):
        recorder.feed(parts.unit(number))
    parts.until_written()
    until(lambda: sum(each.state is SidecarState.CLOSED for each in parts.sheets.values()) >= 3)
    closed = recorder.stop(parts.at_ns(199), new_id())
    assert sum(each.frames for each in closed) == 200
    assert [each.part for each in closed] == list(range(len(closed)))
    for before, after in itertools.pairwise(closed):
        assert after.frame_ns - before.frame_ns == pytest.approx(before.frames / 30 * 1e9, abs=2)
        assert before.bytes <= 100_000
        assert not before.stop_command
    assert closed[-1].stop_command


def test_what_cannot_begin_the_next_part_is_told_as_lost(tmp_path: Path) -> None:
    """A source that was away: a late picture from before has nothing any more that it could lean on."""
    parts = Parts(tmp_path, 1 << 20, 1.0)
    recorder = parts.recorder
    recorder.preload([parts.unit(0)])
    recorder.start()
    recorder.cut("the grabber was unplugged")
    until(lambda: len(recorder.closed) == 1, what="the part is closed")
    for number in range(7, 15):
        recorder.feed(parts.unit(number))
        parts.until_written()
        until(lambda: recorder.written is None, what="it is taken")
    closed = recorder.stop(parts.at_ns(14), new_id())
    assert [(each.part, each.frames, each.frames_lost) for each in closed] == [(0, 1, 0), (1, 5, 3)]


def mp4_bytes(path: Path, out: Path) -> int:
    """How long the same pictures are as MP4."""
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.pts is not None:
                packet.stream = stream
                target.mux(packet)
    return out.stat().st_size
