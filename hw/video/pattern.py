"""A test pattern as a video source: an endoscope-like picture with a strip that outsiders can read."""

from __future__ import annotations

import time
from fractions import Fraction

from hw.base import DeviceInfo, Frame, PixelFormat, SignalState, VideoFormat
from hw.errors import HardwareError, NotSupported
from hw.video.mucosa import Mucosa
from hw.video.strip import CELLS_PER_WIDTH, draw_strip, strip_size

_NS = 1_000_000_000


class PatternSource:
    """Delivers I420 (limited range) on a fixed schedule that starts with `open`.

    Frame n belongs to start + n / fps: that is its `timestamp_ns`, its `sequence` is n, and the strip (see
    hw.video.strip) carries n and its milliseconds. Nothing is queued: a caller who comes after the time of
    frame n + 1 gets the newest due frame, and the numbers between count as `lost`.
    """

    def __init__(self, *, key: str, name: str, device: str, width: int, height: int, fps: Fraction) -> None:
        self._info = DeviceInfo(key=key, name=name, path=device or "pattern", model="Test pattern")
        self._format = VideoFormat(PixelFormat.I420, width, height, Fraction(fps), full_range=False)
        self._picture: Mucosa | None = None
        self._start_ns = 0
        self._next = 0
        self._delivered = False

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def open(self) -> VideoFormat:
        """Prepare the picture (about 0.15 s at 1920x1080) and start the schedule.

        Raises NotSupported for an odd or tiny size or a rate that is not positive.
        """
        width, height, fps = self._format.width, self._format.height, self._format.fps
        if width % 2 or height % 2 or width < CELLS_PER_WIDTH or height < 2 * strip_size(width)[1]:
            raise NotSupported(
                "open", self._info.path, f"no pattern of {width}x{height}", "Choose an even size, such as 1280x720."
            )
        if fps <= 0:
            raise NotSupported("open", self._info.path, f"no pattern at {fps} fps", "Choose a rate above 0.")
        if self._picture is None:
            self._picture = Mucosa(width, height)
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
        draw_strip(picture.luma(data), number, since_ns // 1_000_000)
        lost = number - self._next if self._delivered else 0
        self._next = number + 1
        self._delivered = True
        return Frame(data, self._format, number, lost, frame_ns)

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
