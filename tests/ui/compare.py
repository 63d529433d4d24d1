"""A drawn screen and the committed one. `UPDATE_SNAPSHOTS=1` writes them anew: look at them then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "snapshots"
FONT_SIGNS = "─━│┃┌┐└┘├┤┬┴┼┏┓┗┛═║╔╗╚╝╭╮╯╰■□▲▶▼◀●○◆•…–—‘’“”„€←↑→↓↵✓✗⚠⭘≥≤≠∞⏵⏸⏺⏹"
"""Beside letters and blocks: the box-drawing and signs that the appliance's font holds."""


def same_as_committed(drawn: str, name: str, size: tuple[int, int], language: str, tmp_path: Path) -> None:
    """Fails with the first line that differs, and leaves the new picture in `tmp_path`."""
    file = FOLDER / f"{name}-{size[0]}x{size[1]}-{language}.svg"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(drawn, encoding="utf-8")
    assert file.exists(), "UPDATE_SNAPSHOTS=1 writes it"
    expected = file.read_text(encoding="utf-8")
    if drawn != expected:
        new = tmp_path / file.name
        new.write_text(drawn, encoding="utf-8")
        was, now = expected.splitlines(), drawn.splitlines()
        differ = next((pair for pair in zip(was, now, strict=False) if pair[0] != pair[1]), ("", "its length"))
        pytest.fail(f"{file.name} looks different, see {new}; first: {differ[0]!r} is now {differ[1]!r}")


def foreign_signs(text: str) -> set[str]:
    """What the Linux console's font does not hold: 512 glyphs, letters to U+017F."""
    return {
        sign
        for sign in text
        if not (sign == "\n" or " " <= sign <= "~" or "\xa0" <= sign <= "\u017f")
        and not ("\u2580" <= sign <= "\u259f" or sign in FONT_SIGNS)
    }
