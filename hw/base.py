"""Protocols and value types of the hardware room. No imports beyond the standard library."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Protocol, runtime_checkable


class PixelFormat(StrEnum):
    """Byte layout of `Frame.data`.

    MJPEG   one JPEG image as the device delivered it (may lack Huffman tables, may have junk after EOI)
    YUYV    packed 4:2:2, Y0 U Y1 V, width*height*2 bytes, no row padding
    UYVY    packed 4:2:2, U Y0 V Y1, width*height*2 bytes, no row padding
    RGB24   packed, R G B, width*height*3 bytes, no row padding
    BGR24   packed, B G R, width*height*3 bytes, no row padding
    NV12    4:2:0, a plane of Y, then a plane of interleaved U V, no row padding
    I420    4:2:0, planes Y, U, V, no row padding
    H264    one access unit of an H.264 byte stream (H.264 Annex B), as the device encoded it
    """

    MJPEG = "mjpeg"
    YUYV = "yuyv"
    UYVY = "uyvy"
    RGB24 = "rgb24"
    BGR24 = "bgr24"
    NV12 = "nv12"
    I420 = "i420"
    H264 = "h264"


class FieldOrder(StrEnum):
    """How a picture was scanned: at once, or as two fields woven into one picture, the named one the earlier."""

    PROGRESSIVE = "progressive"
    TOP_FIRST = "top-first"
    BOTTOM_FIRST = "bottom-first"


class SignalState(StrEnum):
    """The words of CONTRACT's `signal_state`."""

    OK = "ok"
    STARTING = "starting"
    NO_CABLE = "no-cable"
    NO_SIGNAL = "no-signal"
    UNSTABLE = "unstable"
    UNSUPPORTED = "unsupported"
    GONE = "gone"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What the device says it is. `key` is stable across reboots and replugging into the same port."""

    key: str
    name: str
    path: str
    manufacturer: str = ""
    model: str = ""
    serial: str = ""


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What a source delivers. `fps` counts whole pictures and is exact (30000/1001 stays that); `full_range`: luma
    0..255, else 16..235. `pixel_aspect` is a pixel's width divided by its height (12/11 and the like for SD)."""

    pixel: PixelFormat
    width: int
    height: int
    fps: Fraction
    full_range: bool
    field_order: FieldOrder = FieldOrder.PROGRESSIVE
    pixel_aspect: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture, its bytes owned by the frame (never a view into a driver's buffer).

    sequence       the source's own count, starting anywhere; it grows by 1 + `lost` from frame to frame
    lost           frames the source knows it lost between the frame before and this one
    timestamp_ns   CLOCK_MONOTONIC of the capture of the picture
    kernel_time    False when the time was taken at dequeue because the driver gives no monotonic one
    """

    data: bytes | bytearray | memoryview = field(repr=False)
    format: VideoFormat
    sequence: int
    lost: int
    timestamp_ns: int
    kernel_time: bool = True


@runtime_checkable
class VideoSource(Protocol):
    """One video input. Used from one thread; `open` may be called again after `close` or after an error."""

    @property
    def info(self) -> DeviceInfo:
        """Known best after `open`; before it key, name and path are those of the settings."""

    def open(self) -> VideoFormat:
        """Start streaming. Raises HardwareError."""

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, or None when none came within `timeout_s`.

        Raises DeviceGone when the device was pulled, HardwareError for anything else that needs a reopen.
        """

    def signal(self) -> SignalState:
        """What the device itself says about its input: OK where it says nothing."""

    def close(self) -> None:
        """Stop streaming and let go of the device. Never raises, may be called twice."""


@runtime_checkable
class Telling(Protocol):
    """A video source that can tell more of its signal than the state."""

    def facts(self) -> str:
        """What comes in, without words to translate, as in "1920×1080 60 Hz"; empty where that is not known. As of
        the last `signal` or `open`."""


@dataclass(frozen=True, slots=True)
class VideoControl:
    """A control of a grabber or camera as the device describes it (V4L2 controls).

    name      our word, stable over devices of a kind: lower case, `_` between words ("white_balance_automatic")
    kind      "number", "switch" (0 or 1) or "choice" (`choices`: value to the device's own name)
    writable  False while another control rules it (a manual value under an automatic one)
    """

    name: str
    kind: str
    value: int
    minimum: int
    maximum: int
    step: int
    default: int
    choices: dict[int, str] = field(default_factory=dict)
    writable: bool = True


@runtime_checkable
class Controlled(Protocol):
    """A video source that has controls. May be used from another thread than the one that reads."""

    def controls(self) -> tuple[VideoControl, ...]:
        """As the device says them now; empty while it is closed or has none."""

    def set_control(self, name: str, value: int) -> None:
        """Raises NotSupported for an unknown name or a value outside its range, else HardwareError."""


class TouchKind(StrEnum):
    DOWN = "down"
    MOVE = "move"
    UP = "up"


@dataclass(frozen=True, slots=True)
class TouchEvent:
    """The first finger on a panel: down, moved, up. Further fingers are not told.

    x, y          0.0 to 1.0 of the device's own axes, left and top 0: neither rotated nor calibrated
    timestamp_ns  CLOCK_MONOTONIC, the kernel's event time
    cancelled     of an UP: nobody lifted the finger; the device was pulled, it lay there for good, it was a palm
    """

    kind: TouchKind
    x: float
    y: float
    timestamp_ns: int
    cancelled: bool = False


@runtime_checkable
class TouchSource(Protocol):
    """One touch panel. Every DOWN is followed by an UP, also when the device is pulled (UP first, then DeviceGone)
    and when events were lost. What lay on it when it was opened is not told: it aimed at nothing on the screen."""

    @property
    def info(self) -> DeviceInfo: ...

    def open(self) -> None:
        """Take the device for us alone. Raises HardwareError."""

    def read(self, timeout_s: float) -> TouchEvent | None:
        """The next event, None after `timeout_s`. Raises DeviceGone when pulled."""

    def close(self) -> None:
        """Never raises, may be called twice."""


@dataclass(frozen=True, slots=True)
class PedalEdge:
    """A pedal went down or up, at `timestamp_ns` of CLOCK_MONOTONIC."""

    down: bool
    timestamp_ns: int


@runtime_checkable
class PedalSource(Protocol):
    """One pedal (or one button of a pedal block). `down`: as its last edge says, or as `open` has found it."""

    @property
    def down(self) -> bool: ...

    @property
    def info(self) -> DeviceInfo: ...

    def open(self) -> None:
        """Take the device for us alone (an ungrabbed HID pedal types into the app). Raises HardwareError."""

    def read(self, timeout_s: float) -> PedalEdge | None:
        """The next edge, None after `timeout_s`. Raises DeviceGone when pulled."""

    def close(self) -> None:
        """Never raises, may be called twice."""


@runtime_checkable
class CodeSource(Protocol):
    """A scanner of bar codes and QR codes."""

    @property
    def info(self) -> DeviceInfo: ...

    def open(self) -> None:
        """Take the device for us alone (an ungrabbed scanner types into the app). Raises HardwareError."""

    def read(self, timeout_s: float) -> str | None:
        """The next whole code, None after `timeout_s`; never a part of one. Raises DeviceGone when pulled."""

    def close(self) -> None:
        """Never raises, may be called twice."""
