"""The self-test of an encoder: what may not be recorded with is refused, with the reason."""

from __future__ import annotations

import dataclasses
import itertools
import sys
import time
from fractions import Fraction
from typing import Any

import av
import pytest

from hw.base import PixelFormat, VideoFormat
from smartbox_tui.capture import accelerated, selftest
from smartbox_tui.capture.accelerated import Candidate, Encoders, judged, survey, verdict_of
from smartbox_tui.capture.access import AccessUnit, Stream
from smartbox_tui.capture.encoder import Encoder, OtherThanAsked
from smartbox_tui.capture.guarded import Failed
from smartbox_tui.capture.selftest import Verdict, examine, pictures, psnr
from smartbox_tui.media import h264, hevc
from smartbox_tui.media.encoders import CODECS, Codec, opened
from smartbox_tui.media.hardware import HARDWARE, KINDS, wished
from smartbox_tui.media.told import told
from smartbox_tui.media.units import kind_of, split
from smartbox_tui.model.formats import Format, level_holds
from smartbox_tui.model.instance import H264_HP_41
from tests.support import encoders as fakes
from tests.support.encoders import made_by

PATIENCE_S = 60.0
PLAN = Format(320, 240, Fraction(30))
FORM = VideoFormat(PixelFormat.I420, 320, 240, Fraction(30), full_range=False)


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_the_boxs_own_encoders_pass(codec: str) -> None:
    fps = 5 if codec == "hevc" else 30  # a loaded machine makes no more
    until = time.monotonic() + PATIENCE_S
    while (verdict := verdict_of(codec, "software", Format(320, 240, Fraction(fps)), 1_000_000)).slow:
        assert time.monotonic() < until, verdict.text  # others had the machine, for all of that time
    assert verdict.ok, verdict.text
    assert f"320x240 at {fps}" in verdict.text
    assert verdict.picture_ms > 0


@pytest.mark.parametrize("codec", [fakes.OTHER, fakes.NV12])
def test_another_good_encoder_passes(codec: Codec) -> None:
    verdict = examine(made_by(codec), "h264", PLAN, 1_000_000)
    assert verdict.ok, verdict.text


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (made_by(fakes.BASELINE), "its H.264 profile is 66, not High"),
        (made_by(fakes.REORDERING), "made 0 units of one picture"),
        (made_by(fakes.LOW_LEVEL), "its level 11 is too low for its size and rate"),
        (made_by(fakes.FIELDS), "its pictures are coded as fields"),
        (made_by(fakes.FULL_RANGE), "the full range of values"),
        (made_by(fakes.WITHOUT_IDR), "no picture that decoding can begin with when it was asked"),
        (made_by(fakes.ENDLESS, fakes.NeverIdr), "it made no IDR picture when it was asked for one"),
        (made_by(CODECS["h264"], fakes.Fails), "it failed: input/output error"),
        (made_by(CODECS["h264"], fakes.Loses), "made 0 units of one picture"),
        (made_by(CODECS["h264"], fakes.Slow), "too slow"),
        (made_by(CODECS["h264"], fakes.Grey), "picture 1 is not the one it was given"),
        (made_by(CODECS["h264"], fakes.Repeats), "is not the one it was given"),
        (made_by(fakes.asked_for(profile="nonsense")), "it cannot be opened"),
    ],
)
def test_what_may_not_be_recorded_with_is_refused(make: Any, why: str) -> None:
    verdict = examine(make, "h264", PLAN, 1_000_000)
    assert not verdict.ok
    assert why in verdict.text


def test_an_encoder_that_forgets_the_bit_rate_is_refused() -> None:
    greedy = made_by(CODECS["h264"])
    verdict = examine(lambda form, plan, bits: greedy(form, plan, bits * 20, 1 << 30), "h264", PLAN, 200_000)
    assert not verdict.ok
    assert "Mbit/s where 0.2 were asked for" in verdict.text


