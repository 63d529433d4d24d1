"""The preview of a source: a small RGB picture on tmpfs, in a thread of its own, the newest wins.

Somebody who shows it in pixels asks for more: every picture, as large as is shown. That is given for some seconds,
so that nobody has to say when it is over, and never for more than a share of one core.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, VideoReformatter

from smartbox_tui.capture import precedence
from smartbox_tui.capture.clock import NS
from smartbox_tui.wire.preview import PreviewWriter, preview_name

log = logging.getLogger(__name__)

WIDTH: Final = 640
RATE: Final = 15
WANTED_NS: Final = 12 * NS
"""How long a wish holds."""
LARGEST: Final = (1920, 1200)
REST: Final = 3
"""After a picture that took so long, at least so many times as long without one: a quarter of a core."""
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
        self._rested_ns = 0
        self._wanted = (0, 0, 0)  # width, height, until
        self._ended = False
        self._failures = 0
        self.name = f"preview-{source}"
        self.seen: Callable[[npt.NDArray[np.uint8], int], None] = lambda rows, timestamp_ns: None
        """Gets each picture that is shown, (height, 3 * width) in RGB, in the preview's thread."""

    def offer(self, picture: Any, timestamp_ns: int) -> None:
        """A VideoFrame in limited range. Never blocks; a picture that was not shown yet is replaced."""
        now_ns = time.monotonic_ns()
        if self._wanted[2] > now_ns:
            if self._rested_ns > now_ns:
                return
        elif timestamp_ns - self._last_ns < _PERIOD_NS - _TOLERANCE_NS:
            return
        self._last_ns = timestamp_ns
        with self._changed:
            self._newest = picture, timestamp_ns
            self._changed.notify_all()

    def want(self, width: int, height: int) -> None:
        """Somebody shows it in so many pixels: for the next seconds it is that large, and every picture is shown.
        From any thread."""
        wide, high = (max(16, min(most, asked)) for most, asked in zip(LARGEST, (width, height), strict=True))
        self._wanted = (wide, high, time.monotonic_ns() + WANTED_NS)

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def run(self) -> None:
        precedence.of_preview()
        while True:
            with self._changed:
                while self._newest is None and not self._ended:
                    self._changed.wait()
                if self._ended:
                    break
                newest, self._newest = self._newest, None
            if newest is not None:
                began_ns = time.monotonic_ns()
                self._rested_ns = began_ns + WANTED_NS  # none is kept for right after it
                try:
                    self._show(*newest)
                except (av.FFmpegError, OSError, ValueError) as exc:
                    self._failed(exc)
                ended_ns = time.monotonic_ns()
                self._rested_ns = ended_ns + REST * (ended_ns - began_ns)
            newest = None
        if self._writer is not None:
            self._writer.close()

    def _failed(self, exc: Exception) -> None:
        if self._failures % _LOG_EVERY == 0:
            log.warning("%s: a picture is not shown (%d times before): %s", self.name, self._failures, exc)
        self._failures += 1

    def _size(self, width: int, height: int) -> tuple[int, int]:
        """Of the preview of such a picture: never larger than it, nor smaller than others expect it."""
        wide, high, until = self._wanted
        if until > time.monotonic_ns():
            share = min(1.0, max(WIDTH / width, min(wide / width, high / height)))
        else:
            share = min(1.0, WIDTH / width)
        return max(2, round(width * share / 2) * 2), max(2, round(height * share / 2) * 2)

    def _show(self, picture: Any, timestamp_ns: int) -> None:
        width, height = self._size(picture.width, picture.height)
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
        self.seen(rows, timestamp_ns)
