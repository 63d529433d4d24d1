"""Hardware encoders in use: when they take over, and what a recording loses when one fails: nothing."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from hw.base import Frame, PixelFormat, VideoFormat
from hw.fake.pictures import picture
from hw.fake.source import FakeSource
from smartbox_tui.capture import encoding
from smartbox_tui.capture.accelerated import Candidate, Encoders
from smartbox_tui.capture.access import AccessUnit, Stream
from smartbox_tui.capture.convert import Converter
from smartbox_tui.capture.encoder import Encoder, UnitMaker
from smartbox_tui.capture.guarded import LIMIT_S, Failed, Guarded
from smartbox_tui.capture.makers import Makers
from smartbox_tui.capture.preroll import PrerollRing
from smartbox_tui.capture.selftest import Verdict, pictures
from smartbox_tui.capture.spotcheck import SpotCheck
from smartbox_tui.media import ts
from smartbox_tui.media.encoders import CODECS
from smartbox_tui.model.formats import Format
from smartbox_tui.model.instance import H264_HP_41
from smartbox_tui.wire import commands
from tests.capture.rig import Rig, strips, until
from tests.support import encoders as fakes
from tests.support.encoders import candidate, made_by
from tests.support.stalls import StallWatch

PLAN = Format(320, 240, Fraction(30))
I420 = VideoFormat(PixelFormat.I420, 320, 240, Fraction(30), full_range=False)
GOOD = made_by(fakes.OTHER)
WARM = 3
"""Units made before the first that counts."""


@pytest.fixture(autouse=True)
def _released() -> Iterator[None]:
    """What stalls is let go at the end, so that its thread ends."""
    fakes.Stalls.released.clear()
    yield
    fakes.Stalls.released.set()


def rig_with(tmp_path: Path, *found: Candidate, limit_s: float = 5.0, **source: Any) -> Rig:
    return Rig(
        tmp_path,
        FakeSource(),
        of=source,
        encoders=lambda folder: fakes.encoders(*found, folder=folder, limit_s=limit_s),
    )


def in_use(rig: Rig, kind: str) -> None:
    until(lambda: rig.source().encoder == kind, what=f"{kind} encodes: {rig.source().encoder_note}")


def parts(rig: Rig, stopped: Any) -> list[list[int]]:
    """The frame numbers of each part of a recording; each part is whole, and no frame is in two."""
    found = []
    for instance in stopped["instances"]:
        path, sidecar = rig.file(instance), rig.sidecar(instance)
        own = strips(path)
        assert ts.scan(path).whole
        assert len(own) == sidecar.frames == instance["frames"]
        assert sidecar.transfer_syntax_uid == H264_HP_41
        found.append(own)
    numbers = list(itertools.chain.from_iterable(found))
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - numbers[0] + 1 == len(numbers) + stopped["frames_lost"]
    return found


# ---- taking over


def test_the_hardware_encodes_after_its_test_and_software_until_then(tmp_path: Path) -> None:
    with rig_with(tmp_path, candidate("qsv", GOOD)) as rig:
        assert rig.source().encoder == "software"
        in_use(rig, "qsv")
        time.sleep(0.5)
        stopped = rig.record(1.0)
        (only,) = parts(rig, stopped)
        assert len(only) >= 30
        assert rig.source().encoder_note == rig.source().encoder_failed == ""


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (made_by(fakes.BASELINE), "profile is 66, not High"),
        (made_by(fakes.REORDERING), "0 units of one picture"),
        (made_by(fakes.ENDLESS, fakes.NeverIdr), "no IDR picture"),
    ],
)
def test_what_does_not_pass_is_not_used_and_the_next_is(bad: Any, why: str, tmp_path: Path) -> None:
    with rig_with(tmp_path, candidate("nvenc", bad), candidate("qsv", GOOD)) as rig:
        in_use(rig, "qsv")
        assert why in rig.source().encoder_note
        assert rig.source().encoder_note.startswith("nvenc: ")
        assert not rig.source().trouble


def test_what_the_machine_does_not_have_is_not_tested(tmp_path: Path) -> None:
    def never(_plan: Format, _bitrate: int) -> Verdict:
        raise AssertionError("tested")

    missing = Candidate("nvenc", GOOD, never, lambda: "the machine has no card")
    with rig_with(tmp_path, missing) as rig:
        until(lambda: rig.source().encoder_note == "nvenc: the machine has no card")
        assert rig.source().encoder == "software"
    with rig_with(tmp_path / "b", Candidate("nvenc", GOOD, never), encoder="software") as rig:
        rig.record(0.5)
        assert (rig.source().encoder, rig.source().encoder_note) == ("software", "")


def test_a_running_recording_goes_on_as_it_began(tmp_path: Path) -> None:
    go = threading.Event()

    def test(_plan: Format, _bitrate: int) -> Verdict:
        go.wait(30)
        return Verdict(True, "good")

    with rig_with(tmp_path, Candidate("qsv", GOOD, test)) as rig:
        rig.command(commands.RecordStart)
        go.set()
        time.sleep(1.5)
        assert rig.source().encoder == "software"
        stopped = rig.command(commands.RecordStop)
        assert len(parts(rig, stopped)) == 1
        in_use(rig, "qsv")


# ---- failing in use


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (fakes.Fails, "it failed: input/output error"),
        (fakes.Loses, "0 units of one picture"),
        (fakes.Stalls, "it has not answered for 1.0 s"),
    ],
)
def test_one_that_fails_in_a_recording_loses_no_frame(
    wrong: Any, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as the box has them, only slower: a loaded machine is no stall
    assert LIMIT_S < encoding.QUEUE_S
    monkeypatch.setattr(encoding, "QUEUE_S", 2.0)
    opened: list[Format] = []
    make = made_by(fakes.OTHER, wrong, after=WARM + 75)

    def counted(form: VideoFormat, plan: Format, bitrate: int, gop_bytes: int) -> UnitMaker:
        opened.append(plan)
        return make(form, plan, bitrate, gop_bytes)

    limit_s = 1.0 if wrong is fakes.Stalls else 5.0
    qsv = candidate("qsv", counted, good=True)
    with rig_with(tmp_path, qsv, limit_s=limit_s) as rig, StallWatch() as machine:
        in_use(rig, "qsv")
        rig.command(commands.RecordStart)
        until(lambda: rig.source().encoder_failed, what="it fails")
        until(lambda: rig.source().encoder == "software", what="software has taken over")
        assert rig.source().encoder_failed == f"qsv: {rig.source().encoder_failed[5:]}"
        assert why in rig.source().encoder_failed
        time.sleep(1.0)
        stopped = rig.command(commands.RecordStop)
        before, after = parts(rig, stopped)
        assert len(after) >= 20
        assert stopped["frames_lost"] == 0 or machine.withheld
        assert after[0] - before[-1] == 1 or machine.withheld
        # it is not tried again, and the next recording is one clip
        until(lambda: "it failed in use" in rig.source().encoder_note)
        assert len(parts(rig, rig.record(0.7))) == 1
        assert len(opened) == 1
        assert not rig.source().trouble
        assert not list(rig.paths.runtime.glob("encoder-*"))


def test_what_a_stall_costs_where_the_queue_is_short_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "QUEUE_S", 0.3)
    with rig_with(
        tmp_path, candidate("qsv", made_by(fakes.OTHER, fakes.Stalls, after=WARM + 60), good=True)
    ) as rig:
        in_use(rig, "qsv")
        rig.command(commands.RecordStart)
        until(lambda: rig.source().encoder_failed, what="it stalls")
        time.sleep(0.7)
        stopped = rig.command(commands.RecordStop)
        before, after = parts(rig, stopped)  # which holds the numbers against what is said to be lost
        assert stopped["frames_lost"] > 0
        assert after[0] - before[-1] == 1  # the picture that it stalled on is there


def test_one_whose_pictures_turn_green_is_found_out_and_replaced(tmp_path: Path) -> None:
    """No error says so: now and then a picture is looked at."""
    make = made_by(fakes.OTHER, fakes.TurnsGreen, after=WARM + 60)
    with rig_with(tmp_path, candidate("qsv", make, good=True)) as rig:
        in_use(rig, "qsv")
        rig.command(commands.RecordStart)
        until(lambda: rig.source().encoder_failed, what="it is found out")
        assert "is not the picture that it was given" in rig.source().encoder_failed
        time.sleep(0.7)
        stopped = rig.command(commands.RecordStop)
        assert len(stopped["instances"]) == 2
        after = strips(rig.file(stopped["instances"][1]))
        assert after == list(range(after[0], after[0] + len(after)))


@pytest.mark.parametrize("bitrate", [200_000, 20_000_000])
def test_noise_that_the_bits_do_not_suffice_for_is_no_other_picture(bitrate: int) -> None:
    random = np.random.default_rng(1)
    maker = Encoder(CODECS["h264"], I420, PLAN, bitrate)
    check = SpotCheck("test", "h264", PLAN, 0.0)
    noise = av.VideoFrame.from_ndarray(random.integers(16, 235, (360, 320), np.uint8), "yuv420p")
    check.look(noise, maker.encode(noise, 0, 0, idr=True))
    until(lambda: not check._work, what="it was looked at")
    assert not check.wrong
    check.look(fakes.painted(noise, 235, 128, 128), maker.encode(noise, 1, 0, idr=True))
    until(lambda: check.wrong, what="another picture is found")
    check.close()


def test_after_one_has_failed_the_next_takes_over_when_the_recording_is_over(tmp_path: Path) -> None:
    failing = candidate("nvenc", made_by(fakes.OTHER, fakes.Fails, after=WARM + 60), good=True)
    with rig_with(tmp_path, failing, candidate("qsv", GOOD)) as rig:
        in_use(rig, "nvenc")
        rig.command(commands.RecordStart)
        until(lambda: rig.source().encoder_failed, what="it fails")
        time.sleep(1.0)
        assert rig.source().encoder == "software"
        assert len(parts(rig, rig.command(commands.RecordStop))) == 2
        in_use(rig, "qsv")
        assert rig.source().encoder_failed.startswith("nvenc: ")


def test_one_that_passes_and_fails_at_once_never_takes_over(tmp_path: Path) -> None:
    failing = candidate("qsv", made_by(fakes.OTHER, fakes.Fails, after=1), good=True)
    with rig_with(tmp_path, failing) as rig:
        until(lambda: "passed its test and failed then" in rig.source().encoder_note)
        assert rig.source().encoder == "software"
        assert not rig.source().encoder_failed
        rig.record(0.5)


def test_a_process_that_died_with_one_in_use_leaves_it_alone_until_a_clean_end(tmp_path: Path) -> None:
    """A driver's crash takes the process with it: it must not do so again and again."""
    note = tmp_path / "run" / "encoder-h264-qsv-endo"
    with rig_with(tmp_path, candidate("qsv", GOOD)) as rig:
        in_use(rig, "qsv")
        assert note.exists()
    assert not note.exists()
    note.touch()  # as a crash leaves it
    with rig_with(tmp_path, candidate("qsv", GOOD)) as rig:
        until(lambda: rig.source().encoder_note == "qsv: the recorder died while it was in use")
        assert rig.source().encoder == "software"
    with rig_with(tmp_path, candidate("qsv", GOOD)) as rig:
        in_use(rig, "qsv")


