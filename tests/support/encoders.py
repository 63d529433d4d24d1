"""Encoders that fail: real ones asked for the wrong thing, and real ones that stop working in the middle."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from hw.base import VideoFormat
from smartbox_tui.capture.accelerated import Candidate, Encoders
from smartbox_tui.capture.access import AccessUnit, Stream
from smartbox_tui.capture.encoder import NO_LIMIT, Encoder, UnitMaker
from smartbox_tui.capture.selftest import Verdict, examine
from smartbox_tui.media.encoders import CODECS, Codec
from smartbox_tui.model.formats import Format

_X264 = "scenecut=0:open-gop=0:repeat-headers=1:annexb=1:aud=1:force-cfr=1:8x8dct=1"


def asked_for(codec: str = "h264", **other: str) -> Codec:
    """The box's own encoder with some other options; "x264-params" replaces all of them."""

    def options(plan: Format, bitrate: int, live: bool) -> dict[str, str]:
        return CODECS[codec].options(plan, bitrate, live) | other

    return dataclasses.replace(CODECS[codec], options=options)


BASELINE = asked_for(**{"profile": "baseline", "x264-params": "8x8dct=0:scenecut=0:annexb=1:repeat-headers=1"})
REORDERING = asked_for(**{"tune": "film", "preset": "fast", "x264-params": f"{_X264}:bframes=2:b-adapt=0"})
"""B-frames, and what they need: pictures held back."""

ENDLESS = asked_for(**{"x264-params": f"{_X264}:bframes=0:keyint=infinite"})
WITHOUT_IDR = dataclasses.replace(CODECS["h264"], mended=lambda _plan: "filter_units=remove_types=5")
LOW_LEVEL = asked_for(**{"level": "1.1", "x264-params": f"{_X264}:bframes=0"})
FIELDS = asked_for(**{"x264-params": f"{_X264}:bframes=0:interlaced=1"})
FULL_RANGE = asked_for(**{"x264-params": f"{_X264}:bframes=0:fullrange=on"})
OTHER = asked_for(**{"preset": "veryfast", "x264-params": f"{_X264}:bframes=0:rc-lookahead=0:keyint=30"})
"""A good one that writes other parameter sets than the box's."""

NV12 = dataclasses.replace(CODECS["h264"], pixel="nv12")


class Wrapped:
    """An encoder with something wrong; what is not said here is the real one's."""

    def __init__(self, maker: Encoder) -> None:
        self.maker = maker
        self.format = maker.format
        self.count = 0

    @property
    def stream(self) -> Stream | None:
        return self.maker.stream

    def encode(self, picture: Any, timestamp_ns: int, lost: int, *, idr: bool) -> AccessUnit | None:
        self.count += 1
        return self.made(picture, timestamp_ns, lost, idr)

    def made(self, picture: Any, timestamp_ns: int, lost: int, idr: bool) -> AccessUnit | None:
        return self.maker.encode(picture, timestamp_ns, lost, idr=idr)

    def close(self) -> None:
        self.maker.close()


class Fails(Wrapped):
    """From picture `after` + 1 on."""

    after = 3

    def made(self, picture: Any, timestamp_ns: int, lost: int, idr: bool) -> AccessUnit | None:
        if self.count > self.after:
            raise OSError(5, "Input/output error")
        return super().made(picture, timestamp_ns, lost, idr)


class Stalls(Fails):
    """Answers no more until `released`."""

    released = threading.Event()

    def made(self, picture: Any, timestamp_ns: int, lost: int, idr: bool) -> AccessUnit | None:
        if self.count > self.after:
            self.released.wait(60)
        return self.maker.encode(picture, timestamp_ns, lost, idr=idr)


class Loses(Fails):
    """Makes nothing of some pictures."""

    def made(self, picture: Any, timestamp_ns: int, lost: int, idr: bool) -> AccessUnit | None:
        if self.count > self.after:
            raise ValueError("the encoder made 0 units of one picture")
        return self.maker.encode(picture, timestamp_ns, lost, idr=idr)


class NeverIdr(Wrapped):
    """After the first one, whoever asks; of ENDLESS, which begins none by itself."""

    def made(self, picture: Any, timestamp_ns: int, lost: int, idr: bool) -> AccessUnit | None:
        unit = self.maker.encode(picture, 0, lost, idr=False)
        return dataclasses.replace(unit, timestamp_ns=timestamp_ns)


class Slow(Wrapped):
    def made(self, picture: Any, timestamp_ns: int, lost: int, idr: bool) -> AccessUnit | None:
        time.sleep(0.05)
        return super().made(picture, timestamp_ns, lost, idr)


def painted(picture: Any, *values: int) -> Any:
    """One colour of the picture's size."""
    other = av.VideoFrame(picture.width, picture.height, "yuv420p")
    for plane, value in zip(other.planes, values, strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return other


class Grey(Wrapped):
    """Another picture than it was given."""

    def made(self, picture: Any, timestamp_ns: int, lost: int, idr: bool) -> AccessUnit | None:
        return super().made(painted(picture, 128, 128, 128), timestamp_ns, lost, idr)


class TurnsGreen(Fails):
    """From picture `after` + 1 on, as drivers do after a reset of the card."""

    def made(self, picture: Any, timestamp_ns: int, lost: int, idr: bool) -> AccessUnit | None:
        if self.count > self.after:
            picture = painted(picture, 0, 0, 0)
        return self.maker.encode(picture, timestamp_ns, lost, idr=idr)


class Repeats(Wrapped):
    """Every tenth unit is the one before, as a driver does that takes a buffer twice."""

    last: AccessUnit | None = None

    def made(self, picture: Any, timestamp_ns: int, lost: int, idr: bool) -> AccessUnit | None:
        unit = super().made(picture, timestamp_ns, lost, idr)
        assert unit is not None
        if self.count % 10 == 0 and self.last is not None and not unit.idr:
            return dataclasses.replace(self.last, timestamp_ns=timestamp_ns)
        self.last = unit
        return unit


Make = Callable[[VideoFormat, Format, int, int], UnitMaker]


def made_by(codec: Codec, wrapped: type[Wrapped] | None = None, after: int = 0) -> Make:
    """What opens it; `after` counts from the opening of each."""

    def make(form: VideoFormat, plan: Format, bitrate: int, gop_bytes: int = NO_LIMIT) -> UnitMaker:
        maker = Encoder(codec, form, plan, bitrate, gop_bytes=gop_bytes)
        if wrapped is None:
            return maker
        made = wrapped(maker)
        if isinstance(made, Fails) and after:
            made.after = after
        return made

    return make


def candidate(kind: str, make: Make, *, good: bool | None = None, missing: str = "") -> Candidate:
    """One whose test is the real one in this process, or (`good`) is passed over: what fails later passes it."""

    def test(plan: Format, bitrate: int) -> Verdict:
        if good is not None:
            return Verdict(good, "as the test says")
        return examine(lambda form, plan, bits: make(form, plan, bits, NO_LIMIT), "h264", plan, bitrate)

    return Candidate(kind, make, test, lambda: missing)


def encoders(*found: Candidate, folder: Path | None = None, limit_s: float = 5.0, again_s: float = 1.0) -> Encoders:
    """With a limit for one unit that a loaded machine keeps, too; what it was too slow for is soon tested anew."""

    def choose(_codec: str, wish: str) -> tuple[Candidate, ...]:
        return found if wish != "software" else ()

    return Encoders(choose, settle_s=0.0, check_s=0.5, limit_s=limit_s, again_s=again_s, folder=folder)
