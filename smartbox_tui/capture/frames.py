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

RING_S: Final = 10.0
"""So late a command may arrive on a box that has too much to do; as far as the bytes reach."""

RING_BYTES: Final = 48 << 20
"""The largest single piece of this process's memory. Of 1080p it is fifteen frames in 4:2:0, half a second: longer
than a gesture's first moments; as JPEGs of the grabber it is some five seconds."""

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


class Hold:
    """A frame that somebody will fetch; the ring's lock guards it.

    frame    the nearest to `at_ns` so far
    settled  frames have come from after that moment: it is the nearest of all
    """

    def __init__(self, at_ns: int) -> None:
        self.at_ns = at_ns
        self.frame: Frame | None = None
        self.settled = False

    def offer(self, frame: Frame) -> None:
        """Frames in the order in which they come."""
        if self.frame is None or abs(frame.timestamp_ns - self.at_ns) < abs(self.frame.timestamp_ns - self.at_ns):
            self.frame = frame
        self.settled = self.settled or frame.timestamp_ns >= self.at_ns

    def give_up(self) -> None:
        self.frame = None


class FrameRing:
    """The newest frames of a source, bounded in time and bytes. Thread-safe."""

    def __init__(self, ring_s: float = RING_S, ring_bytes: int = RING_BYTES) -> None:
        self._ring_ns = int(ring_s * NS)
        self._ring_bytes = ring_bytes
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._holds: list[Hold] = []  # that a later frame may be nearer to
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
            for hold in self._holds:
                hold.offer(frame)
            self._holds = [hold for hold in self._holds if not hold.settled]
            self._changed.notify_all()

    def clear(self) -> None:
        """The signal is lost: no frame from before may answer a trigger after it."""
        with self._changed:
            self._frames.clear()
            self._bytes = 0
            for hold in self._holds:
                hold.give_up()
            self._changed.notify_all()

    def hold(self, at_ns: int) -> Hold:
        """Sees to it that the frame nearest `at_ns` (CLOCK_MONOTONIC) stays, however late it is fetched. Never
        waits."""
        hold = Hold(at_ns)
        with self._changed:
            for frame in self._frames:
                hold.offer(frame)
            if not hold.settled:
                self._holds.append(hold)
        return hold

    def pin(self, hold: Hold) -> Pinned:
        """The frame that was held, waiting up to two frame times for one at or after its moment.

        One that is more than a frame time away has a note. Raises NoFrame.
        """
        with self._changed:
            self._wait_for(hold)
            frame = hold.frame
            if frame is None:
                raise NoFrame
            off_ns = frame.timestamp_ns - hold.at_ns
            if not hold.settled and -off_ns > max(_STALE_NS, _STALE_FRAMES * frame_ns(frame)):
                raise NoFrame
        if abs(off_ns) <= frame_ns(frame):
            return Pinned(frame)
        where = "after" if off_ns > 0 else "before"
        return Pinned(
            frame, f"the frame is {abs(off_ns) // 1_000_000} ms {where} the trigger: none nearer was kept"
        )

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

    def _wait_for(self, hold: Hold) -> None:
        """Until a frame from then or later is there: two frame times at most, and those that frames are behind."""
        period = frame_ns(self._frames[-1]) if self._frames else NS // 30
        give_up = time.monotonic() + (2 + self.behind) * period / NS
        while not hold.settled:
            left = give_up - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)


def frame_ns(frame: Frame) -> int:
    """Nanoseconds from frame to frame, nominal."""
    return int(NS / (frame.format.fps or Fraction(30)))
