"""The preview of a source: a small RGB picture on tmpfs, in a thread of its own, the newest wins."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter

from smartbox_tui.capture.clock import NS
from smartbox_tui.wire.preview import PreviewWriter, preview_name

log = logging.getLogger(__name__)

WIDTH: Final = 640
RATE: Final = 15
_LOG_EVERY: Final = 300
_PERIOD_NS: Final = NS // RATE
_TOLERANCE_NS: Final = NS // 120
"""Frames come a little early and late; without it a source at 15 or 30 would be shown at 10."""


class Preview:
    """`offer` from the encoder's thread, `run` in its own."""

    def __init__(self, runtime: Path, source: str) -> None:
        self.file_name = preview_name(source)
        self._path = runtime / self.file_name
        self._writer: PreviewWriter | None = None
        self._reformatter = VideoReformatter()
        self._changed = threading.Condition()
        self._newest: tuple[Any, int] | None = None
        self._last_ns = 0
        self._ended = False
        self._failures = 0
        self.name = f"preview-{source}"

    def offer(self, picture: Any, timestamp_ns: int) -> None:
        """A VideoFrame in limited range. Never blocks; a picture that was not shown yet is replaced."""
        if timestamp_ns - self._last_ns < _PERIOD_NS - _TOLERANCE_NS:
            return
        self._last_ns = timestamp_ns
        with self._changed:
            self._newest = picture, timestamp_ns
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def run(self) -> None:
        while True:
            with self._changed:
                while self._newest is None and not self._ended:
                    self._changed.wait()
                if self._ended:
                    break
                newest, self._newest = self._newest, None
            if newest is not None:
                try:
                    self._show(*newest)
                except (av.FFmpegError, OSError, ValueError) as exc:
                    self._failed(exc)
            newest = None
        if self._writer is not None:
            self._writer.close()

    def _failed(self, exc: Exception) -> None:
        if self._failures % _LOG_EVERY == 0:
            log.warning("%s: a picture is not shown (%d times before): %s", self.name, self._failures, exc)
        self._failures += 1

    def _show(self, picture: Any, timestamp_ns: int) -> None:
        width = min(WIDTH, picture.width)
        height = max(2, round(picture.height * width / picture.width / 2) * 2)
        if self._writer is None or (self._writer.width, self._writer.height) != (width, height):
            self._writer = PreviewWriter(self._path, width, height)
        small = self._reformatter.reformat(
            picture,
            width=width,
            height=height,
            format="rgb24",
            src_color_range=ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation="FAST_BILINEAR",
            threads=1,
        )
        plane: Any = small.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(height, plane.line_size)[:, : width * 3]
        with self._writer.slot() as slot:
            np.copyto(np.frombuffer(slot, np.uint8).reshape(height, width * 3), rows)
        self._writer.publish(timestamp_ns)
