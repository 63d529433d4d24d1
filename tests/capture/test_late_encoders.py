"""A hardware encoder that did not answer in time: it is tested anew after a while, and takes over if it passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from hw.base import Frame, PixelFormat, VideoFormat
from hw.fake.pictures import picture
from hw.fake.source import FakeSource
from smartbox_tui.capture.accelerated import Candidate, Encoders
from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.convert import Converter
from smartbox_tui.capture.encoder import UnitMaker
from smartbox_tui.capture.guarded import Failed, Late
from smartbox_tui.capture.makers import Makers
from smartbox_tui.capture.selftest import Verdict
from smartbox_tui.model.formats import Format
from smartbox_tui.wire import commands
from tests.capture.rig import Rig, until
from tests.support import encoders as fakes
from tests.support.encoders import made_by

PLAN = Format(320, 240, Fraction(30))
I420 = VideoFormat(PixelFormat.I420, 320, 240, Fraction(30), full_range=False)
GOOD = made_by(fakes.OTHER)


class Starved:
    """Encoders of which the first `times` stall after ten pictures, until `recover`; their tests are counted."""

    def __init__(self, times: int = 1) -> None:
        self.times = times
        self.opened: list[fakes.Stalls | None] = []
        self.tested = 0
        self.passes = True
        self.answers = threading.Event()

    def make(self, form: VideoFormat, plan: Format, bitrate: int, gop_bytes: int) -> UnitMaker:
        maker = GOOD(form, plan, bitrate, gop_bytes)
        if len(self.opened) >= self.times:
            self.opened.append(None)
            return maker

        stalls = fakes.Stalls(maker)  # type: ignore[arg-type]
        stalls.after, stalls.released = 10, self.answers
        self.opened.append(stalls)
        return stalls

    def test(self, _plan: Format, _bitrate: int) -> Verdict:
        self.tested += 1
        return Verdict(self.passes, "as the test says")

    @property
    def candidate(self) -> Candidate:
        return Candidate("qsv", self.make, self.test)


@pytest.fixture
def starved() -> Iterator[Starved]:
    made = Starved()
    yield made
    made.answers.set()


class Feeding:
    """The encoding thread of a source: pictures into `Makers`, one after the other."""

    def __init__(self, known: Encoders) -> None:
        self.recording = False
        self.makers = Makers(
            "test", "h264", 1_000_000, encoder="auto", encoders=known, recording=lambda: self.recording
        )
        self._converter = Converter()
        self._count = 0

    def one(self) -> AccessUnit:
        number = self._count
        self._count += 1
        data = picture(PixelFormat.I420, 320, 240, number % 250)
        frame = Frame(data, I420, number, 0, int(number * 1_000_000_000 / 30))
        unit = self.makers.unit(self._converter.to_video(frame), frame, PLAN, 0, idr=False)
        assert unit is not None, "no picture is lost"
        return unit

    def until(self, holds: Any, what: str) -> None:
        def fed() -> bool:
            self.one()
            return bool(holds())

        until(fed, what=what)


def stalled(starved: Starved, **settings: Any) -> Feeding:
    """Software does its work; the encoder has not answered yet."""
    feeding = Feeding(fakes.encoders(starved.candidate, limit_s=0.5, **settings))
    feeding.until(lambda: feeding.makers.kind == "qsv", "it takes over")
    feeding.until(lambda: feeding.makers.failed, "it stalls")
    assert feeding.makers.kind == "software"
    return feeding


def test_one_that_has_answered_since_takes_over_again_after_its_test(starved: Starved) -> None:
    feeding = stalled(starved, again_s=0.2)
    assert feeding.makers.failed.startswith("qsv: it has not answered")
    feeding.until(lambda: "tried again when nothing is recorded" in feeding.makers.note, "it is told")
    for _ in range(20):
        feeding.one()
    assert starved.tested == 1, "a driver that still hangs is not asked again"
    starved.answers.set()
    feeding.until(lambda: feeding.makers.kind == "qsv", "it takes over again")
    assert starved.tested == 2
    assert feeding.makers.failed == feeding.makers.note == ""
    assert feeding.one().stream is not None
    feeding.makers.close()


def test_nothing_is_tested_while_a_recording_runs(starved: Starved) -> None:
    feeding = stalled(starved, again_s=0.1)
    feeding.recording = True
    starved.answers.set()
    with feeding.makers._changed:  # far past its time
        feeding.makers._changed.wait(1.0)
    assert starved.tested == 1
    assert feeding.makers.kind == "software"
    feeding.recording = False
    feeding.until(lambda: feeding.makers.kind == "qsv", "it takes over when the recording is over")
    feeding.makers.close()


def test_one_that_is_late_again_and_again_is_left_alone(starved: Starved) -> None:
    one = starved.candidate
    known = fakes.encoders(one, again_s=0.0)
    for number in range(1, 5):
        assert known.verdict(one, "h264", PLAN, 1_000_000).ok
        assert starved.tested == number, "tested anew each time"
        known.failed(one, "h264", "it failed in use: too late", Late(0.3, lambda: True))
    assert known.again_s([one], "h264", PLAN, 1_000_000) is None
    assert known.verdict(one, "h264", PLAN, 1_000_000) == Verdict(
        False, "it failed in use: too late; it was tried 4 times"
    )
    assert starved.tested == 4


def test_who_has_worked_for_an_hour_is_counted_anew(starved: Starved) -> None:
    one = starved.candidate
    known = fakes.encoders(one, again_s=50.0)
    for _ in range(10):
        known.failed(one, "h264", "it failed in use: too late", Late(0.3, lambda: True))
        wait_s = known.again_s([one], "h264", PLAN, 1_000_000)
        assert wait_s is not None
        assert wait_s <= 50
        known._late["h264", "qsv"].until_s -= 3700 + 50


def test_a_test_on_a_machine_that_has_no_time_is_made_again() -> None:
    """As at power-on, when everything starts."""
    said = [Verdict(False, "it is too slow: 42 ms", slow=True)] * 2 + [Verdict(True, "good")]
    one = Candidate("qsv", GOOD, lambda _plan, _bitrate: said.pop(0))
    feeding = Feeding(fakes.encoders(one, again_s=0.1))
    feeding.until(lambda: "too slow" in feeding.makers.note, "the first test")
    feeding.until(lambda: feeding.makers.kind == "qsv", "the third one")
    assert not said
    assert feeding.makers.failed == feeding.makers.note == ""
    feeding.makers.close()


def test_one_that_is_too_slow_for_one_format_is_good_for_another() -> None:
    large = Format(1920, 1080, Fraction(60))
    tested: list[Format] = []

    def test(plan: Format, _bitrate: int) -> Verdict:
        tested.append(plan)
        return Verdict(plan == PLAN, "it is too slow" if plan == large else "good", slow=plan == large)

    one = Candidate("qsv", GOOD, test)
    known = fakes.encoders(one, again_s=0.0)
    assert known.verdict(one, "h264", PLAN, 1).ok
    for _ in range(6):
        assert not known.verdict(one, "h264", large, 1).ok
    assert tested == [PLAN, large, large, large, large], "it is left alone after the fourth"
    assert known.again_s([one], "h264", large, 1) is None
    assert known.verdict(one, "h264", PLAN, 1).ok
    assert len(tested) == 5


def test_one_that_made_something_wrong_is_never_tried_again(starved: Starved) -> None:
    known = fakes.encoders(starved.candidate, again_s=0.0)
    assert known.verdict(starved.candidate, "h264", PLAN, 1).ok
    known.failed(starved.candidate, "h264", "it failed in use: another picture", Failed("another picture"))
    assert known.again_s([starved.candidate], "h264", PLAN, 1) is None
    assert not known.verdict(starved.candidate, "h264", PLAN, 1).ok


def test_one_that_fails_the_new_test_waits_longer_and_is_not_condemned(starved: Starved) -> None:
    known = fakes.encoders(starved.candidate, again_s=50.0)
    known.failed(starved.candidate, "h264", "it failed in use: too late", Late(0.3, lambda: True))
    first = known.again_s([starved.candidate], "h264", PLAN, 1)
    assert first is not None
    assert 40 < first <= 50
    known._late["h264", "qsv"].until_s = time.monotonic() - 1
    starved.passes = False
    assert not known.verdict(starved.candidate, "h264", PLAN, 1).ok
    later = known.again_s([starved.candidate], "h264", PLAN, 1)
    assert later is not None
    assert 190 < later <= 200
    known._late["h264", "qsv"].until_s = time.monotonic() - 1
    starved.passes = True
    assert known.verdict(starved.candidate, "h264", PLAN, 1).ok


def test_a_source_comes_back_to_its_encoder_and_the_recording_in_which_it_stalled_lost_nothing(
    tmp_path: Path, starved: Starved
) -> None:
    known: list[Encoders] = []

    def made(folder: Path) -> Encoders:
        known.append(fakes.encoders(starved.candidate, folder=folder, limit_s=1.0, again_s=0.2))
        return known[0]

    with Rig(tmp_path, FakeSource(), encoders=made) as rig:
        until(lambda: rig.source().encoder == "qsv" or rig.source().encoder_failed, what="it takes over")
        rig.command(commands.RecordStart)
        until(lambda: rig.source().encoder_failed, what="it stalls")
        starved.answers.set()
        stopped = rig.command(commands.RecordStop)
        assert stopped["instances"]
        until(lambda: rig.source().encoder == "qsv", what="it is back")
        assert rig.source().encoder_failed == ""
        assert list(rig.paths.runtime.glob("encoder-*"))
