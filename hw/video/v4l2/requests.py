"""The requests to a V4L2 device as functions that take and give Python values. All raise OSError."""

from __future__ import annotations

import ctypes
import errno
from dataclasses import dataclass
from fractions import Fraction

from hw.base import SignalState
from hw.calls import SystemCalls
from hw.video.v4l2 import abi
from hw.video.v4l2.control_abi import CID_DV_RX_POWER_PRESENT
from hw.video.v4l2.controls import Controls
from hw.video.v4l2.formats import timings_text

_MOST = 256
"""Entries of a list: a driver that never ends must not keep us."""

_UNKNOWN = (errno.ENOTTY, errno.EINVAL, errno.ENODATA, errno.ENOSYS)


@dataclass(frozen=True, slots=True)
class Signal:
    """`facts`: what comes in, as in "1920×1080 60 Hz", where the device can tell; `timings` where it is digital."""

    state: SignalState
    facts: str = ""
    timings: abi.DvTimings | None = None


def _named(timings: abi.DvTimings) -> str:
    return timings_text(timings.u.bt) if timings.type == abi.DV_BT_656_1120 else ""


class Requests:
    """One open device."""

    def __init__(self, calls: SystemCalls, fd: int) -> None:
        self._calls = calls
        self._fd = fd

    def capability(self) -> abi.Capability:
        said = abi.Capability()
        self._calls.ioctl(self._fd, abi.VIDIOC_QUERYCAP, said)
        return said

    def formats(self) -> list[int]:
        """The fourcc codes the device can deliver."""
        codes: list[int] = []
        while True:
            desc = abi.FmtDesc(index=len(codes), type=abi.BUF_TYPE_VIDEO_CAPTURE)
            try:
                self._calls.ioctl(self._fd, abi.VIDIOC_ENUM_FMT, desc)
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return codes
                raise
            codes.append(desc.pixelformat)

    def sizes(self, code: int) -> list[tuple[int, int]]:
        """Of a format, as far as the device lists them; of a range its smallest and its largest."""
        found: list[tuple[int, int]] = []
        for index in range(_MOST):
            said = abi.SizeEnum(index=index, pixel_format=code)
            if not self._asked(abi.VIDIOC_ENUM_FRAMESIZES, said):
                break
            span = said.stepwise
            if said.type != abi.FRMSIZE_TYPE_DISCRETE:
                return [(span.min_width, span.min_height), (span.max_width, span.max_height)]
            found.append((span.min_width, span.max_width))  # a discrete size lies where a range begins
        return found

    def rates(self, code: int, width: int, height: int) -> list[Fraction]:
        """Of a format in a size, highest first, as far as the device lists them; of a range its ends."""
        found: list[Fraction] = []
        for index in range(_MOST):
            said = abi.IntervalEnum(index=index, pixel_format=code, width=width, height=height)
            if not self._asked(abi.VIDIOC_ENUM_FRAMEINTERVALS, said):
                break
            ends = [said.stepwise.min]
            if said.type != abi.FRMIVAL_TYPE_DISCRETE:
                ends.append(said.stepwise.max)
            found += [Fraction(end.denominator, end.numerator) for end in ends if end.numerator and end.denominator]
            if said.type != abi.FRMIVAL_TYPE_DISCRETE:
                break
        return sorted(set(found), reverse=True)

    def set_format(self, code: int, width: int, height: int, field: int = abi.FIELD_NONE) -> abi.PixFormat:
        """What the driver makes of the wish: it may answer another size and even another format."""
        wish = abi.Format(type=abi.BUF_TYPE_VIDEO_CAPTURE)
        wish.fmt.pix = abi.PixFormat(width=width, height=height, pixelformat=code, field=field)
        self._calls.ioctl(self._fd, abi.VIDIOC_S_FMT, wish)
        return abi.PixFormat.from_buffer_copy(wish.fmt.pix)

    def set_rate(self, fps: Fraction) -> Fraction | None:
        """The rate the driver chose, None where it does not know rates (a grabber follows its input)."""
        wish = abi.StreamParm(type=abi.BUF_TYPE_VIDEO_CAPTURE)
        try:
            self._calls.ioctl(self._fd, abi.VIDIOC_G_PARM, wish)
            if wish.parm.capture.capability & abi.CAP_TIMEPERFRAME and fps > 0:
                wish.parm.capture.timeperframe = abi.Fract(fps.denominator, fps.numerator)
                self._calls.ioctl(self._fd, abi.VIDIOC_S_PARM, wish)
        except OSError as error:
            if error.errno in _UNKNOWN:
                return None
            raise
        period = wish.parm.capture.timeperframe
        return Fraction(period.denominator, period.numerator) if period.numerator and period.denominator else None

    def request_buffers(self, count: int) -> int:
        wish = abi.RequestBuffers(count=count, type=abi.BUF_TYPE_VIDEO_CAPTURE, memory=abi.MEMORY_MMAP)
        self._calls.ioctl(self._fd, abi.VIDIOC_REQBUFS, wish)
        return int(wish.count)

    def place(self, index: int) -> tuple[int, int]:
        """(length, offset) of a buffer, for mmap."""
        buffer = self._buffer(index)
        self._calls.ioctl(self._fd, abi.VIDIOC_QUERYBUF, buffer)
        return int(buffer.length), int(buffer.m.offset)

    def queue(self, index: int) -> None:
        self._calls.ioctl(self._fd, abi.VIDIOC_QBUF, self._buffer(index))

    def dequeue(self) -> abi.Buffer:
        buffer = self._buffer(0)
        self._calls.ioctl(self._fd, abi.VIDIOC_DQBUF, buffer)
        return buffer

    def stream(self, on: bool) -> None:
        kind = ctypes.c_int(abi.BUF_TYPE_VIDEO_CAPTURE)
        self._calls.ioctl(self._fd, abi.VIDIOC_STREAMON if on else abi.VIDIOC_STREAMOFF, kind)

    def subscribe(self, kind: int) -> bool:
        """False where the driver has no such event."""
        try:
            self._calls.ioctl(self._fd, abi.VIDIOC_SUBSCRIBE_EVENT, abi.EventSubscription(type=kind))
        except OSError as error:
            if error.errno in _UNKNOWN:
                return False
            raise
        return True

    def event(self) -> abi.Event | None:
        event = abi.Event()
        try:
            self._calls.ioctl(self._fd, abi.VIDIOC_DQEVENT, event)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EAGAIN, *_UNKNOWN):
                return None
            raise
        return event

    def input(self) -> abi.Input | None:
        """The selected input, None where the driver has no inputs."""
        index = ctypes.c_int(0)
        try:
            self._calls.ioctl(self._fd, abi.VIDIOC_G_INPUT, index)
            said = abi.Input(index=index.value)
            self._calls.ioctl(self._fd, abi.VIDIOC_ENUMINPUT, said)
        except OSError as error:
            if error.errno in _UNKNOWN:
                return None
            raise
        return said

    def inputs(self) -> list[abi.Input]:
        """All inputs, in the device's order."""
        found: list[abi.Input] = []
        while len(found) < _MOST and self._asked(abi.VIDIOC_ENUMINPUT, said := abi.Input(index=len(found))):
            found.append(said)
        return found

    def standard(self) -> int:
        """The analogue standard (V4L2_STD_…) that comes in; where it cannot be seen the one that is set, 0: none.

        Sets it to what comes in, as a receiver does not follow by itself.
        """
        now, seen = ctypes.c_uint64(), ctypes.c_uint64()
        if not self._asked(abi.VIDIOC_G_STD, now):
            return 0
        known = self._asked(abi.VIDIOC_QUERYSTD, seen) and seen.value
        if known and not seen.value & now.value and self._asked(abi.VIDIOC_S_STD, seen):
            return seen.value
        return now.value

    def crop_cap(self) -> abi.CropCap | None:
        said = abi.CropCap(type=abi.BUF_TYPE_VIDEO_CAPTURE)
        return said if self._asked(abi.VIDIOC_CROPCAP, said) else None

    def cropped(self) -> tuple[int, int] | None:
        """Columns and rows of the signal that become the picture; None: the driver does not tell."""
        said = abi.Selection(type=abi.BUF_TYPE_VIDEO_CAPTURE, target=abi.SEL_TGT_CROP)
        told = self._asked(abi.VIDIOC_G_SELECTION, said) and said.r.width and said.r.height
        return (said.r.width, said.r.height) if told else None

    def _asked(self, request: int, argument: object) -> bool:
        """Whether the device answered. Raises OSError only where it is gone."""
        try:
            self._calls.ioctl(self._fd, request, argument)
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.ENXIO):
                raise
            return False
        return True

    def query_timings(self) -> abi.DvTimings:
        """What comes in right now. ENOLINK, ENOLCK, ERANGE, see `signal`; ENODATA, ENOTTY: not asked that way."""
        timings = abi.DvTimings()
        self._calls.ioctl(self._fd, abi.VIDIOC_QUERY_DV_TIMINGS, timings)
        return timings

    def set_timings(self, timings: abi.DvTimings) -> None:
        self._calls.ioctl(self._fd, abi.VIDIOC_S_DV_TIMINGS, timings)

    def signal(self) -> Signal:
        """What the device says about its input; OK where it says nothing."""
        said = self.input()
        if said is None:
            return Signal(SignalState.OK)
        timings: abi.DvTimings | None = None
        if said.capabilities & abi.IN_CAP_DV_TIMINGS:
            timings = abi.DvTimings()
            try:
                self._calls.ioctl(self._fd, abi.VIDIOC_QUERY_DV_TIMINGS, timings)
            except OSError as error:
                state = TIMING_ERRORS.get(error.errno or 0)
                if state is not None:
                    return Signal(self._plugged(state), _named(timings))
                if error.errno not in _UNKNOWN:
                    raise
                timings = None
        for bits, state in _STATUS:
            if said.status & bits:
                return Signal(state)
        return Signal(SignalState.OK, _named(timings) if timings else "", timings)

    def _plugged(self, state: SignalState) -> SignalState:
        """With a cable the other end's 5 V are there: then it is the signal that is missing, not the cable."""
        if state is not SignalState.NO_CABLE:
            return state
        power = Controls(self._calls, self._fd, "").get(CID_DV_RX_POWER_PRESENT)
        return SignalState.NO_SIGNAL if power else state

    def _buffer(self, index: int) -> abi.Buffer:
        return abi.Buffer(index=index, type=abi.BUF_TYPE_VIDEO_CAPTURE, memory=abi.MEMORY_MMAP)


# Documentation of VIDIOC_QUERY_DV_TIMINGS: no signal, cannot lock, out of the range of the hardware.
TIMING_ERRORS = {
    errno.ENOLINK: SignalState.NO_CABLE,
    errno.ENOLCK: SignalState.UNSTABLE,
    errno.ERANGE: SignalState.UNSUPPORTED,
}
_NO_LOCK = abi.IN_ST_NO_H_LOCK | abi.IN_ST_NO_V_LOCK | abi.IN_ST_NO_STD_LOCK | abi.IN_ST_NO_SYNC
_STATUS = (
    (abi.IN_ST_NO_POWER | abi.IN_ST_NO_SIGNAL, SignalState.NO_SIGNAL),
    (_NO_LOCK, SignalState.UNSTABLE),
)
