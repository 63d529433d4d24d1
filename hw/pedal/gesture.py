"""From pedal edges to gestures: pure, every time comes in as an argument (ns of one monotonic clock).

    short    pressed and released
    long     still held 600 ms after the press; known at that moment, not at the release
    double   pressed again within 300 ms after the release; known at the second press

What is not configured is not waited for: without `double` a short is known at the release, without `double`
and `long` already at the press. Everything is known at most 500 ms after a release. A press belongs to exactly
one gesture; a gesture that a lost device cuts short is ended by feeding a release.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from hw.base import PedalEdge

_MS = 1_000_000

DEBOUNCE_NS = 20 * _MS
LONG_NS = 600 * _MS
DOUBLE_NS = 300 * _MS
STUCK_NS = 30_000 * _MS
"""Longer than a foot rests on a pedal: a cable, a wheel, a fallen drape does."""


class GestureKind(StrEnum):
    SHORT = "short"
    LONG = "long"
    DOUBLE = "double"


@dataclass(frozen=True, slots=True)
class Gesture:
    """What the foot meant. `press_ns` is the first press edge, `known_ns` when the rules had decided."""

    kind: GestureKind
    press_ns: int
    known_ns: int


@dataclass(frozen=True, slots=True)
class PedalStuck:
    """The pedal has been down for 30 s. Said once a press; the press keeps its gesture, and is not repeated."""

    press_ns: int


@dataclass(frozen=True, slots=True)
class PedalFree:
    """A pedal that was stuck has come up: its next press counts again."""

    release_ns: int


Told = Gesture | PedalStuck | PedalFree


class _State(Enum):
    UP = auto()
    HELD = auto()  # down, not yet known what it means
    BETWEEN = auto()  # released once, a second press would make it double
    SPENT = auto()  # down, its gesture is already out


class _Event(Enum):
    PRESS = auto()
    RELEASE = auto()
    LONG_TIME = auto()
    DOUBLE_TIME = auto()


class _Timer(Enum):
    SETTLE = auto()  # the contact has had its time to bounce
    LONG = auto()
    DOUBLE = auto()
    STUCK = auto()


_Table = dict[tuple[_State, _Event], tuple[_State, GestureKind | None]]


def _table(long: bool, double: bool) -> _Table:
    table: _Table = {(_State.SPENT, _Event.RELEASE): (_State.UP, None)}
    if not long and not double:
        table[_State.UP, _Event.PRESS] = (_State.SPENT, GestureKind.SHORT)
        return table
    table[_State.UP, _Event.PRESS] = (_State.HELD, None)
    table[_State.HELD, _Event.RELEASE] = (_State.UP, GestureKind.SHORT)
    if long:
        table[_State.HELD, _Event.LONG_TIME] = (_State.SPENT, GestureKind.LONG)
    if double:
        table[_State.HELD, _Event.RELEASE] = (_State.BETWEEN, None)
        table[_State.BETWEEN, _Event.PRESS] = (_State.SPENT, GestureKind.DOUBLE)
        table[_State.BETWEEN, _Event.DOUBLE_TIME] = (_State.UP, GestureKind.SHORT)
    return table


class GestureRecognizer:
    """Decides the gestures of one pedal.

    Feed every edge, and call `tick` once `deadline_ns` has passed. Feed edges that are already waiting before
    ticking, or a release that came in time is taken for a long press.
    """

    def __init__(self, *, long: bool, double: bool, debounce_ns: int = DEBOUNCE_NS) -> None:
        """`long`, `double`: whether such a gesture has a function on this pedal. `debounce_ns`: what follows an
        edge within that time is its contact's bouncing."""
        self._long = long
        self._debounce_ns = debounce_ns
        self._table = _table(long, double)
        self._state = _State.UP
        self._first_press_ns = 0
        self._press_ns = 0
        self._release_ns = 0
        self._stuck_told = False
        # Debouncing: `_contact` is what the contact says, `_down` what we believe.
        self._contact = False
        self._contact_ns = 0
        self._down = False
        self._settled_ns: int | None = None

    @property
    def press_ns(self) -> int | None:
        """First press edge of a gesture that is not yet known, else None: the moment whose frame is to be kept."""
        return self._first_press_ns if self._state in (_State.HELD, _State.BETWEEN) else None

    @property
    def deadline_ns(self) -> int | None:
        """When to call `tick` at the latest; None when nothing but an edge can change anything."""
        return min((at for at, _ in self._timers()), default=None)

    def begin(self, at_ns: int, *, down: bool) -> list[Told]:
        """The contact as it is found. One that is down was pressed before anybody listened, and means nothing but
        that it may be stuck. A gesture under way ends here; answers what it was."""
        told = self.feed(PedalEdge(down=False, timestamp_ns=at_ns))
        told += self.tick(at_ns + self._debounce_ns + DOUBLE_NS)
        self._contact = self._down = down
        self._contact_ns = self._press_ns = at_ns
        self._settled_ns = None
        self._state = _State.SPENT if down else _State.UP
        self._stuck_told = False
        return told

    def feed(self, edge: PedalEdge) -> list[Told]:
        """Take one edge; answers what became known by it and by the time that passed before it."""
        told = self.tick(edge.timestamp_ns)
        if edge.down == self._contact:
            return told
        self._contact, self._contact_ns = edge.down, edge.timestamp_ns
        # The first edge counts at once, so that nothing waits for the contact to calm down.
        if self._settled_ns is None or edge.timestamp_ns >= self._settled_ns:
            told += self._believe()
        return told

    def tick(self, now_ns: int) -> list[Told]:
        """Let time pass up to `now_ns`; answers what became known, in order."""
        told: list[Told] = []
        while timers := [timer for timer in self._timers() if timer[0] <= now_ns]:
            at, timer = min(timers, key=lambda pair: pair[0])
            match timer:
                case _Timer.SETTLE:
                    told += self._believe()
                case _Timer.LONG:
                    told += self._step(_Event.LONG_TIME, at)
                case _Timer.DOUBLE:
                    told += self._step(_Event.DOUBLE_TIME, at)
                case _Timer.STUCK:
                    self._stuck_told = True
                    told.append(PedalStuck(self._press_ns))
        return told

    def _timers(self) -> list[tuple[int, _Timer]]:
        timers = []
        if self._contact != self._down and self._settled_ns is not None:
            timers.append((self._settled_ns, _Timer.SETTLE))
        if self._state is _State.HELD and self._long:
            timers.append((self._press_ns + LONG_NS, _Timer.LONG))
        if self._state is _State.BETWEEN:
            timers.append((self._release_ns + DOUBLE_NS, _Timer.DOUBLE))
        if self._down and not self._stuck_told:
            timers.append((self._press_ns + STUCK_NS, _Timer.STUCK))
        return timers

    def _believe(self) -> list[Told]:
        """Take over what the contact says, as of its last change."""
        at = self._contact_ns
        self._down = self._contact
        self._settled_ns = at + self._debounce_ns
        if not self._down:
            self._release_ns = at
            free: list[Told] = [PedalFree(at)] if self._stuck_told else []
            self._stuck_told = False
            return free + self._step(_Event.RELEASE, at)
        self._press_ns = at
        self._stuck_told = False
        if self._state is _State.UP:
            self._first_press_ns = at
        return self._step(_Event.PRESS, at)

    def _step(self, event: _Event, at_ns: int) -> list[Told]:
        self._state, kind = self._table[self._state, event]
        return [] if kind is None else [Gesture(kind, self._first_press_ns, at_ns)]
