"""Whether a picture shows the moment of its press. On a box that has too much to do it may show a later one."""

from __future__ import annotations

from typing import Final

from smartbox_tui.ui.i18n import Texts
from smartbox_tui.wire import state

NEAR_S: Final = 0.5
"""Closer than that nobody asks: the nearest frame of the slowest source is no nearer."""
_WHOLE_S: Final = 10.0


def off_s(picture: state.Instance) -> float:
    """By how many seconds it shows something later than its press, below 0 something earlier; 0 where it is near,
    or knows of no press (a clip has its pre-roll, a camera's file came by itself)."""
    if picture.kind == "clip" or not picture.trigger_ns:
        return 0.0
    off = (picture.frame_ns - picture.trigger_ns) / 1e9
    return off if abs(off) > NEAR_S else 0.0


def off_words(t: Texts, off: float) -> str:
    """`1,4 s nach dem Auslösen`, `10 s vor dem Auslösen`."""
    seconds = t.number(abs(off), decimals=0 if abs(off) >= _WHOLE_S else 1)
    return t("{n} s after the press", n=seconds) if off > 0 else t("{n} s before the press", n=seconds)
