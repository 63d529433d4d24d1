"""A grabber's own H.264: passed on as it is where a recording could be cut of it, decoded for all else."""

from __future__ import annotations

import itertools
import logging
from collections import deque
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

import av
from av.bitstream import BitStreamFilterContext

from hw.base import FieldOrder, Frame, VideoFormat
from smartbox_tui.capture.access import AccessUnit, Stream
from smartbox_tui.capture.clock import NS
from smartbox_tui.capture.convert import Undecodable
from smartbox_tui.capture.interlaced import packed
from smartbox_tui.media import h264
from smartbox_tui.media.bits import Bits, raw_bytes
from smartbox_tui.media.told import told
from smartbox_tui.model.formats import Format, h264_format
from smartbox_tui.settings.schema import Source as SourceSettings

log = logging.getLogger(__name__)

LONGEST_GOP: Final = Fraction(11, 10)
"""Seconds at the nominal rate: what a lost frame costs, and how exactly a clip can be cut."""

_LONGEST_NS: Final = 5 * NS // 2
"""However slowly frames come: cameras take their time in the dark."""

_SLICES: Final = (1, 2, 5)
_B_SLICES: Final = (1, 6)
_FILLER: Final = (9, 10, 11, 12)
"""Delimiter, end of sequence, end of stream, filler: left out, the delimiter is written anew."""

_START: Final = b"\x00\x00\x00\x01"
_DELIMITER: Final = _START + b"\x09\xf0"
_SLICE_HEAD: Final = 16

_STREAMS: Final = itertools.count(1 << 32)
"""Numbers that the encoders' own streams never have."""