# ---- the parts by themselves


def frames(form: VideoFormat, count: int, first: int = 0) -> Iterator[tuple[Any, Frame]]:
    converter = Converter()
    for number in range(first, first + count):
        data = picture(form.pixel, form.width, form.height, number)
        frame = Frame(data, form, number, 0, int(number * 1_000_000_000 / form.fps))
        yield converter.to_video(frame), frame


def makers(known: Encoders, recording: Any = bool) -> Makers:
    return Makers("test", "h264", 1_000_000, encoder="auto", encoders=known, recording=recording)


def test_another_format_begins_in_software_and_is_tested_anew() -> None:
    asked: list[Format] = []

    def test(plan: Format, _bitrate: int) -> Verdict:
        asked.append(plan)
        return Verdict(True, "good")

    chosen = makers(fakes.encoders(Candidate("qsv", GOOD, test)))
    large = VideoFormat(PixelFormat.I420, 640, 480, Fraction(30), full_range=False)
    streams: list[Stream] = []
    for form in (I420, large, I420):
        plan = Format(form.width, form.height, form.fps)
        kinds: list[str] = []

        def feed(form: VideoFormat = form, plan: Format = plan, kinds: list[str] = kinds) -> bool:
            for each, frame in frames(form, 1, len(kinds)):
                unit = chosen.unit(each, frame, plan, 0, idr=False)
                assert unit is not None
                if not streams or streams[-1] is not unit.stream:
                    assert unit.idr
                    streams.append(unit.stream)
                kinds.append(chosen.kind)
            return chosen.kind == "qsv"

        until(feed, what="qsv takes over")
        assert kinds[0] == "software"
    chosen.close()
    assert asked == [PLAN, Format(640, 480, Fraction(30))]
    assert [each.width for each in streams] == [320, 320, 640, 640, 320, 320]
    assert not streams[0].same_as(streams[1])
    assert streams[0].same_as(streams[4])


