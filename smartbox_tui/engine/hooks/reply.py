"""What became of one call of a hook."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

OUTPUT_BYTES: Final = 2048
"""So much of what a program or a server says is kept; the rest is read and dropped."""


class Outcome(StrEnum):
    """taken: done; refused: it will never take this one; failed: it answered that it could not, and it counts;
    away: nobody answered, and it is tried until it is too old; ended: we hung up ourselves."""

    TAKEN = "taken"
    REFUSED = "refused"
    FAILED = "failed"
    AWAY = "away"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Reply:
    """`code` is one of the contract's, `reason` a sentence of ours, `said` the beginning of what the other side
    wrote: it may be anything, and is for whoever tests the hook."""

    outcome: Outcome
    code: str = ""
    reason: str = ""
    said: str = ""


def text_of(output: bytes) -> str:
    """What a program or a server wrote, as one can show it."""
    text = output[:OUTPUT_BYTES].decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in text).strip()
