"""What an archive's answer to one object means for its delivery, whichever way it was sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from smartbox_tui.errors import SmartBoxError


class Outcome(StrEnum):
    """stored_with_warning is stored, the warning is noted. retry: the archive may take it later. blocked: it
    will not, until somebody does something. duplicate: the archive says it has this UID; stored if, and only
    if, the last attempt ended with its outcome unknown. later: this object alone waits for a while, and nothing
    has been said about it that would count as an attempt."""

    STORED = "stored"
    STORED_WITH_WARNING = "stored_with_warning"
    RETRY = "retry"
    BLOCKED = "blocked"
    DUPLICATE = "duplicate"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Meaning:
    """`sentence`, `hint`: for people, in English; the screens translate them. `pause_s`: how long the archive asks
    to be left alone, 0 where it does not say."""

    outcome: Outcome
    sentence: str
    hint: str = ""
    pause_s: float = 0.0


class Answer(Protocol):
    """What an archive, of whichever kind, said to one object."""

    @property
    def meaning(self) -> Meaning: ...

    @property
    def told(self) -> str:
        """Its own words, as in "A700: disk full" or "409: 0110"; empty where it took the object without one."""


class TransferLost(SmartBoxError):
    """No answer of the archive. `outcome_unknown` False: it cannot have the whole object, repeat at will.
    True (code outcome-unknown): the last byte had left us, it may have stored it."""

    def __init__(self, code: str, message: str, hint: str, *, outcome_unknown: bool) -> None:
        super().__init__(code, message, hint)
        self.outcome_unknown = outcome_unknown


class TransferCancelled(SmartBoxError):
    """Stopped on this side before the last fragment: the archive cannot have the whole object."""

    def __init__(self, name: str) -> None:
        super().__init__("refused", f"Sending to {name} was stopped on this side.", "")
