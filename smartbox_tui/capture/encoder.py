"""What makes access units of a source's pictures, one picture at a time."""

from __future__ import annotations

import itertools
from typing import Any, Final, Protocol

from av.bitstream import BitStreamFilterContext
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from hw.base import PixelFormat, VideoFormat
from smartbox_tui.capture.access import AccessUnit, Stream
from smartbox_tui.capture.clock import NS
from smartbox_tui.capture.fitting import Fitter
from smartbox_tui.media.encoders import Codec, opened
from smartbox_tui.media.told import starts_gop, told
from smartbox_tui.media.units import begins_with_delimiter, byte_stream, parameter_units, split
from smartbox_tui.media.vui import UNSPECIFIED, Colour
from smartbox_tui.model.formats import Format

_BT601: Final = Colour(matrix=6)

_OF_BT601: Final = (PixelFormat.MJPEG, PixelFormat.RGB24, PixelFormat.BGR24)

NO_LIMIT: Final = 1 << 62

_STREAMS: Final = itertools.count(1)


def next_stream() -> int:
    """The number of a stream that begins now; no two of the process have the same."""
    return next(_STREAMS)


class UnitMaker(Protocol):
    """Makes access units of one format of the source.

    One thread uses it at a time. Whoever gets an error closes it and takes another.
    """

    @property
    def format(self) -> VideoFormat:
        """The source's; for another one another maker is opened."""

    @property
    def stream(self) -> Stream | None:
        """Of the units made; None before the first, whose own headers tell it."""

    def encode(self, picture: Any, timestamp_ns: int, lost: int, *, idr: bool) -> AccessUnit | None:
        """One picture (VideoFrame yuv420p, limited range) to its access unit, which `lost` frames came before.

        `idr` asks for a unit that decoding can begin with. None: the picture is in no clip, and counts as lost.

        Raises OtherThanAsked for a stream that is not what was planned, av.FFmpegError or ValueError for what
        failed; then there is no unit of this picture.
        """

    def close(self) -> None:
        """Lets go of what it holds. Never raises, may be called twice."""


class OtherThanAsked(ValueError):
    """The encoder made a stream that its transfer syntax does not allow, or another than it was asked for."""


class Encoder:
    """One opening of a codec for one format of the source. A GOP that has grown to `gop_bytes` ends."""

    def __init__(
        self, codec: Codec, form: VideoFormat, plan: Format, bitrate: int, *, gop_bytes: int = NO_LIMIT
    ) -> None:
        """Raises av.FFmpegError, ValueError where it cannot be opened."""
        self.format = form
        self._codec = codec
        self._plan = plan
        # JPEG is always BT.601 (T.871), and RGB is converted so; players guess BT.709 for HD
        colour = _BT601 if form.pixel in _OF_BT601 else UNSPECIFIED
        self._context = opened(codec, plan, bitrate, colour, live=True)
        self._mended = BitStreamFilterContext(codec.mended(plan), codec.name) if codec.mended else None
        self._fitter = Fitter(plan)
        self._reformatter = VideoReformatter()
        self._count = 0
        self._gop_ns: int | None = None
        self._gop_bytes = 0
        self._most_gop_bytes = gop_bytes
        self._parameters: list[bytes] = []
        self.stream: Stream | None = None

    def encode(self, picture: Any, timestamp_ns: int, lost: int, *, idr: bool) -> AccessUnit:
        """See UnitMaker. A second after the last IDR one comes anyway.

        Raises OtherThanAsked for a unit that is not what was planned; where it is the first, no unit counts.
        """
        fps = self._plan.fps
        # The encoder counts frames; with gaps a second passes sooner than its count says.
        limit_ns = NS - int(NS / fps) // 2
        due = idr or self._gop_ns is None or timestamp_ns - self._gop_ns >= limit_ns
        due = due or self._gop_bytes >= self._most_gop_bytes
        picture = self._fitter.fit(picture)
        if self._codec.pixel != picture.format.name:
            picture = self._reformatter.reformat(picture, format=self._codec.pixel, threads=1)
        picture.pict_type = PictureType.I if due else PictureType.NONE
        picture.pts = self._count
        picture.time_base = 1 / fps
        self._count += 1
        data = self._unit(self._context.encode(picture), picture.pts)
        key = starts_gop(self._codec.name, data)
        if due and not key:
            raise OtherThanAsked("it made no picture that decoding can begin with when it was asked for one")
        data = self._whole(data, key=key)
        if key:
            self._gop_ns, self._gop_bytes = timestamp_ns, 0
        self._gop_bytes += len(data)
        if self.stream is None:
            self.stream = self._told(data)
        return AccessUnit(data, timestamp_ns, key, lost, self.stream)

    def close(self) -> None:
        """See UnitMaker."""
        self._context = self._mended = None

    def _unit(self, packets: list[Any], pts: int) -> bytes:
        if len(packets) != 1:
            raise OtherThanAsked(f"the encoder made {len(packets)} units of one picture")
        if packets[0].pts != pts:
            raise OtherThanAsked("the encoder gave the unit of another picture")
        if self._mended is not None:
            packets = self._mended.filter(packets[0])
        return b"".join(bytes(packet) for packet in packets)

    def _whole(self, data: bytes, *, key: bool) -> bytes:
        """The unit with a delimiter first, and where decoding can begin with the parameter sets: drivers write them
        once. The same bytes where the encoder has done so by itself."""
        name = self._codec.name
        delimited = begins_with_delimiter(name, data)
        if delimited and not key:
            return data
        units = split(name, data)
        if key:
            found = parameter_units(name, units)
            if not self._parameters:
                self._parameters = found
            elif found and found != self._parameters:
                raise OtherThanAsked("it made another stream than it began with")
            if delimited and found:
                return data
        return byte_stream(name, units, self._parameters, key=key)

    def _told(self, data: bytes) -> Stream:
        """The stream as its own headers tell it, not as the encoder was asked."""
        plan = self._plan
        try:
            found = told(self._codec.name, data)
            found.check(plan)
        except ValueError as exc:
            raise OtherThanAsked(f"what it made is not what it should be: {exc}") from exc
        return Stream(
            next_stream(),
            found.width,
            found.height,
            plan.fps,
            found.transfer_syntax_uid,
            self._codec.name,
            b"".join(self._parameters),
        )
