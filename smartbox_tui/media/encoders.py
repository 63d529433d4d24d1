"""The encoders of the box: what each makes of a format, and how it is opened, for a recording and for `media`.

All make High or Main Profile streams that can be cut anywhere: closed GOPs of at most a second, parameter sets
before each of them, no B-frames. What they really made is checked afterwards (`media.told`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from smartbox_tui.media.mpeg2 import BOUNDS, LEVEL_HIGH, LEVEL_MAIN, Bounds
from smartbox_tui.media.vui import UNSPECIFIED, Colour
from smartbox_tui.model.formats import Format, h264_format, hevc_format, is_level_41, mpeg2_format
from smartbox_tui.model.instance import MPEG2_MPML, mpeg2_transfer_syntax

_H264_BITRATE: Final = 62_500_000
"""High Profile at levels 4.1 and 4.2 (ITU-T H.264 table A-1, and A-2's factor)."""

_HEVC_BITRATE: Final = 40_000_000
"""Main tier at level 5.1 (ITU-T H.265 table A.9)."""

_MPEG2_GOP: Final = 15

_X264: Final = "8x8dct=1:scenecut=0:open-gop=0:repeat-headers=1:annexb=1:aud=1:bframes=0:force-cfr=1"
"""8x8dct makes `ultrafast` High instead of Constrained Baseline, which archives refuse."""

_X265: Final = (
    "scenecut=0:open-gop=0:repeat-headers=1:annexb=1:aud=1:bframes=0:rc-lookahead=0:info=0:log-level=none"
)


@dataclass(frozen=True, slots=True)
class Codec:
    """`library` is libavcodec's name for the encoder.

    plan       what is encoded of pictures of that size at that rate; ValueError with a sentence where nothing legal
               can be
    gop        frames of a GOP at the most
    bitrate    bits a second at the most
    threads    of a recording; 0 is as many as the encoder likes
    options    the encoder's, for a plan, a bit rate, and whether it is a recording: then nothing is held back
    kind       the settings' word of what encodes, `sources.encoder`
    pixel      libavutil's name of the layout that it takes
    mended     bitstream filters (ffmpeg-bitstream-filters(1)) that say in the stream what the encoder does not
    """

    name: str
    library: str
    plan: Callable[[int, int, Fraction], Format]
    gop: Callable[[Format], int]
    bitrate: Callable[[Format], int]
    threads: Callable[[Format], int]
    options: Callable[[Format, int, bool], dict[str, str]]
    kind: str = "software"
    pixel: str = "yuv420p"
    mended: Callable[[Format], str] | None = None


def opened(codec: Codec, plan: Format, bitrate: int, colour: Colour = UNSPECIFIED, *, live: bool) -> Any:
    """The encoder for pictures in `codec.pixel`, square, progressive, in limited range, whatever `colour` says.

    `live`: of a recording, which takes one picture and gives one unit, and leaves the machine to others.
    """
    import av
    from av.video.reformatter import ColorRange

    bitrate = min(bitrate, codec.bitrate(plan))
    context: Any = av.CodecContext.create(codec.library, "w")
    context.width, context.height, context.pix_fmt = plan.width, plan.height, codec.pixel
    context.sample_aspect_ratio = Fraction(1)
    context.time_base, context.framerate = 1 / plan.fps, plan.fps
    context.gop_size, context.max_b_frames, context.bit_rate = codec.gop(plan), 0, bitrate
    context.color_range = ColorRange.MPEG
    context.color_primaries, context.color_trc = colour.primaries, colour.transfer
    context.colorspace = colour.matrix
    context.thread_count = codec.threads(plan) if live else 2
    context.options = codec.options(plan, bitrate, live)
    context.open()
    return context


def _a_second(plan: Format) -> int:
    return max(1, int(plan.fps))


# ---- H.264 High Profile up to level 4.2 (PS3.5 8.2.7, 8.2.8)


def _h264(plan: Format, bitrate: int, live: bool) -> dict[str, str]:
    pace = {"preset": "ultrafast", "tune": "zerolatency"} if live else {"preset": "veryfast"}
    return pace | {
        "profile": "high",
        "level": "4.1" if is_level_41(plan) else "4.2",
        "forced-idr": "1",
        "maxrate": str(bitrate),
        "bufsize": str(bitrate),
        "x264-params": f"{_X264}{':rc-lookahead=0' if live else ''}:keyint={_a_second(plan)}:min-keyint=1",
    }


# ---- MPEG2 Main Profile at Main or High Level (PS3.5 8.2.5, 8.2.6)


def _mpeg2_gop(plan: Format) -> int:
    return min(_MPEG2_GOP, _a_second(plan))


def _is_main_level(plan: Format) -> bool:
    return mpeg2_transfer_syntax(plan.width, plan.height, float(plan.fps), 0) == MPEG2_MPML


def _bounds(plan: Format) -> Bounds:
    return BOUNDS[LEVEL_MAIN if _is_main_level(plan) else LEVEL_HIGH]


def _mpeg2(plan: Format, bitrate: int, live: bool) -> dict[str, str]:
    return {
        "profile": "main",
        "level": "main" if _is_main_level(plan) else "high",
        "flags": "+cgop+low_delay" if live else "+cgop",
        "sc_threshold": "1000000000",  # libavcodec closes GOPs only without scene changes
        "maxrate": str(bitrate),
        "bufsize": str(min(bitrate, _bounds(plan).vbv_bits)),
    }


# ---- HEVC Main Profile up to level 5.1 (PS3.5 8.2.10)


def _hevc_gop(plan: Format) -> int:
    return max(2, _a_second(plan))  # x265 calls a stream of nothing but IDR pictures another profile (Main Intra)


def _hevc(plan: Format, bitrate: int, _live: bool) -> dict[str, str]:
    return {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "main",
        "forced-idr": "1",
        "maxrate": str(bitrate),
        "bufsize": str(bitrate),
        "x265-params": f"{_X265}:high-tier=0:keyint={_hevc_gop(plan)}:min-keyint=1",
    }


CODECS: Final = {
    "h264": Codec(
        "h264",
        "libx264",
        h264_format,
        _a_second,
        lambda _plan: _H264_BITRATE,
        # A second slice thread only where one core is not enough: each costs a share of the memory.
        lambda plan: 1 if is_level_41(plan) else 2,
        _h264,
    ),
    "mpeg2": Codec(
        "mpeg2",
        "mpeg2video",
        mpeg2_format,
        _mpeg2_gop,
        lambda plan: _bounds(plan).bitrate,
        lambda _plan: 1,
        _mpeg2,
    ),
    "hevc": Codec("hevc", "libx265", hevc_format, _hevc_gop, lambda _plan: _HEVC_BITRATE, lambda _plan: 0, _hevc),
}
"""By the settings' word, `sources.codec`."""
