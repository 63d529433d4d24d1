"""Pixel data held against what describes it and against its transfer syntax (PS3.3 C.7.6.3; PS3.5 8, A.4).

Reads the head of the bitstream, the heads of its fragments and its last bytes: the same for 4 GB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from smartbox_tui.dicom.iods import JPEG_FAMILY, LOSSY_METHODS, NATIVE
from smartbox_tui.dicom.validate_report import Report
from smartbox_tui.dicom.validate_table import CLASSES
from smartbox_tui.dicom.validate_values import Values, number_of_frames
from smartbox_tui.dicom.validate_video import VIDEO_RULES, check_video
from smartbox_tui.media.mp4 import Read
from smartbox_tui.model.instance import FRAGMENTABLE, JPEG_BASELINE

_ITEM: Final = b"\xfe\xff\x00\xe0"
_END: Final = b"\xfe\xff\xdd\xe0"
_FRAGMENTS_MAX: Final = 100_000
_TWINS: Final = {twin: uid for uid, twin in FRAGMENTABLE.items()}
"""A stream in several fragments is held against the rules of its one-fragment syntax (PS3.5 A.4.5 to A.4.7)."""
_PIXEL: Final = "PS3.3 C.7.6.3"


@dataclass(frozen=True, slots=True)
class Pixels:
    """`read` counts from the data set's first byte; `start` of the pixels' element; `length` of the data set."""

    read: Read
    start: int
    length: int
    implicit: bool


@dataclass(frozen=True, slots=True)
class _Fragment:
    offset: int
    length: int


def check_pixels(values: Values, syntax: str, pixels: Pixels, report: Report) -> None:
    """Everything about (7FE0,0010). Raises ValueError, OSError for what cannot be read at all."""
    head = pixels.read(pixels.start, 12)
    if head[:4] in (b"\xe0\x7f\x01\0", b"\xe0\x7f\x02\0"):  # Extended Offset Table and its lengths come before
        at = pixels.start
        while head[:4] in (b"\xe0\x7f\x01\0", b"\xe0\x7f\x02\0"):
            at += 12 + int.from_bytes(head[8:12], "little")
            head = pixels.read(at, 12)
        pixels = Pixels(pixels.read, at, pixels.length, pixels.implicit)
    if head[:4] != b"\xe0\x7f\x10\0":
        report.error("missing", _PIXEL, "PixelData (Type 1C) is missing.", "The object holds no picture.")
        return
    _check_description(values, syntax, report)
    size = int.from_bytes(head[4:8] if pixels.implicit else head[8:12], "little")
    if syntax in NATIVE:
        _check_native(values, pixels, size, report)
        return
    if size != 0xFFFFFFFF:
        report.error(
            "encapsulation", "PS3.5 A.4", "Compressed pixel data is not encapsulated.", "Write it as fragments."
        )
        return
    if head[4:6] != b"OB":
        report.error("vr", "PS3.5 A.4", "Encapsulated pixel data is not OB.", "Write it as OB.")
    table, fragments = _fragments(pixels, report)
    if not fragments:
        report.error("fragments", "PS3.5 A.4", "Pixel data holds no fragment.", "The object holds no picture.")
        return
    if syntax in JPEG_FAMILY:
        _check_jpegs(values, syntax, pixels, table, fragments, report)
    elif syntax in VIDEO_RULES or syntax in _TWINS:
        _check_video(values, syntax, pixels, fragments, report)
    _check_lossy(values, syntax, sum(item.length for item in fragments), report)


def _check_description(values: Values, syntax: str, report: Report) -> None:
    """The Image Pixel values that every one of our classes has: colour of 8 bits (VL: C.8.12.1.1)."""
    bits = [values.number(tag) for tag in (0x00280100, 0x00280101, 0x00280102)]
    if None not in bits and bits[2] is not None and bits[1] is not None and bits[0] is not None:
        if bits[2] != bits[1] - 1 or bits[1] > bits[0]:
            report.error(
                "bits",
                _PIXEL,
                "HighBit is not BitsStored - 1, or BitsStored above BitsAllocated.",
                "Write 8, 8 and 7.",
            )
        elif bits != [8, 8, 7]:
            report.error("bits", _PIXEL, "The pixels have not 8 bits.", "Write 8, 8 and 7, as they are.")
    if values.number(0x00280103) not in (0, None):
        report.error("pixel-representation", _PIXEL, "The pixels are signed.", "Write PixelRepresentation 0.")
    if 0 in (values.number(0x00280010), values.number(0x00280011)):
        report.error("size", _PIXEL, "Rows or Columns is 0.", "Write the picture's size.")
    colour, samples = values.text(0x00280004), values.number(0x00280002)
    if not colour or samples is None:
        return
    if samples != (1 if colour.startswith("MONOCHROME") or colour == "PALETTE COLOR" else 3):
        report.error(
            "samples",
            "PS3.3 C.7.6.3.1.2",
            "SamplesPerPixel does not fit PhotometricInterpretation.",
            "Three samples for colour, one for MONOCHROME2.",
        )
    if syntax in NATIVE:
        allowed = {"RGB", "YBR_FULL", "YBR_FULL_422", "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"}
    elif syntax in JPEG_FAMILY:
        allowed = {"RGB", "YBR_FULL", "YBR_FULL_422", "MONOCHROME1", "MONOCHROME2"}
    else:
        allowed = {"YBR_PARTIAL_420"}
    if colour not in allowed:
        report.error(
            "photometric",
            "PS3.5 8.2",
            "PhotometricInterpretation is none that the transfer syntax allows.",
            f"One of: {', '.join(sorted(allowed))}.",
        )
    modules = CLASSES.get(values.text(0x00080016), ())
    if colour == "YBR_FULL" and ("vl-image" in modules or "sc-multi-frame-image" in modules):
        # A warning: every viewer shows it, and a camera that samples 4:4:4 has its pictures archived as they are.
        report.warning(
            "photometric-rare",
            "PS3.3 C.8.12.1.1.1" if "vl-image" in modules else "PS3.3 A.8.5.4",
            "An image of this SOP class is not meant to be YBR_FULL.",
            "Let the camera or the encoder sample 4:2:2, or take the pictures as Secondary Capture.",
        )
    if samples == 3 and values.number(0x00280006) not in (0, None) and syntax not in NATIVE:
        report.error("planar", "PS3.5 8.2", "PlanarConfiguration is not 0.", "Write 0 for compressed pixels.")


def _check_native(values: Values, pixels: Pixels, size: int, report: Report) -> None:
    rows, columns, samples = (values.number(tag) for tag in (0x00280010, 0x00280011, 0x00280002))
    if size == 0xFFFFFFFF:
        report.error("encapsulation", "PS3.5 A.4", "Native pixel data is encapsulated.", "Write it plainly.")
        return
    if rows is None or columns is None or samples is None:
        return
    wanted = rows * columns * samples * number_of_frames(values) * ((values.number(0x00280100) or 8) // 8)
    if values.text(0x00280004) == "YBR_FULL_422":
        wanted = wanted * 2 // 3
    start = pixels.start + (8 if pixels.implicit else 12)
    if size != wanted + wanted % 2 or start + size > pixels.length:
        report.error(
            "pixel-length", "PS3.5 8.1.1", "Pixel data has not the length its description gives.", "It is damaged."
        )


def _fragments(pixels: Pixels, report: Report) -> tuple[bytes, list[_Fragment]]:
    """The offset table's value, and the fragments (PS3.5 A.4)."""
    section = "PS3.5 A.4"
    at = pixels.start + 12
    table: bytes | None = None
    found: list[_Fragment] = []
    while True:
        head = pixels.read(at, 8)
        size = int.from_bytes(head[4:8], "little")
        if head[:4] == _END:
            if size or at + 8 != pixels.length:
                report.warning("delimiter", section, "Something follows the pixel data.", "Check what wrote it.")
            break
        if head[:4] != _ITEM or at + 8 + size > pixels.length:
            report.error(
                "fragments", section, "Pixel data is torn: an item or its delimiter is missing.", "It is damaged."
            )
            break
        if size % 2:
            report.error("odd-length", section, "A fragment has an odd length.", "Pad it with 00.")
        if table is None:
            table = pixels.read(at + 8, min(size, 4 * _FRAGMENTS_MAX))
        else:
            found.append(_Fragment(at + 8, size))
        at += 8 + size
        if len(found) > _FRAGMENTS_MAX:
            report.warning("fragments", section, "Too many fragments to look at them all.", "None.")
            break
    return table or b"", found


