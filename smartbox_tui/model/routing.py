"""Which destination gets which picture: the rules of the settings, decided from what is known of the picture alone.

Times of day are minutes since midnight, 0 to 1439.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

DAY: Final = 24 * 60
BORN: Final = "stands-in"
"""The code with which a delivery to a backup begins."""
NEEDLESS: Final = "not-needed"
"""The code of a delivery that ended because the other one of the two, primary and backup, has the picture."""
STANDS_IN: Final = "stands in for "
KEEPS: Final = " keeps it in its stead"
HAS: Final = " has it"
"""Parts of their reasons: before, and behind, a destination's name."""
_SPAN: Final = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class Picture:
    """`minute`: when it was taken, by the box's clock; None: that clock was not sure."""

    emergency: bool
    modality: str
    source: str
    minute: int | None


@dataclass(frozen=True, slots=True)
class Rule:
    """What is empty, or None, asks for nothing. `spans`: from a minute on, until before the other; over midnight
    where the second is the smaller one."""

    emergency: bool | None = None
    modalities: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    spans: tuple[tuple[int, int], ...] = ()

    def fits(self, picture: Picture) -> bool:
        """Every part of the rule must fit. A time that is not sure fits any: rather one copy more than none."""
        return (
            self.emergency in (None, picture.emergency)
            and (not self.modalities or picture.modality in self.modalities)
            and (not self.sources or picture.source in self.sources)
            and (not self.spans or picture.minute is None or any(_within(picture.minute, *it) for it in self.spans))
        )


def _within(minute: int, start: int, end: int) -> bool:
    return start <= minute < end if start < end else minute >= start or minute < end


def minute_of(taken_at: str) -> int:
    """Of an RFC 3339 time, in its own offset."""
    at = datetime.fromisoformat(taken_at)
    return at.hour * 60 + at.minute


def values(text: str) -> frozenset[str]:
    """What stands between the commas."""
    return frozenset(filter(None, (part.strip() for part in text.split(","))))


def spans(text: str) -> tuple[tuple[int, int], ...]:
    """ "18:00-06:00", several with a comma between. Raises ValueError with a sentence."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _SPAN.fullmatch(part)
        if match is None:
            raise ValueError("must be times of day, as in 18:00-06:00")
        start, end = (int(match[at]) * 60 + int(match[at + 1]) for at in (1, 3))
        if start >= DAY or end > DAY or int(match[2]) > 59 or int(match[4]) > 59:
            raise ValueError("must be times of day, from 00:00 to 24:00")
        if start == end % DAY and not (start == 0 and end == DAY):
            raise ValueError("must not begin and end at the same time; empty: the whole day")
        found.append((start, end))
    return tuple(found)


def gaps(rules: Iterable[Rule], pictures: Iterable[tuple[str, str]]) -> Iterator[Picture]:
    """What no rule takes of pictures of these kinds (source, modality); one picture for each time of day at which
    that begins."""
    wanted = list(rules)
    bounds = sorted({0, *(edge % DAY for rule in wanted for span in rule.spans for edge in span)})
    for source, modality in dict.fromkeys(pictures):
        for emergency in (False, True):
            missed = False
            for minute in bounds:
                picture = Picture(emergency, modality, source, minute)
                before, missed = missed, not any(rule.fits(picture) for rule in wanted)
                if missed and not before:
                    yield picture