def test_a_driver_that_hangs_when_it_is_opened_keeps_nobody() -> None:
    ended = threading.Event()

    def hangs() -> UnitMaker:
        ended.wait(30)
        raise OSError(5, "Input/output error")

    begun = time.monotonic()
    with pytest.raises(Failed, match=r"not answered for 0\.2 s"):
        Guarded(hangs, I420, "test", open_s=0.2)
    assert time.monotonic() - begun < 10
    ended.set()


def test_one_that_answers_too_late_is_closed_by_its_own_thread() -> None:
    closed = threading.Event()

    class Late(fakes.Stalls):
        after = 1

        def close(self) -> None:
            super().close()
            closed.set()

    maker = Guarded(lambda: Late(Encoder(CODECS["h264"], I420, PLAN, 1_000_000)), I420, "test", open_s=10)
    first, second = list(pictures(320, 240))[:2]
    unit = maker.encode(first, 0, 0, idr=True, limit_s=10)
    assert unit is not None
    assert maker.stream is unit.stream
    with pytest.raises(Failed, match="not answered"):
        maker.encode(second, 1, 0, idr=False, limit_s=0.1)
    with pytest.raises(Failed, match="closed"):
        maker.encode(second, 2, 0, idr=False)
    assert not closed.is_set()
    fakes.Stalls.released.set()
    assert closed.wait(10)
    maker.close()


def test_software_that_fails_is_told_as_ever() -> None:
    chosen = makers(fakes.encoders())
    good, chosen._codec = chosen._codec, fakes.BASELINE
    ((each, frame),) = frames(I420, 1)
    with pytest.raises(ValueError, match="profile is 66, not High"):
        chosen.unit(each, frame, PLAN, 0, idr=False)
    chosen._codec = good
    unit = chosen.unit(each, frame, PLAN, 0, idr=False)
    assert unit is not None
    assert unit.idr
    chosen.close()


def test_the_preroll_tells_what_a_recording_could_begin_with() -> None:
    ring = PrerollRing(10, 1 << 20)
    streams = [Stream(number, 320, 240, Fraction(10), "1.2") for number in (1, 2)]
    for tenth in range(50):
        ring.add(AccessUnit(b"x", tenth * 100_000_000, tenth % 10 == 0, 0, streams[tenth // 30]))
    assert ring.seconds == pytest.approx(1.9)
    assert len(ring.since(0)) == 20