class Passing:
    """The units of one H.264 source as access units of a recording. One thread.

    It looks at the first whole GOP: High Profile at a level of DICOM's, square, progressive, 4:2:0,
    limited range, a closed GOP of at most about a second, no B slices. What holds is passed on from
    that GOP's beginning; `refusal` says as a sentence what does not, and then nothing of this stream is passed on
    any more. Missing parameter sets are repeated before each IDR picture. After lost frames nothing is passed on
    until the next IDR picture, and that is counted as lost.
    """

    def __init__(self, name: str, *, why_not: str = "") -> None:
        """`why_not`: the settings' reason against it, empty for none."""
        self._name = name
        self._why_not = why_not
        self.refusal = why_not
        self._refused: bytes | None = None
        self.lost = 0
        """Frames that came and were not passed on, since the start."""
        self._held: list[AccessUnit] = []
        self._missing = 0
        self.fresh()

    def fresh(self) -> None:
        """The stream begins anew: the device was opened again."""
        self._let_go()
        self._sets: dict[int, list[bytes]] = {h264.NAL_SPS: [], h264.NAL_PPS: []}
        self._sps: list[bytes] = []
        self._stream: Stream | None = None
        self._gop_ns: int | None = None
        self._gop_frames = 0
        self.passes = False

    def given_up(self) -> int:
        """Frames that came and will never be passed on, since this was asked; once `refusal` is said."""
        missing, self._missing = self._missing, 0
        return missing

    def take(self, frame: Frame) -> list[AccessUnit]:
        """What of it and of what was held back can go on now; never again anything once `refusal` is said."""
        if self.refusal and self._refused is None:
            return []
        try:
            return self._take(frame)
        except ValueError as exc:
            self._refuse(str(exc))
            return []

    def _take(self, frame: Frame) -> list[AccessUnit]:
        units = list(h264.nal_units(bytes(frame.data)))
        if self.refusal and not self._is_other(units):
            return []
        kinds = {kind for kind, _ in units}
        idr = h264.NAL_IDR in kinds
        if frame.lost and not idr:
            self._gop_ns = None
        if not idr and self._gop_ns is None:
            self._missing += 1 + frame.lost
            self.lost += 1
            return []
        if idr:
            self._begin(units, frame)
        self._gop_frames += 1 + frame.lost
        late_ns = frame.timestamp_ns - (self._gop_ns or 0)
        if self._gop_frames > max(2, int(frame.format.fps * LONGEST_GOP)) or late_ns > _LONGEST_NS:
            raise ValueError("its groups of pictures are longer than a second")
        if any(_is_b(unit) for kind, unit in units if kind in _SLICES):
            raise ValueError("it has B pictures")
        unit = self._unit(units, frame, idr=idr)
        if self.passes:
            return [unit]
        self._held.append(unit)
        if not (idr and len(self._held) > 1):
            return []
        held, self._held, self.passes = self._held, [], True
        log.info("%s: its own H.264 is recorded as it comes", self._name)
        return held

    def _is_other(self, units: list[tuple[int, bytes]]) -> bool:
        """Whether a stream that was refused has become another one, which is looked at again."""
        now = next((unit for kind, unit in units if kind == h264.NAL_SPS), None)
        if now is None or now == self._refused:
            return False
        self.refusal, self._refused = "", None
        self.fresh()
        return True

    def _begin(self, units: list[tuple[int, bytes]], frame: Frame) -> None:
        """An IDR picture: its parameter sets, or the ones before."""
        fresh = {wanted: [unit for kind, unit in units if kind == wanted] for wanted in self._sets}
        if fresh[h264.NAL_SPS] and fresh[h264.NAL_SPS] != self._sets[h264.NAL_SPS]:
            self._let_go()
            self._stream, self.passes = None, False
        for kind, found in fresh.items():
            self._sets[kind] = found or self._sets[kind]
        if self._stream is None:
            self._stream = self._told(frame.format)
        self._gop_ns, self._gop_frames = frame.timestamp_ns, -frame.lost

    def _told(self, form: VideoFormat) -> Stream:
        """Raises ValueError for what no transfer syntax, or not the box, allows."""
        head = b"".join(_START + unit for kind in self._sets for unit in self._sets[kind])
        sps = h264.find_sps(head)
        if sps is None or not self._sets[h264.NAL_PPS]:
            raise ValueError("its parameter sets are missing")
        if not sps.progressive or form.field_order is not FieldOrder.PROGRESSIVE:
            raise ValueError("it is interlaced")
        if sps.full_range:
            raise ValueError("its luma uses the full range")
        if form.pixel_aspect != 1:
            raise ValueError("its pixels are not square")
        plan: Format = h264_format(form.width, form.height, form.fps)
        if plan.every > 1:
            raise ValueError("it has more frames a second than any level allows")
        found = told("h264", head)
        if found.fps is None:
            # Many devices leave it out; without it players guess. Nothing else of the stream changes.
            head = _with_rate(head, plan.fps)
            found = told("h264", head)
        found.check(plan)
        self._sps = [unit for kind, unit in h264.nal_units(head) if kind == h264.NAL_SPS]
        return Stream(
            next(_STREAMS), found.width, found.height, plan.fps, found.transfer_syntax_uid, parameters=head
        )

    def _unit(self, units: list[tuple[int, bytes]], frame: Frame, *, idr: bool) -> AccessUnit:
        assert self._stream is not None
        parts = [unit for kind, unit in units if kind not in _FILLER and not (idr and kind in self._sets)]
        if idr:
            parts = [*self._sps, *self._sets[h264.NAL_PPS], *parts]
        data = _DELIMITER + b"".join(_START + part for part in parts)
        missing, self._missing = self._missing, 0
        return AccessUnit(data, frame.timestamp_ns, idr, frame.lost + missing, self._stream)

    def _refuse(self, why: str) -> None:
        log.warning("%s: its own H.264 is encoded anew: %s", self._name, why)
        sps = self._sets[h264.NAL_SPS]
        self._refused = sps[0] if sps else b""
        self.fresh()
        self.refusal = why

    def _let_go(self) -> None:
        """What was held back is never passed on: whatever goes on next tells so."""
        self.lost += len(self._held)
        self._missing += sum(1 + unit.lost for unit in self._held)
        self._held = []


