"""RGB pictures made ready for a framebuffer: scaled by index tables, packed as its pixels are.

All the work is done by numpy over whole pictures, which lets other threads run meanwhile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.panel.framebuffer import Packing

Pixels = NDArray[np.uint8]
"""rows x columns x 3, RGB."""
Packed = NDArray[Any]
"""rows x columns of a Packing's dtype (24 bits: x 3 bytes)."""


def colour(packing: Packing, rgb: tuple[int, int, int]) -> Packed:
    """One pixel of that colour, to be assigned to any area."""
    return Packer(packing, 1, 1, 1, 1).pack(np.array([[rgb]], np.uint8))[0, 0]  # type: ignore[no-any-return]


def dimmed(packing: Packing, packed: Packed) -> Packed:
    """A quarter of the brightness."""
    if packing.bits == 24:
        return np.right_shift(packed, 2)
    colours = (packing.red, packing.green, packing.blue)
    kept = sum((2**bits - 1 >> 2) << shift for shift, bits in colours)
    packed = np.right_shift(packed, 2)
    packed &= packing.dtype.type(kept)
    return packed


class Packer:
    """From one size to another (nearest pixel) in one framebuffer's format. The buffers are used again: what
    `pack` gives is valid until the next call."""

    def __init__(self, packing: Packing, width: int, height: int, to_width: int, to_height: int) -> None:
        self.key = (packing, width, height, to_width, to_height)
        self._packing = packing
        self._columns = _centres(width, to_width)
        self._rows = _centres(height, to_height)
        self._scales = (width, height) != (to_width, to_height)
        # shrinking is done before packing, enlarging after it: the fewer pixels are packed
        self._first = to_width * to_height < width * height
        packed = (to_height, to_width) if self._first or not self._scales else (height, width)
        deep = (3,) if packing.bits == 24 else ()
        self._packed: Packed = np.zeros((*packed, *deep), packing.dtype)
        self._bytes = _byte_places(packing)
        self._tables = None if self._bytes else _tables(packing)

    def pack(self, picture: Pixels) -> Packed:
        """The picture, height x width x 3, as the framebuffer wants it."""
        if self._scales and self._first:
            picture = np.take(np.take(picture, self._rows, axis=0), self._columns, axis=1)
        self._fill(picture)
        if self._scales and not self._first:
            # rows last: each is copied as a whole
            return np.take(np.take(self._packed, self._columns, axis=1), self._rows, axis=0)
        return self._packed

    def _fill(self, picture: Pixels) -> None:
        if self._bytes:
            size = self._packing.bits // 8
            lanes = self._packed.view(np.uint8).reshape(*picture.shape[:2], size)
            for channel, lane in enumerate(self._bytes):
                lanes[..., lane] = picture[..., channel]
        elif self._tables is not None:
            red, green, blue = self._tables
            np.take(red, picture[..., 0], out=self._packed, mode="clip")
            self._packed |= green[picture[..., 1]]
            self._packed |= blue[picture[..., 2]]


def _centres(size: int, wanted: int) -> NDArray[np.intp]:
    """For each wanted pixel the one that lies under its middle."""
    return ((np.arange(wanted) * 2 + 1) * size // (wanted * 2)).astype(np.intp)


def _byte_places(packing: Packing) -> tuple[int, ...]:
    """Where the bytes of red, green and blue lie, when each colour is one."""
    colours = (packing.red, packing.green, packing.blue)
    if any(bits != 8 or shift % 8 for shift, bits in colours):
        return ()
    return tuple(shift // 8 for shift, _ in colours)


def _tables(packing: Packing) -> tuple[Packed, ...]:
    levels = np.arange(256, dtype=np.uint32)
    colours = (packing.red, packing.green, packing.blue)
    return tuple((levels >> (8 - bits) << shift).astype(packing.dtype) for shift, bits in colours)
