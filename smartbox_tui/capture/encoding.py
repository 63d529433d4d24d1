"""The encoding threads of a source: frames in, access units out, nothing ever waits for them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import av

from hw.base import Frame, VideoFormat
from hw.video.trim import NOTHING, Trim
from smartbox_tui.capture.accelerated import SOFTWARE, Encoders, no_encoders
from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.convert import Converter, Undecodable, squared
from smartbox_tui.capture.encoder import NO_LIMIT, OtherThanAsked
from smartbox_tui.capture.frames import RING_BYTES
from smartbox_tui.capture.makers import Makers
from smartbox_tui.media.encoders import CODECS
from smartbox_tui.model.formats import Format

log = logging.getLogger(__name__)

QUEUE_S: Final = 0.4
"""What reader and encoder may be apart. The same frames are in the pinning ring: it costs no memory of its own."""

_CONVERTED: Final = 3
"""Pictures between the two threads; each is 3 MB at 1080p."""


class EncoderThreads:
    """Takes frames from the reader through a bounded queue; what does not fit is counted as lost.

    Two threads in a row: one decodes and converts (a 1080p MJPEG takes it as long as the encoder takes), one
    encodes, so that two cores do twice as much.

    emit       gets every access unit, in order
    preview    gets every converted picture (VideoFrame yuv420p, timestamp), may not keep the thread
    encoder    the settings' word; `encoders` are those that may take software's place while not `recording`
    """

    def __init__(
        self,
        name: str,
        codec: str,
        bitrate: int,
        emit: Callable[[AccessUnit], None],
        preview: Callable[[Any, int], None],
        *,
        trim: Trim = NOTHING,
        gop_bytes: int = NO_LIMIT,
        encoder: str = SOFTWARE,
        encoders: Encoders | None = None,
        recording: Callable[[], bool] = bool,
    ) -> None:
        self.makers = Makers(
            name,
            codec,
            bitrate,
            encoder=encoder,
            gop_bytes=gop_bytes,
            encoders=encoders or no_encoders(),
            recording=recording,
        )
        self._trim = trim
        self._codec = CODECS[codec]
        self._emit = emit
        self._preview = preview
        self._frames: deque[tuple[Frame, int]] = deque()
        self._pictures: deque[tuple[Any, Frame, Format | None, int]] = deque()
        self._changed = threading.Condition()
        self._under_way = 0
        self._finished = 0
        self._dropped = 0
        self._ended = False
        self._idr_asked = self._idr_given = object()
        self.lost = 0
        """Frames these threads could not take, decode or encode, since the start."""
        self.trouble = ""
        """Why what the source delivers now cannot be recorded, as a sentence; empty: it can."""
        self._name = name
        self.threads: tuple[tuple[str, Callable[[], None]], ...] = (
            (f"convert-{name}", self._convert),
            (f"encode-{name}", self._encode),
        )

    def put(self, frame: Frame) -> None:
        """Never blocks."""
        with self._changed:
            most = min(int(frame.format.fps * QUEUE_S), RING_BYTES // max(1, len(frame.data)))
            if len(self._frames) >= max(4, most):
                self._dropped += 1 + frame.lost
                self.lost += 1
                return
            self._frames.append((frame, frame.lost + self._dropped))
            self._under_way += 1
            self._dropped = 0
            self._changed.notify_all()

    def want_idr(self) -> None:
        """The next unit begins a GOP: after a gap, or where a recording waits for one. From any thread."""
        self._idr_asked = object()

    @property
    def drained(self) -> bool:
        """All frames put so far have been emitted."""
        with self._changed:
            return not self._under_way

    @property
    def progress(self) -> int | None:
        """Frames finished so far, for the watchdog: it takes no lock. None: there is nothing to do."""
        return self._finished if self._under_way else None

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # ---- the converting thread

    def _convert(self) -> None:
        converter = Converter(self._trim)
        form: VideoFormat | None = None
        plan: Format | None = None
        counter, lost = 0, 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frames or self._ended)
                if self._ended:
                    return
                frame, lost_before = self._frames.popleft()
            lost += lost_before
            if frame.format != form:
                form, plan = frame.format, self._planned(squared(self._trim.format(frame.format)))
            counter += 1
            if plan is not None and counter % plan.every:
                self._done()
                continue
            try:
                picture = converter.to_video(frame)
            except (Undecodable, av.FFmpegError, ValueError) as exc:
                lost += 1
                self._failed(frame, exc)
                continue
            with self._changed:
                self._changed.wait_for(lambda: len(self._pictures) < _CONVERTED or self._ended)
                self._pictures.append((picture, frame, plan, lost))
                self._changed.notify_all()
            lost = 0

    def _planned(self, form: VideoFormat) -> Format | None:
        """None, and `trouble` says why, where nothing can be recorded of that format."""
        try:
            plan = self._codec.plan(form.width, form.height, form.fps)
        except ValueError as exc:
            self._tell(str(exc))
            return None
        self.trouble = ""
        if plan.every > 1:
            log.warning("%s: one frame in %d is encoded: more no syntax allows", self._name, plan.every)
        if (plan.width, plan.height) != (form.width, form.height):
            log.warning(
                "%s: %dx%d goes into %dx%d: %s in DICOM has no other size for it",
                *(self._name, form.width, form.height, plan.width, plan.height, self._codec.name),
            )
        return plan

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.error("%s cannot be recorded: %s", self._name, trouble)
            self.trouble = trouble

    # ---- the encoding thread

    def _encode(self) -> None:
        refused: VideoFormat | None = None
        lost = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pictures or self._ended)
                if self._ended:
                    break
                picture, frame, plan, lost_before = self._pictures.popleft()
                self._changed.notify_all()
            lost += lost_before
            if plan is None or frame.format == refused:
                lost += 1
                self.lost += 1
                self._done()
                self._preview(picture, frame.timestamp_ns)
                continue
            try:
                asked = self._idr_asked  # one that is asked for from here on is for the next unit
                unit = self.makers.unit(picture, frame, plan, lost, idr=asked is not self._idr_given)
                self._idr_given = asked
            except (av.FFmpegError, ValueError) as exc:
                if isinstance(exc, OtherThanAsked):
                    refused = frame.format  # it would make the same again
                self._tell(f"the encoder failed: {exc}")
                lost += 1
                self._failed(frame, exc)
                self._preview(picture, frame.timestamp_ns)
                continue
            if self.trouble:
                self.trouble = ""
            refused = None
            if unit is None:
                lost += 1
                self.lost += 1
            else:
                lost = 0
                self._emit(unit)
            self._done()
            self._preview(picture, frame.timestamp_ns)
        self.makers.close()

    def _done(self) -> None:
        with self._changed:
            self._under_way -= 1
            self._finished += 1

    def _failed(self, frame: Frame, exc: Exception) -> None:
        self._done()
        self.lost += 1
        if self.lost in (1, 10) or self.lost % 300 == 0:
            log.warning("%s: frame %d not encoded (%d so far): %s", self._name, frame.sequence, self.lost, exc)
