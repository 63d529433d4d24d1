"""A test pattern as a video source: an endoscope-like picture with a strip that outsiders can read."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np

from hw.base import DeviceInfo, Frame, PixelFormat, SignalState, VideoFormat
from hw.errors import HardwareError, NotSupported
from hw.video.mucosa import BLACK, NEUTRAL, Mucosa
from hw.video.strip import CELLS_PER_WIDTH, draw_strip, strip_size
from hw.video.trim import NOTHING, Plane, Trim

_NS = 1_000_000_000


class PatternSource:
    """Delivers I420 (limited range) on a fixed schedule that starts with `open`.

    Frame n belongs to start + n / fps: that is its `timestamp_ns`, its `sequence` is n, and the strip (see
    hw.video.strip) carries n and its milliseconds. Nothing is queued: a caller who comes after the time of
    frame n + 1 gets the newest due frame, and the numbers between count as `lost`. The strip must stay readable
    whatever is cut off or masked, so this source trims its picture itself, before the strip is drawn.
    """

    def __init__(
        self, *, key: str, name: str, device: str, width: int, height: int, fps: Fraction, trim: Trim = NOTHING
    ) -> None:
        self._info = DeviceInfo(key=key, name=name, path=device or "pattern", model="Test pattern")
        self._whole = VideoFormat(PixelFormat.I420, width, height, Fraction(fps), full_range=False)
        self._trim = trim
        self._format = self._whole
        self._picture: Mucosa | None = None
        self._start_ns = 0
        self._next = 0
        self._delivered = False

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def open(self) -> VideoFormat:
        """Prepare the picture (about 0.15 s at 1920x1080) and start the schedule.

        Raises NotSupported for an odd or tiny size, one that crop and mask do not fit, or no positive rate.
        """
        self._trim.check(self._whole, self._info.path)
        self._format = self._trim.format(self._whole)
        width, height, fps = self._format.width, self._format.height, self._format.fps
        if width % 2 or height % 2 or width < CELLS_PER_WIDTH or height < 2 * strip_size(width)[1]:
            raise NotSupported(
                "open", self._info.path, f"no pattern of {width}x{height}", "Choose an even size, such as 1280x720."
            )
        if fps <= 0:
            raise NotSupported("open", self._info.path, f"no pattern at {fps} fps", "Choose a rate above 0.")
        if self._picture is None:
            self._picture = Mucosa(self._whole.width, self._whole.height)
            if not self._trim:
                self._picture.neutralise(*strip_size(width))
        self._start_ns = time.monotonic_ns()
        self._next = 0
        self._delivered = False
        return self._format

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, at its time; None when that is further away than `timeout_s`."""
        picture = self._picture
        if picture is None or self._start_ns == 0:
            raise HardwareError("read", self._info.path, "not open")
        give_up_ns = time.monotonic_ns() + int(timeout_s * _NS)
        while True:
            now = time.monotonic_ns()
            number = max(self._due(now), self._next)
            frame_ns = self._time_of(number)
            if frame_ns <= now:
                break
            if frame_ns > give_up_ns:
                time.sleep(max(0, give_up_ns - now) / _NS)
                return None
            time.sleep((frame_ns - now) / _NS)

        since_ns = frame_ns - self._start_ns
        data = picture.draw(since_ns / _NS)
        if self._trim:
            data = self._trimmed(data)
        draw_strip(planes_of(data, self._format)[0], number, since_ns // 1_000_000)
        lost = number - self._next if self._delivered else 0
        self._next = number + 1
        self._delivered = True
        return Frame(data, self._format, number, lost, frame_ns)

    def _trimmed(self, data: memoryview) -> memoryview:
        """The picture without what is cut off, black where it is masked, its chroma neutral below the strip."""
        cut = any(self._trim.crop)
        result = np.empty(self._format.width * self._format.height * 3 // 2, np.uint8).data if cut else data
        covered = self._trim.covered(self._whole)
        strip_width, strip_height = strip_size(self._format.width)
        pairs = zip(planes_of(data, self._whole), planes_of(result, self._format), strict=True)
        for number, (whole, kept) in enumerate(pairs):
            step, colour = (2, NEUTRAL) if number else (1, BLACK)
            if cut:
                np.copyto(kept, self._trim.kept(whole, step, step))
            for left, top, right, bottom in covered:
                kept[top // step : bottom // step, left // step : right // step] = colour
            if number:
                kept[: -(-strip_height // 2), : -(-strip_width // 2)] = NEUTRAL
        return result

    def _due(self, now_ns: int) -> int:
        fps = self._format.fps
        return (now_ns - self._start_ns) * fps.numerator // (fps.denominator * _NS)

    def _time_of(self, number: int) -> int:
        # Rounded up where `_due` rounds down: at its own time a frame is always due.
        fps = self._format.fps
        return self._start_ns - (-number * fps.denominator * _NS // fps.numerator)

    def signal(self) -> SignalState:
        return SignalState.OK if self._start_ns else SignalState.STARTING

    def close(self) -> None:
        self._picture = None
        self._start_ns = 0


def planes_of(data: memoryview, form: VideoFormat) -> tuple[Plane, Plane, Plane]:
    """Y, U and V of an I420 picture as (rows, columns), writable where the bytes are."""
    flat = np.frombuffer(data, np.uint8)
    luma, half = form.width * form.height, (form.height // 2, form.width // 2)
    first, second = np.split(flat[luma:], 2)
    return flat[:luma].reshape(form.height, form.width), first.reshape(half), second.reshape(half)
