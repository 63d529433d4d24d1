"""Dark letters on the Linux console, where bold is no thickness: it is the bright one of two colours."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

_LIGHT: Final = 7
"""From this number on the bright one is still of the same kind: light."""
_NOT_BOLD: Final = Style(bold=False)


class DarkInk(LineFilter):
    """Takes bold from the seven dark colours: bold black is the console's colour 8, grey (console_codes(4)), and
    "NO PATIENT" in grey on amber says less than nothing."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text, _thin(style) if style else style, control) for text, style, control in segments]


@lru_cache(1024)
def _thin(style: Style) -> Style:
    if not style.bold or style.color is None or style.color.is_default:
        return style
    number = style.color.downgrade(ColorSystem.STANDARD).number
    return style + _NOT_BOLD if number is not None and number < _LIGHT else style
