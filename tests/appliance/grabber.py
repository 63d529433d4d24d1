"""The kernel's test grabber (vivid) in the virtual box: its knobs, its plug, and the driver's own count of its
pictures, which it writes into each of them."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.appliance.virtualbox import UNITS, VirtualBox

HDMI, WEBCAM = "HDMI", "Webcam"
DEVICE: Final = "/dev/video0"
NO_SIGNAL, NO_LOCK, OUT_OF_RANGE, SELECTED = 1, 2, 3, 4
"""Of dv_timings_signal_mode; 0: as set."""
TIMINGS: Final = {"640x480p59": 0, "720x576p50": 4, "1280x720p24": 5, "1280x720p25": 6, "1280x720p60": 9}
"""Of the control dv_timings."""
BLACK, COLOUR_BARS = 5, 0
COUNTERS_ONLY, NO_TEXT = 1, 2

_DRIVER: Final = "/sys/bus/platform/drivers/vivid"
_CELL: Final = (16, 8)
_AT: Final = (16, 16 + 14 * 8)
"""Top and left of the first digit: the text begins at (16, 16) with " HH:MM:SS:mmm "."""
_MOST_OFF: Final = 14
"""Of the 128 pixels of a cell, by compression; where no letter stands more are off, as a digit has 20."""
_CLEARER: Final = 4
"""In so many pixels a digit is at least farther from the second nearest than from the nearest."""


class Grabber:
    def __init__(self, box: VirtualBox) -> None:
        self._box = box

    def choose(self, kind: str) -> None:
        """The input of that kind; not while somebody streams."""
        told = self._box.ssh(f"v4l2-ctl -d {DEVICE} --list-inputs")
        kinds = re.findall(r"Name +: (\w+)", told)
        self._box.ssh(f"v4l2-ctl -d {DEVICE} -i {kinds.index(kind)}")

    def set(self, **controls: int) -> None:
        self._box.ssh(f"v4l2-ctl -d {DEVICE} -c {','.join(f'{name}={value}' for name, value in controls.items())}")

    def reset(self, first: str = HDMI) -> None:
        """As after the boot, or with another input to begin with, also whenever it is plugged in again; not while
        somebody streams."""
        options = "" if first is HDMI else "input_types=0x0c"
        self._box.ssh(f"modprobe -r vivid && modprobe vivid {options} && udevadm settle")

    def unplug(self) -> None:
        self._box.ssh(f"test ! -e {_DRIVER}/vivid.0 || echo vivid.0 >{_DRIVER}/unbind")

    def plug(self) -> None:
        self._box.ssh(f"test -e {_DRIVER}/vivid.0 || echo vivid.0 >{_DRIVER}/bind; udevadm settle")

    def rates(self, width: int, height: int) -> list[float]:
        """Of the webcam's input in that size, lowest first."""
        told = self._box.ssh(
            f"v4l2-ctl -d {DEVICE} --list-frameintervals=width={width},height={height},pixelformat=NV12"
        )
        return sorted(float(rate) for rate in re.findall(r"\(([0-9.]+) fps\)", told))


@contextlib.contextmanager
def at_rest(box: VirtualBox, first: str = HDMI) -> Iterator[Grabber]:
    """The grabber as after the boot, or with another input to begin with, and nobody streams from it. At the end it
    is as after the boot again, and the box's processes are started."""
    made = Grabber(box)
    box.ssh(f"systemctl stop {' '.join(UNITS)}")
    made.reset(first)
    try:
        yield made
    finally:
        box.ssh(f"systemctl stop {' '.join(UNITS)}")
        made.reset()
        box.ssh(f"systemctl start --no-block {' '.join(UNITS)}")


def same_numbers(lost: int) -> int:
    """How many of so many lost pictures may have had the number of another: with too much to do the driver hands
    out two pictures under one number (7 of 200 measured with v4l2-ctl). Where one of them is lost, no count lacks
    it."""
    return math.ceil(lost / 10)


def missing(numbers: Sequence[int], lost: int) -> int:
    """Of the driver's numbers of a film's pictures, which are in order: as many as were told as lost."""
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    assert all(step >= 0 for step in steps), numbers
    found = sum(step - 1 for step in steps if step)
    assert found <= lost <= found + same_numbers(lost), numbers
    return found


class Counter:
    """Reads the driver's number of a picture out of the picture."""

    def __init__(self, box: VirtualBox) -> None:
        """Learns the ten digits from pictures whose numbers v4l2-ctl tells: more than are needed, some are lost.
        Not while somebody streams."""
        width, height, count = 320, 180, 24
        Grabber(box).choose(WEBCAM)
        told = box.ssh(
            f"v4l2-ctl -d {DEVICE} "
            f"--set-fmt-video=width={width},height={height},pixelformat=NV12 --set-parm=5 --verbose "
            f"--stream-mmap=8 --stream-count={count} --stream-to=/run/pictures.raw 2>&1"
        )
        numbers = [int(number) for number in re.findall(r"seq: *([0-9]+) ", told)]
        assert len(numbers) >= count, told
        raw = np.frombuffer(box.fetch("/run/pictures.raw"), np.uint8).reshape(count, -1)
        box.ssh("rm /run/pictures.raw")
        self._digits: dict[str, NDArray[np.bool_]] = {}
        for picture, number in zip(raw, numbers, strict=False):
            luma = picture[: width * height].reshape(height, width)
            for place, digit in enumerate(str(number)):
                seen = self._digits.setdefault(digit, _cell(luma, place))
                assert (seen == _cell(luma, place)).all(), f"the digit {digit} looks differently in {number}"
        assert len(self._digits) == 10, numbers

    def numbers(self, pictures: Iterable[NDArray[np.uint8]]) -> list[int]:
        """Of a film. No picture is in it twice: two that the driver gave one number show each its own time."""
        found: list[int] = []
        before: NDArray[np.uint8] | None = None
        for luma in pictures:
            found.append(self.read(luma))
            if before is not None and found[-2:-1] == found[-1:]:
                other = int((_time(before) != _time(luma)).sum())
                assert other > _CLEARER, f"the picture {found[-1]} is in it twice"
            before = luma
        return found

    def read(self, luma: NDArray[np.uint8]) -> int:
        """Raises AssertionError where the picture shows none."""
        number = ""
        while (off := self._off(luma, len(number)))[0][0] <= _MOST_OFF:
            assert off[1][0] - off[0][0] >= _CLEARER, f"after {number!r} no digit is clear: {off}"
            number += off[0][1]
        assert number, "no number in the picture"
        return int(number)

    def _off(self, luma: NDArray[np.uint8], place: int) -> list[tuple[int, str]]:
        """The digits, each with how many pixels of that cell are not its own; the nearest first."""
        cell = _cell(luma, place)
        return sorted((int((shape != cell).sum()), digit) for digit, shape in self._digits.items())


def _time(luma: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The letters of its time, to the millisecond."""
    (top, left), (height, _) = _AT, _CELL
    dark: NDArray[np.bool_] = luma[top : top + height, top:left] < 128
    return dark


def _cell(luma: NDArray[np.uint8], place: int) -> NDArray[np.bool_]:
    """Where its letter is dark."""
    (top, left), (height, width) = _AT, _CELL
    left += place * width
    dark: NDArray[np.bool_] = luma[top : top + height, left : left + width] < 128
    return dark
