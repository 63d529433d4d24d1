"""QR and Data Matrix codes in a picture. Their error correction makes a wrong reading next to impossible; a bar
code has little of it, and a preview is too coarse for bars."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

MOST_CHARACTERS: Final = 4096
"""The largest QR code holds 4296 characters; no patient's label does."""

_RED, _GREEN, _BLUE = 77, 150, 29
"""Luma of RGB in 256ths (ITU-R BT.601)."""


def luma_of_rgb(rgb: bytes, width: int, height: int) -> npt.NDArray[np.uint8]:
    """(height, width) of packed RGB, 8 bits."""
    pixels = np.frombuffer(rgb, np.uint8).reshape(height, width, 3).astype(np.uint16)
    luma = (pixels[:, :, 0] * _RED + pixels[:, :, 1] * _GREEN + pixels[:, :, 2] * _BLUE) >> 8
    return luma.astype(np.uint8)


def codes_in(luma: npt.NDArray[np.uint8]) -> list[str]:
    """What the codes in a picture say, in the order they are found, each once; turned, mirrored and light on dark
    ones too. `luma`: (height, width), 8 bits."""
    return list(dict.fromkeys(each.text for each in readings(luma)))


def readings(luma: npt.NDArray[np.uint8]) -> list[Any]:
    """The same as zxing's own results, which also say where each code lies."""
    import zxingcpp

    kinds = zxingcpp.BarcodeFormat
    wanted = (kinds.QRCode, kinds.DataMatrix)
    # What is asked for includes the small relatives of QR, whose error correction is weak: they do not count.
    taken = (kinds.QRCode, kinds.QRCodeModel1, kinds.QRCodeModel2, kinds.DataMatrix)
    found = zxingcpp.read_barcodes(np.ascontiguousarray(luma), formats=wanted, text_mode=zxingcpp.TextMode.Plain)
    return [each for each in found if each.valid and each.format in taken and 0 < len(each.text) <= MOST_CHARACTERS]
