"""A made-up /dev/video0: answers the requests of <linux/videodev2.h> and fills mapped buffers in real time.

It behaves like a driver: pictures come at their times whether or not somebody reads, and one that finds no free
buffer is lost and leaves a gap in the sequence.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from hw.base import PixelFormat
from hw.calls import SystemCalls
from hw.fake.pictures import as_webcam, picture
from hw.video.v4l2 import abi
from hw.video.v4l2.formats import PIXELS, padded_bytes, row_bytes

_NS = 1_000_000_000
_FD = 1_000_000  # far from real descriptors: a call that slips past the fake fails


@dataclass
class Behaviour:
    """What the device is like and what happens to which picture (numbers count from 0 at STREAMON).

    sizes          fourcc to the sizes it can do; another wish gets the first of them
    rate_fixed     the driver knows no rates (G_PARM fails)
    padding        bytes at the end of each row of raw pictures
    wall_clock     stamps by CLOCK_REALTIME and says so (TIMESTAMP_UNKNOWN)
    counts         False: the sequence stays 0, as some drivers do
    missing, damaged, short   pictures that are skipped, flagged ERROR, delivered with too few bytes
    open_errno, stream_errno  these calls fail with that
    status         V4L2_IN_ST_… of ENUMINPUT
    timings        None: no digital receiver; an errno, or (width, height) of what comes in
    events         whether SOURCE_CHANGE can be subscribed to
    siblings       paths of further nodes of the device, which deliver metadata and no pictures
    """

    sizes: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {"MJPG": [(320, 240)]})
    fps: Fraction = Fraction(30)
    rate_fixed: bool = False
    padding: int = 0
    wall_clock: bool = False
    counts: bool = True
    missing: set[int] = field(default_factory=set)
    damaged: set[int] = field(default_factory=set)
    short: set[int] = field(default_factory=set)
    open_errno: int = 0
    stream_errno: int = 0
    caps: int = abi.CAP_VIDEO_CAPTURE | abi.CAP_STREAMING
    colorspace: int = 0
    quantization: int = 0
    status: int = 0
    timings: int | tuple[int, int] | None = None
    events: bool = True
    siblings: tuple[str, ...] = ()


class FakeV4l2(SystemCalls):
    """Give it as `calls`. `behaviour` may be changed, and the methods called, while a thread reads."""

    path = "/dev/video0"

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.gone = False
        self.stopped = False
        self.is_open = False
        self._changed = threading.Condition()
        self._pix = abi.PixFormat()
        self._rate = self.behaviour.fps
        self._buffers: list[mmap.mmap] = []
        self._free: deque[int] = deque()
        self._done: deque[abi.Buffer] = deque()
        self._events: deque[int] = deque()
        self._subscribed = False
        self._streaming = False
        self._sibling = False
        self._failed = False
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
        }

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
            raise _os_error(errno.ENOENT)
        self._sibling = path != self.path
        if self.behaviour.open_errno:
            raise _os_error(self.behaviour.open_errno)
        self.is_open = True
        return _FD

    def close(self, fd: int) -> None:
        if not self.is_open or fd != _FD:
            raise _os_error(errno.EBADF)
        self.is_open = self._subscribed = self._streaming = False
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
                raise _os_error(errno.ENODEV)
            if not self.is_open or fd != _FD:
                raise _os_error(errno.EBADF)
            if request not in self._answers:
                raise _os_error(errno.ENOTTY)
            self._answers[request](argument)

    # ---- requests

    def _querycap(self, said: abi.Capability) -> None:
        _text(said.card, "Fake grabber")
        said.device_caps = abi.CAP_META_CAPTURE if self._sibling else self.behaviour.caps
        said.capabilities = self.behaviour.caps | abi.CAP_DEVICE_CAPS | abi.CAP_VIDEO_CAPTURE

    def _enum_fmt(self, said: abi.FmtDesc) -> None:
        codes = list(self.behaviour.sizes)
        if said.index >= len(codes):
            raise _os_error(errno.EINVAL)
        said.pixelformat = abi.fourcc(codes[said.index])

    def _s_fmt(self, wish: abi.Format) -> None:
        if self._buffers:
            raise _os_error(errno.EBUSY)
        pix, sizes = wish.fmt.pix, self.behaviour.sizes
        code = abi.fourcc_text(pix.pixelformat)
        code = code if code in sizes else next(iter(sizes))
        if (pix.width, pix.height) not in sizes[code]:
            pix.width, pix.height = sizes[code][0]
        pix.pixelformat = abi.fourcc(code)
        pixel = PIXELS.get(pix.pixelformat, PixelFormat.MJPEG)
        row = row_bytes(pixel, pix.width)
        pix.bytesperline = row + self.behaviour.padding if row else 0
        pix.sizeimage = max(1 << 20, padded_bytes(pixel, pix.width, pix.height, pix.bytesperline))
        pix.colorspace, pix.quantization = self.behaviour.colorspace, self.behaviour.quantization
        self._pix = abi.PixFormat.from_buffer_copy(pix)

    def _g_parm(self, said: abi.StreamParm) -> None:
        if self.behaviour.rate_fixed:
            raise _os_error(errno.ENOTTY)
        said.parm.capture.capability = abi.CAP_TIMEPERFRAME
        said.parm.capture.timeperframe = abi.Fract(self._rate.denominator, self._rate.numerator)

    def _s_parm(self, wish: abi.StreamParm) -> None:
        period = wish.parm.capture.timeperframe
        self._rate = min(Fraction(period.denominator, period.numerator), self.behaviour.fps)
        self._g_parm(wish)

    def _reqbufs(self, wish: abi.RequestBuffers) -> None:
        self._buffers = [mmap.mmap(-1, self._pix.sizeimage) for _ in range(wish.count)]
        self._free.clear()
        self._done.clear()

    def _querybuf(self, said: abi.Buffer) -> None:
        said.length, said.m.offset = self._pix.sizeimage, said.index * mmap.PAGESIZE

    def _qbuf(self, said: abi.Buffer) -> None:
        if said.index in self._free or said.index >= len(self._buffers):
            raise _os_error(errno.EINVAL)
        self._free.append(said.index)

    def _dqbuf(self, said: abi.Buffer) -> None:
        if not self._streaming:
            raise _os_error(errno.EINVAL)
        self._deliver()
        if not self._done:
            raise _os_error(errno.EAGAIN)
        ctypes.pointer(said)[0] = self._done.popleft()

    def _streamon(self, kind: ctypes.c_int) -> None:
        if self.behaviour.stream_errno:
            raise _os_error(self.behaviour.stream_errno)
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
        said.status = self.behaviour.status
        said.capabilities = 0 if self.behaviour.timings is None else abi.IN_CAP_DV_TIMINGS

    def _query_timings(self, said: abi.DvTimings) -> None:
        timings = self.behaviour.timings
        if not isinstance(timings, tuple):
            raise _os_error(timings or errno.ENOTTY)
        said.type = abi.DV_BT_656_1120
        said.u.bt.width, said.u.bt.height = timings
        said.u.bt.hfrontporch = said.u.bt.vfrontporch = 100
        said.u.bt.pixelclock = int((timings[0] + 100) * (timings[1] + 100) * self.behaviour.fps)

    def _s_timings(self, timings: abi.DvTimings) -> None:
        if self._buffers:
            raise _os_error(errno.EBUSY)
        size = (timings.u.bt.width, timings.u.bt.height)
        self.behaviour.sizes = {code: [size] for code in self.behaviour.sizes}

    def _subscribe(self, wish: abi.EventSubscription) -> None:
        if not self.behaviour.events or wish.type != abi.EVENT_SOURCE_CHANGE:
            raise _os_error(errno.EINVAL)
        self._subscribed = True

    def _dqevent(self, said: abi.Event) -> None:
        if not self._events:
            raise _os_error(errno.ENOENT)
        said.type, said.u.src_change = abi.EVENT_SOURCE_CHANGE, self._events.popleft()

    # ---- pictures

    @property
    def _period_ns(self) -> int:
        return int(_NS / self._rate)

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
            sequence=number if behaviour.counts else 0,
            memory=abi.MEMORY_MMAP,
            length=self._pix.sizeimage,
        )

    def _picture(self, number: int) -> bytes:
        pixel = PIXELS.get(self._pix.pixelformat, PixelFormat.MJPEG)
        width, height = self._pix.width, self._pix.height
        data = picture(pixel, width, height, number, number * self._period_ns // 1_000_000)
        if pixel is PixelFormat.MJPEG:
            return as_webcam(data)
        if not self.behaviour.padding:
            return data
        # Chroma rows of YU12 are half as long, and so is their padding.
        half = width * height
        rows = [(data[:half], width)] if pixel is not PixelFormat.YUYV else [(data, width * 2)]
        if pixel is not PixelFormat.YUYV:
            rows.append((data[half:], width if pixel is PixelFormat.NV12 else width // 2))
        padded = bytearray()
        for plane, row in rows:
            extra = b"\x55" * (self.behaviour.padding * row // rows[0][1])
            padded += b"".join(plane[at : at + row] + extra for at in range(0, len(plane), row))
        return bytes(padded)


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _text(array: ctypes.Array[ctypes.c_uint8], text: str) -> None:
    array[: len(text)] = list(text.encode())
