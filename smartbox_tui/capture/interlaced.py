"""Interlaced pictures to whole ones, and decoded pictures to frames."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import VideoReformatter

from hw.base import FieldOrder, Frame, PixelFormat, VideoFormat
from smartbox_tui.capture.convert import rows

_420: Final = ("yuv420p", "yuvj420p")
_422: Final = ("yuv422p", "yuvj422p")
_PARITY: Final = {FieldOrder.TOP_FIRST: "tff", FieldOrder.BOTTOM_FIRST: "bff"}
_LINES_525: Final = (480, 486)


_SD: Final = {576: Fraction(59, 54), 480: Fraction(10, 11)}
"""Width by height of a pixel by the lines of a picture that is 720 or 704 pixels wide (ITU-R BT.601)."""


def shaped(form: VideoFormat, deinterlace: str) -> VideoFormat:
    """With the pixels' shape that a grabber did not tell: what is interlaced and has the size of SD is SD."""
    if deinterlace != "on" or form.pixel_aspect != 1 or form.width not in (704, 720):
        return form
    return replace(form, pixel_aspect=_SD.get(form.height, Fraction(1)))


def scanned(form: VideoFormat, deinterlace: str) -> FieldOrder:
    """How pictures of that format are to be taken, after the setting `deinterlace` (auto, on, off)."""
    if deinterlace == "off":
        return FieldOrder.PROGRESSIVE
    if deinterlace == "on" and form.field_order is FieldOrder.PROGRESSIVE:
        # A grabber that does not say so; 525-line video has its bottom field first.
        return FieldOrder.BOTTOM_FIRST if form.height in _LINES_525 else FieldOrder.TOP_FIRST
    return form.field_order


class Deinterlacer:
    """Woven pictures in, whole ones out, one for one (bwdif). Each is made with the help of the one after it, so it
    comes when that is there. One thread; of one format."""

    def __init__(self, form: VideoFormat, order: FieldOrder) -> None:
        self._form = replace(form, field_order=FieldOrder.PROGRESSIVE)
        self._parity = _PARITY[order]
        self._reformatter = VideoReformatter()
        self._graph: Any = None
        self._ends: tuple[Any, Any] = (None, None)
        self._waiting: deque[Frame] = deque()
        self._count = 0

    def put(self, picture: Any, frame: Frame) -> list[Frame]:
        """`picture` is what `frame` shows (planar after `planar`). Raises FFmpegError."""
        picture = planar(picture, self._reformatter)
        if self._graph is None:
            self._build(picture)
        picture.pts, picture.time_base = self._count, Fraction(1, 90_000)
        self._count += 1
        self._ends[0].push(picture)
        self._waiting.append(frame)
        return self._made()

    def rest(self) -> list[Frame]:
        """What waits for a picture that does not come any more. Nothing is put in after it."""
        if self._graph is None:
            return []
        self._ends[0].push(None)
        return self._made()

    def left(self, but: Frame) -> int:
        """Frames that wait in it, and those that were lost before them; without `but`."""
        return sum(1 + frame.lost for frame in self._waiting if frame is not but)

    def _made(self) -> list[Frame]:
        made: list[Frame] = []
        while True:
            try:
                whole = self._ends[1].pull()
            except (av.BlockingIOError, av.EOFError):
                return made
            made.append(packed(whole, self._form, self._waiting.popleft()))

    def _build(self, picture: Any) -> None:
        graph = Graph()
        graph.threads = 1  # before anything is in it
        source = graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 90_000)
        )
        whole = graph.add("bwdif", f"mode=send_frame:parity={self._parity}:deint=all")
        sink = graph.add("buffersink")
        source.link_to(whole)
        whole.link_to(sink)
        graph.configure()
        self._graph, self._ends = graph, (source, sink)


def planar(picture: Any, reformatter: VideoReformatter) -> Any:
    """The picture with 4:2:0 or 4:2:2 planes, its range as it is; fields are not mixed."""
    if picture.format.name in (*_420, *_422):
        return picture
    if picture.format.name == "nv12":
        return reformatter.reformat(picture, format="yuv420p", threads=1)
    return reformatter.reformat(picture, format="yuv422p", threads=1)


def packed(picture: Any, form: VideoFormat, frame: Frame) -> Frame:
    """A planar picture as a frame of its own with the time of `frame`: I420, or YUYV where it has 4:2:2 planes."""
    luma, first, second = (rows(plane) for plane in picture.planes)
    if picture.format.name in _420:
        data = np.concatenate([plane.reshape(-1) for plane in (luma, first, second)])
        form = replace(form, pixel=PixelFormat.I420)
    else:
        whole = np.empty((picture.height, picture.width * 2), np.uint8)
        whole[:, 0::2], whole[:, 1::4], whole[:, 3::4] = luma, first, second
        data = whole.reshape(-1)
        form = replace(form, pixel=PixelFormat.YUYV)
    return replace(frame, data=data.data, format=form)
