"""Grabbers in the box: each picture that the driver has counted is in the clip or is told as lost.

The kernel's test grabber writes its count into its pictures: what has arrived outside is read and compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.appliance.grabber import DEVICE, WEBCAM, Counter, Grabber, at_rest, missing
from tests.appliance.virtualbox import VirtualBox
from tests.appliance.workplace import Workplace
from tests.support.orthanc import Orthanc

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(3000)]

RECORD_S = 10.0
FEW = 0.01
"""Of all pictures: with no more lost a rate counts as sustained."""
FIRST, STEP = 1e6, 2.0
"""Pixels a second of the first rate that is tried, and how much higher the next one is at least."""
CALM = {"id": "endo", "kind": "v4l2", "device": DEVICE, "size": "320x180", "fps": 2, "preroll_s": 1}
"""Leaves the machine to the others."""


@pytest.fixture(scope="module")
def grabber(machine: VirtualBox) -> Iterator[Grabber]:
    with at_rest(machine) as made:
        yield made


@pytest.fixture(scope="module")
def place(grabber: Grabber, counter: Counter, machine: VirtualBox, outside: Orthanc) -> Iterator[Workplace]:
    grabber.choose(WEBCAM)
    made = Workplace(machine, outside)
    made.configure(CALM)
    yield made
    made.leave()


def _endo(size: str, fps: float) -> dict[str, Any]:
    return {**CALM, "size": size, "fps": fps}


def _record(place: Workplace, seconds: float = RECORD_S) -> dict[str, Any]:
    """What the box says of a recording, and of the pictures that were lost in it."""
    place.wait_state("ok")
    place.box.ctl("record", "start")
    place.wait_recorded(seconds)
    stopped: dict[str, Any] = place.box.ctl("record", "stop")
    assert stopped["frames"] > 0
    return stopped


def _sustained(told: dict[str, Any]) -> bool:
    return bool(told["frames_lost"] <= FEW * told["frames"])


def _check_account(place: Workplace, counter: Counter, told: dict[str, Any]) -> list[int]:
    """The driver's numbers of the pictures in the archive's clip: all there, in order, none twice but where the
    driver itself counts twice, and what is missing between them is what the box has told."""
    (clip,) = told["instances"]
    numbers = counter.numbers(place.pictures(clip["sop_instance_uid"]))
    assert len(numbers) == told["frames"] == clip["frames"]
    lost = told["frames_lost"]
    print(f"of {lost} told as lost the driver's count lacks {missing(numbers, lost)}")
    return numbers


@pytest.mark.parametrize("size", ["640x360", "1280x720"])
def test_the_highest_rate_and_each_picture_accounted_for(
    place: Workplace, grabber: Grabber, counter: Counter, size: str
) -> None:
    width, height = (int(side) for side in size.split("x"))
    rates = [rate for rate in grabber.rates(width, height) if rate * width * height >= FIRST]
    tried: dict[float, dict[str, Any]] = {}
    exam = place.open_exam(f"G-{height}", "Raster^Rita")
    while rates and all(_sustained(told) for told in tried.values()):
        rate = rates.pop(0)
        place.configure(_endo(size, rate))
        told = tried[rate] = _record(place)
        seconds = told["instances"][0]["duration_s"]
        print(f"\n{size} at {rate:g} fps: {told['frames']} pictures in {seconds:.1f} s, {told['frames_lost']} lost")
        rates = [each for each in rates if each >= STEP * rate]
    place.configure(CALM)
    place.close_exam(exam, len(tried))
    clips = sorted(told["instances"][0]["sop_instance_uid"] for told in tried.values())
    assert place.arrived(exam) == clips
    for told in tried.values():
        _check_account(place, counter, told)
    sustained = [rate for rate, told in tried.items() if _sustained(told)]
    assert sustained, f"no rate of {size} is sustained: {sorted(tried)}"
    print(f"{size}: {max(sustained):g} fps sustained by the emulation")


def test_what_the_driver_drops_is_told_to_the_picture(place: Workplace, grabber: Grabber, counter: Counter) -> None:
    """A driver without a free buffer, a damaged picture: both are missing in its count."""
    place.configure(_endo("320x180", 5))
    exam = place.open_exam("G-DROP", "Luecke^Lena")
    grabber.set(percentage_of_dropped_buffers=30)
    try:
        place.wait_state("ok")
        place.box.ctl("record", "start")
        place.wait_recorded(5)
        for _ in range(3):
            grabber.set(inject_v4l2_buf_flag_error=1)
        place.wait_recorded(RECORD_S)
        told = place.box.ctl("record", "stop")
    finally:
        grabber.set(percentage_of_dropped_buffers=0)
    place.close_exam(exam, 1)
    numbers = _check_account(place, counter, told)
    print(
        f"\n{len(numbers)} pictures, {told['frames_lost']} told as lost, the driver's {numbers[0]} to {numbers[-1]}"
    )
    assert told["frames_lost"] > 5
