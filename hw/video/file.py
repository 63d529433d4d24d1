"""A video file as a source: played in real time, for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter

from hw.base import DeviceInfo, Frame, PixelFormat, SignalState, VideoFormat
from hw.errors import DeviceGone, DeviceRefused, HardwareError, NotSupported

_NS = 1_000_000_000
_BLACK = {True: 0, False: 16}
_NEUTRAL = 128
_SLOWEST = Fraction(25)


class FileSource:
    """Delivers I420 at the file's rate, or at `fps` where that is lower; range as the file says.

    The picture keeps its shape: scaled into `width` x `height` (0: the file's own size) with black beside it.
    Frame n belongs to start + n / rate: that is its `timestamp_ns`, on CLOCK_MONOTONIC, and n its `sequence`,
    which goes on when the file begins anew. A caller who comes late skips frames, counted as `lost`; after more
    than a second of that the file goes on from where it stood instead of hurrying after the clock.
    """

    def __init__(self, *, key: str, name: str, device: str, width: int, height: int, fps: Fraction) -> None:
        self._path = device
        self._info = DeviceInfo(key=key, name=name, path=self._path, model="Video file")
        self._asked = (width, height, Fraction(fps))
        self._container: Any = None
        self._format: VideoFormat | None = None
        self._converter = VideoReformatter()
        self._pictures: Iterator[tuple[Fraction, Any]] = iter(())
        self._shown: Any = None
        self._ahead: tuple[Fraction, Any] | None = None
        self._shape = Fraction(1)
        self._margin = Fraction(0)
        self._start_ns = 0
        self._slip = Fraction(0)
        self._next = 0
        self._delivered = False
        self._ready: tuple[int, bytearray] | None = None

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def open(self) -> VideoFormat:
        """DeviceGone for a missing file, DeviceRefused, NotSupported for one that holds no readable video."""
        self.close()
        try:
            # FFmpeg takes names for addresses where it can, and play lists may name others.
            self._container = av.open(f"file:{self._path}", options={"protocol_whitelist": "file"})
            if not self._container.streams.video:
                raise self._unreadable("open", "there is no video in the file")
            stream = self._container.streams.video[0]
            own = Fraction(stream.average_rate or stream.guessed_rate or _SLOWEST)
            self._pictures = self._play(stream, 1 / own)
            self._ahead = self._decode("open")
        except av.FFmpegError as error:
            self.close()
            raise self._explain("open", error) from error
        except HardwareError:
            self.close()
            raise
        self._margin = 1 / own / 2
        self._format = self._choose(stream, own, self._ahead[1])
        self._slip = Fraction(0)
        self._next, self._delivered, self._ready, self._shown = 0, False, None, None
        self._start_ns = time.monotonic_ns()
        return self._format

    def read(self, timeout_s: float) -> Frame | None:
        form = self._format
        if form is None:
            raise HardwareError("read", self._path, "not open")
        give_up_ns = time.monotonic_ns() + int(timeout_s * _NS)
        due = (time.monotonic_ns() - self._start_ns) * form.fps.numerator // (form.fps.denominator * _NS)
        number = max(due, self._next)
        frame_ns = self._start_ns - (-number * form.fps.denominator * _NS // form.fps.numerator)
        if frame_ns > give_up_ns:
            time.sleep(max(0, give_up_ns - time.monotonic_ns()) / _NS)
            return None
        lost = number - self._next
        if lost > form.fps:
            self._slip += lost / form.fps
        # Decoded before its time, not at it, so that it is there when its time comes.
        if self._ready is None or self._ready[0] != number:
            self._ready = (number, self._convert(self._picture_at(number / form.fps - self._slip), form))
        data = self._ready[1]
        self._ready = None
        time.sleep(max(0, frame_ns - time.monotonic_ns()) / _NS)
        frame = Frame(data, form, number, lost if self._delivered else 0, frame_ns)
        self._next = number + 1
        self._delivered = True
        return frame

    def signal(self) -> SignalState:
        return SignalState.OK if self._format else SignalState.STARTING

    def close(self) -> None:
        self._pictures = iter(())
        self._shown = self._ahead = self._ready = self._format = None
        if self._container is not None:
            self._container.close()
        self._container = None

    def _play(self, stream: Any, period: Fraction) -> Iterator[tuple[Fraction, Any]]:
        """(time since the first picture, picture), round and round, times going on."""
        begins = Fraction(0)
        while True:
            first: Fraction | None = None
            at = begins - period
            try:
                for picture in self._container.decode(stream):
                    if picture.pts is None or picture.time_base is None:
                        at += period
                    else:
                        stamp = picture.pts * picture.time_base
                        first = stamp if first is None else first
                        at = max(at, begins + stamp - first)
                    yield at, picture
            except av.EOFError:
                pass
            except av.InvalidDataError:
                # A damaged rest: what came before it is worth playing.
                pass
            if at < begins:
                raise self._unreadable("read", "no picture in the file can be decoded")
            begins = at + period
            self._container.seek(0)

    def _decode(self, op: str) -> tuple[Fraction, Any]:
        for ahead in self._pictures:
            return ahead
        raise self._unreadable(op, "no more picture can be decoded")

    def _picture_at(self, seconds: Fraction) -> Any:
        """The picture to be seen at a time of the file; half a period's grace for the rounding of its stamps."""
        try:
            while self._ahead is not None and (self._shown is None or self._ahead[0] <= seconds + self._margin):
                self._shown = self._ahead[1]
                self._ahead = self._decode("read")
        except av.FFmpegError as error:
            raise self._explain("read", error) from error
        return self._shown

    def _choose(self, stream: Any, own: Fraction, picture: Any) -> VideoFormat:
        width, height, fps = self._asked
        if not width or not height:
            width, height = picture.width & ~1, picture.height & ~1
        if width % 2 or height % 2:
            raise NotSupported("open", self._path, f"no picture of {width}x{height}", "Choose an even size.")
        self._shape = Fraction(stream.sample_aspect_ratio or 1)
        return VideoFormat(PixelFormat.I420, width, height, fps if 0 < fps < own else own, _is_full(picture))

    def _convert(self, picture: Any, form: VideoFormat) -> bytearray:
        width, height = form.width, form.height
        inner = _fit(picture.width * self._shape / picture.height, width, height)
        coded = ColorRange.JPEG if _is_full(picture) or picture.format.is_rgb else ColorRange.MPEG
        wanted = ColorRange.JPEG if form.full_range else ColorRange.MPEG
        scaled = self._converter.reformat(
            picture, *inner, "yuv420p", src_color_range=coded, dst_color_range=wanted, threads=1
        )
        data = bytearray(width * height * 3 // 2)
        offset = 0
        for plane, shift in zip(scaled.planes, (0, 1, 1), strict=True):
            columns, rows = width >> shift, height >> shift
            target = np.frombuffer(data, np.uint8, columns * rows, offset).reshape(rows, columns)
            lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            across, down = inner[0] >> shift, inner[1] >> shift
            left, top = (columns - across) // 2, (rows - down) // 2
            if inner != (width, height):
                target[:] = _NEUTRAL if shift else _BLACK[form.full_range]
            target[top : top + down, left : left + across] = lines[:down, :across]
            offset += columns * rows
        return data

    def _explain(self, op: str, error: av.FFmpegError) -> HardwareError:
        if isinstance(error, FileNotFoundError):
            return DeviceGone(op, self._path, "there is no such file", "Check the path in the settings.")
        if isinstance(error, PermissionError):
            return DeviceRefused(op, self._path, "no permission", "The service's user must be able to read it.")
        return self._unreadable(op, error.strerror or str(error))

    def _unreadable(self, op: str, reason: str) -> NotSupported:
        return NotSupported(op, self._path, reason, "Give a video file, such as MP4, MPEG-TS, MKV or AVI.")


def _is_full(picture: Any) -> bool:
    return bool(picture.format.name.startswith("yuvj") or picture.color_range == ColorRange.JPEG)


def _fit(shape: Fraction, width: int, height: int) -> tuple[int, int]:
    """The largest even size of the given shape (width / height) inside width x height."""
    across = min(Fraction(width), height * shape)
    down = across / shape
    inner = (max(2, round(across / 2) * 2), max(2, round(down / 2) * 2))
    # A pixel or two of black at an edge would only be rounding.
    return (width, height) if width - inner[0] <= 2 and height - inner[1] <= 2 else inner
