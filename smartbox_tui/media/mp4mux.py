"""Writing MP4 files (ISO/IEC 14496-12) of one video stream: the index first, then the pictures. Pure, no encoder.

The index needs every sample's size: a first pass over the stream notes them, a second one writes. No edit list: the
first frame plays at 0 because its composition time is 0, with negative offsets (version 1 of `ctts`) where frames
are reordered.
"""

from __future__ import annotations

import itertools
import struct
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from smartbox_tui.media import h264, hevc
from smartbox_tui.media.vui import UNSPECIFIED, Colour

LENGTH_SIZE: Final = 4
"""Bytes of the length before each NAL unit of a sample."""

_MATRIX: Final = struct.pack(">9L", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED: Final = 0x55C4  # language "und"
_MPEG2_MAIN: Final = 0x61
_OFFSET_MAX: Final = 0xFFFFFFFF
_UNSPECIFIED_CODE: Final = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """What the sample description holds. `parameters` is made by `avcc`, `hvcc` or `esds`."""

    codec: str
    parameters: bytes
    width: int
    height: int
    colour: Colour = UNSPECIFIED


@dataclass(slots=True)
class Samples:
    """Sizes in bytes and times in ticks of every sample, in decoding order, and which can be decoded alone."""

    sizes: array[int] = field(default_factory=lambda: array("L"))
    decoded: array[int] = field(default_factory=lambda: array("q"))
    shown: array[int] = field(default_factory=lambda: array("q"))
    keys: array[int] = field(default_factory=lambda: array("L"))

    def add(self, size: int, decoded: int, shown: int, *, key: bool) -> None:
        if key:
            self.keys.append(len(self.sizes))
        self.sizes.append(size)
        self.decoded.append(decoded)
        self.shown.append(shown)

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def reordered(self) -> bool:
        """Frames are shown in another order than they come: B-frames."""
        return any(after <= before for before, after in itertools.pairwise(self.shown))

    def settle(self) -> None:
        """Call it after the last one. Raises ValueError where time does not go on."""
        if not self.reordered:  # readers guess decoding times that a stream does not have
            self.decoded = self.shown
        elif any(after <= before for before, after in itertools.pairwise(self.decoded)):
            raise ValueError("the frames' time stamps do not increase")

    @property
    def usual_ticks(self) -> int:
        """The time from frame to frame that most frames have; 0 for a single one."""
        steps = Counter(after - before for before, after in itertools.pairwise(self.decoded))
        return steps.most_common(1)[0][0] if steps else 0


def avcc(units: Iterable[bytes]) -> bytes:
    """AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3) of the SPS and PPS among the NAL units. Raises
    ValueError without both."""
    found = list(dict.fromkeys(units))
    sets = [unit for unit in found if unit[0] & 31 == h264.NAL_SPS]
    pictures = [unit for unit in found if unit[0] & 31 == h264.NAL_PPS]
    if not sets or not pictures or len(sets) > 31 or len(pictures) > 255:
        raise ValueError("the stream has no usable parameter sets")
    sps = h264.parse_sps(sets[0])
    record = bytearray((1, *sets[0][1:4], 0xFC | LENGTH_SIZE - 1, 0xE0 | len(sets)))
    for unit in sets:
        record += struct.pack(">H", len(unit)) + unit
    record.append(len(pictures))
    for unit in pictures:
        record += struct.pack(">H", len(unit)) + unit
    if sps.profile_idc in (100, 110, 122, 244):
        record += bytes((0xFC | sps.chroma, 0xF8 | sps.bit_depth - 8, 0xF8 | sps.bit_depth - 8, 0))
    return bytes(record)


def hvcc(units: Iterable[bytes]) -> bytes:
    """HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 8.3.3) of the VPS, SPS and PPS among the NAL units. Raises
    ValueError without all three."""
    found = list(dict.fromkeys(units))
    arrays = {
        kind: [unit for unit in found if unit[0] >> 1 & 63 == kind]
        for kind in (hevc.NAL_VPS, hevc.NAL_SPS, hevc.NAL_PPS)
    }
    if not all(arrays.values()):
        raise ValueError("the stream has no usable parameter sets")
    sps = hevc.parse_sps(arrays[hevc.NAL_SPS][0])
    record = bytearray((1,)) + sps.general
    record += struct.pack(
        ">HBBBB", 0xF000, 0xFC, 0xFC | sps.chroma, 0xF8 | sps.bit_depth - 8, 0xF8 | sps.bit_depth - 8
    )
    record += bytes((0, 0, sps.sub_layers << 3 | sps.nested << 2 | LENGTH_SIZE - 1, len(arrays)))
    for kind, each in arrays.items():
        record += struct.pack(">BH", 0x80 | kind, len(each))
        for unit in each:
            record += struct.pack(">H", len(unit)) + unit
    return bytes(record)


def esds(sequence: bytes, largest: int, bitrate: int) -> bytes:
    """ES_Descriptor (ISO/IEC 14496-1 7.2.6.5) of an MPEG2 stream of Main Profile with that sequence header."""

    def descriptor(tag: int, body: bytes) -> bytes:
        return (
            bytes(
                (
                    tag,
                    0x80 | len(body) >> 21,
                    0x80 | len(body) >> 14 & 127,
                    0x80 | len(body) >> 7 & 127,
                    len(body) & 127,
                )
            )
            + body
        )

    rate = min(bitrate, 0xFFFFFFFF)
    buffer = min(largest, 0xFFFFFF).to_bytes(3, "big")
    decoder = bytes((_MPEG2_MAIN, 0x11)) + buffer + struct.pack(">LL", rate, rate) + descriptor(5, sequence)
    return bytes(4) + descriptor(3, b"\0\1\0" + descriptor(4, decoder) + descriptor(6, b"\2"))


def front(entry: Entry, samples: Samples, timescale: int, last_ticks: int) -> bytes:
    """All that comes before the first sample: ftyp, moov, and the head of mdat. Raises ValueError without samples.

    last_ticks   how long the last frame is shown
    """
    if not samples or not samples.keys or samples.keys[0]:
        raise ValueError("the stream does not begin with a picture that can be decoded alone")
    payload = sum(samples.sizes)
    ftyp = _box(b"ftyp", b"isom", struct.pack(">L", 0x200), b"isomiso4mp41avc1")
    wide = payload + 64 * len(samples) + (1 << 20) > _OFFSET_MAX
    head = struct.pack(">L4sQ", 1, b"mdat", payload + 16) if wide else struct.pack(">L4s", payload + 8, b"mdat")
    size = len(ftyp) + len(_moov(entry, samples, timescale, last_ticks, 0, wide=wide)) + len(head)
    return ftyp + _moov(entry, samples, timescale, last_ticks, size, wide=wide) + head


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">L4s", len(body) + 8, kind) + body


