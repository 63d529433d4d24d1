"""Frames of every layout to what the encoder takes: 4:2:0 planes in limited range."""

from __future__ import annotations

from typing import Any, Final

import av
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter

from hw.base import Frame, PixelFormat, VideoFormat

_NAMES: Final = {PixelFormat.I420: "yuv420p", PixelFormat.NV12: "nv12", PixelFormat.YUYV: "yuyv422"}


class Undecodable(Exception):
    """The bytes are no picture: a torn JPEG, or not as many bytes as the format says."""


class Converter:
    """Keeps decoder and scaler from frame to frame; making them anew costs more than using them. One thread."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._decoder: Any = None

    def to_video(self, frame: Frame) -> Any:
        """A VideoFrame yuv420p in limited range. Raises Undecodable."""
        return self._to(frame, "yuv420p", full_range=False)

    def to_still(self, frame: Frame, sampling: str = "422") -> Any:
        """A VideoFrame with 4:2:2 (or "444") planes in full range, as JPEG has them (T.871). Raises Undecodable."""
        return self._to(frame, f"yuvj{sampling}p", full_range=True)

    def _to(self, frame: Frame, name: str, *, full_range: bool) -> Any:
        picture = self._picture(frame)
        if picture.format.name == name and frame.format.full_range == full_range:
            return picture
        return self._reformatter.reformat(
            picture,
            format=name,
            src_color_range=_range(frame.format.full_range),
            dst_color_range=_range(full_range),
            threads=1,  # threads of the scaler cost more memory than time on two cores
        )

    def _picture(self, frame: Frame) -> Any:
        if frame.format.pixel is PixelFormat.MJPEG:
            return self._decoded(frame)
        return _raw(frame.data, frame.format)

    def _decoded(self, frame: Frame) -> Any:
        if not frame.data:  # an empty packet would end the decoder's stream
            raise Undecodable("no data")
        if self._decoder is None:
            self._decoder = av.CodecContext.create("mjpeg", "r")
            self._decoder.thread_count = 1
        try:
            pictures = self._decoder.decode(av.Packet(bytes(frame.data)))
        except av.FFmpegError as exc:
            self._decoder = None
            raise Undecodable(str(exc)) from exc
        if not pictures:
            raise Undecodable("no picture in the data")
        picture = pictures[-1]
        if (picture.width, picture.height) != (frame.format.width, frame.format.height):
            raise Undecodable(f"{picture.width}x{picture.height} instead of the format's size")
        return picture


def _range(full: bool) -> ColorRange:
    return ColorRange.JPEG if full else ColorRange.MPEG


def _raw(data: bytes | bytearray | memoryview, form: VideoFormat) -> Any:
    """The bytes as a VideoFrame, without copying where PyAV can."""
    lines = {PixelFormat.YUYV: form.height * 2}.get(form.pixel, form.height * 3 // 2)
    if len(data) != lines * form.width:
        raise Undecodable(f"{len(data)} bytes instead of {lines * form.width}")
    plane = np.frombuffer(data, np.uint8)
    if form.pixel is PixelFormat.YUYV:
        return av.VideoFrame.from_ndarray(plane.reshape(form.height, form.width, 2), "yuyv422")
    planes = plane.reshape(lines, form.width)
    if form.height % 4:  # without copying PyAV rounds the height down to a multiple of four
        return av.VideoFrame.from_ndarray(planes, _NAMES[form.pixel])
    return av.VideoFrame.from_numpy_buffer(planes, _NAMES[form.pixel])
