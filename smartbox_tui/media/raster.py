"""Pixels of pictures that others made: decoded as a whole or not at all, turned upright, encoded anew in 4:2:2."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from smartbox_tui.media.foreign import ForeignJpeg, ForeignPng

QUALITY: Final = 95

Pixels = npt.NDArray[np.uint8]
"""Rows, columns and three samples RGB, or rows and columns of grey."""


def decode_jpeg(data: bytes, found: ForeignJpeg) -> Pixels:
    """The picture as it lies. Raises ValueError: more than 8 bits, CMYK (whose colours only a profile tells), a
    process that libjpeg does not know, or damaged data, which no decoder may fill up with grey here."""
    import simplejpeg

    if found.precision != 8:
        raise ValueError(f"it has {found.precision} bits a sample")
    if found.colour == "cmyk":
        raise ValueError("it is CMYK, made for printing")
    if found.colour == "grey":
        grey: Pixels = simplejpeg.decode_jpeg(data, "GRAY", strict=True)
        return np.ascontiguousarray(grey[:, :, 0])
    pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    return pixels


def decode_png(data: bytes, found: ForeignPng) -> Pixels:
    """RGB, or grey where it is grey. Raises ValueError: 16 bits, transparent somewhere, damaged."""
    if found.depth > 8:
        raise ValueError(f"it has {found.depth} bits a sample")
    import av

    try:
        with av.open(io.BytesIO(data), format="png_pipe") as container:
            frame: Any = next(container.decode(video=0))
        if found.transparent:
            pixels: Pixels = frame.to_ndarray(format="rgba")
            if pixels[:, :, 3].min() < 255:
                raise ValueError("it is transparent somewhere")
            pixels = pixels[:, :, :3]
        else:
            pixels = frame.to_ndarray(format="gray" if found.channels == "grey" else "rgb24")
    except (av.FFmpegError, StopIteration) as exc:
        raise ValueError("it cannot be decoded") from exc
    if found.channels == "grey" and pixels.ndim == 3:
        pixels = pixels[:, :, 0]
    if pixels.shape[:2] != (found.height, found.width):
        raise ValueError("it cannot be decoded")
    return np.ascontiguousarray(pixels)


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turned and mirrored as EXIF's orientation, 1 to 8, demands (CIPA DC-008 4.6.5.1.6); no sample is changed."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def as_colour(pixels: Pixels) -> Pixels:
    """Three samples, also of grey."""
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels


def encode_jpeg(pixels: Pixels, quality: int = QUALITY) -> bytes:
    """JPEG Baseline, 4:2:2, which DICOM calls YBR_FULL_422; or one grey component."""
    import simplejpeg

    if pixels.ndim == 2:
        grey = np.ascontiguousarray(pixels[:, :, None])
        return bytes(simplejpeg.encode_jpeg(grey, quality=quality, colorspace="GRAY", colorsubsampling="Gray"))
    return bytes(
        simplejpeg.encode_jpeg(
            np.ascontiguousarray(pixels), quality=quality, colorspace="RGB", colorsubsampling="422"
        )
    )