def _with_rate(head: bytes, fps: Fraction) -> bytes:
    """Parameter sets that tell the rate, a tick being a field (ITU-T H.264 E.2.1). Raises ValueError."""
    tick = 2 * fps
    options = f"h264_metadata=tick_rate={tick.numerator}/{tick.denominator}"
    try:
        return b"".join(bytes(packet) for packet in BitStreamFilterContext(options, "h264").filter(av.Packet(head)))
    except av.FFmpegError as exc:
        raise ValueError("it does not tell its frame rate") from exc


def _is_b(unit: bytes) -> bool:
    """slice_type of a slice header (ITU-T H.264 7.3.3)."""
    bits = Bits(raw_bytes(unit[1:_SLICE_HEAD]))
    bits.ue()
    return bits.ue() in _B_SLICES


def why_not(settings: SourceSettings) -> str:
    """Why a source's own H.264 is not what is recorded, by its settings; empty for no reason."""
    if settings.codec != "h264":
        return f"clips are to be {settings.codec}"
    if settings.encoder != "auto":
        return f"clips are to be made by {settings.encoder}"
    if any(settings.edges) or settings.masks:
        return "what is cut off or masked must not be recorded"
    return "clips are to be deinterlaced" if settings.deinterlace == "on" else ""


class Film:
    """Decodes an H.264 source. One thread. After an error or a gap it waits for the next IDR picture: what leans on
    a missing picture shows what nobody saw."""

    def __init__(self) -> None:
        self._decoder: Any = None
        self._waiting: deque[tuple[int, Frame]] = deque()
        self._count = 0
        self._lost = 0

    def decode(self, frame: Frame) -> list[tuple[Any, Frame]]:
        """(VideoFrame, the frame as I420 with its own time) of what is whole by now. Raises Undecodable."""
        idr = h264.starts_gop(bytes(frame.data))
        if frame.lost and not idr:
            self._give_up()
        if self._decoder is None:
            if not idr:
                self._lost += 1 + frame.lost
                raise Undecodable("what it leans on is missing")
            self._decoder = av.CodecContext.create("h264", "r")
            self._decoder.thread_count = 1
            self._decoder.options = {"flags": "+low_delay"}
        lost, self._lost = self._lost, 0
        packet = av.Packet(bytes(frame.data))
        packet.pts = self._count
        self._waiting.append((self._count, replace(frame, lost=frame.lost + lost)))
        self._count += 1
        try:
            pictures = self._decoder.decode(packet)
        except av.FFmpegError as exc:
            self._give_up()
            raise Undecodable(str(exc)) from exc
        return [pair for picture in pictures if (pair := self._pair(picture)) is not None]

    def _give_up(self) -> None:
        """What the decoder still holds never comes."""
        self._lost += sum(1 + frame.lost for _, frame in self._waiting)
        self._waiting.clear()
        self._decoder = None

    def _pair(self, picture: Any) -> tuple[Any, Frame] | None:
        """Of a picture that the decoder does not number it is the oldest that waits."""
        skipped = 0
        while self._waiting and picture.pts is not None and self._waiting[0][0] < picture.pts:
            skipped += 1 + self._waiting.popleft()[1].lost
        if not self._waiting:
            self._lost += skipped
            return None
        _, frame = self._waiting.popleft()
        frame = replace(frame, lost=frame.lost + skipped)
        if picture.format.name not in ("yuv420p", "yuvj420p"):
            self._lost += 1 + frame.lost
            return None
        order = FieldOrder.PROGRESSIVE
        if picture.interlaced_frame:
            order = FieldOrder.TOP_FIRST
            if frame.format.field_order is not FieldOrder.PROGRESSIVE:
                order = frame.format.field_order
        form = replace(
            frame.format,
            width=picture.width,
            height=picture.height,
            full_range=picture.format.name == "yuvj420p" or int(picture.color_range) == 2,
            field_order=order,
        )
        return picture, packed(picture, form, frame)
