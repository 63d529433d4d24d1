"""The panel's text as the kernel holds it (vcs(4)), and the pixels it must look like: font, palette, geometry."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hw.panel.palette import PALETTE
from hw.panel.psf import Font, parse
from tests.appliance.looks import pixels
from tests.appliance.virtualbox import VirtualBox
from tests.support.box import until

_FONTS: Final = Path(__file__).parents[2] / "hw/panel/fonts"
_HEAD: Final = 4
"""vcsa: rows, columns, the cursor's column and row, a byte each."""
_NUMBERS: Final = (0, 4, 2, 6, 1, 5, 3, 7, 8, 12, 10, 14, 9, 13, 11, 15)
"""Of the VGA's colours (blue, green, red) those of the terminal's sequences (red, green, blue)."""
_PAUSE_S: Final = 0.5
"""Between two looks: each costs the box more than it costs us."""
SLOW_S: Final = 600.0
"""For what takes seconds on a real box."""


class Ink(NamedTuple):
    """Numbers of the palette's colours: the letter's of sixteen, the ground's of eight."""

    letter: int
    ground: int


@dataclass(frozen=True)
class Cells:
    """tty1: `text` a string for each row, `raw` its 16-bit words as the screen's driver is given them."""

    text: tuple[str, ...]
    raw: bytes
    size: tuple[int, int]

    @property
    def rows(self) -> int:
        return len(self.text)

    @property
    def columns(self) -> int:
        return len(self.text[0])

    @cached_property
    def words(self) -> NDArray[np.uint16]:
        """Rows x columns. Nine bits of glyph, four of the letter's colour, three of the ground's."""
        return np.frombuffer(self.raw[_HEAD:], "<u2").reshape(self.rows, self.columns)

    @property
    def cell(self) -> tuple[int, int]:
        """Width and height of one in pixels."""
        return self.size[0] // self.columns, self.size[1] // self.rows

    @cached_property
    def font(self) -> Font:
        """Ours that has cells of that size."""
        return parse((_FONTS / "{}x{}.psf".format(*self.cell)).read_bytes())

    def find(self, text: str) -> tuple[int, int] | None:
        """Column and row of the first place that shows it."""
        return next(((at, row) for row, line in enumerate(self.text) if (at := line.find(text)) >= 0), None)

    def shows(self, *texts: str) -> bool:
        return all(self.find(text) for text in texts)

    def ink(self, text: str) -> set[Ink]:
        """The colours that the letters of a text have; blanks in it do not count."""
        found = self.find(text)
        assert found is not None, f"{text!r} is not on the screen:\n{self}"
        at, row = found
        there = (self.words[row, at + place] for place, sign in enumerate(text) if sign != " ")
        return {_ink(int(word)) for word in there}

    def drawn(self) -> NDArray[np.uint8]:
        """Height x width x RGB that the screen must show: each sign's glyph of the font file, in the palette's
        colours. What is beyond the last cell is the first colour."""
        wide, high = self.cell
        glyphs = {sign: self.font.glyphs[at] for at, signs in enumerate(self.font.unicode) for sign in signs}
        out = np.empty((self.size[1], self.size[0], 3), np.uint8)
        out[:] = PALETTE[0]
        colours = np.array(PALETTE, np.uint8)
        for row, line in enumerate(self.text):
            for column, sign in enumerate(line):
                ink = _ink(int(self.words[row, column]))
                bits = np.frombuffer(glyphs[sign], np.uint8).reshape(high, -1)
                mask = np.unpackbits(bits, axis=1)[:, :wide].astype(bool)
                place = out[row * high : (row + 1) * high, column * wide : (column + 1) * wide]
                place[:] = np.where(mask[..., None], colours[ink.letter], colours[ink.ground])
        return out

    def unlike(self, shot: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Rows x columns: which cells of a screendump look otherwise than their text says."""
        wide, high = self.cell
        differs = (shot != self.drawn()).any(axis=2)
        inside = differs[: self.rows * high, : self.columns * wide]
        return np.asarray(inside.reshape(self.rows, high, self.columns, wide).any(axis=(1, 3)))

    def __str__(self) -> str:
        return "\n".join(line.rstrip() for line in self.text)


def _ink(word: int) -> Ink:
    return Ink(_NUMBERS[word >> 9 & 15], _NUMBERS[word >> 13 & 7])


def cells(box: VirtualBox) -> Cells:
    """What tty1 holds now, of one moment as nearly as two files can be."""
    both = box.fetch("/dev/vcsu1", "/dev/vcsa1")
    count = (len(both) - _HEAD) // 6
    text = both[: 4 * count].decode("utf-32-le", "replace")
    raw = both[4 * count :]
    rows, columns = struct.unpack_from("2B", raw)
    assert rows * columns == count, f"{rows}x{columns} are not {count} cells"
    return Cells(tuple(text[at : at + columns] for at in range(0, count, columns)), raw, box.size)


def shown(box: VirtualBox, holds: Callable[[Cells], object], what: str, timeout_s: float = SLOW_S) -> Cells:
    """Waits until what is on the screen holds; the screen of then."""
    last: list[Cells] = []

    def look() -> Cells | None:
        if last:
            time.sleep(_PAUSE_S)
        last[:] = [cells(box)]
        return last[0] if holds(last[0]) else None

    try:
        return until(look, timeout_s, what)  # type: ignore[return-value]
    except AssertionError as exc:
        raise AssertionError(f"{what} did not come; the panel shows:\n{last[0] if last else ''}") from exc


def still(box: VirtualBox, png: Path, timeout_s: float = SLOW_S) -> tuple[Cells, NDArray[np.uint8]]:
    """A screendump, and the text that was there before and after it: both of one moment."""

    def look() -> Cells | None:
        before = cells(box)
        box.screendump(png)
        return before if cells(box).text == before.text else None  # a cursor may blink

    there = until(look, timeout_s, "a screen that stands still")
    assert there is not None
    return there, pixels(png)
