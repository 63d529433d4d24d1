"""Pictures that others made, JPEG and PNG: what they are, and what a JPEG is when nothing but the picture is left.

Pure, no decoder; what is damaged is said so, whatever the bytes. `media.jpeg` is stricter and knows webcams alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from smartbox_tui.media.jpeg import SAMPLINGS, Jpeg, NotBaseline, repair

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
PIXELS_MAX: Final = 1 << 28
"""Larger pictures are refused before anything is decoded: they would take a gigabyte of memory."""

_CONTAINERS: Final = (
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, PNG_SIGNATURE, "png"),
    (128, b"DICM", "dicom"),
    (4, b"ftypqt  ", "mov"),
    (4, b"ftyphei", "heif"),
    (4, b"ftypmif1", "heif"),
    (4, b"ftypavif", "heif"),
    (4, b"ftyp", "mp4"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
    (4, b"free", "mov"),
    (0, b"\0\0\1\xba", "mpeg-ps"),
    (0, b"\0\0\0\1", "elementary"),
    (0, b"\0\0\1", "elementary"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (8, b"AVI ", "avi"),
    (8, b"WEBP", "webp"),
    (0, b"GIF8", "gif"),
    (0, b"BM", "bmp"),
    (0, b"II*\0", "tiff"),
    (0, b"MM\0*", "tiff"),
    (4, b"jP  ", "jpeg 2000"),
    (0, b"%PDF", "pdf"),
)
_PROCESSES: Final = {
    0xC0: "baseline",
    0xC1: "extended",
    0xC2: "progressive",
    0xC3: "lossless",
    0xC5: "hierarchical",
    0xC6: "hierarchical",
    0xC7: "hierarchical",
    0xC9: "arithmetic",
    0xCA: "arithmetic",
    0xCB: "arithmetic",
    0xCD: "hierarchical",
    0xCE: "hierarchical",
    0xCF: "hierarchical",
}
_KEPT: Final = frozenset({0xDB, 0xC4, 0xDD, 0xDA, *_PROCESSES})  # DQT, DHT, DRI, SOS, SOFn
_SOS, _EOI, _APP0, _APP1, _APP2, _APP14 = 0xDA, 0xD9, 0xE0, 0xE1, 0xE2, 0xEE
_EXIF: Final = b"Exif\0\0"
_ICC: Final = b"ICC_PROFILE\0"


def kind_of(head: bytes) -> str:
    """What a file is by its first 600 bytes: one of _CONTAINERS' words, ts, m2ts, or empty when nobody knows."""
    for offset, mark, word in _CONTAINERS:
        if head[offset : offset + len(mark)] == mark:
            return word
    for size, start, word in ((188, 0, "ts"), (192, 4, "m2ts")):
        if len(head) > start + 2 * size and {head[start + n * size] for n in range(3)} == {0x47}:
            return word
    return ""


@dataclass(frozen=True, slots=True)
class ForeignJpeg:
    """process   baseline, extended, progressive, lossless, arithmetic or hierarchical (T.81 table B.1)
    precision  bits a sample
    sampling   422, 444, 420, grey, or other
    colour     ycc, rgb, grey or cmyk, as decoders guess it (JFIF and Adobe's segment, else the components' names)
    exif       the TIFF structure of its EXIF segment, empty without one
    profile    it carries an ICC profile
    """

    width: int
    height: int
    process: str
    precision: int
    sampling: str
    colour: str
    exif: bytes
    profile: bool


@dataclass(frozen=True, slots=True)
class ForeignPng:
    """channels   grey, rgb or palette
    transparent   it has an alpha channel or a transparent colour
    """

    width: int
    height: int
    depth: int
    channels: str
    transparent: bool
    animated: bool
    exif: bytes
    profile: bool


# ---- JPEG (ITU-T T.81 Annex B)