def _check_video(values: Values, syntax: str, pixels: Pixels, fragments: list[_Fragment], report: Report) -> None:
    rule = _TWINS.get(syntax, syntax)
    section = VIDEO_RULES[rule].section
    if len(fragments) > 1 and syntax not in _TWINS:
        report.error(
            "fragments",
            section,
            "The video is in more than one fragment.",
            "Write it as one, or use the fragmentable transfer syntax.",
        )
        fragments = fragments[:1]
    if max(item.length for item in fragments) >= 2**32 - 2:
        report.error("cap", "PS3.5 7.5", "The fragment has 4 GiB or more.", "Cut the recording smaller.")

    def read(offset: int, count: int) -> bytes:
        found = b""
        for item in fragments:
            if 0 <= offset < item.length and count > 0:
                piece = pixels.read(item.offset + offset, min(count, item.length - offset))
                found += piece
                offset, count = offset + len(piece), count - len(piece)
            offset -= item.length
        return found

    check_video(values, rule, read, sum(item.length for item in fragments), report)


# ---- JPEG


def _check_jpegs(
    values: Values, syntax: str, pixels: Pixels, table: bytes, fragments: list[_Fragment], report: Report
) -> None:
    frames = number_of_frames(values)
    offsets = [int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table) - 3, 4)]
    places = {item.offset - 8 - fragments[0].offset + 8: item for item in fragments}
    if offsets and (len(offsets) != frames or any(offset not in places for offset in offsets)):
        report.error(
            "offset-table",
            "PS3.5 A.4",
            "The Basic Offset Table does not point to the first fragment of each frame.",
            "Write it anew, or leave it empty.",
        )
    elif frames > len(fragments) or (frames != len(fragments) and frames > 1 and not offsets):
        report.error(
            "frames",
            "PS3.3 C.7.6.6",
            "NumberOfFrames is not the number of frames in the pixel data.",
            "Count the frames in the bitstream.",
        )
    firsts = [places[offset] for offset in offsets if offset in places] or fragments[:: max(1, len(fragments) - 1)]
    for item in {firsts[0], firsts[-1]}:
        _check_jpeg(values, syntax, pixels.read(item.offset, min(item.length, 65536)), report)
    last = fragments[-1]
    if pixels.read(last.offset + max(0, last.length - 16), min(16, last.length)).rstrip(b"\0")[-2:] != b"\xff\xd9":
        report.error(
            "jpeg-end", "PS3.5 8.2.1", "The JPEG has no end.", "It is cut off: take it from its source again."
        )


