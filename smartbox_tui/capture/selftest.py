"""The self-test of an encoder: a few seconds of a test picture at the source's size and rate, and a look at every
byte of what came out. What passes may be recorded with; what an encoder says of itself does not count.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import PictureType

from hw.base import PixelFormat, VideoFormat
from smartbox_tui.capture.access import AccessUnit
from smartbox_tui.capture.clock import NS
from smartbox_tui.capture.convert import rows
from smartbox_tui.capture.encoder import UnitMaker
from smartbox_tui.media.examine import sequence
from smartbox_tui.media.units import begins_with_delimiter, parameter_units, split
from smartbox_tui.model.formats import Format

Make = Callable[[VideoFormat, Format, int], UnitMaker]
"""Opens an encoder: of the source's format, the plan and the bits a second."""

DECODERS: Final = {"h264": "h264", "hevc": "hevc", "mpeg2": "mpeg2video"}

_SECONDS: Final = Fraction(11, 5)
_ASKED_AT: Final = Fraction(2, 5)
_PICTURES: Final = 12
_SHARE: Final = 0.75
"""Of the time between two pictures that one may take: other sources and the machine's own work want some."""

_MOST_S: Final = 3.0
"""A test that takes so many times as long as its pictures would is given up."""

_PSNR_DB: Final = 26.0
"""Twice as bad as the worst that x264 makes of this picture; half a picture, or swapped colours, have 10 to 15."""

_MOST_BITS: Final = 2.5
"""Times the bits a second that were asked for, over the whole test."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`text`: what the encoder makes, or why it is not used; a part of a sentence, without its name.

    picture_ms  mean time that a picture took; 0 where none was made
    slow        it took too long: so it may be the machine, which had no time for it
    """

    ok: bool
    text: str
    picture_ms: float = 0.0
    slow: bool = False


class _Refused(ValueError):
    """A sentence's part: why."""


class _TooSlow(_Refused):
    """The same, of the time that it took."""


def examine(make: Make, codec: str, plan: Format, bitrate: int) -> Verdict:
    """Encodes and looks. Blocks for some seconds; never raises for what the encoder does."""
    try:
        return _examined(make, codec, plan, bitrate)
    except (_Refused, av.FFmpegError, ValueError, OSError) as exc:
        return Verdict(False, sentence(exc), slow=isinstance(exc, _TooSlow))


def sentence(exc: BaseException) -> str:
    """Of FFmpeg's errors and the system's what went wrong, without the call."""
    return f"it failed: {_words(exc)}" if isinstance(exc, (av.FFmpegError, OSError)) else _words(exc)


def _words(exc: BaseException) -> str:
    if isinstance(exc, (av.FFmpegError, OSError)) and exc.strerror:
        return str(exc.strerror).rstrip(".").lower()
    return str(exc).rstrip(".") or type(exc).__name__


def _examined(make: Make, codec: str, plan: Format, bitrate: int) -> Verdict:
    form = VideoFormat(PixelFormat.I420, plan.width, plan.height, plan.fps, full_range=False)
    originals = list(pictures(plan.width, plan.height))
    try:
        maker = make(form, plan, bitrate)
    except (av.FFmpegError, ValueError, OSError) as exc:
        raise _Refused(f"it cannot be opened: {_words(exc)}") from exc
    try:
        units, picture_ms = _units(maker, originals, plan)
    finally:
        maker.close()
    _check_stream(codec, units, plan, bitrate)
    psnr_db = _check_pictures(codec, units, originals)
    if picture_ms > _SHARE * 1000 / plan.fps:
        raise _TooSlow(
            f"it is too slow: {picture_ms:.0f} ms for a picture, every {float(1000 / plan.fps):.0f} ms one comes"
        )
    text = f"{plan.width}x{plan.height} at {float(plan.fps):.4g}, {picture_ms:.1f} ms a picture, {psnr_db:.0f} dB"
    return Verdict(True, text, round(picture_ms, 2))


def _units(maker: UnitMaker, originals: list[Any], plan: Format) -> tuple[list[AccessUnit], float]:
    """Every unit, and the mean milliseconds that a picture took."""
    count = max(4, int(_SECONDS * plan.fps))
    asked = int(_ASKED_AT * plan.fps)
    units: list[AccessUnit] = []
    begun = time.monotonic()
    for number in range(count):
        if number == 1:
            begun = time.monotonic()  # the first opens the device
        picture = originals[number % len(originals)]
        unit = maker.encode(picture, int(number * NS / plan.fps), 0, idr=number == asked)
        if unit is None:
            raise _Refused(f"it made nothing of picture {number + 1}")
        if number == asked and not unit.idr:
            raise _Refused("it made no IDR picture when it was asked for one")
        units.append(unit)
        if time.monotonic() - begun > _MOST_S * count / plan.fps:
            raise _TooSlow(
                f"it is far too slow: {len(units)} of {count} pictures in {time.monotonic() - begun:.1f} s"
            )
    return units, (time.monotonic() - begun) * 1000 / (count - 1)