def describe_jpeg(data: bytes) -> ForeignJpeg:
    """By its markers, up to the first scan. Raises ValueError for what is no JPEG, or torn, or larger than
    PIXELS_MAX."""
    frame: tuple[int, bytes] | None = None
    exif, profile, jfif, adobe = b"", False, False, -1
    for marker, start, end in _segments(data):
        body = data[start:end]
        if marker in _PROCESSES and frame is None:
            frame = marker, body
        elif marker == _APP0 and body[:5] == b"JFIF\0":
            jfif = True
        elif marker == _APP1 and body[:6] == _EXIF and not exif:
            exif = body[6:]
        elif marker == _APP2 and body[:12] == _ICC:
            profile = True
        elif marker == _APP14 and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        elif marker == _SOS:
            break
    if frame is None:
        raise ValueError("it has no frame header")
    process, body = _PROCESSES[frame[0]], frame[1]
    if len(body) < 6 or len(body) < 6 + 3 * body[5] or not body[5]:
        raise ValueError("its frame header is torn")
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    _check_size(width, height)
    components = [(body[at], body[at + 1] >> 4, body[at + 1] & 15) for at in range(6, 6 + 3 * body[5], 3)]
    return ForeignJpeg(
        width,
        height,
        process,
        body[0],
        _sampling([(across, down) for _, across, down in components]),
        _colour([name for name, _, _ in components], jfif, adobe),
        exif,
        profile,
    )


def obstacle(jpeg: ForeignJpeg) -> str:
    """Why it may not go into a DICOM object as it is, in words that end a sentence; empty when it may.

    JPEG Baseline is process 1, and JPEG Extended with 8 bits differs from it in its marker (PS3.5 8.2.1, A.4.1);
    4:2:0 has no photometric interpretation there (PS3.3 C.7.6.3.1.2).
    """
    if jpeg.precision != 8:
        return f"it has {jpeg.precision} bits a sample"
    if jpeg.process not in ("baseline", "extended"):
        return f"it is {jpeg.process}, not sequential baseline"
    if jpeg.colour == "cmyk":
        return "it is CMYK, made for printing"
    if jpeg.sampling == "420":
        return "its chroma is sampled 4:2:0, which has no photometric interpretation in DICOM"
    if jpeg.sampling == "other" or (jpeg.colour == "rgb" and jpeg.sampling != "444"):
        return "its components are sampled in an uncommon way"
    return ""


def bare(data: bytes) -> Jpeg:
    """The picture alone, in its original compression: without EXIF, XMP, thumbnails, comments and whatever follows
    the picture, which hold names, places and serial numbers. An ICC profile stays. SOF1 becomes SOF0.

    `sampling` is 422, 444, grey, or rgb for one without luma and chroma. Raises NotBaseline when it may not be
    passed on (`obstacle`), or its structure is damaged.
    """
    try:
        found = describe_jpeg(data)
    except ValueError as exc:
        raise NotBaseline(str(exc)) from None
    if why := obstacle(found):
        raise NotBaseline(why)
    kept = bytearray(b"\xff\xd8")
    follows = 0
    for marker, start, end in _segments(data):
        if _is_kept(marker, data[start:end]):
            code = 0xC0 if marker == 0xC1 else marker
            kept += b"\xff" + bytes((code,)) + data[start - 2 : end]
        if marker == _SOS:
            follows = end
            break
    if found.sampling == "grey":
        return Jpeg(bytes(kept) + _one_scan(data, follows), found.width, found.height, "grey")
    whole = repair(bytes(kept) + data[follows:])
    return Jpeg(whole.data, whole.width, whole.height, "rgb" if found.colour == "rgb" else whole.sampling)


def as_extended(data: bytes) -> bytes:
    """A baseline picture under the marker of process 2, sequential extended, which covers it: SOF1 for SOF0."""
    for marker, start, _end in _segments(data):
        if marker == 0xC0:
            return data[: start - 3] + b"\xc1" + data[start - 2 :]
    return data


def _one_scan(data: bytes, start: int) -> bytes:
    """The entropy-coded data of one scan, and EOI."""
    at = data.find(b"\xff", start)
    while at >= 0:
        code = data[at + 1 : at + 2]
        if code == bytes((_EOI,)) and start < at:
            return data[start:at] + b"\xff\xd9"
        if code != b"\0" and code != b"\xff" and not b"\xd0" <= code <= b"\xd7":
            raise NotBaseline("it has more than one scan" if code else "it has no end")
        at = data.find(b"\xff", at + (1 if code == b"\xff" else 2))
    raise NotBaseline("it has no end")


