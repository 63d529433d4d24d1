"""Console fonts: PC Screen Font version 2, as `setfont` and the kernel's own files have it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

_HEADER: Final = struct.Struct("<8I")
_MAGIC: Final = 0x864AB572
_HAS_UNICODE: Final = 1
_END: Final = b"\xff"
_SEQUENCE: Final = 0xFE


@dataclass(frozen=True, slots=True)
class Font:
    """`glyphs`: each of `height` rows of (width + 7) // 8 bytes, the leftmost pixel the highest bit; `unicode`: the
    signs that each glyph stands for."""

    width: int
    height: int
    glyphs: tuple[bytes, ...]
    unicode: tuple[tuple[str, ...], ...]

    @property
    def row_bytes(self) -> int:
        return (self.width + 7) // 8

    def to_bytes(self) -> bytes:
        size = self.row_bytes * self.height
        head = _HEADER.pack(_MAGIC, 0, _HEADER.size, _HAS_UNICODE, len(self.glyphs), size, self.height, self.width)
        table = b"".join("".join(signs).encode("utf-8") + _END for signs in self.unicode)
        return head + b"".join(self.glyphs) + table


def parse(data: bytes) -> Font:
    """Raises ValueError with a sentence for what is no such font, or a damaged one."""
    if len(data) < _HEADER.size:
        raise ValueError("The file is too short for a console font.")
    magic, _version, start, flags, count, size, height, width = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise ValueError("The file is no PSF2 console font.")
    if not (0 < width <= 64 and 0 < height <= 64 and 0 < count <= 512 and size == (width + 7) // 8 * height):
        raise ValueError(f"A font of {count} glyphs of {width}x{height} cannot be used.")
    end = start + count * size
    if start < _HEADER.size or end > len(data):
        raise ValueError("The console font is cut off.")
    glyphs = tuple(data[at : at + size] for at in range(start, end, size))
    signs: tuple[tuple[str, ...], ...] = tuple(() for _ in glyphs)
    if flags & _HAS_UNICODE:
        rows = data[end:].split(_END)
        if len(rows) != count + 1:
            raise ValueError("The console font's table of signs does not fit its glyphs.")
        # sequences of several signs (after FE) are nothing that the kernel could show
        signs = tuple(tuple(row.partition(bytes([_SEQUENCE]))[0].decode("utf-8")) for row in rows[:count])
    return Font(width, height, glyphs, signs)