def test_b_pictures_are_found_and_every_picture_is_another() -> None:
    plan_of = fakes.REORDERING
    context = opened(plan_of, PLAN, 1_000_000, live=True)
    data = []
    for number, picture in enumerate(itertools.chain(pictures(320, 240), [None])):
        if picture is not None:
            picture.pts = number
        data += [bytes(packet) for packet in context.encode(picture)]
    assert len(data) == 12
    stream = Stream(1, 320, 240, Fraction(30), H264_HP_41)
    units = [AccessUnit(each, 0, not number, 0, stream) for number, each in enumerate(data)]
    with pytest.raises(ValueError, match="B pictures"):
        selftest._compared("h264", units, list(pictures(320, 240)), 0)
    first, second, *_ = pictures(320, 240)
    assert psnr(first, first) == 99
    assert psnr(first, second) < 26  # so that the unit of another picture is found


def maker_of(codec: Codec) -> Encoder:
    return Encoder(codec, FORM, PLAN, 1_000_000)


# ---- units are made whole, whatever the driver leaves out


class Bare:
    """A context as drivers are: no delimiters, parameter sets before the first picture only."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.count = 0

    def encode(self, picture: Any) -> list[Any]:
        made = []
        for packet in self.context.encode(picture):
            units = [each for each in split("h264", bytes(packet)) if kind_of("h264", each) != h264.NAL_DELIMITER]
            if self.count:
                units = [each for each in units if kind_of("h264", each) not in (h264.NAL_SPS, h264.NAL_PPS)]
            self.count += 1
            bare = av.Packet(b"".join(b"\0\0\0\1" + each for each in units))
            bare.pts = packet.pts
            made.append(bare)
        return made


def test_delimiters_and_parameter_sets_are_added_where_the_driver_leaves_them_out() -> None:
    def make(form: VideoFormat, plan: Format, bitrate: int) -> Encoder:
        maker = Encoder(CODECS["h264"], form, plan, bitrate)
        maker._context = Bare(maker._context)
        return maker

    verdict = examine(make, "h264", PLAN, 1_000_000)
    assert verdict.ok, verdict.text
    plain, bare = maker_of(CODECS["h264"]), make(FORM, PLAN, 1_000_000)
    for number, picture in enumerate(pictures(320, 240)):
        idr = number in (0, 5)
        expected = plain.encode(picture, number, 0, idr=idr)
        found = bare.encode(picture, number, 0, idr=idr)
        assert found.idr == expected.idr == idr
        wanted = [each for each in split("h264", expected.data) if kind_of("h264", each) not in (6, 9)]
        assert [each for each in split("h264", found.data) if kind_of("h264", each) not in (6, 9)] == wanted
        assert found.data[:5] == b"\0\0\0\1\x09"
    assert plain.stream is not None
    assert bare.stream is not None
    assert plain.stream.same_as(bare.stream)
    assert plain.stream != bare.stream


def test_other_parameter_sets_are_another_stream() -> None:
    first, second = maker_of(CODECS["h264"]), maker_of(fakes.OTHER)
    picture = next(pictures(320, 240))
    one, two = (each.encode(picture, 0, 0, idr=True).stream for each in (first, second))
    assert one.parameters
    assert not one.same_as(two)
    assert one.same_as(maker_of(CODECS["h264"]).encode(picture, 0, 0, idr=True).stream)
    first._context = second._context
    with pytest.raises(OtherThanAsked, match="another stream than it began with"):
        first.encode(picture, 2_000_000_000, 0, idr=True)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_what_v4l2_drivers_do_not_tell_is_written_into_the_stream(codec: str) -> None:
    mended = HARDWARE[codec, "v4l2m2m"].mended
    assert mended is not None
    other = Format(320, 240, Fraction(30000, 1001))
    told_anew = dataclasses.replace(CODECS[codec], mended=lambda _plan: mended(other))
    maker = Encoder(told_anew, FORM, PLAN, 1_000_000)
    # the rate is the filter's, so the maker, which was planned for another, refuses it
    with pytest.raises(OtherThanAsked, match=r"29\.97 instead of 30 frames"):
        maker.encode(next(pictures(320, 240)), 0, 0, idr=True)
    same = dataclasses.replace(CODECS[codec], mended=mended)
    data = Encoder(same, FORM, PLAN, 1_000_000).encode(next(pictures(320, 240)), 0, 0, idr=True).data
    assert told(codec, data).fps == 30
    sps = h264.find_sps(data) if codec == "h264" else hevc.find_sps(data)
    assert sps is not None
    assert sps.aspect == 1


@pytest.mark.parametrize(
    ("codec", "level", "size", "holds"),
    [
        ("h264", 40, (1920, 1080, 30), True),
        ("h264", 41, (1920, 1080, 60), False),
        ("h264", 42, (1920, 1080, 60), True),
        ("h264", 31, (1280, 720, 30), True),
        ("h264", 31, (1280, 720, 60), False),
        ("h264", 0, (320, 240, 30), False),
        ("hevc", 120, (1920, 1080, 30), True),
        ("hevc", 120, (1920, 1080, 60), False),
        ("mpeg2", 4, (1920, 1080, 30), True),
    ],
)
def test_levels_are_held_against_size_and_rate(codec: str, level: int, size: Any, holds: bool) -> None:
    assert level_holds(codec, level, Format(size[0], size[1], Fraction(size[2]))) is holds


# ---- what is known of them


def test_a_test_is_made_once_for_each_format_and_a_failure_in_use_counts_for_all() -> None:
    asked: list[Format] = []

    def test(plan: Format, _bitrate: int) -> Verdict:
        asked.append(plan)
        return Verdict(True, "good")

    one = Candidate("qsv", made_by(CODECS["h264"]), test)
    known = Encoders(lambda *_: (one,))
    other = Format(640, 480, Fraction(30))
    for plan in (PLAN, PLAN, other, PLAN):
        assert known.verdict(one, "h264", plan, 1_000_000).ok
    assert asked == [PLAN, other]
    known.failed(one, "h264", "it failed in use: it made nothing", Failed("it made nothing"))
    assert known.verdict(one, "h264", PLAN, 1_000_000) == Verdict(False, "it failed in use: it made nothing")
    assert known.verdict(one, "hevc", PLAN, 1_000_000).ok


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import os; os.kill(os.getpid(), 11)", "its driver crashed in the test (signal 11)"),
        ("import time; time.sleep(60)", "its test did not end within 1 s"),
        ("raise SystemExit(3)", "its test ended with status 3"),
        ("print('[]')", "its test ended with status 0"),
    ],
)
def test_a_driver_that_crashes_or_hangs_does_so_in_the_child(program: str, why: str) -> None:
    assert judged([sys.executable, "-c", program], 1.0 if "sleep" in program else 30.0) == Verdict(
        False, why, slow="sleep" in program
    )
    assert not judged(["/nowhere/at/all"], 1.0).ok


def test_the_survey_says_of_each_encoder_what_it_is_good_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """For `doctor`: in real children; of hardware what this machine has."""
    software, *others = survey("h264", 320, 240, Fraction(30), 1_000_000)
    assert (software.kind, software.ok) == ("software", True)
    assert "ms a picture" in software.text
    assert [each.kind for each in others] == list(KINDS)
    for each in others:
        assert each.ok or each.text
    # where the node is there and nothing behind it works, the child says so
    monkeypatch.setattr(accelerated.accelerators, "missing", lambda _kind: "")
    for each in survey("mpeg2", 320, 240, Fraction(30), 1_000_000)[1:]:
        assert each.ok is not None
    with pytest.raises(ValueError, match="MPEG2 in DICOM has"):
        survey("mpeg2", 320, 240, Fraction(15), 1_000_000)


def test_what_is_wished_for() -> None:
    assert [each.library for each in wished("h264", "auto")] == ["h264_nvenc", "h264_qsv", "h264_v4l2m2m"]
    assert [each.library for each in wished("mpeg2", "auto")] == ["mpeg2_qsv"]
    assert [each.library for each in wished("hevc", "v4l2m2m")] == ["hevc_v4l2m2m"]
    assert wished("h264", "software") == wished("mpeg2", "nvenc") == ()
