"""Two themes, one layout. Red is for recording, alarms and the emergency, nothing else.

The Linux console has 16 colours. Its theme is written with exactly the values of the standard palette: the
terminal's colour system then maps each to its own number, and the console's palette (PALETTE, set by `smartbox
panel setup`) decides what it looks like. No blended colours there, so no widget relies on transparency. The console
has eight grounds only: a bright one is drawn as its dark twin (3 for 11, 6 for 14), so each pair has one text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from textual.theme import Theme

_TRUE: Final = {
    "night": "#0a0f14",
    "ink": "#05080b",
    "raised": "#111a22",
    "key": "#1b2833",
    "key-line": "#33495a",
    "key-hover": "#263847",
    "off": "#10171d",
    "hint": "#9db4c4",
    "text": "#e8eef3",
    "dim": "#8fa3b2",
    "faint": "#5b7080",
    "calm": "#4fc3d0",
    "calm-deep": "#14424a",
    "calm-hover": "#1b5761",
    "good": "#63cf8f",
    "wait": "#f0b84b",
    "wait-deep": "#4a3610",
    "red": "#ff5a52",
    "red-deep": "#a81d1a",
    "red-hover": "#c62a26",
    "on-red": "#ffffff",
    "on-calm": "#041014",
    "on-wait": "#041014",
}

_SIXTEEN: Final = {
    "night": "#000000",
    "ink": "#000000",
    "raised": "#000000",
    "key": "#0000aa",
    "key-line": "#555555",
    "key-hover": "#0000aa",
    "off": "#000000",
    "hint": "#aaaaaa",
    "text": "#ffffff",
    "dim": "#aaaaaa",
    "faint": "#aaaaaa",
    "calm": "#55ffff",
    "calm-deep": "#00aaaa",
    "calm-hover": "#00aaaa",
    "good": "#55ff55",
    "wait": "#ffff55",
    "wait-deep": "#000000",
    "red": "#ff5555",
    "red-deep": "#aa0000",
    "red-hover": "#aa0000",
    "on-red": "#ffffff",
    "on-calm": "#ffffff",
    "on-wait": "#000000",
}


def _theme(name: str, colours: Mapping[str, str]) -> Theme:
    return Theme(
        name=name,
        primary=colours["calm"],
        secondary=colours["calm"],
        accent=colours["calm"],
        warning=colours["wait"],
        error=colours["red"],
        success=colours["good"],
        foreground=colours["text"],
        background=colours["night"],
        surface=colours["raised"],
        panel=colours["key"],
        boost=colours["key"],
        dark=True,
        variables={
            **colours,
            "border": colours["calm"],
            "border-blurred": colours["key-line"],
            "scrollbar": colours["key-line"],
            "scrollbar-hover": colours["dim"],
            "scrollbar-active": colours["calm"],
            "scrollbar-background": colours["night"],
            "scrollbar-background-hover": colours["night"],
            "scrollbar-background-active": colours["night"],
            "scrollbar-corner-color": colours["night"],
            "block-cursor-background": colours["calm"],
            "block-cursor-foreground": colours["on-calm"],
            "block-cursor-text-style": "bold",
            "block-cursor-blurred-background": colours["key-hover"],
            "block-cursor-blurred-foreground": colours["text"],
            "input-cursor-background": colours["calm"],
            "input-cursor-foreground": colours["on-calm"],
            "input-selection-background": colours["key-hover"],
        },
    )


TRUE_COLOUR: Final = _theme("smartbox", _TRUE)
SIXTEEN: Final = _theme("smartbox-16", _SIXTEEN)


def theme_for(few_colours: bool) -> Theme:
    """By what the terminal can; the Linux console cannot do better than sixteen."""
    return SIXTEEN if few_colours else TRUE_COLOUR