def _frame_header(data: bytes) -> tuple[int, bytes] | None:
    """SOFn and its parameters (ITU-T T.81 B.2.2)."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xFF:
            at += 1
            continue
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            body = data[at + 4 : at + 2 + size]
            return (marker, body) if len(body) >= 6 and len(body) >= 6 + 3 * body[5] else None
        if marker == 0xDA or size < 2:
            return None
        at += 2 + size
    return None


def _check_jpeg(values: Values, syntax: str, data: bytes, report: Report) -> None:
    section = "PS3.5 8.2.1"
    header = _frame_header(data)
    if header is None:
        report.error("bitstream", section, "A fragment does not begin with a JPEG's headers.", "It is damaged.")
        return
    marker, body = header
    wanted = 0xC0 if syntax == JPEG_BASELINE else 0xC1
    if marker != wanted:
        name = "sequential baseline (SOF0)" if wanted == 0xC0 else "sequential extended (SOF1)"
        report.error("jpeg-process", section, f"The JPEG is not {name}.", "Write the transfer syntax it has.")
    if body[0] != 8:
        report.error("bits", section, "The JPEG has not 8 bits.", "Encode it with 8 bits.")
    size = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    if size != (values.number(0x00280010), values.number(0x00280011)):
        report.error("size", _PIXEL, "Rows and Columns are not the bitstream's.", "Write the bitstream's size.")
    if body[5] != values.number(0x00280002):
        report.error(
            "samples", _PIXEL, "SamplesPerPixel is not the bitstream's.", "Write the number of components."
        )
    elif body[5] == 3:
        _check_sampling(values.text(0x00280004), [body[at] for at in (7, 10, 13)], report)


def _check_sampling(colour: str, factors: list[int], report: Report) -> None:
    """YBR_FULL_422 is 2:1 across; YBR_FULL and RGB are not sub-sampled (PS3.3 C.7.6.3.1.2)."""
    luma, first, second = ((byte >> 4, byte & 15) for byte in factors)
    if first != second or 0 in first:
        real = None
    else:
        real = (luma[0] / first[0], luma[1] / first[1])
    wanted = {"YBR_FULL_422": (2, 1), "YBR_FULL": (1, 1), "RGB": (1, 1)}.get(colour)
    if wanted is not None and real != wanted:
        report.error(
            "photometric",
            "PS3.3 C.7.6.3.1.2",
            "PhotometricInterpretation is not what the JPEG's sampling is.",
            "YBR_FULL_422 for 4:2:2, YBR_FULL for 4:4:4; 4:2:0 has none and must be encoded anew.",
        )


def _check_lossy(values: Values, syntax: str, length: int, report: Report) -> None:
    """PS3.3 C.7.6.1.1.5: once lossy, always said; and by which method, and how much."""
    section = "PS3.3 C.7.6.1.1.5"
    if values.text(0x00282110) != "01":
        report.error("lossy", section, "LossyImageCompression does not say 01.", "Write 01 for a lossy syntax.")
    methods = values.text(0x00282114).split("\\")
    ratios = values.text(0x00282112).split("\\")
    if methods[-1] and methods[-1] != LOSSY_METHODS.get(syntax):
        report.error(
            "lossy-method",
            section,
            "LossyImageCompressionMethod is not that of the transfer syntax.",
            f"Write {LOSSY_METHODS.get(syntax, '')} as the last one.",
        )
    if not methods[-1] or not ratios[-1]:
        report.warning("lossy", section, "The lossy compression has no ratio or no method.", "Write both.")
        return
    if len(methods) != len(ratios):
        report.error("lossy", section, "Not as many compression ratios as methods.", "Write one of each a step.")
    rows, columns, samples = (values.number(tag) or 0 for tag in (0x00280010, 0x00280011, 0x00280002))
    real = rows * columns * samples * number_of_frames(values) / max(length, 1)
    stated = values.decimal(0x00282112)
    if stated is not None and not 0.8 < stated / max(real, 1.0) < 1.25:
        report.warning("ratio", section, "The compression ratio is not the real one.", "Write it as measured.")
