"""The encoder of a source: frames in, access units out, nothing ever waits for it."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import av
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

from hw.base import Frame, PixelFormat, VideoFormat
from smartbox_tui.capture.access import AccessUnit, Stream
from smartbox_tui.capture.clock import NS
from smartbox_tui.capture.convert import Converter, Undecodable
from smartbox_tui.capture.frames import RING_BYTES
from smartbox_tui.media.h264 import find_sps
from smartbox_tui.model.instance import h264_transfer_syntax

log = logging.getLogger(__name__)

QUEUE_S: Final = 0.4
"""What reader and encoder may be apart. The same frames are in the pinning ring: it costs no memory of its own."""

_CONVERTED: Final = 3
"""Pictures between the two threads; each is 3 MB at 1080p."""

_LEVEL_41_RATE: Final = 245_760
_LEVEL_42_RATE: Final = 522_240
"""Macroblocks a second (ITU-T H.264 table A-1)."""

_X264: Final = "8x8dct=1:scenecut=0:open-gop=0:repeat-headers=1:annexb=1:aud=1:bframes=0:rc-lookahead=0:force-cfr=1"
"""8x8dct makes `ultrafast` High instead of Constrained Baseline, which archives refuse."""

_STREAMS: Final = itertools.count(1)


def macroblock_rate(width: int, height: int, fps: Fraction) -> int:
    return -(-width // 16) * -(-height // 16) * -(-fps.numerator // fps.denominator)


def kept_rate(form: VideoFormat) -> tuple[int, Fraction]:
    """(one frame in how many is encoded, the rate that makes): what DICOM's highest level (4.2) can hold."""
    every = 1
    while macroblock_rate(form.width, form.height, form.fps / every) > _LEVEL_42_RATE:
        every += 1
    return every, form.fps / every


class Encoder:
    """One opening of x264 for one format: High Profile, no B-frames, closed GOPs of at most a second."""

    def __init__(self, form: VideoFormat, fps: Fraction, bitrate: int) -> None:
        self.format = form
        rate = macroblock_rate(form.width, form.height, fps)
        gop = max(1, int(fps))
        context: Any = av.CodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = form.width, form.height, "yuv420p"
        context.time_base, context.framerate = 1 / fps, fps
        context.bit_rate, context.gop_size, context.max_b_frames = bitrate, gop, 0
        # A second slice thread only where one core is not enough: each costs a share of the memory.
        context.thread_count = 1 if rate <= _LEVEL_41_RATE else 2
        context.color_range = ColorRange.MPEG
        if form.pixel is PixelFormat.MJPEG:
            context.colorspace = 6  # JPEG is always BT.601 (T.871); players guess BT.709 for HD
        context.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "profile": "high",
            "level": "4.1" if rate <= _LEVEL_41_RATE else "4.2",
            "forced-idr": "1",
            "maxrate": str(bitrate),
            "bufsize": str(bitrate),
            "x264-params": f"{_X264}:keyint={gop}:min-keyint=1",
        }
        self._context = context
        self._fps = fps
        self._count = 0
        self._idr_ns: int | None = None
        self.stream: Stream | None = None

    def encode(self, picture: Any, timestamp_ns: int, lost: int, *, idr: bool) -> AccessUnit:
        """One yuv420p picture to one access unit. `idr` asks for one; a second after the last it comes anyway."""
        # The encoder counts frames; with gaps a second passes sooner than its count says.
        limit_ns = NS - int(NS / self._fps) // 2
        if idr or self._idr_ns is None or timestamp_ns - self._idr_ns >= limit_ns:
            picture.pict_type = PictureType.I
        else:
            picture.pict_type = PictureType.NONE
        picture.pts = self._count
        picture.time_base = 1 / self._fps
        self._count += 1
        packets = self._context.encode(picture)
        data = b"".join(bytes(packet) for packet in packets)
        key = any(packet.is_keyframe for packet in packets)
        if key:
            self._idr_ns = timestamp_ns
        if self.stream is None:
            self.stream = self._told(data)
        return AccessUnit(data, timestamp_ns, key, lost, self.stream)

    def _told(self, data: bytes) -> Stream:
        """The stream as its parameter set tells it, not as the encoder was asked."""
        sps = find_sps(data)
        if sps is None:
            raise ValueError("the encoder's first unit has no parameter set")
        return Stream(next(_STREAMS), sps.width, sps.height, self._fps, h264_transfer_syntax(sps.level_idc))


class EncoderThreads:
    """Takes frames from the reader through a bounded queue; what does not fit is counted as lost.

    Two threads in a row: one decodes and converts (a 1080p MJPEG takes it as long as the encoder takes), one
    encodes, so that two cores do twice as much.

    emit       gets every access unit, in order
    preview    gets every converted picture (VideoFrame yuv420p, timestamp), may not keep the thread
    """

    def __init__(
        self, name: str, bitrate: int, emit: Callable[[AccessUnit], None], preview: Callable[[Any, int], None]
    ) -> None:
        self._bitrate = bitrate
        self._emit = emit
        self._preview = preview
        self._frames: deque[tuple[Frame, int]] = deque()
        self._pictures: deque[tuple[Any, Frame, int]] = deque()
        self._changed = threading.Condition()
        self._under_way = 0
        self._dropped = 0
        self._ended = False
        self._want_idr = False
        self.lost = 0
        """Frames these threads could not take, decode or encode, since the start."""
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
        """The next unit begins a GOP: after a gap, or where a recording waits for one."""
        self._want_idr = True

    @property
    def drained(self) -> bool:
        """All frames put so far have been emitted."""
        with self._changed:
            return not self._under_way

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # ---- the converting thread

    def _convert(self) -> None:
        converter = Converter()
        form: VideoFormat | None = None
        every, counter, lost = 1, 0, 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frames or self._ended)
                if self._ended:
                    return
                frame, lost_before = self._frames.popleft()
            lost += lost_before
            if frame.format != form:
                form = frame.format
                every, _fps = kept_rate(form)
                if every > 1:
                    log.warning("%s: one frame in %d is encoded: DICOM ends at level 4.2", self._name, every)
            counter += 1
            if counter % every:
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
                self._pictures.append((picture, frame, lost))
                self._changed.notify_all()
            lost = 0

    # ---- the encoding thread

    def _encode(self) -> None:
        encoder: Encoder | None = None
        lost = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pictures or self._ended)
                if self._ended:
                    return
                picture, frame, lost_before = self._pictures.popleft()
                self._changed.notify_all()
            lost += lost_before
            try:
                if encoder is None or encoder.format != frame.format:
                    encoder = Encoder(frame.format, kept_rate(frame.format)[1], self._bitrate)
                want, self._want_idr = self._want_idr, False
                unit = encoder.encode(picture, frame.timestamp_ns, lost, idr=want)
            except (av.FFmpegError, ValueError) as exc:
                encoder = None
                lost += 1
                self._failed(frame, exc)
                continue
            lost = 0
            self._emit(unit)
            self._done()
            self._preview(picture, frame.timestamp_ns)

    def _done(self) -> None:
        with self._changed:
            self._under_way -= 1

    def _failed(self, frame: Frame, exc: Exception) -> None:
        self._done()
        self.lost += 1
        if self.lost in (1, 10) or self.lost % 300 == 0:
            log.warning("%s: frame %d not encoded (%d so far): %s", self._name, frame.sequence, self.lost, exc)