def _full(kind: bytes, flags: int, *parts: bytes, version: int = 0) -> bytes:
    return _box(kind, struct.pack(">L", version << 24 | flags), *parts)


def _moov(entry: Entry, samples: Samples, scale: int, last_ticks: int, base: int, *, wide: bool) -> bytes:
    duration = samples.decoded[-1] - samples.decoded[0] + last_ticks
    times = struct.pack(">QQLQ", 0, 0, scale, duration)
    movie = _full(
        b"mvhd",
        0,
        times,
        struct.pack(">LH10x", 0x10000, 0x100),
        _MATRIX,
        bytes(24),
        struct.pack(">L", 2),
        version=1,
    )
    track = _full(
        b"tkhd",
        3,
        struct.pack(">QQLLQ8xHHHH", 0, 0, 1, 0, duration, 0, 0, 0, 0),
        _MATRIX,
        struct.pack(">LL", entry.width << 16, entry.height << 16),
        version=1,
    )
    media = _full(b"mdhd", 0, times, struct.pack(">HH", _UNDETERMINED, 0), version=1)
    handler = _full(b"hdlr", 0, struct.pack(">L4s12x", 0, b"vide"), b"VideoHandler\0")
    here = _box(b"dinf", _full(b"dref", 0, struct.pack(">L", 1), _full(b"url ", 1)))
    table = _box(b"stbl", _description(entry), *_times(samples, last_ticks), *_places(samples, base, wide=wide))
    inside = _box(b"minf", _full(b"vmhd", 1, bytes(8)), here, table)
    return _box(b"moov", movie, _box(b"trak", track, _box(b"mdia", media, handler, inside)))


