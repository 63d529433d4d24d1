"""The encoders that a source can be recorded with: what each makes of a format, and how it is opened.

All make High or Main Profile streams that can be cut anywhere: closed GOPs of at most a second, parameter sets
before each of them, no B-frames, nothing held back. What they really made is checked afterwards (`capture.told`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av
from av.video.reformatter import ColorRange

from hw.base import PixelFormat, VideoFormat
from smartbox_tui.media.mpeg2 import BOUNDS, LEVEL_HIGH, LEVEL_MAIN
from smartbox_tui.model.formats import H264_MOST_BLOCKS, Format, blocks, mpeg2_format, shrunk
from smartbox_tui.model.instance import MPEG2_MPML, mpeg2_transfer_syntax

LEVEL_41_RATE: Final = 245_760
LEVEL_41_BLOCKS: Final = 8192
_LEVEL_42_RATE: Final = 522_240
"""Macroblocks a second, and of a picture (ITU-T H.264 table A-1)."""

_HEVC_BITRATE: Final = 40_000_000
"""Main tier at level 5.1 (ITU-T H.265 table A.9)."""

_MPEG2_GOP: Final = 15
_BT601: Final = 6

_X264: Final = "8x8dct=1:scenecut=0:open-gop=0:repeat-headers=1:annexb=1:aud=1:bframes=0:rc-lookahead=0:force-cfr=1"
"""8x8dct makes `ultrafast` High instead of Constrained Baseline, which archives refuse."""

_X265: Final = (
    "scenecut=0:open-gop=0:repeat-headers=1:annexb=1:aud=1:bframes=0:rc-lookahead=0:info=0:log-level=none"
)


@dataclass(frozen=True, slots=True)
class Codec:
    """`plan` gives what is encoded of a source's format; ValueError with a sentence where nothing legal can be.
    `opened` gives the encoder for a plan, a GOP of at most that many frames and a bit rate."""

    name: str
    plan: Callable[[VideoFormat], Format]
    gop: Callable[[Format], int]
    opened: Callable[[Format, int, int], Any]


def macroblock_rate(form: Format) -> int:
    return blocks(form.width, form.height) * -(-form.fps.numerator // form.fps.denominator)


def context_of(codec: Codec, form: VideoFormat, plan: Format, bitrate: int) -> Any:
    """The encoder, opened, for pictures yuv420p in limited range."""
    gop = codec.gop(plan)
    context = codec.opened(plan, gop, bitrate)
    context.width, context.height, context.pix_fmt = plan.width, plan.height, "yuv420p"
    context.sample_aspect_ratio = Fraction(1)
    context.time_base, context.framerate = 1 / plan.fps, plan.fps
    context.gop_size, context.max_b_frames = gop, 0
    context.color_range = ColorRange.MPEG
    if form.pixel is PixelFormat.MJPEG:
        context.colorspace = _BT601  # JPEG is always BT.601 (T.871); players guess BT.709 for HD
    context.open()
    return context


# ---- H.264 High Profile up to level 4.2 (PS3.5 8.2.7, 8.2.8)


def _plan_h264(form: VideoFormat) -> Format:
    width, height = shrunk(form.width, form.height, H264_MOST_BLOCKS)
    every = 1
    while macroblock_rate(Format(width, height, form.fps / every)) > _LEVEL_42_RATE:
        every += 1
    return Format(width, height, form.fps / every, every)


def _open_h264(plan: Format, gop: int, bitrate: int) -> Any:
    low = macroblock_rate(plan) <= LEVEL_41_RATE and blocks(plan.width, plan.height) <= LEVEL_41_BLOCKS
    context: Any = av.CodecContext.create("libx264", "w")
    context.bit_rate = bitrate
    # A second slice thread only where one core is not enough: each costs a share of the memory.
    context.thread_count = 1 if low else 2
    context.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "high",
        "level": "4.1" if low else "4.2",
        "forced-idr": "1",
        "maxrate": str(bitrate),
        "bufsize": str(bitrate),
        "x264-params": f"{_X264}:keyint={gop}:min-keyint=1",
    }
    return context


# ---- MPEG2 Main Profile at Main or High Level (PS3.5 8.2.5, 8.2.6)


def _plan_mpeg2(form: VideoFormat) -> Format:
    return mpeg2_format(form.width, form.height, form.fps)


def _open_mpeg2(plan: Format, gop: int, bitrate: int) -> Any:
    main = mpeg2_transfer_syntax(plan.width, plan.height, float(plan.fps), 0) == MPEG2_MPML
    bounds = BOUNDS[LEVEL_MAIN if main else LEVEL_HIGH]
    bitrate = min(bitrate, bounds.bitrate)
    context: Any = av.CodecContext.create("mpeg2video", "w")
    context.bit_rate = bitrate
    context.thread_count = 1
    context.options = {
        "profile": "main",
        "level": "main" if main else "high",
        "flags": "+cgop+low_delay",
        # libavcodec closes GOPs only without scene changes
        "sc_threshold": "1000000000",
        "maxrate": str(bitrate),
        "bufsize": str(min(bitrate, bounds.vbv_bits)),
    }
    return context


# ---- HEVC Main Profile up to level 5.1 (PS3.5 8.2.10)


def _plan_hevc(form: VideoFormat) -> Format:
    width, height = shrunk(form.width, form.height, _HEVC_BLOCKS)
    every = 1
    while width * height * form.fps / every > _HEVC_SAMPLES:
        every += 1
    return Format(width, height, form.fps / every, every)


_HEVC_BLOCKS: Final = 8_912_896 // 256
_HEVC_SAMPLES: Final = 534_773_760
"""Luma samples of a picture, and a second, at level 5.1 (ITU-T H.265 tables A.8 and A.9)."""


def _open_hevc(plan: Format, gop: int, bitrate: int) -> Any:
    bitrate = min(bitrate, _HEVC_BITRATE)
    context: Any = av.CodecContext.create("libx265", "w")
    context.bit_rate = bitrate
    context.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "main",
        "forced-idr": "1",
        "maxrate": str(bitrate),
        "bufsize": str(bitrate),
        "x265-params": f"{_X265}:high-tier=0:keyint={gop}:min-keyint=1",
    }
    return context


def _a_second(plan: Format) -> int:
    return max(1, int(plan.fps))


CODECS: Final = {
    "h264": Codec("h264", _plan_h264, _a_second, _open_h264),
    "mpeg2": Codec("mpeg2", _plan_mpeg2, lambda plan: min(_MPEG2_GOP, _a_second(plan)), _open_mpeg2),
    # x265 calls a stream of nothing but IDR pictures another profile (Main Intra)
    "hevc": Codec("hevc", _plan_hevc, lambda plan: max(2, _a_second(plan)), _open_hevc),
}
"""By the settings' word, `sources.codec`."""
