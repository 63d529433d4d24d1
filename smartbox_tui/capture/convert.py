"""Frames of every layout to what the encoder takes: 4:2:0 planes in limited range, trimmed, with square pixels.

What crop and mask take out was never in any picture: the object stays an ORIGINAL (PS3.3 C.7.6.1.1.2: pixel values
based on original data; DERIVED are those made from the pixels of another image, and there is none).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, VideoReformatter

from hw.base import Frame, PixelFormat, VideoFormat
from hw.video.trim import NOTHING, Trim

_NEUTRAL: Final = 128
_NAMES: Final = {
    PixelFormat.I420: "yuv420p",
    PixelFormat.NV12: "nv12",
    PixelFormat.YUYV: "yuyv422",
    PixelFormat.UYVY: "uyvy422",
    PixelFormat.RGB24: "rgb24",
    PixelFormat.BGR24: "bgr24",
}
_PACKED: Final = {PixelFormat.YUYV: 2, PixelFormat.UYVY: 2, PixelFormat.RGB24: 3, PixelFormat.BGR24: 3}
"""Bytes of a pixel."""
_EXPANDED: Final = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)
"""Levels of limited range in full range."""


class Undecodable(Exception):
    """The bytes are no picture: a torn JPEG, or not as many bytes as the format says."""


class Converter:
    """Keeps decoder and scaler from frame to frame; making them anew costs more than using them. One thread."""

    def __init__(self, trim: Trim = NOTHING) -> None:
        self._trim = trim
        self._reformatter = VideoReformatter()
        self._decoder: Any = None

    def to_video(self, frame: Frame) -> Any:
        """A VideoFrame yuv420p in limited range. Raises Undecodable."""
        return self._to(frame, "yuv420p", full_range=False)

    def to_still(self, frame: Frame, sampling: str = "422") -> Any:
        """A VideoFrame with 4:2:2 (or "444") planes in full range, as JPEG has them (T.871). Raises Undecodable."""
        return self._to(frame, f"yuvj{sampling}p", full_range=True)

    def _to(self, frame: Frame, name: str, *, full_range: bool) -> Any:
        picture = self.picture(frame)
        form = frame.format
        as_it_is = picture.format.name == name and form.full_range == full_range
        wide = squared(form) if not self._trim else form
        if not as_it_is or (wide.width, wide.height) != (picture.width, picture.height):
            as_it_is = False
            picture = self._reformatter.reformat(
                picture,
                width=wide.width,
                height=wide.height,
                format=name,
                src_color_range=_range(form.full_range),
                dst_color_range=_range(full_range),
                threads=1,  # threads of the scaler cost more memory than time on two cores
            )
        if not self._trim:
            return picture
        # What needed no conversion is the ring's own frame, which others still read.
        picture = _trimmed(picture, self._trim, form, black=0 if full_range else 16, shared=as_it_is)
        wide = squared(self._trim.format(form))
        if (wide.width, wide.height) != (picture.width, picture.height):
            # Only now: crop and mask mean pixels as the device delivers them.
            picture = self._reformatter.reformat(
                picture,
                width=wide.width,
                height=wide.height,
                src_color_range=_range(full_range),
                dst_color_range=_range(full_range),
                threads=1,
            )
        return picture

    def picture(self, frame: Frame) -> Any:
        """A VideoFrame as the device delivered it. Raises Undecodable."""
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


def _trimmed(picture: Any, trim: Trim, form: VideoFormat, *, black: int, shared: bool) -> Any:
    """The planar picture without its edges, black where it is masked; in place where nothing else needs it."""
    kept = picture
    if shared or any(trim.crop):
        size = trim.format(form)
        kept = av.VideoFrame(size.width, size.height, picture.format.name)
        kept.color_range, kept.colorspace = picture.color_range, picture.colorspace
        for source, target in zip(picture.planes, kept.planes, strict=True):
            across, down = picture.width // source.width, picture.height // source.height
            np.copyto(rows(target), trim.kept(rows(source), across, down))
    for left, top, right, bottom in trim.covered(form):
        for number, plane in enumerate(kept.planes):
            across, down = kept.width // plane.width, kept.height // plane.height
            colour = _NEUTRAL if number else black
            rows(plane)[top // down : bottom // down, left // across : right // across] = colour
    return kept


def rows(plane: Any) -> npt.NDArray[np.uint8]:
    """A plane as (rows, columns), without what pads its lines."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


def squared(form: VideoFormat) -> VideoFormat:
    """The format of its pictures with square pixels: wider or higher, never with less in it, even."""
    aspect = form.pixel_aspect
    if aspect == 1:
        return form
    width, height = form.width, form.height
    if aspect > 1:
        width = round(width * aspect / 2) * 2
    else:
        height = round(height / aspect / 2) * 2
    return replace(form, width=width, height=height, pixel_aspect=Fraction(1))


def _lines(plane: Any, used: int) -> npt.NDArray[np.uint8]:
    """A packed plane as (rows, bytes), without what pads its lines."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, :used]


def _range(full: bool) -> ColorRange:
    return ColorRange.JPEG if full else ColorRange.MPEG


def _raw(data: bytes | bytearray | memoryview, form: VideoFormat) -> Any:
    """The bytes as a VideoFrame, without copying where PyAV can."""
    if form.pixel not in _NAMES:
        raise Undecodable(f"{form.pixel.value} is no picture by itself")
    across = _PACKED.get(form.pixel)
    lines = form.height * across if across else form.height * 3 // 2
    if len(data) != lines * form.width:
        raise Undecodable(f"{len(data)} bytes instead of {lines * form.width}")
    plane = np.frombuffer(data, np.uint8)
    if across == 2:
        # PyAV's own way into packed 4:2:2 knows yuyv422 only: the other order takes the same places.
        picture = av.VideoFrame(form.width, form.height, _NAMES[form.pixel])
        np.copyto(_lines(picture.planes[0], form.width * 2), plane.reshape(form.height, form.width * 2))
        return picture
    if across:
        if not form.full_range:  # the scaler takes all RGB for full range
            plane = _EXPANDED[plane]
        return av.VideoFrame.from_ndarray(plane.reshape(form.height, form.width, 3), _NAMES[form.pixel])
    planes = plane.reshape(lines, form.width)
    if form.height % 4:  # without copying PyAV rounds the height down to a multiple of four
        return av.VideoFrame.from_ndarray(planes, _NAMES[form.pixel])
    return av.VideoFrame.from_numpy_buffer(planes, _NAMES[form.pixel])
