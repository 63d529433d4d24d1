"""A made-up /dev/video0: answers the requests of <linux/videodev2.h> and fills mapped buffers in real time.

It behaves like a driver: pictures come at their times whether or not somebody reads, and one that finds no free
buffer is lost and leaves a gap in the sequence.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import mmap
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from fractions import Fraction

from hw.base import PixelFormat
from hw.calls import SystemCalls
from hw.fake.grabber import Behaviour, Control, Questions, os_error
from hw.fake.pictures import as_webcam, picture
from hw.video.v4l2 import abi
from hw.video.v4l2.fields import SEQUENTIAL
from hw.video.v4l2.formats import PIXELS, padded_bytes, row_bytes

__all__ = ["Behaviour", "Control", "FakeV4l2"]

_NS = 1_000_000_000
_PACKED = (PixelFormat.YUYV, PixelFormat.UYVY, PixelFormat.RGB24, PixelFormat.BGR24)
_FD = 1_000_000  # far from real descriptors: a call that slips past the fake fails


class FakeV4l2(SystemCalls):
    """Give it as `calls`. `behaviour` may be changed, and the methods called, while a thread reads."""

    path = "/dev/video0"

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.gone = False
        self.stopped = False
        self._fds: dict[int, str] = {}
        self._changed = threading.Condition()
        self._pix = abi.PixFormat()
        self._rate = self.behaviour.fps
        self._buffers: list[mmap.mmap] = []
        self._free: deque[int] = deque()
        self._done: deque[abi.Buffer] = deque()
        self._events: deque[int] = deque()
        self._subscribed = False
        self._streaming = False
        self._failed = False
        self._asked_on = self.path
        self._start_ns = 0
        self._next = 0
        self._answers: dict[int, Callable[..., None]] = {
            abi.VIDIOC_QUERYCAP: self._querycap,
            abi.VIDIOC_ENUM_FMT: self._enum_fmt,
            abi.VIDIOC_S_FMT: self._s_fmt,
            abi.VIDIOC_G_PARM: self._g_parm,
            abi.VIDIOC_S_PARM: self._s_parm,
            abi.VIDIOC_REQBUFS: self._reqbufs,
            abi.VIDIOC_QUERYBUF: self._querybuf,
            abi.VIDIOC_QBUF: self._qbuf,
            abi.VIDIOC_DQBUF: self._dqbuf,
            abi.VIDIOC_STREAMON: self._streamon,
            abi.VIDIOC_STREAMOFF: self._streamoff,
            abi.VIDIOC_G_INPUT: self._g_input,
            abi.VIDIOC_ENUMINPUT: self._enuminput,
            abi.VIDIOC_QUERY_DV_TIMINGS: self._query_timings,
            abi.VIDIOC_S_DV_TIMINGS: self._s_timings,
            abi.VIDIOC_SUBSCRIBE_EVENT: self._subscribe,
            abi.VIDIOC_DQEVENT: self._dqevent,
            **Questions(lambda: self.behaviour).answers,
        }

    @property
    def is_open(self) -> bool:
        return bool(self._fds)

    # ---- what happens to the device

    def unplug(self) -> None:
        with self._changed:
            self.gone = True
            self._changed.notify_all()

    def fail(self) -> None:
        """The driver stops streaming with an error, the device stays."""
        with self._changed:
            self.stopped = self._failed = True
            self._changed.notify_all()

    def replug(self) -> None:
        self.gone = False

    def stop(self, stopped: bool = True) -> None:
        """No more pictures and no error: what a grabber does whose signal went away."""
        with self._changed:
            self.stopped = stopped
            self._start_ns = time.monotonic_ns() - self._next * self._period_ns
            self._changed.notify_all()

    def change_source(self, width: int, height: int) -> None:
        """Another picture comes in: an event, where they are subscribed to, and other sizes from now on."""
        with self._changed:
            self.behaviour.sizes = {code: [(width, height)] for code in self.behaviour.sizes}
            if self._subscribed:
                self._events.append(abi.EVENT_SRC_CH_RESOLUTION)
            self._changed.notify_all()

    # ---- system calls

    def open(self, path: str, flags: int) -> int:
        if self.gone or path not in (self.path, *self.behaviour.siblings):
            raise os_error(errno.ENOENT)
        if self.behaviour.open_errno:
            raise os_error(self.behaviour.open_errno)
        fd = next(number for number in itertools.count(_FD) if number not in self._fds)
        self._fds[fd] = path
        return fd

    def close(self, fd: int) -> None:
        if self._fds.pop(fd, None) is None:
            raise os_error(errno.EBADF)
        if self._fds:
            return
        self._subscribed = self._streaming = False
        self._events.clear()
        # As a driver does when the last descriptor goes, asked or not.
        self._buffers = []

    def mmap(self, fd: int, length: int, offset: int) -> mmap.mmap:
        return self._buffers[offset // mmap.PAGESIZE]

    def poll(self, fd: int, events: int, timeout_s: float) -> int:
        give_up_ns = time.monotonic_ns() + int(timeout_s * _NS)
        with self._changed:
            while True:
                if self.gone:
                    return select.POLLERR | select.POLLHUP
                self._deliver()
                happened = select.POLLIN if self._done else 0
                happened |= select.POLLPRI if self._events else 0
                if self._failed and not happened:
                    return select.POLLERR
                now = time.monotonic_ns()
                if happened & events or now >= give_up_ns:
                    return happened & events
                next_ns = give_up_ns if self.stopped else self._start_ns + self._next * self._period_ns
                self._changed.wait(max(0, min(give_up_ns, next_ns) - now) / _NS)

    def ioctl(self, fd: int, request: int, argument: object) -> None:
        with self._changed:
            if self.gone:
                raise os_error(errno.ENODEV)
            if fd not in self._fds:
                raise os_error(errno.EBADF)
            if request not in self._answers:
                raise os_error(errno.ENOTTY)
            self._asked_on = self._fds[fd]
            self._answers[request](argument)

    # ---- requests

    def _querycap(self, said: abi.Capability) -> None:
        _text(said.card, "Fake grabber")
        _text(said.driver, "fake")
        said.device_caps = abi.CAP_META_CAPTURE if self._asked_on != self.path else self.behaviour.caps
        said.capabilities = self.behaviour.caps | abi.CAP_DEVICE_CAPS | abi.CAP_VIDEO_CAPTURE

    def _enum_fmt(self, said: abi.FmtDesc) -> None:
        codes = list(self.behaviour.sizes)
        if said.index >= len(codes):
            raise os_error(errno.EINVAL)
        said.pixelformat = abi.fourcc(codes[said.index])

    def _s_fmt(self, wish: abi.Format) -> None:
        if self._buffers:
            raise os_error(errno.EBUSY)
        pix, sizes = wish.fmt.pix, self.behaviour.sizes
        code = abi.fourcc_text(pix.pixelformat)
        if code in self.behaviour.refuses:
            raise os_error(errno.EINVAL)
        code = code if code in sizes else next(iter(sizes))
        if (pix.width, pix.height) not in sizes[code]:
            pix.width, pix.height = sizes[code][0]
        pix.pixelformat = abi.fourcc(code)
        pix.field = self.behaviour.field
        if pix.field == abi.FIELD_ALTERNATE:
            pix.height //= 2
        pixel = PIXELS.get(pix.pixelformat, PixelFormat.MJPEG)
        row = row_bytes(pixel, pix.width)
        pix.bytesperline = row + self.behaviour.padding if row else self.behaviour.stride
        pix.sizeimage = max(1 << 20, padded_bytes(pixel, pix.width, pix.height, pix.bytesperline))
        pix.colorspace, pix.quantization = self.behaviour.colorspace, self.behaviour.quantization
        self._pix = abi.PixFormat.from_buffer_copy(pix)

    def _g_parm(self, said: abi.StreamParm) -> None:
        if self.behaviour.rate_fixed:
            raise os_error(errno.ENOTTY)
        said.parm.capture.capability = abi.CAP_TIMEPERFRAME
        said.parm.capture.timeperframe = abi.Fract(self._rate.denominator, self._rate.numerator)

    def _s_parm(self, wish: abi.StreamParm) -> None:
        period = wish.parm.capture.timeperframe
        listed = self.behaviour.rates.get(abi.fourcc_text(self._pix.pixelformat), [])
        most = max(map(Fraction, listed), default=self.behaviour.fps)
        self._rate = min(Fraction(period.denominator, period.numerator), most)
        self._g_parm(wish)

    def _reqbufs(self, wish: abi.RequestBuffers) -> None:
        self._buffers = [mmap.mmap(-1, self._pix.sizeimage) for _ in range(wish.count)]
        self._free.clear()
        self._done.clear()

    def _querybuf(self, said: abi.Buffer) -> None:
        said.length, said.m.offset = self._pix.sizeimage, said.index * mmap.PAGESIZE

    def _qbuf(self, said: abi.Buffer) -> None:
        if said.index in self._free or said.index >= len(self._buffers):
            raise os_error(errno.EINVAL)
        self._free.append(said.index)

    def _dqbuf(self, said: abi.Buffer) -> None:
        if not self._streaming:
            raise os_error(errno.EINVAL)
        self._deliver()
        if not self._done:
            raise os_error(errno.EAGAIN)
        ctypes.pointer(said)[0] = self._done.popleft()

    def _streamon(self, kind: ctypes.c_int) -> None:
        if self.behaviour.stream_errno:
            raise os_error(self.behaviour.stream_errno)
        self._streaming = True
        self.stopped = self._failed = False
        self._start_ns, self._next = time.monotonic_ns(), 0

    def _streamoff(self, kind: ctypes.c_int) -> None:
        self._streaming = False
        self._free.clear()
        self._done.clear()

    def _g_input(self, index: ctypes.c_int) -> None:
        index.value = 0

    def _enuminput(self, said: abi.Input) -> None:
        if said.index:
            raise os_error(errno.EINVAL)
        _text(said.name, "Input 0")
        said.status = self.behaviour.status
        said.capabilities = 0 if self.behaviour.timings is None else abi.IN_CAP_DV_TIMINGS
        if self.behaviour.standard:
            said.capabilities, said.std = abi.IN_CAP_STD, abi.STD_525_60 | abi.STD_625_50

    def _query_timings(self, said: abi.DvTimings) -> None:
        timings = self.behaviour.timings
        failure = 0 if isinstance(timings, tuple) else timings or errno.ENOTTY
        timings = self.behaviour.refused if failure == errno.ERANGE else timings
        if not isinstance(timings, tuple):
            raise os_error(failure)
        said.type = abi.DV_BT_656_1120
        said.u.bt.width, said.u.bt.height = timings
        said.u.bt.hfrontporch = said.u.bt.vfrontporch = 100
        said.u.bt.pixelclock = int((timings[0] + 100) * (timings[1] + 100) * self.behaviour.fps)
        if self.behaviour.shape is not None:
            said.u.bt.flags, said.u.bt.picture_aspect = (
                abi.DV_FL_HAS_PICTURE_ASPECT,
                abi.Fract(*self.behaviour.shape),
            )
        if failure:  # the kernel copies back what was found out all the same
            raise os_error(failure)

    def _s_timings(self, timings: abi.DvTimings) -> None:
        if self.behaviour.timings_errno:
            raise os_error(self.behaviour.timings_errno)
        if self._buffers:
            raise os_error(errno.EBUSY)
        if self.behaviour.scales:
            return
        size = (timings.u.bt.width, timings.u.bt.height)
        self.behaviour.sizes = {code: [size] for code in self.behaviour.sizes}

    def _subscribe(self, wish: abi.EventSubscription) -> None:
        if not self.behaviour.events or wish.type != abi.EVENT_SOURCE_CHANGE:
            raise os_error(errno.EINVAL)
        self._subscribed = True

    def _dqevent(self, said: abi.Event) -> None:
        if not self._events:
            raise os_error(errno.ENOENT)
        said.type, said.u.src_change = abi.EVENT_SOURCE_CHANGE, self._events.popleft()

    # ---- pictures

    @property
    def _alternates(self) -> bool:
        return bool(self._pix.field == abi.FIELD_ALTERNATE)

    @property
    def _period_ns(self) -> int:
        return int(_NS / self._rate) // (2 if self._alternates else 1)

    def _field(self, number: int) -> int:
        """Of 525 lines the bottom field comes first."""
        if not self._alternates:
            return int(self._pix.field)
        first = abi.FIELD_BOTTOM if self.behaviour.standard & abi.STD_525_60 else abi.FIELD_TOP
        return first if number % 2 == 0 else abi.FIELD_TOP + abi.FIELD_BOTTOM - first

    def _deliver(self) -> None:
        """Everything that the time has brought since the last look."""
        now = time.monotonic_ns()
        while self._streaming and not self.stopped and self._start_ns + self._next * self._period_ns <= now:
            number, self._next = self._next, self._next + 1
            if self._free and number not in self.behaviour.missing:
                self._done.append(self._fill(self._free.popleft(), number))

    def _fill(self, index: int, number: int) -> abi.Buffer:
        data = self._picture(number)
        behaviour = self.behaviour
        if number in behaviour.short:
            data = data[:0] if self._pix.bytesperline == 0 else data[: len(data) // 2]
        self._buffers[index][: len(data)] = data
        at = self._start_ns + number * self._period_ns
        if behaviour.wall_clock:
            at += time.time_ns() - time.monotonic_ns()
        flags = 0 if behaviour.wall_clock else abi.BUF_FLAG_TIMESTAMP_MONOTONIC
        flags |= abi.BUF_FLAG_ERROR if number in behaviour.damaged else 0
        return abi.Buffer(
            index=index,
            type=abi.BUF_TYPE_VIDEO_CAPTURE,
            bytesused=len(data),
            flags=flags,
            timestamp=abi.TimeVal(at // _NS, at % _NS // 1000),
            field=self._field(number),
            sequence=(number // 2 if self._alternates else number) if behaviour.counts else 0,
            memory=abi.MEMORY_MMAP,
            length=self._pix.sizeimage,
        )

    def _picture(self, number: int) -> bytes:
        pixel = PIXELS.get(self._pix.pixelformat, PixelFormat.MJPEG)
        width, height = self._pix.width, self._pix.height
        if self.behaviour.pictures is not None:
            return self.behaviour.pictures(number)
        if self._alternates or self._pix.field in SEQUENTIAL:
            data = self._fields(pixel, number)
        else:
            data = picture(pixel, width, height, number, number * self._period_ns // 1_000_000)
        if pixel is PixelFormat.MJPEG:
            return as_webcam(data)
        if not self.behaviour.padding:
            return data
        if pixel in _PACKED:
            row, extra = row_bytes(pixel, width), b"\x55" * self.behaviour.padding
            return b"".join(data[at : at + row] + extra for at in range(0, len(data), row))
        # Chroma rows of YU12 are half as long, and so is their padding.
        half = width * height
        rows = [(data[:half], width), (data[half:], width if pixel is PixelFormat.NV12 else width // 2)]
        padded = bytearray()
        for plane, row in rows:
            extra = b"\x55" * (self.behaviour.padding * row // rows[0][1])
            padded += b"".join(plane[at : at + row] + extra for at in range(0, len(plane), row))
        return bytes(padded)

    def _fields(self, pixel: PixelFormat, number: int) -> bytes:
        """A field, or the two of a picture one below the other; the strip tells the picture's number."""
        row = row_bytes(pixel, self._pix.width)
        height = self._pix.height * (2 if self._alternates else 1)
        data = picture(pixel, self._pix.width, height, number // 2 if self._alternates else number)
        rows = [data[at : at + row] for at in range(0, len(data), row)]
        top, bottom = b"".join(rows[::2]), b"".join(rows[1::2])
        if self._alternates:
            return top if self._field(number) == abi.FIELD_TOP else bottom
        return top + bottom if self._pix.field == abi.FIELD_SEQ_TB else bottom + top


def _text(array: ctypes.Array[ctypes.c_uint8], text: str) -> None:
    array[: len(text)] = list(text.encode())
