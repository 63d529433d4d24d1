"""Frames to planes: the right levels and sizes, whatever the grabber delivers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from hw.base import Frame, PixelFormat, VideoFormat
from hw.fake.pictures import as_webcam, picture
from hw.video.trim import Trim
from smartbox_tui.capture.convert import Converter, Undecodable, rows, squared

WHOLE = [pixel for pixel in PixelFormat if pixel is not PixelFormat.H264]
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
@pytest.mark.parametrize("pixel", WHOLE)
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
@pytest.mark.parametrize("pixel", WHOLE)
def test_what_is_no_picture_says_so_and_the_next_one_is_taken(pixel: PixelFormat, data: bytes) -> None:
    converter = Converter()
    with pytest.raises(Undecodable):
        converter.to_video(frame(pixel, 320, 240, full_range=True, data=data))
    converter.to_video(frame(pixel, 320, 240, full_range=True))


def test_a_jpeg_of_another_size_than_the_format_says_is_refused() -> None:
    data = picture(PixelFormat.MJPEG, 640, 480, 1)
    with pytest.raises(Undecodable, match="640x480"):
        Converter().to_video(frame(PixelFormat.MJPEG, 320, 240, full_range=True, data=data))


def test_the_order_of_bytes_is_the_layout_s() -> None:
    """One colour, told in each layout: red must not come out blue."""
    red = {
        PixelFormat.RGB24: bytes((200, 10, 20)) * (160 * 120),
        PixelFormat.BGR24: bytes((20, 10, 200)) * (160 * 120),
        PixelFormat.YUYV: bytes((70, 103, 70, 222)) * (80 * 120),
        PixelFormat.UYVY: bytes((103, 70, 222, 70)) * (80 * 120),
    }
    for pixel, data in red.items():
        full = pixel in (PixelFormat.RGB24, PixelFormat.BGR24)
        planes = Converter().to_video(frame(pixel, 160, 120, full_range=full, data=data)).planes
        _, blue, red_difference = (float(rows(plane).mean()) for plane in planes)
        assert blue < 115, pixel
        assert red_difference > 205, pixel


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ((720, 576), Fraction(59, 54), (786, 576)),
        ((720, 480), Fraction(10, 11), (720, 528)),
        ((720, 576), Fraction(1), (720, 576)),
    ],
)
def test_pixels_become_square_and_crop_and_mask_stay_the_device_s(
    size: tuple[int, int], aspect: Fraction, expected: tuple[int, int]
) -> None:
    form = VideoFormat(PixelFormat.YUYV, *size, Fraction(25), False, pixel_aspect=aspect)
    given = Frame(picture(PixelFormat.YUYV, *size, 1), form, 1, 0, 0)
    assert (squared(form).width, squared(form).height, squared(form).pixel_aspect) == (*expected, 1)
    for made in (Converter().to_video(given), Converter().to_still(given)):
        assert (made.width, made.height) == expected
    trim = Trim((0, 96, 0, 0), ((360, 96, 360, size[1] - 96),))
    kept = squared(trim.format(form))
    made = Converter(trim).to_video(given)
    assert (made.width, made.height) == (kept.width, kept.height)
    luma = rows(made.planes[0]).mean(axis=0)
    middle = made.width // 2
    assert abs(luma[: middle - 8].mean() - GREY) < 3, "the left half is seen"
    assert luma[middle + 8 :].mean() < 17, "the right half of the device's picture is masked"
