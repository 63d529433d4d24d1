"""A screen as SVG of our own: no ids that change, no font from elsewhere, and block elements drawn as areas, so
that they join as they do on a terminal. Small enough to be committed and compared."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.app import App

CELL_W, CELL_H, FONT = 9, 18, 15
# x, y, width, height in eighths of a cell, one or more areas each
_BLOCKS: dict[str, list[tuple[int, int, int, int]]] = {
    "▀": [(0, 0, 8, 4)],
    "▌": [(0, 0, 4, 8)],
    "▐": [(4, 0, 4, 8)],
    "▖": [(0, 4, 4, 4)],
    "▗": [(4, 4, 4, 4)],
    "▘": [(0, 0, 4, 4)],
    "▝": [(4, 0, 4, 4)],
    "▔": [(0, 0, 8, 1)],
    "▕": [(7, 0, 1, 8)],
    **{chr(0x2580 + n): [(0, 8 - n, 8, n)] for n in range(1, 9)},
    **{chr(0x2590 - n): [(0, 0, n, 8)] for n in range(1, 8)},
}


def colour(style: Style | None, which: str, default: str) -> str:
    value = getattr(style, which, None) if style else None
    if value is None or value.is_default:
        return default
    return str(value.get_truecolor().hex)


def _cells(line: list[Segment]) -> list[tuple[str, str, str, bool]]:
    """(character, foreground, background, bold) for each column."""
    cells = []
    for text, style, _control in line:
        front, back = colour(style, "color", "#e8eef3"), colour(style, "bgcolor", "#0a0f14")
        if style is not None and style.reverse:
            front, back = back, front
        cells += [(character, front, back, bool(style and style.bold)) for character in text]
    return cells


def _area(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<path fill="{fill}" d="M{x:g} {y:g}h{width:g}v{height:g}h{-width:g}z"/>'


def screen_svg(app: App[Any]) -> str:
    """The screen in front, as it stands."""
    columns, rows = app.size
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * CELL_W} {rows * CELL_H}">',
        f"<style>text{{font:{FONT}px 'DejaVu Sans Mono',monospace;white-space:pre}}.b{{font-weight:bold}}</style>",
        '<g shape-rendering="crispEdges">',
        _area(0, 0, columns * CELL_W, rows * CELL_H, "#0a0f14"),
    ]
    words = []
    for row, strip in enumerate(app.screen._compositor.render_strips()):
        y = row * CELL_H
        cells = _cells(list(strip))
        column = 0
        for (front, back, bold), run in groupby(cells, key=lambda cell: cell[1:]):
            text = "".join(cell[0] for cell in run)
            if back != "#0a0f14":
                out.append(_area(column * CELL_W, y, len(text) * CELL_W, CELL_H, back))
            at = column
            for character, same in groupby(text):
                count = len(list(same))
                for x, top, width, height in _BLOCKS.get(character, []):
                    spans = [(at, count)] if width == 8 else [(at + n, 1) for n in range(count)]
                    for start, cells_wide in spans:
                        out.append(
                            _area(
                                start * CELL_W + x * CELL_W / 8,
                                y + top * CELL_H / 8,
                                (cells_wide - 1) * CELL_W + width * CELL_W / 8,
                                height * CELL_H / 8,
                                front,
                            )
                        )
                at += count
            plain = "".join(" " if character in _BLOCKS else character for character in text)
            if plain.strip():
                lead = len(plain) - len(plain.lstrip())
                shown = plain.strip()
                bold_class = ' class="b"' if bold else ""
                words.append(
                    f'<text{bold_class} x="{(column + lead) * CELL_W}" y="{y + 14}" fill="{front}" '
                    f'xml:space="preserve" textLength="{len(shown) * CELL_W}">{escape(shown)}</text>'
                )
            column += len(text)
    return "\n".join([*out, "</g>", *words, "</svg>", ""])
