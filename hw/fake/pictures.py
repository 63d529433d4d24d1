"""Pictures for the fakes: mid grey with the strip of hw.video.strip, in every format a source can deliver."""

from __future__ import annotations

import numpy as np
import simplejpeg

from hw.base import PixelFormat
from hw.video.strip import Plane, draw_strip

_GREY = 100
_NEUTRAL = 128


def picture(pixel: PixelFormat, width: int, height: int, number: int, ms: int = 0) -> bytes:
    """One picture in the layout of `pixel`, strip numbers as given. MJPEG comes complete, see `as_webcam`.

    `width` and `height` are even. Limited range, but for MJPEG, which keeps the strip's levels all the same.
    """
    luma = np.full((height, width), _GREY, np.uint8)
    draw_strip(luma, number, ms)
    half = np.full((height // 2, width // 2), _NEUTRAL, np.uint8)
    match pixel:
        case PixelFormat.I420 | PixelFormat.NV12:
            # Neutral chroma looks the same planar and interleaved.
            return luma.tobytes() + half.tobytes() * 2
        case PixelFormat.YUYV | PixelFormat.UYVY:
            packed = np.full((height, width, 2), _NEUTRAL, np.uint8)
            packed[:, :, 1 if pixel is PixelFormat.UYVY else 0] = luma
            return packed.tobytes()
        case PixelFormat.RGB24 | PixelFormat.BGR24:
            return np.repeat(luma[:, :, None], 3, axis=2).tobytes()
        case PixelFormat.MJPEG:
            return bytes(simplejpeg.encode_jpeg_yuv_planes(luma, half, half, quality=90))
        case PixelFormat.H264:
            raise ValueError("an H.264 picture needs an encoder")


def luma_of(pixel: PixelFormat, width: int, height: int, data: bytes | bytearray | memoryview) -> Plane:
    """The luma plane of a picture of any format, (height, width). A JPEG without Huffman tables gets them."""
    if pixel is PixelFormat.MJPEG:
        return np.asarray(simplejpeg.decode_jpeg(_with_tables(bytes(data)), "GRAY"))[:, :, 0]
    plane = np.frombuffer(data, np.uint8)
    if pixel in (PixelFormat.YUYV, PixelFormat.UYVY):
        return plane.reshape(height, width, 2)[:, :, 1 if pixel is PixelFormat.UYVY else 0]
    if pixel in (PixelFormat.RGB24, PixelFormat.BGR24):
        return plane.reshape(height, width, 3)[:, :, 1]
    return plane[: width * height].reshape(height, width)


def as_webcam(jpeg: bytes, junk: bytes = b"\x00" * 37 + b"\xff\xd8junk") -> bytes:
    """The way many UVC cameras send it: no Huffman tables (an AVI habit), an AVI1 mark, junk after EOI."""
    head, tables, scan = _split(jpeg)
    assert tables
    avi1 = b"\xff\xe0\x00\x10AVI1" + bytes(10)
    return head[:2] + avi1 + head[2:] + scan + junk


def _with_tables(jpeg: bytes) -> bytes:
    head, tables, scan = _split(jpeg)
    if not tables:
        # libjpeg writes the standard tables of ITU-T T.81 K.3 unless asked to optimise: borrow them from it.
        tables = _split(picture(PixelFormat.MJPEG, 16, 16, 0))[1]
    return head + tables + scan


def _split(jpeg: bytes) -> tuple[bytes, bytes, bytes]:
    """A JPEG as (head without tables, Huffman tables, from SOS on)."""
    head, tables, at = bytearray(jpeg[:2]), bytearray(), 2
    while jpeg[at + 1] != 0xDA:
        size = 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        (tables if jpeg[at + 1] == 0xC4 else head).extend(jpeg[at : at + size])
        at += size
    return bytes(head), bytes(tables), jpeg[at:]
