"""What a device is to deliver: its answer to the wishes for size, rate and layout, and how it scans pictures."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from fractions import Fraction

from hw.base import PixelFormat, SignalState, VideoFormat
from hw.errors import NotSupported
from hw.video.v4l2 import abi, fields
from hw.video.v4l2.formats import PIXELS, PREFERENCE, Offer, best, is_full_range, nearest_rate, rate_of
from hw.video.v4l2.requests import Requests, Signal

_DEFAULT_SIZE = (1920, 1080)
_DEFAULT_RATE = Fraction(30)


@dataclass(frozen=True, slots=True)
class Wish:
    """`pixel` None: whichever serves size and rate best. 0: no wish."""

    width: int
    height: int
    fps: Fraction
    pixel: PixelFormat | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """`pix` is the driver's own word, `timings` what a digital receiver was set to."""

    form: VideoFormat
    pix: abi.PixFormat
    timings: abi.DvTimings | None

    @property
    def alternate(self) -> bool:
        """Each buffer is one field."""
        return bool(self.pix.field == abi.FIELD_ALTERNATE)

    @property
    def sequential(self) -> bool:
        """The second field lies below the first."""
        return self.pix.field in fields.SEQUENTIAL


def agree(requests: Requests, wish: Wish, signal: Signal, path: str) -> Agreed:
    """Sets format and rate. Raises OSError, and NotSupported where nothing of ours comes of it."""
    timings = _follow_timings(requests, signal, path)
    said = requests.input()
    analogue = said is not None and bool(said.capabilities & abi.IN_CAP_STD or said.std)
    standard = requests.standard() if analogue else 0
    interlaced = bool(standard) or (timings is not None and bool(timings.u.bt.interlaced))
    field = abi.FIELD_INTERLACED if interlaced else abi.FIELD_NONE
    code = _choose(requests, wish, field, path)
    pix = requests.set_format(code, wish.width or _DEFAULT_SIZE[0], wish.height or _DEFAULT_SIZE[1], field)
    pixel = PIXELS[pix.pixelformat]
    if not fields.can_weave(pix.field, pixel):
        raise NotSupported(
            "open",
            path,
            f"the device delivers the two fields of a picture apart, as {pixel.value}",
            "Set format to yuyv or uyvy, or the video device to progressive.",
        )
    lines_525 = bool(standard & abi.STD_525_60)
    standard_rate = (Fraction(30000, 1001) if lines_525 else Fraction(25)) if standard else None
    signal_rate = rate_of(timings.u.bt) if timings is not None else standard_rate
    rate = requests.set_rate(wish.fps) or signal_rate or wish.fps
    if rate <= 0:
        raise NotSupported("open", path, "the device does not say its rate", "Set fps in the settings.")
    height = pix.height * 2 if pix.field == abi.FIELD_ALTERNATE else pix.height
    aspect = Fraction(1)
    if timings is not None:
        # Of fields that come one by one drivers tell the part in rows of a field or of the picture: not asked.
        part = None if pix.field == abi.FIELD_ALTERNATE else requests.cropped()
        aspect = fields.digital_aspect(timings.u.bt, part, pix.width, height)
    elif standard:
        lines = fields.LINES_525 if lines_525 else fields.LINES_625
        aspect = fields.analogue_aspect(requests.crop_cap(), lines, pix.width, height)
    form = VideoFormat(
        pixel,
        pix.width,
        height,
        rate,
        is_full_range(pix),
        fields.order_of(pix.field, lines_525=lines_525),
        aspect,
    )
    return Agreed(form, pix, timings)


def _follow_timings(requests: Requests, signal: Signal, path: str) -> abi.DvTimings | None:
    """Sets a digital receiver to what comes in, as most do not follow by themselves; answers what that is."""
    timings = signal.timings
    if timings is None or signal.state is not SignalState.OK or timings.type != abi.DV_BT_656_1120:
        return None
    try:
        requests.set_timings(timings)
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.ENXIO):
            raise
        if error.errno in (errno.EINVAL, errno.ERANGE):
            raise NotSupported(
                "signal",
                path,
                f"the grabber cannot take {signal.facts}",
                "Set the video device's output to 1080p or 720p.",
            ) from error
        # It follows by itself, or somebody else keeps it: what comes in is what it is set to all the same.
    return timings


def _choose(requests: Requests, wish: Wish, field: int, path: str) -> int:
    """The code of the format that serves the wish best; each is asked for, as only the driver knows."""
    offered = requests.formats()
    width, height = wish.width or _DEFAULT_SIZE[0], wish.height or _DEFAULT_SIZE[1]
    fps = wish.fps if wish.fps > 0 else _DEFAULT_RATE
    offers = []
    for code, pixel in PREFERENCE:
        if code not in offered or wish.pixel not in (None, pixel):
            continue
        try:
            answer = requests.set_format(code, width, height, field)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            continue  # a driver that refuses what it cannot do, where it should answer what it can
        if answer.pixelformat == code:
            rate = nearest_rate(requests.rates(code, answer.width, answer.height), fps)
            offers.append(Offer(code, answer.width, answer.height, rate))
    if offers:
        return best(offers, width, height, fps).code
    known = ", ".join(abi.fourcc_text(code) for code in offered) or "nothing"
    if wish.pixel is not None:
        raise NotSupported(
            "open", path, f"the device has no {wish.pixel.value}; it offers {known}", "Set format to auto."
        )
    ours = ", ".join(abi.fourcc_text(code) for code, _ in PREFERENCE)
    raise NotSupported("open", path, f"the device offers {known}", f"It must deliver one of {ours}.")
