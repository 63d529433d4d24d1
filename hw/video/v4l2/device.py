"""A grabber or camera as a video source."""

from __future__ import annotations

import errno
import mmap
import os
import select
import threading
import time
from collections.abc import Callable
from fractions import Fraction

from hw.base import DeviceInfo, FieldOrder, Frame, PixelFormat, SignalState, VideoControl, VideoFormat
from hw.calls import SystemCalls, hardware_error
from hw.errors import DeviceGone, HardwareError, NotSupported, SignalChanged
from hw.identity import Nodes, resolve, udev_nodes
from hw.video.v4l2 import abi
from hw.video.v4l2.agree import Agreed, Wish, agree
from hw.video.v4l2.controls import Controls
from hw.video.v4l2.fields import split, woven
from hw.video.v4l2.formats import padded_bytes, rate_of, unpad
from hw.video.v4l2.query import Capabilities, capabilities, caps_of, captures, text_of
from hw.video.v4l2.requests import TIMING_ERRORS, Requests, Signal

_NS = 1_000_000_000
BUFFERS = 6
_FEWEST_BUFFERS = 2
# A driver that says monotonic but stamps by another clock is off by far more than any picture is late.
_PLAUSIBLE_NS = 10 * _NS
# Hz: 59.94 and 60 are the same signal to a receiver that measures.
_OTHER_RATE = 0.5


