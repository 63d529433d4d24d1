"""A grabber or camera as a video source."""

from __future__ import annotations

import errno
import mmap
import os
import select
import time
from collections.abc import Callable
from fractions import Fraction

from hw.base import DeviceInfo, Frame, SignalState, VideoFormat
from hw.calls import SystemCalls, hardware_error
from hw.errors import DeviceGone, HardwareError, NotSupported
from hw.identity import Nodes, resolve, udev_nodes
from hw.video.v4l2 import abi
from hw.video.v4l2.formats import PIXELS, PREFERENCE, is_full_range, padded_bytes, rate_of, unpad
from hw.video.v4l2.requests import TIMING_ERRORS, Requests

_NS = 1_000_000_000
BUFFERS = 6
_FEWEST_BUFFERS = 2
# A driver that says monotonic but stamps by another clock is off by far more than any picture is late.
_PLAUSIBLE_NS = 10 * _NS


class V4l2Source:
    """Delivers MJPEG, NV12, YUYV or I420, the first of them that the device has in the asked size.

    `device` is /dev/videoN or a key of hw.identity. `sequence` is the driver's own count, unwrapped; what is
    missing in it, damaged pictures included, is `lost`. Times are the kernel's where it stamps by
    CLOCK_MONOTONIC, else `kernel_time` is False. A change of the input's picture raises HardwareError: reopen.
    """

    def __init__(
        self,
        *,
        key: str,
        name: str,
        device: str,
        width: int,
        height: int,
        fps: Fraction,
        calls: SystemCalls | None = None,
        nodes: Nodes = udev_nodes,
    ) -> None:
        self._device = device
        self._name = name
        self._info = DeviceInfo(key=key, name=name, path=device)
        self._asked = (width, height, Fraction(fps))
        self._calls = calls or SystemCalls()
        self._nodes = nodes
        self._fd = -1
        self._requests = Requests(self._calls, -1)
        self._maps: list[mmap.mmap] = []
        self._pix = abi.PixFormat()
        self._format: VideoFormat | None = None
        self._signal = SignalState.STARTING
        self._last_sequence: int | None = None
        self._sequence = 0
        self._damaged = 0

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def open(self) -> VideoFormat:
        """Find the device, agree on a format, stream. What `signal` said at a failure stays to be asked for.

        Raises DeviceGone, DeviceBusy, DeviceRefused; NotSupported for a device without pictures or without a
        format of ours; HardwareError where the driver streams nothing without a signal.
        """
        self.close()
        path = self._device
        try:
            node = resolve(self._device, "video4linux", accept=self._captures, nodes=self._nodes)
            path = node.path
            self._fd = self._calls.open(path, os.O_RDWR | os.O_NONBLOCK)
            self._requests = Requests(self._calls, self._fd)
            self._info = self._describe(path, node.info)
            # Subscribed before the format is chosen: a change in between is then told, not missed.
            self._requests.subscribe(abi.EVENT_SOURCE_CHANGE)
            self._signal = self._requests.signal()
            self._format = self._agree()
            self._map_buffers()
            self._requests.stream(True)
        except HardwareError as error:
            self._forget(error)
            raise
        except OSError as error:
            failure = self._explain("open", path, error)
            self._forget(failure)
            raise failure from error
        self._last_sequence = None
        self._damaged = 0
        return self._format

    def read(self, timeout_s: float) -> Frame | None:
        if self._format is None:
            raise HardwareError("read", self._info.path, "not open")
        give_up = time.monotonic() + timeout_s
        try:
            while True:
                left = max(0.0, give_up - time.monotonic())
                happened = self._calls.poll(self._fd, select.POLLIN | select.POLLPRI, left)
                if not happened:
                    return None
                if happened & select.POLLPRI:
                    self._hear_events()
                if happened & (select.POLLIN | select.POLLERR | select.POLLHUP):
                    frame = self._take(self._format, happened)
                    if frame is not None:
                        return frame
                if left <= 0:
                    return None
        except OSError as error:
            failure = self._explain("read", self._info.path, error)
            if isinstance(failure, DeviceGone):
                self._signal = SignalState.GONE
            raise failure from error

    def signal(self) -> SignalState:
        """From the input's status and the digital timings, where the driver has them; OK where it says nothing.

        While closed it is the state that was found last, STARTING before the first `open`.
        """
        if self._format is not None and self._signal is not SignalState.GONE:
            try:
                self._signal = self._requests.signal()
            except OSError as error:
                gone = isinstance(hardware_error("signal", self._info.path, error), DeviceGone)
                self._signal = SignalState.GONE if gone else self._signal
        return self._signal

    def close(self) -> None:
        if self._fd < 0:
            return
        # Without the request for none the driver keeps the buffers until the last descriptor is gone.
        steps: list[Callable[[], object]] = [
            lambda: self._requests.stream(False),
            *(one.close for one in self._maps),
            lambda: self._requests.request_buffers(0),
            lambda: self._calls.close(self._fd),
        ]
        for step in steps:
            try:
                step()
            except (OSError, BufferError):
                pass
        self._fd = -1
        self._maps = []
        self._format = None

    # ---- opening

    def _describe(self, path: str, udev: DeviceInfo) -> DeviceInfo:
        """QUERYCAP (udev's own ID_V4L_CAPABILITIES is not to be trusted). NotSupported for what cannot capture."""
        said = self._requests.capability()
        caps = _caps(said)
        if not caps & abi.CAP_VIDEO_CAPTURE:
            reason = "the device delivers no pictures"
            if caps & abi.CAP_VIDEO_CAPTURE_MPLANE:
                reason = "the device delivers pictures in several planes only"
            raise NotSupported("open", path, reason, "Choose the grabber's other video device.")
        if not caps & abi.CAP_STREAMING:
            raise NotSupported("open", path, "the device cannot stream", "Use another grabber.")
        card = bytes(said.card).split(b"\0", 1)[0].decode("utf-8", "replace")
        model = udev.model or card
        return DeviceInfo(self._info.key, self._name or card, path, udev.manufacturer, model, udev.serial)

    def _agree(self) -> VideoFormat:
        width, height, fps = self._asked
        signal_rate = self._follow_timings()
        code = self._choose(width or 1920, height or 1080)
        self._pix = self._requests.set_format(code, width or 1920, height or 1080)
        if self._pix.field == abi.FIELD_ALTERNATE:
            raise NotSupported(
                "open", self._info.path, "the device delivers single fields", "Set the source to progressive."
            )
        rate = self._requests.set_rate(fps) or signal_rate or fps
        if rate <= 0:
            raise NotSupported(
                "open", self._info.path, "the device does not say its rate", "Set fps in the settings."
            )
        return VideoFormat(
            PIXELS[self._pix.pixelformat], self._pix.width, self._pix.height, rate, is_full_range(self._pix)
        )

    def _follow_timings(self) -> Fraction | None:
        """Set a digital receiver to what comes in (it does not follow by itself); the rate of that signal."""
        said = self._requests.input()
        if said is None or not said.capabilities & abi.IN_CAP_DV_TIMINGS or self._signal is not SignalState.OK:
            return None
        try:
            timings = self._requests.query_timings()
            self._requests.set_timings(timings)
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.ENXIO):
                raise
            return None
        return rate_of(timings.u.bt) if timings.type == abi.DV_BT_656_1120 else None

    def _choose(self, width: int, height: int) -> int:
        """The first of our formats in the asked size, else the first at all."""
        offered = self._requests.formats()
        usable = []
        for code, _ in PREFERENCE:
            if code in offered:
                answer = self._requests.set_format(code, width, height)
                if answer.pixelformat != code:
                    continue
                if (answer.width, answer.height) == (width, height):
                    return code
                usable.append(code)
        if usable:
            return usable[0]
        known = ", ".join(abi.fourcc_text(code) for code in offered) or "nothing"
        raise NotSupported(
            "open", self._info.path, f"the device offers {known}", "It must deliver MJPG, NV12, YUYV or YU12."
        )

    def _map_buffers(self) -> None:
        count = self._requests.request_buffers(BUFFERS)
        if count < _FEWEST_BUFFERS:
            raise HardwareError(
                "open", self._info.path, "the driver has no memory for pictures", "Restart the box."
            )
        for index in range(count):
            length, offset = self._requests.place(index)
            self._maps.append(self._calls.mmap(self._fd, length, offset))
            self._requests.queue(index)

    def _captures(self, path: str) -> bool:
        """Whether a node is the one that captures: grabbers have others, for metadata or output."""
        try:
            fd = self._calls.open(path, os.O_RDWR | os.O_NONBLOCK)
        except OSError:
            # No right to look: let the open of the chosen one say so.
            return True
        try:
            return bool(_caps(Requests(self._calls, fd).capability()) & abi.CAP_VIDEO_CAPTURE)
        except OSError:
            return False
        finally:
            self._calls.close(fd)

    def _forget(self, error: HardwareError) -> None:
        self.close()
        if isinstance(error, DeviceGone):
            self._signal = SignalState.GONE
        elif self._signal in (SignalState.OK, SignalState.GONE):
            self._signal = SignalState.STARTING

    # ---- reading

    def _hear_events(self) -> None:
        while (event := self._requests.event()) is not None:
            if event.type == abi.EVENT_SOURCE_CHANGE and event.u.src_change & abi.EVENT_SRC_CH_RESOLUTION:
                raise HardwareError(
                    "read", self._info.path, "the picture at the input has changed", "The source is opened anew."
                )

    def _take(self, form: VideoFormat, happened: int) -> Frame | None:
        """One buffer out of the queue and back; None for a damaged picture."""
        try:
            buffer = self._requests.dequeue()
        except BlockingIOError:
            if not happened & (select.POLLERR | select.POLLHUP):
                return None
            # Not a picture but trouble: a device that is gone says so when asked anything.
            self._requests.capability()
            raise OSError(errno.EIO, "the driver has stopped streaming") from None
        now = time.monotonic_ns()
        try:
            stride = self._pix.bytesperline
            need = padded_bytes(form.pixel, form.width, form.height, stride)
            if buffer.flags & abi.BUF_FLAG_ERROR or buffer.bytesused < need:
                self._damaged += 1
                return None
            with memoryview(self._maps[buffer.index]) as view, view[: buffer.bytesused] as used:
                data = unpad(form.pixel, form.width, form.height, stride, used)
        finally:
            self._requests.queue(buffer.index)
        lost = self._count(buffer.sequence)
        stamp, kernel_time = _stamp(buffer, now)
        return Frame(data, form, self._sequence, lost, stamp, kernel_time)

    def _count(self, sequence: int) -> int:
        """Take over the driver's number of a good picture; how many are missing before it."""
        damaged, self._damaged = self._damaged, 0
        if self._last_sequence is None:
            self._last_sequence = self._sequence = sequence
            return 0
        step = (sequence - self._last_sequence) & 0xFFFFFFFF
        self._last_sequence = sequence
        # No step, or a step back: a driver that does not count, or begins anew. Then only what we saw is known.
        lost = step - 1 if 0 < step < 1 << 31 else damaged
        self._sequence += 1 + lost
        return lost

    def _explain(self, op: str, path: str, error: OSError) -> HardwareError:
        state = TIMING_ERRORS.get(error.errno or 0)
        if state is not None:
            self._signal = state
            return HardwareError(op, path, "no usable signal at the input", "Check the cable and the video device.")
        return hardware_error(op, path, error)


def _caps(said: abi.Capability) -> int:
    return int(said.device_caps if said.capabilities & abi.CAP_DEVICE_CAPS else said.capabilities)


def _stamp(buffer: abi.Buffer, now_ns: int) -> tuple[int, bool]:
    """(CLOCK_MONOTONIC, whether it is the kernel's)."""
    at = buffer.timestamp.tv_sec * _NS + buffer.timestamp.tv_usec * 1000
    monotonic = buffer.flags & abi.BUF_FLAG_TIMESTAMP_MASK == abi.BUF_FLAG_TIMESTAMP_MONOTONIC
    if monotonic and abs(now_ns - at) < _PLAUSIBLE_NS:
        return at, True
    return now_ns, False
