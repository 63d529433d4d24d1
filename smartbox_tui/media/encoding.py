"""What a clip is encoded to, and by which encoder: streams that can be entered anywhere and that DICOM allows.

Closed GOPs of at most a second, parameter sets before each, no B-frames; `model.formats` knows sizes and rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from smartbox_tui.media.mpeg2 import BOUNDS, LEVEL_HIGH, LEVEL_MAIN
from smartbox_tui.model.formats import H264_MOST_BLOCKS, Format, blocks, mpeg2_format, shrunk
from smartbox_tui.model.instance import MPEG2_RATES

MPEG2_GOP: Final = 15
_MULTIPLE_MAX: Final = 30
"""A rate that is repeated to a multiple of itself is not taken beyond this: it would only cost bits."""

_LEVEL_41_RATE: Final = 245_760
_LEVEL_41_BLOCKS: Final = 8192
_LEVEL_42_RATE: Final = 522_240
"""Macroblocks a second, and of a picture (ITU-T H.264 table A-1)."""

_LEVEL_41_BITRATE: Final = 62_500_000
_WORSE: Final = {
    ("h264", "mpeg2"): Fraction(5, 2),
    ("hevc", "mpeg2"): Fraction(4),
    ("hevc", "h264"): Fraction(8, 5),
    ("mpeg2", "h264"): Fraction(4, 5),
}
"""Bits that the second needs for what the first does with one, so that next to nothing is lost."""

_PAYLOAD: Final = Fraction(93, 100)
"""Of a transport stream; packets and their headers are the rest."""

_POOREST: Final = {"mpeg2": Fraction(8, 100), "h264": Fraction(3, 100)}
"""Bits a pixel below which a picture is no use any more."""

_X264: Final = "8x8dct=1:scenecut=0:open-gop=0:repeat-headers=1:annexb=1:aud=1:bframes=0:force-cfr=1"


@dataclass(frozen=True, slots=True)
class Plan:
    """`form` is what is encoded: size, rate, and one frame in how many. `resampled`: the source's rate has no code,
    and frames are dropped or repeated so that each is shown when it was."""

    codec: str
    form: Format
    resampled: bool = False

    @property
    def gop(self) -> int:
        """Frames."""
        most = max(1, int(self.form.fps))
        return min(MPEG2_GOP, most) if self.codec == "mpeg2" else most

    @property
    def poorest(self) -> int:
        """The bit rate below which it is better not made."""
        form = self.form
        return int(form.width * form.height * form.fps * _POOREST[self.codec])


def plan_for(codec: str, width: int, height: int, fps: Fraction) -> Plan:
    """For pictures of that size, square pixels. Raises ValueError with a sentence."""
    if not fps:
        raise ValueError("its frame rate is not known")
    width, height = max(2, width // 2 * 2), max(2, height // 2 * 2)
    if codec == "h264":
        wide, high = shrunk(width, height, H264_MOST_BLOCKS)
        every = 1
        while blocks(wide, high) * -(-fps.numerator // (fps.denominator * every)) > _LEVEL_42_RATE:
            every += 1
        return Plan(codec, Format(wide, high, fps / every, every))
    try:
        return Plan(codec, mpeg2_format(width, height, fps))
    except ValueError:
        return Plan(codec, mpeg2_format(width, height, _nearest(fps)), resampled=True)


def _nearest(fps: Fraction) -> Fraction:
    """The smallest legal multiple of the rate, where each frame is repeated alike; else the nearest legal rate."""
    rates = [Fraction(rate).limit_denominator(1001) for rate in MPEG2_RATES]
    for rate in sorted(rates):
        times = rate / fps
        if rate <= _MULTIPLE_MAX and times > 1 and abs(times / round(times) - 1) < Fraction(1, 2000):
            return rate
    return min(rates, key=lambda rate: abs(rate - fps))


def bitrate_for(plan: Plan, source_codec: str, source_bitrate: int, most_bytes: int, seconds: Fraction) -> int:
    """Bits a second that keep what the source shows, within the level and within `most_bytes` (0: any number).

    Raises ValueError where too few are left for a picture of use.
    """
    wanted = max(int(source_bitrate * _WORSE.get((source_codec, plan.codec), Fraction(1))), 2 * plan.poorest)
    rate = min(wanted, _most(plan))
    if most_bytes and seconds:
        rate = min(rate, int(most_bytes * 8 * _PAYLOAD / seconds))
    if rate < plan.poorest:
        raise ValueError("as so few bytes it would be of no use")
    return rate


def _most(plan: Plan) -> int:
    if plan.codec == "h264":
        return _LEVEL_41_BITRATE
    return BOUNDS[_level(plan.form)].bitrate


def _level(form: Format) -> int:
    return LEVEL_MAIN if BOUNDS[LEVEL_MAIN].hold(form.width, form.height, form.fps) else LEVEL_HIGH


def opened(plan: Plan, bitrate: int, colour: tuple[int, int, int]) -> Any:
    """The encoder for pictures yuv420p in limited range. `colour` as in `media.vui.Colour`."""
    import av
    from av.video.reformatter import ColorRange

    form = plan.form
    context: Any = av.CodecContext.create("libx264" if plan.codec == "h264" else "mpeg2video", "w")
    context.width, context.height, context.pix_fmt = form.width, form.height, "yuv420p"
    context.sample_aspect_ratio = Fraction(1)
    context.time_base, context.framerate = 1 / form.fps, form.fps
    context.gop_size, context.max_b_frames, context.bit_rate = plan.gop, 0, bitrate
    context.color_range = ColorRange.MPEG
    context.color_primaries, context.color_trc, context.colorspace = colour
    context.thread_count = 2
    context.options = _x264(plan, bitrate) if plan.codec == "h264" else _mpeg2(plan, bitrate)
    context.open()
    return context


def _x264(plan: Plan, bitrate: int) -> dict[str, str]:
    form = plan.form
    size = blocks(form.width, form.height)
    low = size * form.fps <= _LEVEL_41_RATE and size <= _LEVEL_41_BLOCKS
    return {
        "preset": "veryfast",
        "profile": "high",
        "level": "4.1" if low else "4.2",
        "forced-idr": "1",
        "maxrate": str(bitrate),
        "bufsize": str(bitrate),
        "x264-params": f"{_X264}:keyint={plan.gop}:min-keyint=1",
    }


def _mpeg2(plan: Plan, bitrate: int) -> dict[str, str]:
    level = _level(plan.form)
    return {
        "profile": "main",
        "level": "main" if level == LEVEL_MAIN else "high",
        "flags": "+cgop",
        "sc_threshold": "1000000000",  # libavcodec closes GOPs only without scene changes
        "maxrate": str(bitrate),
        "bufsize": str(min(bitrate, BOUNDS[level].vbv_bits)),
    }
