"""What a clip becomes in another codec: its size, its rate, and how many bits that keep what it shows.

`model.formats` knows which sizes and rates are legal, `media.encoders` the encoders.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from smartbox_tui.media.encoders import CODECS
from smartbox_tui.model.formats import MPEG2_RATES, Format

_MULTIPLE_MAX: Final = 30
"""A rate that is repeated to a multiple of itself is not taken beyond this: it would only cost bits."""

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


@dataclass(frozen=True, slots=True)
class Plan:
    """`form` is what is encoded: size, rate, and one frame in how many. `resampled`: the source's rate has no code,
    and frames are dropped or repeated so that each is shown when it was."""

    codec: str
    form: Format
    resampled: bool = False

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
    plan = CODECS[codec].plan
    try:
        return Plan(codec, plan(width, height, fps))
    except ValueError:
        return Plan(codec, plan(width, height, _nearest(fps)), resampled=True)


def _nearest(fps: Fraction) -> Fraction:
    """The smallest legal multiple of the rate, where each frame is repeated alike; else the nearest legal rate."""
    for rate in MPEG2_RATES:
        times = rate / fps
        if rate <= _MULTIPLE_MAX and times > 1 and abs(times / round(times) - 1) < Fraction(1, 2000):
            return rate
    return min(MPEG2_RATES, key=lambda rate: abs(rate - fps))


def bitrate_for(plan: Plan, source_codec: str, source_bitrate: int, most_bytes: int, seconds: Fraction) -> int:
    """Bits a second that keep what the source shows, within the level and within `most_bytes` (0: any number).

    Raises ValueError where too few are left for a picture of use.
    """
    wanted = max(int(source_bitrate * _WORSE.get((source_codec, plan.codec), Fraction(1))), 2 * plan.poorest)
    rate = min(wanted, CODECS[plan.codec].bitrate(plan.form))
    if most_bytes and seconds:
        rate = min(rate, int(most_bytes * 8 * _PAYLOAD / seconds))
    if rate < plan.poorest:
        raise ValueError("as so few bytes it would be of no use")
    return rate
