"""JPEG markers (ITU-T T.81 Annex B): what a picture is, and the repair of what webcams send. Pure, no decoder.

Many UVC devices leave the Huffman tables out (an AVI habit), put an AVI1 segment in, and pad after EOI. `repair`
mends that once; the entropy-coded data stays as it is, byte for byte.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from typing import Final

SAMPLINGS: Final = {(2, 1): "422", (1, 1): "444", (2, 2): "420"}
"""How many luma samples share a chroma sample, across and down."""

_SOI, _EOI, _SOS, _DHT, _DRI, _APP0 = 0xD8, 0xD9, 0xDA, 0xC4, 0xDD, 0xE0
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BASELINE: Final = 0xC0

_AFTER_SCAN: Final = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""The next marker: not a stuffed zero, not a restart marker, which both belong to the entropy-coded data."""

STANDARD_TABLES: Final = bytes.fromhex(
    "ffc4001f0000010501010101010100000000000000000102030405060708090a0bffc400b5100002010303020403050504040000"
    "017d01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a"
    "3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a9293949596"
    "9798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2"
    "f3f4f5f6f7f8f9faffc4001f0100030101010101010101010000000000000102030405060708090a0bffc400b511000201020404"
    "03040705040400010277000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125"
    "f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485"
    "868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3"
    "e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
)
"""Four DHT segments with the tables of K.3.3, which a decoder of AVI's JPEGs takes for granted."""


class NotBaseline(ValueError):
    """Not a picture that may be passed on as JPEG Baseline (process 1); the text says why."""


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A whole baseline picture, 8 bits, three components, one scan. `sampling` is one of SAMPLINGS' words."""

    data: bytes
    width: int
    height: int
    sampling: str


def repair(data: bytes | bytearray | memoryview) -> Jpeg:
    """The picture with its markers in order. Raises NotBaseline for anything else than SOF0, 8 bits, 3 components,
    one scan with an end, in a sampling that DICOM knows (PS3.5 8.2.1)."""
    raw = bytes(data)
    if raw[:2] != b"\xff\xd8":
        raise NotBaseline("it does not begin as a JPEG")
    head = bytearray(raw[:2])
    frame: bytes | None = None
    tables: set[int] = set()
    at = 2
    while True:
        marker, body, following = _segment(raw, at)
        if marker in _FRAMES:
            if marker != _BASELINE or frame is not None:
                raise NotBaseline("it is not sequential baseline with one frame")
            frame = body
        elif marker == _DHT:
            tables |= _table_names(body)
        elif marker == _SOS:
            break
        if not (marker == _APP0 and body[:4] == b"AVI1"):
            head += b"\xff" + raw[_marker_at(raw, at) : following]
        at = following
    if frame is None:
        raise NotBaseline("it has no frame header")
    width, height, sampling = _frame(frame)
    wanted = _scan(body)
    if not tables:
        head += STANDARD_TABLES
    elif not wanted <= tables:
        raise NotBaseline("a Huffman table is missing")
    end = _AFTER_SCAN.search(raw, following)
    if end is None or end[1][0] != _EOI:
        raise NotBaseline("it has no end" if end is None else "it has more than one scan")
    head += b"\xff" + raw[_marker_at(raw, at) : end.start()] + b"\xff\xd9"
    return Jpeg(bytes(head), width, height, sampling)


def entropy_coded(jpeg: bytes) -> bytes:
    """The bytes between the scan header and EOI of a whole picture with one scan. Raises NotBaseline."""
    at = 2
    while True:
        marker, _body, following = _segment(jpeg, at)
        if marker == _SOS:
            break
        at = following
    end = _AFTER_SCAN.search(jpeg, following)
    if end is None:
        raise NotBaseline("it has no end")
    return jpeg[following : end.start()]


def whole_pictures(data: bytes | mmap.mmap) -> list[tuple[int, int]]:
    """(offset, length) of the pictures that follow each other without a gap from the first byte on, each with one
    scan; ends before the first that is not whole. Markers are parsed: an EOI within a header counts for nothing."""
    found: list[tuple[int, int]] = []
    begin = 0
    while data[begin : begin + 2] == b"\xff\xd8":
        at, marker = begin + 2, 0
        try:
            while marker != _SOS:
                marker, _body, at = _segment(data, at)
        except NotBaseline:
            break
        end = _AFTER_SCAN.search(data, at)
        if end is None or end[1][0] != _EOI:
            break
        found.append((begin, end.end() - begin))
        begin = end.end()
    return found


def baseline_at(head: bytes) -> int:
    """Where the code of SOF0 stands in a baseline picture: written as C1 (SOF1) the same data is a picture of the
    extended sequential process (B.2.2, table B.1). Raises NotBaseline."""
    at = 2
    while True:
        marker, _body, following = _segment(head, at)
        if marker in _FRAMES or marker == _SOS:
            break
        at = following
    if marker != _BASELINE:
        raise NotBaseline("it is not sequential baseline")
    return _marker_at(head, at)


def _marker_at(raw: bytes | mmap.mmap, at: int) -> int:
    """The offset of the marker's code: any number of fill bytes FF may come before it (B.1.1.2)."""
    if raw[at : at + 1] != b"\xff":
        raise NotBaseline("a marker is missing")
    while raw[at : at + 1] == b"\xff":
        at += 1
    return at


def _segment(raw: bytes | mmap.mmap, at: int) -> tuple[int, bytes, int]:
    """(marker, its parameters, the offset behind them) of the segment at `at`."""
    at = _marker_at(raw, at)
    if len(raw) < at + 3:
        raise NotBaseline("it ends within its header")
    marker, size = raw[at], int.from_bytes(raw[at + 1 : at + 3], "big")
    if marker in (_SOI, _EOI) or size < 2 or len(raw) < at + 1 + size:
        raise NotBaseline("its header is torn")
    return marker, raw[at + 3 : at + 1 + size], at + 1 + size


def _table_names(body: bytes) -> set[int]:
    """Class and destination (Tc, Th) of the Huffman tables in a DHT segment (B.2.4.2)."""
    names = set()
    while len(body) >= 17:
        names.add(body[0])
        body = body[17 + sum(body[1:17]) :]
    return names


def _frame(body: bytes) -> tuple[int, int, str]:
    """Width, height, sampling of a frame header (B.2.2)."""
    if len(body) < 6 or body[0] != 8 or body[5] != 3 or len(body) != 15:
        raise NotBaseline("it has not three components of 8 bits")
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    luma, first, second = ((body[at] >> 4, body[at] & 15) for at in (7, 10, 13))
    if first != second or 0 in first or luma[0] % first[0] or luma[1] % first[1] or not width or not height:
        raise NotBaseline("its components are sampled in an uncommon way")
    sampling = SAMPLINGS.get((luma[0] // first[0], luma[1] // first[1]))
    if sampling is None:
        raise NotBaseline("its components are sampled in an uncommon way")
    return width, height, sampling


def _scan(body: bytes) -> set[int]:
    """The Huffman tables that the scan uses (B.2.3)."""
    if len(body) != 10 or body[0] != 3:
        raise NotBaseline("it has more than one scan")
    return {0x00 | body[at] >> 4 for at in (2, 4, 6)} | {0x10 | body[at] & 15 for at in (2, 4, 6)}