class V4l2Source:
    """Delivers `pixel`, or (None) what of the device's formats serves the asked size and rate best.

    `device` is /dev/videoN or a key of hw.identity. Fields that come apart are woven into pictures. `sequence` is
    the driver's own count, unwrapped; what is missing in it, damaged pictures included, is `lost`. Times are the
    kernel's where it stamps by CLOCK_MONOTONIC, else `kernel_time` is False. A change of the input's picture raises
    SignalChanged: reopen.
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
        pixel: PixelFormat | None = None,
        calls: SystemCalls | None = None,
        nodes: Nodes = udev_nodes,
    ) -> None:
        self._device = device
        self._name = name
        self._info = DeviceInfo(key=key, name=name, path=device)
        self._wish = Wish(width, height, Fraction(fps), pixel)
        self._calls = calls or SystemCalls()
        self._nodes = nodes
        self._fd = -1
        self._requests = Requests(self._calls, -1)
        self._maps: list[mmap.mmap] = []
        self._agreed: Agreed | None = None
        self._format: VideoFormat | None = None
        self._signal = Signal(SignalState.STARTING)
        self._changed = False
        self._first_field: tuple[int, int, bytes] | None = None
        self._counts_fields = False
        self._guard = threading.Lock()  # controls may be asked for from another thread
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
            node = resolve(
                self._device, "video4linux", accept=lambda each: captures(self._calls, each), nodes=self._nodes
            )
            path = node.path
            self._fd = self._calls.open(path, os.O_RDWR | os.O_NONBLOCK)
            self._requests = Requests(self._calls, self._fd)
            self._info = self._describe(path, node.info)
            # Subscribed before the format is chosen: a change in between is then told, not missed.
            self._requests.subscribe(abi.EVENT_SOURCE_CHANGE)
            self._signal = self._requests.signal()
            self._agreed = agree(self._requests, self._wish, self._signal, path)
            self._format = self._agreed.form
            if self._format.pixel is PixelFormat.H264:
                Controls(self._calls, self._fd, path).ask_for_cuttable_h264(self._format.fps)
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
        self._changed = self._counts_fields = False
        self._first_field = None
        return self._format

    def read(self, timeout_s: float) -> Frame | None:
        if self._format is None:
            raise HardwareError("read", self._info.path, "not open")
        if self._changed:
            raise self._other_picture()
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
                self._signal = Signal(SignalState.GONE)
            raise failure from error

    def signal(self) -> SignalState:
        """From the input's status and the digital timings, where the driver has them; OK where it says nothing.

        While closed it is the state that was found last, STARTING before the first `open`.
        """
        if self._format is not None and self._signal.state is not SignalState.GONE:
            try:
                self._signal = self._requests.signal()
            except OSError as error:
                if isinstance(hardware_error("signal", self._info.path, error), DeviceGone):
                    self._signal = Signal(SignalState.GONE)
            else:
                self._changed = self._changed or self._is_other(self._signal.timings)
        return self._signal.state

    def facts(self) -> str:
        return self._signal.facts

    def capabilities(self) -> Capabilities:
        """Of the device, whether or not this source streams from it. Raises HardwareError. From any thread."""
        return capabilities(self._device, self._calls, self._nodes)

    def controls(self) -> tuple[VideoControl, ...]:
        with self._guard:
            if self._fd < 0:
                return ()
            try:
                return Controls(self._calls, self._fd, self._info.path).all()
            except OSError as error:
                raise hardware_error("control", self._info.path, error) from error

    def set_control(self, name: str, value: int) -> None:
        with self._guard:
            if self._fd < 0:
                raise HardwareError("control", self._info.path, "not open")
            try:
                Controls(self._calls, self._fd, self._info.path).set(name, value)
            except OSError as error:
                raise hardware_error("control", self._info.path, error) from error

    def close(self) -> None:
        with self._guard:
            self._close()

    def _close(self) -> None:
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
        self._format = self._agreed = None

    # ---- opening

    def _describe(self, path: str, udev: DeviceInfo) -> DeviceInfo:
        """QUERYCAP (udev's own ID_V4L_CAPABILITIES is not to be trusted). NotSupported for what cannot capture."""
        said = self._requests.capability()
        caps = caps_of(said)
        if not caps & abi.CAP_VIDEO_CAPTURE:
            reason = "the device delivers no pictures"
            if caps & abi.CAP_VIDEO_CAPTURE_MPLANE:
                reason = "the device delivers pictures in several planes only"
            raise NotSupported("open", path, reason, "Choose the grabber's other video device.")
        if not caps & abi.CAP_STREAMING:
            raise NotSupported("open", path, "the device cannot stream", "Use another grabber.")
        card = text_of(said.card)
        model = udev.model or card
        return DeviceInfo(self._info.key, self._name or card, path, udev.manufacturer, model, udev.serial)

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

    def _forget(self, error: HardwareError) -> None:
        self.close()
        if isinstance(error, DeviceGone):
            self._signal = Signal(SignalState.GONE)
        elif isinstance(error, NotSupported) and error.op == "signal":
            self._signal = Signal(SignalState.UNSUPPORTED, self._signal.facts)
        elif self._signal.state in (SignalState.OK, SignalState.GONE):
            self._signal = Signal(SignalState.STARTING)

    # ---- reading

    def _hear_events(self) -> None:
        while (event := self._requests.event()) is not None:
            if event.type == abi.EVENT_SOURCE_CHANGE and event.u.src_change & abi.EVENT_SRC_CH_RESOLUTION:
                raise self._other_picture()

    def _other_picture(self) -> HardwareError:
        return SignalChanged(
            "read", self._info.path, "the picture at the input has changed", "The source is opened anew."
        )

    def _is_other(self, now: abi.DvTimings | None) -> bool:
        """Whether a digital receiver gets another signal than it was set to: not all drivers send an event."""
        if now is None or now.type != abi.DV_BT_656_1120 or self._agreed is None:
            return False
        then = self._agreed.timings
        if then is None:
            return True
        mine, other = then.u.bt, now.u.bt
        if (mine.width, mine.height, mine.interlaced) != (other.width, other.height, other.interlaced):
            return True
        rates = rate_of(mine), rate_of(other)
        return None not in rates and abs(float(rates[0] or 0) - float(rates[1] or 0)) > _OTHER_RATE

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
        agreed = self._agreed
        assert agreed is not None
        try:
            stride, height = agreed.pix.bytesperline, agreed.pix.height
            need = padded_bytes(form.pixel, form.width, height, stride)
            if buffer.flags & abi.BUF_FLAG_ERROR or buffer.bytesused < need:
                self._damaged += 1
                return None
            with memoryview(self._maps[buffer.index]) as view, view[: buffer.bytesused] as used:
                data = unpad(form.pixel, form.width, height, stride, used)
        finally:
            self._requests.queue(buffer.index)
        stamp, kernel_time = _stamp(buffer, now)
        if agreed.sequential:
            top_first = form.field_order is FieldOrder.TOP_FIRST
            data = woven(form.pixel, form.width, *split(data), top_first=top_first)
        elif agreed.alternate:
            pair = self._paired(form, buffer, data, stamp)
            if pair is None:
                return None
            data, stamp = pair
        lost = self._count(buffer.sequence)
        return Frame(data, form, self._sequence, lost, stamp, kernel_time)

    def _paired(self, form: VideoFormat, buffer: abi.Buffer, data: bytes, stamp: int) -> tuple[bytes, int] | None:
        """Two fields as one picture with the time of the earlier; None for the first of them."""
        earlier, self._first_field = self._first_field, None
        top_first = form.field_order is FieldOrder.TOP_FIRST
        if buffer.field == (abi.FIELD_TOP if top_first else abi.FIELD_BOTTOM):
            # One that is still there has lost its partner: what is missing shows in the count.
            self._first_field = (buffer.sequence, stamp, data)
            return None
        if earlier is None or (buffer.sequence - earlier[0]) & 0xFFFFFFFF > 1:
            return None
        self._counts_fields = buffer.sequence != earlier[0]
        return woven(form.pixel, form.width, earlier[2], data, top_first=top_first), earlier[1]

    def _count(self, sequence: int) -> int:
        """Take over the driver's number of a good picture; how many are missing before it."""
        damaged, self._damaged = self._damaged, 0
        if self._last_sequence is None:
            self._last_sequence = self._sequence = sequence
            return 0
        step = (sequence - self._last_sequence) & 0xFFFFFFFF
        if self._counts_fields:
            step = (step + 1) // 2
        self._last_sequence = sequence
        # No step, or a step back: a driver that does not count, or begins anew. Then only what we saw is known.
        lost = step - 1 if 0 < step < 1 << 31 else damaged
        self._sequence += 1 + lost
        return lost

    def _explain(self, op: str, path: str, error: OSError) -> HardwareError:
        state = TIMING_ERRORS.get(error.errno or 0)
        if state is not None:
            self._signal = Signal(state)
            return HardwareError(op, path, "no usable signal at the input", "Check the cable and the video device.")
        return hardware_error(op, path, error)


def _stamp(buffer: abi.Buffer, now_ns: int) -> tuple[int, bool]:
    """(CLOCK_MONOTONIC, whether it is the kernel's)."""
    at = buffer.timestamp.tv_sec * _NS + buffer.timestamp.tv_usec * 1000
    monotonic = buffer.flags & abi.BUF_FLAG_TIMESTAMP_MASK == abi.BUF_FLAG_TIMESTAMP_MONOTONIC
    if monotonic and abs(now_ns - at) < _PLAUSIBLE_NS:
        return at, True
    return now_ns, False