def _is_kept(marker: int, body: bytes) -> bool:
    if marker == _APP0:
        return body[:5] == b"JFIF\0" and len(body) >= 14 and not any(body[12:14])  # one with a thumbnail goes
    if marker == _APP2:
        return body[:12] == _ICC
    return marker in _KEPT or (marker == _APP14 and body[:5] == b"Adobe")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, and where its parameters begin and end, of each segment up to the first scan's header."""
    if data[:2] != b"\xff\xd8":
        raise ValueError("it does not begin as a JPEG")
    at = 2
    while True:
        if data[at : at + 1] != b"\xff":
            raise ValueError("a marker is missing")
        while data[at : at + 1] == b"\xff":
            at += 1
        size = int.from_bytes(data[at + 1 : at + 3], "big")
        if len(data) < at + 3 or size < 2 or len(data) < at + 1 + size or data[at] in (0, 0xD8, _EOI):
            raise ValueError("its header is torn")
        yield data[at], at + 3, at + 1 + size
        if data[at] == _SOS:
            return
        at += 1 + size


def _sampling(factors: list[tuple[int, int]]) -> str:
    if len(factors) == 1:
        return "grey"
    (across, down), *chroma = factors
    if (
        len(factors) != 3
        or chroma[0] != chroma[1]
        or 0 in chroma[0]
        or across % chroma[0][0]
        or down % chroma[0][1]
    ):
        return "other"
    return SAMPLINGS.get((across // chroma[0][0], down // chroma[0][1]), "other")


def _colour(names: list[int], jfif: bool, adobe: int) -> str:
    if len(names) == 1:
        return "grey"
    if len(names) != 3:
        return "cmyk"
    if jfif:
        return "ycc"
    if adobe >= 0:
        return "ycc" if adobe else "rgb"
    return "rgb" if bytes(names) == b"RGB" else "ycc"


# ---- PNG (ISO/IEC 15948)


def describe_png(data: bytes) -> ForeignPng:
    """By its chunks, all of them checked, and by how much its pixels inflate to: a torn picture has no second half
    that is simply black. Raises ValueError."""
    if data[:8] != PNG_SIGNATURE:
        raise ValueError("it does not begin as a PNG")
    header, exif = b"", b""
    transparent = animated = profile = palette = False
    pixels = zlib.decompressobj()
    inflated, end = 0, False
    for kind, body in _chunks(data):
        if not header and kind != b"IHDR":
            raise ValueError("it has no header")
        if kind == b"IHDR":
            if header or len(body) != 13:
                raise ValueError("its header is torn")
            header = body
            wanted = _png_bytes(header)
        elif kind == b"PLTE":
            palette = True
        elif kind == b"IDAT":
            inflated += _inflate(pixels, body, wanted - inflated)
        elif kind == b"IEND":
            end = True
            break
        transparent |= kind == b"tRNS"
        animated |= kind == b"acTL"
        profile |= kind == b"iCCP"
        exif = body if kind == b"eXIf" else exif
    if not end or inflated + len(pixels.flush()) != wanted:
        raise ValueError("it is cut off")
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    channels = {0: "grey", 2: "rgb", 3: "palette", 4: "grey", 6: "rgb"}[header[9]]
    if channels == "palette" and not palette:
        raise ValueError("it has no palette")
    return ForeignPng(
        width, height, header[8], channels, transparent or header[9] in (4, 6), animated, exif, profile
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if at + 12 + size > len(data):
            raise ValueError("it is cut off")
        body = data[at + 8 : at + 8 + size]
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(data[at + 8 + size : at + 12 + size], "big"):
            raise ValueError("a check sum in it is wrong")
        yield kind, body
        at += 12 + size


def _inflate(stream: zlib._Decompress, body: bytes, left: int) -> int:
    """How many bytes come out; never more than a megabyte of them in memory at a time."""
    count = 0
    try:
        while body:
            count += len(stream.decompress(body, 1 << 20))
            if count > left:
                raise ValueError("it holds more than its size says")
            body = stream.unconsumed_tail
    except zlib.error:
        raise ValueError("its pixels are torn") from None
    return count


_ADAM7: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def _png_bytes(header: bytes) -> int:
    """What the image data inflates to: each row with its filter byte, of each pass when interlaced (7.2, 8.2)."""
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    depth, colour, interlaced = header[8], header[9], header[12]
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
    if samples is None or depth not in (1, 2, 4, 8, 16) or interlaced > 1:
        raise ValueError("its header is torn")
    _check_size(width, height)
    total = 0
    for left, top, across, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * samples * depth + 7) // 8)
    return total


def _check_size(width: int, height: int) -> None:
    if not (0 < width < 65536 and 0 < height < 65536):
        raise ValueError("its size is none that DICOM can hold (1 to 65535)")
    if width * height > PIXELS_MAX:
        raise ValueError(f"it has more than {PIXELS_MAX >> 20} million pixels")
