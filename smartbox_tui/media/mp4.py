"""MP4 files (ISO/IEC 14496-12): the boxes that tell what the video track is. Pure; reads little of a large file."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

Read = Callable[[int, int], bytes]
"""(offset in the stream, bytes) -> so many bytes, fewer at its end."""

CODECS: Final = {
    b"avc1": "h264",
    b"avc3": "h264",
    b"hvc1": "hevc",
    b"hev1": "hevc",
    b"mp4v": "mpeg2",
}
_SETUPS: Final = {"h264": b"avcC", "hevc": b"hvcC"}
_MPEG2_OBJECTS: Final = range(0x60, 0x66)
_BOXES_MAX: Final = 4096
_TIMES_MAX: Final = 65536

Span = tuple[int, int]
"""Where a box's content begins and ends."""


@dataclass(frozen=True, slots=True)
class Track:
    """The first video track.

    entry       the sample entry's four letters
    codec       h264, hevc, mpeg2; empty for another
    parameters  avcC, hvcC or esds, the box's content
    first       where the first sample begins; None where no table says so
    frames      samples in the table; None of a fragmented file, which has none
    fps         by the duration that most samples have: lost frames change no rate
    turned      to be shown rotated or mirrored, as telephones write it
    """

    entry: bytes
    codec: str
    parameters: bytes
    first: int | None
    timescale: int
    frames: int | None
    fps: Fraction | None
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Movie:
    """`front`: the moov box comes before the media data, so that a browser plays while it loads. `brand`: the major
    one, "qt" for QuickTime, which is no MP4."""

    track: Track | None
    audio: bool
    front: bool
    brand: str


def is_mp4(head: bytes) -> bool:
    return head[4:8] == b"ftyp"


