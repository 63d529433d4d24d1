"""The requests to a V4L2 device as functions that take and give Python values. All raise OSError."""

from __future__ import annotations

import ctypes
import errno
from fractions import Fraction

from hw.base import SignalState
from hw.calls import SystemCalls
from hw.video.v4l2 import abi

_UNKNOWN = (errno.ENOTTY, errno.EINVAL, errno.ENODATA, errno.ENOSYS)


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

    def set_format(self, code: int, width: int, height: int) -> abi.PixFormat:
        """What the driver makes of the wish: it may answer another size and even another format."""
        wish = abi.Format(type=abi.BUF_TYPE_VIDEO_CAPTURE)
        wish.fmt.pix = abi.PixFormat(width=width, height=height, pixelformat=code, field=abi.FIELD_NONE)
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

    def query_timings(self) -> abi.DvTimings:
        """What comes in right now. ENOLINK, ENOLCK, ERANGE, see `signal`; ENODATA, ENOTTY: not asked that way."""
        timings = abi.DvTimings()
        self._calls.ioctl(self._fd, abi.VIDIOC_QUERY_DV_TIMINGS, timings)
        return timings

    def set_timings(self, timings: abi.DvTimings) -> None:
        self._calls.ioctl(self._fd, abi.VIDIOC_S_DV_TIMINGS, timings)

    def signal(self) -> SignalState:
        """What the device says about its input; OK where it says nothing."""
        said = self.input()
        if said is None:
            return SignalState.OK
        if said.capabilities & abi.IN_CAP_DV_TIMINGS:
            try:
                self.query_timings()
            except OSError as error:
                state = TIMING_ERRORS.get(error.errno or 0)
                if state is not None:
                    return state
                if error.errno not in _UNKNOWN:
                    raise
        for bits, state in _STATUS:
            if said.status & bits:
                return state
        return SignalState.OK

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
