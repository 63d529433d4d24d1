"""What goes wrong at a grabber in the middle of a recording: signal, format, plug, picture. Each is said in plain
words, and when it is over the recording goes on by itself; all that was recorded is in the archive once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.appliance import grabber as knobs
from tests.appliance.grabber import DEVICE, Counter, Grabber
from tests.appliance.virtualbox import UNITS, VirtualBox
from tests.appliance.workplace import SLOW_S, Workplace
from tests.support.box import CtlError, until
from tests.support.orthanc import Orthanc

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(3000)]

HDMI_SIZE = (224, 126)
"""Small: HDMI's pictures come 24 times a second or more, and all of it is emulated."""
SQUARED = (224, 168)
"""What comes of it when the driver scales 4:3 into that."""
CALM: dict[str, Any] = {
    "id": "endo", "kind": "v4l2", "device": DEVICE, "size": "320x180", "fps": 4, "preroll_s": 1
}  # fmt: skip
MORE_S = 3.0
"""So much is recorded before and after each fault."""


@pytest.fixture(scope="module")
def grabber(machine: VirtualBox) -> Iterator[Grabber]:
    with knobs.at_rest(machine, knobs.WEBCAM) as made:
        yield made


@pytest.fixture(scope="module")
def place(grabber: Grabber, counter: Counter, machine: VirtualBox, outside: Orthanc) -> Iterator[Workplace]:
    """At the webcam's input, of four pictures a second."""
    made = Workplace(machine, outside)
    made.configure(CALM)
    yield made
    made.leave()


@pytest.fixture(scope="module")
def hdmi(place: Workplace, grabber: Grabber) -> Iterator[Workplace]:
    """The same, at the input of HDMI."""
    place.box.ssh(f"systemctl stop {UNITS[0]}")
    grabber.choose(knobs.HDMI)
    grabber.set(dv_timings_signal_mode=knobs.SELECTED)
    grabber.set(dv_timings=knobs.TIMINGS["1280x720p24"])
    place.configure({**CALM, "size": "x".join(str(side) for side in HDMI_SIZE), "fps": 24})
    yield place
    grabber.set(dv_timings_signal_mode=knobs.NO_SIGNAL)  # without pictures the rest goes on faster


class Take:
    """A recording with faults in it: `more` of it, then `stop`."""

    def __init__(self, place: Workplace, patient: str, name: str) -> None:
        self.place = place
        place.wait_state("ok")
        self.exam = place.open_exam(patient, name)
        place.box.ctl("record", "start")
        self.more()

    def more(self) -> None:
        """Some seconds more are recorded."""
        self.place.wait_state("ok")
        self.place.wait_recorded(self._seconds() + MORE_S)

    def _seconds(self) -> float:
        recording = self.place.source()["recording"]
        assert recording is not None, "the recording has ended by itself"
        return float(recording["seconds"])

    def stop(self, counter: Counter, *stills: str, silences: int = 0) -> list[dict[str, Any]]:
        """The clip's parts, all in the archive beside the stills and nothing else, each picture of the driver's
        accounted for. In `silences` faults it has delivered, and counted, pictures without a signal."""
        told = self.place.box.ctl("record", "stop")
        parts: list[dict[str, Any]] = told["instances"]
        uids = sorted([*stills, *(part["sop_instance_uid"] for part in parts)])
        self.place.close_exam(self.exam, len(uids))
        assert self.place.arrived(self.exam) == uids
        frames = 0
        for part in parts:
            numbers = counter.numbers(map(_as_read, self.place.pictures(part["sop_instance_uid"])))
            assert len(numbers) == part["frames"]
            frames += len(numbers)
            # where the driver was started anew it counts anew
            steps = sorted(after - before - 1 for before, after in itertools.pairwise(numbers) if after > before)
            gaps, seen = sum(steps), sum(steps[: len(steps) - silences])
            starts = sum(after < before for before, after in itertools.pairwise(numbers))
            print(
                f"\npart of {len(numbers)} pictures, {part['frames_lost']} lost; the count lacks {gaps}, "
                f"{gaps - seen} of them in {silences} silences, driver started {starts}x in it"
            )
            # what was lost just before the driver's end, or where a signal went or came, no picture shows
            assert seen <= part["frames_lost"], numbers
            if not starts and part is parts[0]:
                assert part["frames_lost"] <= gaps + knobs.same_numbers(part["frames_lost"]), numbers
        assert frames == told["frames"]
        assert sum(part["frames_lost"] for part in parts) == told["frames_lost"]
        return parts