def boxes(read: Read, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, and where the content begins and ends. Raises ValueError for one that ends beyond `end`."""
    for _ in range(_BOXES_MAX):
        head = read(at, 16) if at + 8 <= end else b""
        if len(head) < 8:
            return
        size, kind, start = int.from_bytes(head[:4], "big"), head[4:8], at + 8
        if size == 1 and len(head) == 16:
            size, start = int.from_bytes(head[8:], "big"), at + 16
        elif size == 0:
            size = end - at
        if size < start - at or at + size > end:
            raise ValueError("an MP4 box that goes beyond its stream")
        yield kind, start, at + size
        at += size


def box(read: Read, span: Span, *path: bytes) -> Span | None:
    """The content of the first box of each name, one inside the other; None when there is none."""
    for wanted in path:
        for kind, start, end in boxes(read, *span):
            if kind == wanted:
                span = start, end
                break
        else:
            return None
    return span


def read_movie(read: Read, length: int) -> Movie:
    """The movie of the file of `length` bytes behind `read`. Raises ValueError for a torn one, or without moov."""
    movie, front = None, True
    for kind, start, end in boxes(read, 0, length):
        if kind == b"moov":
            movie = start, end
            break
        front &= kind != b"mdat"
    if movie is None:
        raise ValueError("an MP4 without its moov box")
    track, audio = None, False
    for kind, start, end in boxes(read, *movie):
        media = box(read, (start, end), b"mdia") if kind == b"trak" else None
        handler = box(read, media, b"hdlr") if media else None
        if media is None or handler is None:
            continue
        word = read(handler[0] + 8, 4)
        audio |= word == b"soun"
        if word == b"vide" and track is None:
            track = _track(read, media, fragmented=box(read, movie, b"mvex") is not None)
            track = replace(track, turned=_is_turned(read, box(read, (start, end), b"tkhd")))
    return Movie(track, audio, front, read(8, 4).decode("ascii", "replace").strip())


def _track(read: Read, media: Span, *, fragmented: bool) -> Track:
    table = box(read, media, b"minf", b"stbl")
    description = box(read, table, b"stsd") if table else None
    if table is None or description is None:
        raise ValueError("an MP4 track without sample table")
    for kind, start, end in boxes(read, description[0] + 8, description[1]):
        codec = CODECS.get(kind, "")
        setup = box(read, (start + 78, end), _SETUPS.get(codec, b"esds")) if end - start > 78 else None
        data = read(setup[0], min(setup[1] - setup[0], 65536)) if setup else b""
        if codec == "mpeg2" and not _is_mpeg2(data):
            codec = ""
        scale, fps = _times(read, media, table)
        frames = None if fragmented else _count(read, table)
        return Track(kind, codec, data, _first(read, table), scale, frames, fps)
    raise ValueError("an MP4 track without sample description")


def _is_turned(read: Read, header: Span | None) -> bool:
    """Whether the track header's matrix does more than scale (ISO/IEC 14496-12 8.3.2)."""
    if header is None:
        return False
    at = header[0] + (52 if read(header[0], 1) == b"\1" else 40)
    matrix = read(at, 20)
    across, skew, _, turn, down = struct.unpack(">5l", matrix) if len(matrix) == 20 else (1, 0, 0, 0, 1)
    return bool(skew or turn or across < 0 or down < 0)


def _is_mpeg2(esds: bytes) -> bool:
    """The objectTypeIndication of the decoder configuration (ISO/IEC 14496-1 7.2.6.6): mp4v can be much else."""
    at = esds.find(b"\x04", 4)
    while 0 <= at < len(esds) - 6:
        head = at + 1
        while esds[head] == 0x80 and head < at + 4:
            head += 1
        if esds[head + 1] in _MPEG2_OBJECTS:
            return True
        at = esds.find(b"\x04", at + 1)
    return False


def _count(read: Read, table: Span) -> int | None:
    sizes = box(read, table, b"stsz")
    if sizes is None:
        sizes = box(read, table, b"stz2")
    return int.from_bytes(read(sizes[0] + 8, 4), "big") if sizes else None


def _first(read: Read, table: Span) -> int | None:
    for name, size in ((b"stco", 4), (b"co64", 8)):
        offsets = box(read, table, name)
        if offsets is not None and offsets[1] - offsets[0] >= 8 + size:
            return int.from_bytes(read(offsets[0] + 8, size), "big")
    return None


def _times(read: Read, media: Span, table: Span) -> tuple[int, Fraction | None]:
    header, times = box(read, media, b"mdhd"), box(read, table, b"stts")
    if header is None or times is None:
        return 0, None
    data = read(header[0], 32)
    scale = int.from_bytes(data[20:24] if data[:1] == b"\1" else data[12:16], "big")
    data = read(times[0], min(times[1] - times[0], 8 + 8 * _TIMES_MAX))
    counts: dict[int, int] = {}
    for count, delta in struct.iter_unpack(">LL", data[8 : 8 + (len(data) - 8) // 8 * 8]):
        counts[delta] = counts.get(delta, 0) + count
    ticks = max(counts, key=lambda delta: counts[delta], default=0)
    return scale, (Fraction(scale, ticks) if ticks and scale else None)


def parameter_sets(codec: str, data: bytes) -> list[bytes]:
    """The NAL units of avcC or hvcC (ISO/IEC 14496-15 5.3.3, 8.3.3), without start codes, as many as are whole."""
    units: list[bytes] = []
    if codec == "h264" and len(data) > 8:
        at = 6
        for part in (data[5] & 31, None):
            count = part if part is not None else data[at] if at < len(data) else 0
            at += part is None
            for _ in range(count):
                at = _take(data, at, units)
    elif codec == "hevc" and len(data) > 23:
        at = 23
        for _ in range(data[22]):
            count, at = int.from_bytes(data[at + 1 : at + 3], "big"), at + 3
            for _ in range(count):
                at = _take(data, at, units)
                if at > len(data):
                    break
    return units


def _take(data: bytes, at: int, units: list[bytes]) -> int:
    size = int.from_bytes(data[at : at + 2], "big")
    if size and at + 2 + size <= len(data):
        units.append(data[at + 2 : at + 2 + size])
    return at + 2 + size


def annex_b(codec: str, data: bytes) -> bytes:
    """What a track's `parameters` hold as a byte stream: parameter sets after start codes, MPEG2's headers as they
    are."""
    if codec in _SETUPS:
        return b"".join(b"\0\0\0\1" + unit for unit in parameter_sets(codec, data))
    return data
