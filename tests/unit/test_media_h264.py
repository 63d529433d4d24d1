"""Sequence parameter sets: what x264 really wrote."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import pytest

from smartbox_tui.media import h264


def first_unit(width: int, height: int, fps: Fraction, **options: str) -> bytes:
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = 1 / fps, fps
    encoder.options = {"tune": "zerolatency", "x264-params": "annexb=1"} | options
    frame = av.VideoFrame(width, height, "yuv420p")
    frame.pts = 0
    return b"".join(bytes(packet) for packet in encoder.encode(frame))


@pytest.mark.parametrize(
    ("width", "height", "fps", "profile", "idc", "level"),
    [
        (1920, 1080, Fraction(30), "high", 100, "4.1"),
        (1920, 1080, Fraction(60), "high", 100, "4.2"),
        (1280, 720, Fraction(60000, 1001), "main", 77, "4.1"),
        (722, 478, Fraction(25), "baseline", 66, "3.0"),
    ],
)
def test_profile_level_size_and_rate(
    width: int, height: int, fps: Fraction, profile: str, idc: int, level: str
) -> None:
    sps = h264.find_sps(first_unit(width, height, fps, profile=profile, level=level))
    assert sps == h264.Sps(idc, int(float(level) * 10), width, height, fps, full_range=False)


def test_ultrafast_without_8x8dct_is_not_high_whatever_is_asked_for() -> None:
    sps = h264.find_sps(first_unit(320, 240, Fraction(30), preset="ultrafast", profile="high"))
    assert sps is not None
    assert sps.profile_idc != h264.PROFILE_HIGH


def test_nothing_and_torn_sets() -> None:
    assert h264.find_sps(b"") is None
    assert h264.find_sps(b"\x00\x00\x01\x09\xf0") is None
    with pytest.raises(ValueError, match="early"):
        h264.find_sps(b"\x00\x00\x01\x67\x64\x00")
