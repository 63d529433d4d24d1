"""Frames that are no picture by themselves (H.264, fields) become pictures before anything else sees them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import av

from hw.base import FieldOrder, Frame, PixelFormat, VideoFormat
from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.convert import Converter, Undecodable
from smartbox_tui.capture.interlaced import Deinterlacer, scanned, shaped
from smartbox_tui.capture.passing import Film, Passing

log = logging.getLogger(__name__)

BEHIND: Final = 3
"""Frames that a picture may come later than it was taken: one for its fields, the others for the work."""

_MOST: Final = 24
"""Frames between the reader and this thread: most of a second."""

_LOG_EVERY: Final = 300


class Beforehand:
    """`put` never blocks. Whole pictures go straight on in the reader's thread, all others through a thread of its
    own.

    onward     gets each picture (its format tells no fields, no H.264), to be kept and, where `passed` is False,
               encoded
    emit       gets the access units of a source whose own stream is recorded
    preview    gets each picture of such a source (VideoFrame yuv420p, timestamp)
    """

    def __init__(
        self,
        name: str,
        deinterlace: str,
        passing: Passing,
        onward: Callable[[Frame, bool], None],
        emit: Callable[[AccessUnit], None],
        preview: Callable[[Any, int], None],
    ) -> None:
        self._name = name
        self._deinterlace = deinterlace
        self._passing = passing
        self._onward, self._emit, self._preview = onward, emit, preview
        self._queue: deque[Frame | None] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self._finished = 0
        self._ended = False
        self._dropped = 0
        self._film = Film()
        self._unsaid = 0  # frames that were neither passed on nor encoded: the next that is encoded tells so
        self._fields: tuple[VideoFormat, Deinterlacer] | None = None
        self._converter = Converter()
        self.lost = 0
        self.thread: tuple[str, Callable[[], None]] = (f"before-{name}", self.run)

    # ---- the reader's thread

    def put(self, frame: Frame) -> None:
        if not self.delays(frame.format):
            self._onward(frame, False)
            return
        with self._changed:
            if len(self._queue) >= _MOST:
                self._dropped += 1 + frame.lost
                self.lost += 1
                return
            if self._dropped:
                frame = replace(frame, lost=frame.lost + self._dropped)
                self._dropped = 0
            self._queue.append(frame)
            self._changed.notify_all()

    def fresh(self) -> None:
        """The source was lost: nothing from before it leans on what comes."""
        with self._changed:
            self._queue.append(None)
            self._changed.notify_all()

    # ---- any thread

    def delays(self, form: VideoFormat) -> bool:
        """Whether pictures of that format come later than they are read."""
        film = form.pixel is PixelFormat.H264
        return film or scanned(form, self._deinterlace) is not FieldOrder.PROGRESSIVE

    @property
    def passes(self) -> bool:
        """Whether the source's own stream is what is recorded."""
        return self._passing.passes

    @property
    def drained(self) -> bool:
        with self._changed:
            return not self._queue and not self._busy

    @property
    def progress(self) -> int | None:
        """Frames finished so far, for the watchdog: it takes no lock. None: there is nothing to do."""
        return self._finished if self._queue or self._busy else None

    @property
    def all_lost(self) -> int:
        """Frames that were lost here, since the start."""
        return self.lost + self._passing.lost

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # ---- the thread

    def run(self) -> None:
        while True:
            with self._changed:
                self._finished += self._busy
                self._busy = False
                self._changed.wait_for(lambda: self._queue or self._ended)
                if self._ended:
                    return
                frame = self._queue.popleft()
                self._busy = True
            if frame is None:
                self._begin_anew()
                continue
            try:
                self._take(frame)
            except (Undecodable, av.FFmpegError, ValueError) as exc:
                self._failed(frame, exc)

    def _begin_anew(self) -> None:
        fields, self._fields = self._fields, None
        self._film = Film()
        self._passing.fresh()
        try:
            for whole in fields[1].rest() if fields is not None else ():
                self._onward(whole, False)
        except (av.FFmpegError, ValueError) as exc:
            log.warning("%s: its last picture before the loss is none: %s", self._name, exc)

    def _take(self, frame: Frame) -> None:
        if frame.format.pixel is not PixelFormat.H264:
            self._weave_apart(self._converter.picture(frame), frame)
            return
        # What is passed on goes first: a picture that cannot be decoded here may still be whole.
        units = self._passing.take(frame)
        for unit in units:
            self._emit(unit)
        refused = bool(self._passing.refusal)
        if refused:
            self._unsaid += self._passing.given_up()
        for picture, whole in self._film.decode(frame):
            if refused:
                unsaid, self._unsaid = self._unsaid, 0
                self._weave_apart(picture, replace(whole, lost=whole.lost + unsaid))
            else:
                self._onward(whole, True)
                self._preview(picture, whole.timestamp_ns)

    def _weave_apart(self, picture: Any, frame: Frame) -> None:
        order = scanned(frame.format, self._deinterlace)
        frame = replace(frame, format=shaped(frame.format, self._deinterlace))
        if order is FieldOrder.PROGRESSIVE:
            self._onward(frame, False)
            return
        if self._fields is None or self._fields[0] != frame.format:
            self._fields = frame.format, Deinterlacer(frame.format, order)
        try:
            for whole in self._fields[1].put(picture, frame):
                self._onward(whole, False)
        except (av.FFmpegError, ValueError):
            # What waits in it would come with another picture's time.
            fields, self._fields = self._fields[1], None
            with self._changed:
                self._dropped += fields.left(frame)
            raise

    def _failed(self, frame: Frame, exc: Exception) -> None:
        if frame.format.pixel is not PixelFormat.H264:  # of a film the decoder counts itself
            with self._changed:
                self._dropped += 1 + frame.lost
        if not self.passes:
            self.lost += 1
        if self.lost % _LOG_EVERY <= 1:
            log.warning("%s: frame %d is no picture (%d so far): %s", self._name, frame.sequence, self.lost, exc)
