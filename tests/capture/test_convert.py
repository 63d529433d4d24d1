"""Frames to planes: the right levels and sizes, whatever the grabber delivers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from hw.base import Frame, PixelFormat, VideoFormat
from hw.fake.pictures import as_webcam, picture
from smartbox_tui.capture.convert import Converter, Undecodable

GREY = 100
AS_LIMITED = 16 + GREY * 219 / 255
AS_FULL = (GREY - 16) * 255 / 219


def frame(pixel: PixelFormat, width: int, height: int, *, full_range: bool, data: bytes | None = None) -> Frame:
    form = VideoFormat(pixel, width, height, Fraction(30), full_range)
    return Frame(picture(pixel, width, height, 1) if data is None else data, form, 1, 0, 0)


def levels(video: Any) -> list[float]:
    """The mean of each plane below the strip."""
    means = []
    for plane in video.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:, : plane.width]
        means.append(float(rows[plane.height // 2 :].mean()))
    return means


@pytest.mark.parametrize("size", [(320, 240), (720, 576), (322, 242), (1000, 562)])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("pixel", list(PixelFormat))
def test_range_and_size(pixel: PixelFormat, full_range: bool, size: tuple[int, int]) -> None:
    full = full_range or pixel is PixelFormat.MJPEG  # JPEG knows no other
    given = frame(pixel, *size, full_range=full)
    converter = Converter()
    for _ in range(2):  # decoder and scaler are used again
        video, still = converter.to_video(given), converter.to_still(given)
        assert (video.format.name, video.width, video.height) == ("yuv420p", *size)
        assert (still.format.name, still.width, still.height) == ("yuvj422p", *size)
        assert levels(video) == pytest.approx([AS_LIMITED if full else GREY, 128, 128], abs=1.2)
        assert levels(still) == pytest.approx([GREY if full else AS_FULL, 128, 128], abs=1.2)


def test_a_webcams_jpeg_without_tables_is_decoded() -> None:
    data = as_webcam(picture(PixelFormat.MJPEG, 320, 240, 1))
    video = Converter().to_video(frame(PixelFormat.MJPEG, 320, 240, full_range=True, data=data))
    assert levels(video)[0] == pytest.approx(AS_LIMITED, abs=1.2)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8nothing", bytes(100)])
@pytest.mark.parametrize("pixel", list(PixelFormat))
def test_what_is_no_picture_says_so_and_the_next_one_is_taken(pixel: PixelFormat, data: bytes) -> None:
    converter = Converter()
    with pytest.raises(Undecodable):
        converter.to_video(frame(pixel, 320, 240, full_range=True, data=data))
    converter.to_video(frame(pixel, 320, 240, full_range=True))


def test_a_jpeg_of_another_size_than_the_format_says_is_refused() -> None:
    data = picture(PixelFormat.MJPEG, 640, 480, 1)
    with pytest.raises(Undecodable, match="640x480"):
        Converter().to_video(frame(PixelFormat.MJPEG, 320, 240, full_range=True, data=data))
