"""What a finger does: it comes down, rests, drags, leaves. Pure, the clock is the touches' own.

Made for gloves: a finger rolls while it presses, so everything within a thumb's width of where it came down stays a
tap at that place; beyond it drags, and what was a press is none any more. Down is told at once: reaction and the
time of a picture are those of the press.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hw.base import TouchEvent, TouchKind
from hw.panel.calibration import Point

ROW_PER_COLUMN: Final = 0.5
"""A cell is twice as high as wide: distances are counted in rows, of three millimetres each on the panel."""
SLOP_ROWS: Final = 1.3
"""Four millimetres: what a gloved finger rolls and slips in a tap. Less than half a button."""
LONG_NS: Final = 600_000_000
"""Gloved presses last 100 to 300 ms; half a second is still one of an unsure finger."""
BOUNCE_NS: Final = 50_000_000
"""Sooner than that after it left no finger comes back to its place: a resistive panel lost it for a moment. Two
taps on purpose are at least 80 ms apart."""
FLICK_ROWS_S: Final = 12.0
"""A finger that leaves faster than four centimetres a second throws."""
_SPEED_NS: Final = 100_000_000
"""The last part of a drag, by which its speed is told."""


class Kind(StrEnum):
    DOWN = "down"
    LONG = "long"
    DRAG = "drag"
    TAP = "tap"
    DROP = "drop"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Gesture:
    """`x`, `y` in cells: of a DRAG and DROP where the finger is, else where it came down. `first`: the drag begins
    with it. `speed`: rows a second downwards, of a DROP that throws, else 0. A touch is DOWN, perhaps LONG or
    DRAGs, then one of TAP, DROP, CANCEL."""

    kind: Kind
    x: float
    y: float
    timestamp_ns: int
    first: bool = False
    speed: float = 0.0


class Gestures:
    """`touch` for each touch in cells; `rest` when `due_ns` has come without one."""

    def __init__(self) -> None:
        self._from: Point | None = None
        self._since_ns = 0
        self._dragging = False
        self._long = False
        self._trace: deque[tuple[int, float]] = deque(maxlen=64)
        self._left: tuple[int, Point] | None = None

    @property
    def due_ns(self) -> int | None:
        """When a finger that stays is a long press; None: never."""
        if self._from is None or self._dragging or self._long:
            return None
        return self._since_ns + LONG_NS

    def rest(self, now_ns: int) -> Gesture | None:
        """The long press, once, when its time has come."""
        due = self.due_ns
        if due is None or now_ns < due or self._from is None:
            return None
        self._long = True
        return Gesture(Kind.LONG, *self._from, due)

    def touch(self, kind: TouchKind, cell: Point, event: TouchEvent) -> list[Gesture]:
        """What a touch means, `cell` being where it lies on the screen."""
        at = event.timestamp_ns
        if kind is TouchKind.DOWN:
            before = self._end(Kind.CANCEL, at)  # cannot be: an UP is missing
            if self._left is not None and at - self._left[0] < BOUNCE_NS and _near(self._left[1], cell):
                return before
            self._from, self._since_ns, self._dragging, self._long = cell, at, False, False
            self._trace.clear()
            return [*before, Gesture(Kind.DOWN, *cell, at)]
        if kind is TouchKind.UP:
            self._left = (at, cell)
        if self._from is None:
            return []
        if kind is TouchKind.MOVE:
            return self._move(self._from, cell, at)
        if event.cancelled:
            return self._end(Kind.CANCEL, at)
        if not self._dragging:
            return self._end(Kind.TAP, at)
        self._from = None
        return [Gesture(Kind.DROP, *cell, at, speed=self._speed(cell[1], at))]

    def _move(self, start: Point, cell: Point, at_ns: int) -> list[Gesture]:
        first = not self._dragging
        if first and _near(start, cell):
            return []
        self._dragging = True
        self._trace.append((at_ns, cell[1]))
        return [Gesture(Kind.DRAG, *cell, at_ns, first=first)]

    def _end(self, kind: Kind, at_ns: int) -> list[Gesture]:
        start, self._from = self._from, None
        return [Gesture(kind, *start, at_ns)] if start is not None else []

    def _speed(self, y: float, at_ns: int) -> float:
        """Of the last moment; 0 for a finger that stopped before it left."""
        recent = [(then, row) for then, row in self._trace if at_ns - then <= _SPEED_NS]
        if len(recent) < 2 or at_ns <= recent[0][0]:
            return 0.0
        speed = (y - recent[0][1]) / (at_ns - recent[0][0]) * 1e9
        return speed if abs(speed) >= FLICK_ROWS_S else 0.0


def _near(one: Point, other: Point) -> bool:
    return math.hypot((one[0] - other[0]) * ROW_PER_COLUMN, one[1] - other[1]) <= SLOP_ROWS