def _description(entry: Entry) -> bytes:
    kind, name = {"h264": (b"avc1", b"avcC"), "hevc": (b"hvc1", b"hvcC"), "mpeg2": (b"mp4v", b"esds")}[entry.codec]
    colour = entry.colour
    parts = [_box(name, entry.parameters)]
    codes = (colour.primaries, colour.transfer, colour.matrix)
    if colour.full_range or any(code != _UNSPECIFIED_CODE for code in codes):
        parts.append(_box(b"colr", b"nclx", struct.pack(">HHHB", *codes, 0x80 if colour.full_range else 0)))
    parts.append(_box(b"pasp", struct.pack(">LL", 1, 1)))
    fixed = struct.pack(">6xH16xHHLL4xH32sHh", 1, entry.width, entry.height, 0x480000, 0x480000, 1, b"", 0x18, -1)
    return _full(b"stsd", 0, struct.pack(">L", 1), _box(kind, fixed, *parts))


def _runs(values: Iterable[int]) -> list[tuple[int, int]]:
    """(count, value) of each run."""
    found: list[tuple[int, int]] = []
    count, last = 0, 0
    for value in values:
        if count and value != last:
            found.append((count, last))
            count = 0
        count, last = count + 1, value
    return [*found, (count, last)] if count else found


def _times(samples: Samples, last_ticks: int) -> list[bytes]:
    decoded, shown = samples.decoded, samples.shown
    steps = _runs([*(after - before for before, after in itertools.pairwise(decoded)), last_ticks])
    boxes = [_full(b"stts", 0, struct.pack(">L", len(steps)), *(struct.pack(">LL", *run) for run in steps))]
    first = min(shown) - decoded[0]
    offsets = _runs(at - when - first for at, when in zip(shown, decoded, strict=True))
    if len(offsets) > 1 or offsets[0][1]:
        pairs = (struct.pack(">Ll", *run) for run in offsets)
        boxes.append(_full(b"ctts", 0, struct.pack(">L", len(offsets)), *pairs, version=1))
    if len(samples.keys) < len(samples):
        numbers = array("L", (key + 1 for key in samples.keys))
        boxes.append(_full(b"stss", 0, struct.pack(f">L{len(numbers)}L", len(numbers), *numbers)))
    return boxes


def _places(samples: Samples, base: int, *, wide: bool) -> list[bytes]:
    """Sizes, and a chunk for each GOP."""
    ends = [*samples.keys[1:], len(samples)]
    counts = [end - begin for begin, end in zip(samples.keys, ends, strict=True)]
    offsets, at = [], base
    for begin, end in zip(samples.keys, ends, strict=True):
        offsets.append(at)
        at += sum(samples.sizes[begin:end])
    chunks, number = [], 1
    for run, count in _runs(counts):
        chunks.append(struct.pack(">LLL", number, count, 1))
        number += run
    total = len(samples)
    return [
        _full(b"stsc", 0, struct.pack(">L", len(chunks)), *chunks),
        _full(b"stsz", 0, struct.pack(f">LL{total}L", 0, total, *samples.sizes)),
        _full(
            b"co64" if wide else b"stco",
            0,
            struct.pack(f">L{len(offsets)}{'Q' if wide else 'L'}", len(offsets), *offsets),
        ),
    ]
