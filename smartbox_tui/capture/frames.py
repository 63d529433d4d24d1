"""The ring of original frames, and finding the one of a moment."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from hw.base import Frame
from smartbox_tui.capture.clock import NS

RING_S: Final = 0.7
"""Longer than a command takes to arrive and than a gesture's first 500 ms."""

RING_BYTES: Final = 48 << 20
"""Fifteen frames of 1080p 4:2:0: the largest single piece of this process's memory."""

_STALE_FRAMES: Final = 5
_STALE_NS: Final = NS // 4


class NoFrame(Exception):
    """There is no frame of the moment asked for: the source delivers none."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """The frame of a trigger; `note` says where it is not quite the one asked for."""

    frame: Frame
    note: str = ""

    def moment_ns(self, at_ns: int) -> int:
        """The moment that decides whose picture it is: the trigger's, but where no frame of then was left, that of
        the frame, for it shows who lies there later."""
        return self.frame.timestamp_ns if self.note else at_ns


class FrameRing:
    """The newest frames of a source, bounded in time and bytes. Thread-safe."""

    def __init__(self, ring_s: float = RING_S, ring_bytes: int = RING_BYTES) -> None:
        self._ring_ns = int(ring_s * NS)
        self._ring_bytes = ring_bytes
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self.behind = 0
        """Frames that a picture comes later than it was taken."""

    def put(self, frame: Frame) -> None:
        with self._changed:
            self._frames.append(frame)
            self._bytes += len(frame.data)
            while len(self._frames) > 1 and (
                self._bytes > self._ring_bytes or frame.timestamp_ns - self._frames[0].timestamp_ns > self._ring_ns
            ):
                self._bytes -= len(self._frames.popleft().data)
            self._changed.notify_all()

    def clear(self) -> None:
        """The signal is lost: no frame from before may answer a trigger after it."""
        with self._changed:
            self._frames.clear()
            self._bytes = 0
            self._changed.notify_all()

    def pin(self, at_ns: int) -> Pinned:
        """The frame nearest `at_ns` (CLOCK_MONOTONIC), waiting up to two frame times for one at or after it.

        A time before the ring gets its oldest frame and a note. Raises NoFrame.
        """
        with self._changed:
            self._wait_for(at_ns)
            if not self._frames:
                raise NoFrame
            newest = self._frames[-1]
            stale_ns = max(_STALE_NS, _STALE_FRAMES * frame_ns(newest))
            if at_ns - newest.timestamp_ns > stale_ns:
                raise NoFrame
            frame = min(self._frames, key=lambda each: abs(each.timestamp_ns - at_ns))
            late_ns = frame.timestamp_ns - at_ns
            if frame is self._frames[0] and late_ns > frame_ns(frame):
                return Pinned(
                    frame, f"the frame is {late_ns // 1_000_000} ms after the trigger: none older was kept"
                )
            return Pinned(frame)

    def after(self, frame: Frame, timeout_s: float) -> Frame:
        """The frame that follows `frame`, or the oldest after it that is still there. Raises NoFrame."""
        give_up = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for each in self._frames:
                    if each.timestamp_ns > frame.timestamp_ns:
                        return each
                if not self._changed.wait(give_up - time.monotonic()) and time.monotonic() >= give_up:
                    raise NoFrame

    def _wait_for(self, at_ns: int) -> None:
        """Until a frame at or after `at_ns` is there, two frame times at most, and those that frames are behind."""
        period = frame_ns(self._frames[-1]) if self._frames else NS // 30
        give_up = time.monotonic() + (2 + self.behind) * period / NS
        while not self._frames or self._frames[-1].timestamp_ns < at_ns:
            left = give_up - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)


def frame_ns(frame: Frame) -> int:
    """Nanoseconds from frame to frame, nominal."""
    return int(NS / (frame.format.fps or Fraction(30)))