def _as_read(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As high as the driver made it, before its pixels were made square."""
    height, width = picture.shape
    if (width, height) == SQUARED:
        narrow = av.VideoFrame.from_ndarray(picture, "gray").reformat(height=HDMI_SIZE[1])
        return narrow.to_ndarray()  # type: ignore[no-any-return]
    return picture


def _said(place: Workplace, state: str, words: str, shot: Path) -> dict[str, Any]:
    """The source, once `ctl` and the panel say what has happened."""
    place.wait_state(state)
    told: dict[str, Any] = place.box.ctl("sources")["sources"][0]
    assert told["signal_state"] == state

    def shown() -> bool:
        return words.lower() in "\n".join(place.box.screen_text()).lower()

    try:
        until(shown, SLOW_S, words)
    except AssertionError:
        raise AssertionError("\n".join(place.box.screen_text())) from None
    place.box.screendump(shot)
    return told


def test_unplugged_and_plugged_in_again(place: Workplace, grabber: Grabber, counter: Counter, shots: Path) -> None:
    take = Take(place, "F-PLUG", "Stecker^Stine")
    grabber.unplug()
    told = _said(place, "gone", "Grabber gone", shots / "grabber-gone.png")
    assert told["signal_text"] == "The grabber is not there: check its USB plug"
    with pytest.raises(CtlError) as refused:
        place.box.ctl("still")
    assert refused.value.code == "device-gone"
    grabber.plug()
    take.more()
    place.box.screendump(shots / "grabber-back.png")
    # a loose plug: gone and there again before anybody looks, without a word from udev
    grabber.set(disconnect=1)
    take.more()
    parts = take.stop(counter)
    assert len(parts) == 3


def test_pictures_that_show_nothing(place: Workplace, grabber: Grabber, shots: Path) -> None:
    place.wait_state("ok")
    grabber.set(osd_text_mode=knobs.NO_TEXT, test_pattern=knobs.BLACK)
    until(lambda: place.source()["picture"] == "black", SLOW_S, "the picture to be black")
    told = _said(place, "frozen", "Picture is black", shots / "picture-black.png")
    assert (told["signal"], told["signal_text"]) == (True, "The picture is black")
    grabber.set(test_pattern=knobs.COLOUR_BARS)
    until(lambda: place.source()["picture"] == "still", SLOW_S, "the picture to stand still")
    told = _said(place, "frozen", "Picture does not move", shots / "picture-still.png")
    assert told["signal"] is True
    grabber.set(osd_text_mode=0)
    assert place.wait_state("ok")["picture"] == ""


def test_a_signal_that_goes_and_comes(hdmi: Workplace, grabber: Grabber, counter: Counter, shots: Path) -> None:
    take = Take(hdmi, "F-SIG", "Signal^Sina")
    for mode, state, words, text in (
        (knobs.NO_SIGNAL, "no-cable", "No cable", "No cable in the grabber's input"),
        (knobs.OUT_OF_RANGE, "unsupported", "Format not supported", "The grabber cannot take this signal"),
    ):
        grabber.set(dv_timings_signal_mode=mode)
        told = _said(hdmi, state, words, shots / f"signal-{state}.png")
        assert told["signal"] is False
        assert told["signal_text"].startswith(text)
        assert told["recording"] is not None
        with pytest.raises(CtlError) as refused:
            hdmi.box.ctl("still")
        assert refused.value.code == "no-signal"
        grabber.set(dv_timings_signal_mode=knobs.SELECTED)
        take.more()
    grabber.set(dv_timings_signal_mode=knobs.NO_LOCK)
    told = _said(hdmi, "unstable", "Signal unstable", shots / "signal-unstable.png")
    assert told["signal"] is True, "a poor picture can be discarded, a refused one is gone"
    still = hdmi.box.ctl("still")["instance"]["sop_instance_uid"]
    grabber.set(dv_timings_signal_mode=knobs.SELECTED)
    take.more()
    hdmi.box.screendump(shots / "signal-back.png")
    assert take.stop(counter, still, silences=2)


def test_another_format_in_the_middle(hdmi: Workplace, grabber: Grabber, counter: Counter, shots: Path) -> None:
    """A processor that switches from 16:9 to 4:3: each part of the clip has the size of its pictures."""
    take = Take(hdmi, "F-FORM", "Format^Frida")
    grabber.set(dv_timings=knobs.TIMINGS["640x480p59"])
    until(lambda: hdmi.source()["fps"] > 50, SLOW_S, "the other rate")
    take.more()
    hdmi.box.screendump(shots / "format-4-3.png")
    other = hdmi.source()
    assert (other["width"], other["height"]) == SQUARED
    grabber.set(dv_timings=knobs.TIMINGS["1280x720p24"])
    until(lambda: hdmi.source()["fps"] < 50, SLOW_S, "the rate from before")
    take.more()
    parts = take.stop(counter)
    assert len(parts) == 3
    held = [hdmi.data_set(part["sop_instance_uid"]) for part in parts]
    assert [(each.Columns, each.Rows) for each in held] == [HDMI_SIZE, SQUARED, HDMI_SIZE]
    assert len({each.SeriesInstanceUID for each in held}) == 1
