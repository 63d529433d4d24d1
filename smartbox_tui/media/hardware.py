"""The encoders of the hardware that FFmpeg has a way to: which there are, and how each is asked for a stream that
can be cut anywhere, with nothing held back. What it really makes decides (`capture.selftest`), not what was asked.

Options as in ffmpeg-codecs(1), sections "QSV Encoders" and of libavcodec's nvenc.c and v4l2_m2m_enc.c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from smartbox_tui.media.encoders import CODECS, Codec
from smartbox_tui.model.formats import Format, is_level_41

Options = Callable[[Format, int, bool], dict[str, str]]

KINDS: Final = ("nvenc", "qsv", "v4l2m2m")
"""By the settings' word, the first that passes its test is used: cards that somebody put in come first."""

_PROFILE_HIGH: Final = "100"
"""V4L2's controls are set from libavcodec's own number: the wrapper has no names."""


def _peak(codec: str, plan: Format, bitrate: int) -> int:
    """A quarter above the mean, within the level: equal to it, QSV and NVENC would fill with nothing (CBR)."""
    return min(bitrate + bitrate // 4, CODECS[codec].bitrate(plan))


def _rate(codec: str, plan: Format, bitrate: int) -> dict[str, str]:
    return {"maxrate": str(_peak(codec, plan, bitrate)), "bufsize": str(bitrate)}


# ---- Intel Quick Sync

_QSV: Final = {
    "preset": "veryfast",
    "async_depth": "1",  # of 4 that it would hold back
    "forced_idr": "1",
    "flags": "+cgop",
}
_QSV_AVC: Final = _QSV | {
    "adaptive_i": "0",
    "adaptive_b": "0",
    "b_strategy": "0",
    "p_strategy": "0",
    "look_ahead_depth": "0",
    "aud": "1",
}


def _h264_level(plan: Format) -> str:
    return "4.1" if is_level_41(plan) else "4.2"


def _h264_qsv(plan: Format, bitrate: int, _live: bool) -> dict[str, str]:
    return (
        _QSV_AVC
        | _rate("h264", plan, bitrate)
        | {
            "profile": "high",
            "level": _h264_level(plan).replace(".", ""),
            "look_ahead": "0",
            "idr_interval": "0",
            "a53cc": "0",
            "max_dec_frame_buffering": "1",
        }
    )


def _hevc_qsv(plan: Format, bitrate: int, _live: bool) -> dict[str, str]:
    # gpb: P pictures instead of B pictures that look back only; idr_interval counts otherwise than H.264's
    own = {"profile": "main", "tier": "main", "gpb": "0", "idr_interval": "1"}
    return _QSV_AVC | _rate("hevc", plan, bitrate) | own


def _mpeg2_qsv(plan: Format, bitrate: int, live: bool) -> dict[str, str]:
    asked = CODECS["mpeg2"].options(plan, bitrate, live)
    level = {"main": "8", "high": "4"}[asked["level"]]  # ISO/IEC 13818-2 table 8-3
    return _QSV | {"profile": "main", "level": level, "maxrate": asked["maxrate"], "bufsize": asked["bufsize"]}


# ---- NVIDIA NVENC

_NVENC: Final = {
    "preset": "p4",
    "tune": "ll",
    "rc": "vbr",
    "zerolatency": "1",
    "delay": "0",
    "forced-idr": "1",
    "no-scenecut": "1",
    "rc-lookahead": "0",
    "strict_gop": "1",
    "b_ref_mode": "disabled",
    "aud": "1",
    "a53cc": "0",
}


def _h264_nvenc(plan: Format, bitrate: int, _live: bool) -> dict[str, str]:
    return _NVENC | _rate("h264", plan, bitrate) | {"profile": "high", "level": _h264_level(plan)}


def _hevc_nvenc(plan: Format, bitrate: int, _live: bool) -> dict[str, str]:
    return _NVENC | _rate("hevc", plan, bitrate) | {"profile": "main", "tier": "main"}


# ---- V4L2 memory to memory: boards with ARM processors


def _h264_v4l2m2m(_plan: Format, _bitrate: int, _live: bool) -> dict[str, str]:
    # The wrapper sets rate, GOP and profile as the driver's controls, and no level: the driver finds one.
    return {"profile": _PROFILE_HIGH}


def _hevc_v4l2m2m(_plan: Format, _bitrate: int, _live: bool) -> dict[str, str]:
    return {}


def _h264_told(plan: Format) -> str:
    """Drivers write no delimiters, and often neither rate nor aspect. A tick is a field (H.264 E.2.1)."""
    tick = 2 * plan.fps
    rate = f"tick_rate={tick.numerator}/{tick.denominator}:fixed_frame_rate_flag=1"
    return f"h264_metadata=aud=insert:{rate}:sample_aspect_ratio=1/1:video_full_range_flag=0"


def _hevc_told(plan: Format) -> str:
    rate = f"tick_rate={plan.fps.numerator}/{plan.fps.denominator}"
    return f"hevc_metadata=aud=insert:{rate}:sample_aspect_ratio=1/1:video_full_range_flag=0"


def _of(codec: str, kind: str, options: Options, mended: Callable[[Format], str] | None = None) -> Codec:
    return replace(
        CODECS[codec], library=f"{codec}_{kind}", kind=kind, pixel="nv12", options=options, mended=mended
    )


HARDWARE: Final = {
    (codec.name, codec.kind): codec
    for codec in (
        _of("h264", "nvenc", _h264_nvenc),
        _of("hevc", "nvenc", _hevc_nvenc),
        _of("h264", "qsv", _h264_qsv),
        _of("hevc", "qsv", _hevc_qsv),
        _of("mpeg2", "qsv", _mpeg2_qsv),
        _of("h264", "v4l2m2m", _h264_v4l2m2m, _h264_told),
        _of("hevc", "v4l2m2m", _hevc_v4l2m2m, _hevc_told),
    )
}
"""By the settings' words of codec and encoder. FFmpeg has no MPEG2 by NVENC and V4L2."""


def wished(codec: str, encoder: str) -> tuple[Codec, ...]:
    """What may take software's place, the best first. `encoder` is the settings' word."""
    kinds = KINDS if encoder == "auto" else (encoder,)
    return tuple(HARDWARE[codec, kind] for kind in kinds if (codec, kind) in HARDWARE)