def _check_stream(codec: str, units: list[AccessUnit], plan: Format, bitrate: int) -> None:
    """Raises _Refused, and ValueError for a torn unit. Profile, level, size and rate the maker has checked."""
    if not units[0].idr:
        raise _Refused("its first picture is no IDR picture")
    if len({unit.stream.number for unit in units}) != 1:
        raise _Refused("it made several streams")
    starts = [unit.timestamp_ns for unit in units if unit.idr]
    if len(starts) < 3 or any(later - earlier > NS for earlier, later in pairwise(starts)):
        raise _Refused("more than a second passes between two IDR pictures")
    for unit in units:
        if not begins_with_delimiter(codec, unit.data):
            raise _Refused("a unit has no delimiter")
        if unit.idr and not parameter_units(codec, split(codec, unit.data)):
            raise _Refused("an IDR picture has no parameter sets")
    video = sequence(codec, units[0].data)
    if not video.progressive and codec != "mpeg2":
        raise _Refused("its pictures are coded as fields")
    if video.colour.full_range:
        raise _Refused("it says that its pictures have the full range of values")
    bits = sum(len(unit.data) for unit in units) * 8 / (len(units) / plan.fps)
    if bits > _MOST_BITS * bitrate:
        raise _Refused(f"it makes {bits / 1e6:.1f} Mbit/s where {bitrate / 1e6:.1f} were asked for")


def _check_pictures(codec: str, units: list[AccessUnit], originals: list[Any]) -> float:
    """Decodes all, then all from the second GOP on; the worst PSNR found. Raises _Refused, av.FFmpegError."""
    worst = _compared(codec, units, originals, 0)
    second = [number for number, unit in enumerate(units) if unit.idr][1]
    return min(worst, _compared(codec, units, originals, second))


def _compared(codec: str, units: list[AccessUnit], originals: list[Any], first: int) -> float:
    worst, number = math.inf, first
    for picture in decoded(codec, [unit.data for unit in units[first:]]):
        if picture.pict_type == PictureType.B:
            raise _Refused("it makes B pictures")
        if number < len(units) and (number - first) % 5 == 0:
            psnr_db = psnr(picture, originals[number % len(originals)])
            if psnr_db < _PSNR_DB:
                raise _Refused(f"picture {number + 1} is not the one it was given ({psnr_db:.0f} dB)")
            worst = min(worst, psnr_db)
        number += 1
    if number != len(units):
        raise _Refused(f"{number - first} pictures can be decoded of {len(units) - first}")
    return worst


def decoded(codec: str, units: list[bytes]) -> Iterator[Any]:
    """The pictures (VideoFrame) of access units, in the order in which they are shown. Raises av.FFmpegError."""
    decoder: Any = av.CodecContext.create(DECODERS[codec], "r")
    decoder.thread_count = 1
    for data in units:
        yield from decoder.decode(av.Packet(data))
    yield from decoder.decode(None)


def psnr(picture: Any, original: Any) -> float:
    """Peak signal to noise of the worst plane, in dB; 0 for another size or layout."""
    if (picture.width, picture.height) != (original.width, original.height) or len(picture.planes) != 3:
        return 0.0
    worst = math.inf
    for got, given in zip(picture.planes, original.planes, strict=True):
        wrong = rows(got).astype(np.int16) - rows(given).astype(np.int16)
        mean = float(np.mean(wrong.astype(np.float32) ** 2))
        worst = min(worst, 99.0 if mean == 0 else 10 * math.log10(255 * 255 / mean))
    return worst


def pictures(width: int, height: int) -> Iterator[Any]:
    """The test picture moving: VideoFrame yuv420p in limited range. Hills that every encoder can keep at any rate,
    a bright disc that wanders, colours that differ between the planes and from corner to corner."""
    for number in range(_PICTURES):
        frame = av.VideoFrame(width, height, "yuv420p")
        for index, plane in enumerate(frame.planes):
            rows(plane)[:] = _plane(plane.width, plane.height, index, number / _PICTURES)
        yield frame


def _plane(width: int, height: int, index: int, phase: float) -> npt.NDArray[np.uint8]:
    across = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    if index == 1:
        return (70 + 110 * across + 0 * down).astype(np.uint8)
    if index == 2:
        return (180 - 110 * down + 0 * across).astype(np.uint8)
    turn = 2 * math.pi
    hills = 105 + 45 * np.sin(turn * (2 * across + phase)) + 30 * np.cos(turn * (3 * down - phase))
    away = (across - 0.5 - 0.25 * math.cos(turn * phase)) ** 2 + (down - 0.5 - 0.25 * math.sin(turn * phase)) ** 2
    picture: npt.NDArray[np.uint8] = np.where(away < 0.01, 220, hills).astype(np.uint8)
    return picture
