"""The readable strip of the test pattern: drawing and reading it, side by side.

Two rows of 32 square cells at the top left of the luma plane, each width/80 pixels wide and high, with its
edges at round(i * width / 80); black is 16, white 235. Row 1 is the frame number, 32 bits, most significant
first. Row 2 is 24 bits of milliseconds since the source's start (modulo 2^24), then the CRC-8 of the seven
bytes before it (polynomial 0x07, initial value 0, not reflected, no final XOR).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

BLACK = 16
WHITE = 235
CELLS = 32
ROWS = 2
CELLS_PER_WIDTH = 80
THRESHOLD = 128

Plane = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Strip:
    """What a strip says. `ok` is False when the CRC does not fit; the numbers are then worth nothing."""

    number: int
    ms: int
    ok: bool


def crc8(data: bytes) -> int:
    """CRC-8 with polynomial 0x07, initial value 0, not reflected, no final XOR (check of b"123456789": 0xF4)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc


@lru_cache(maxsize=8)
def cell_edges(width: int, count: int) -> tuple[int, ...]:
    """The `count` + 1 edges of `count` cells in a picture `width` pixels wide."""
    return tuple(round(i * width / CELLS_PER_WIDTH) for i in range(count + 1))


def strip_size(width: int) -> tuple[int, int]:
    """(width, height) in pixels of the strip in a picture `width` pixels wide."""
    return cell_edges(width, CELLS)[-1], cell_edges(width, ROWS)[-1]


def draw_strip(luma: Plane, number: int, ms: int) -> None:
    """Draw onto `luma`, a plane of (height, width). `number` is taken modulo 2^32, `ms` modulo 2^24."""
    payload = (number & 0xFFFFFFFF).to_bytes(4, "big") + (ms & 0xFFFFFF).to_bytes(3, "big")
    code = np.frombuffer(payload + bytes((crc8(payload),)), np.uint8)
    levels = np.where(np.unpackbits(code), np.uint8(WHITE), np.uint8(BLACK)).reshape(ROWS, CELLS)
    width = luma.shape[1]
    across = np.diff(cell_edges(width, CELLS))
    down = cell_edges(width, ROWS)
    for row in range(ROWS):
        line = np.repeat(levels[row], across)
        luma[down[row] : down[row + 1], : line.size] = line


def read_strip(luma: Plane) -> Strip:
    """Read the strip off a luma plane of (height, width), also after a lossy codec, never raising for its content.

    Each cell is the mean of its middle half, so that ringing at its edges does not count; white from 128 on.
    """
    height, width = luma.shape
    across, down = cell_edges(width, CELLS), cell_edges(width, ROWS)
    if width < CELLS_PER_WIDTH or height < down[-1]:
        return Strip(0, 0, False)
    bits = np.zeros((ROWS, CELLS), np.uint8)
    for row in range(ROWS):
        top, bottom = _middle(down[row], down[row + 1])
        for cell in range(CELLS):
            left, right = _middle(across[cell], across[cell + 1])
            bits[row, cell] = luma[top:bottom, left:right].mean() >= THRESHOLD
    code = np.packbits(bits).tobytes()
    return Strip(
        number=int.from_bytes(code[:4], "big"), ms=int.from_bytes(code[4:7], "big"), ok=crc8(code[:7]) == code[7]
    )


def _middle(start: int, end: int) -> tuple[int, int]:
    quarter = (end - start) // 4
    return start + quarter, end - quarter
