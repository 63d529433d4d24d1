"""What an archive's answer to an object makes of the row (DESIGN section 2)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from smartbox_tui.engine.delivery.breaker import backoff
from smartbox_tui.model.answer import Answer, Outcome
from smartbox_tui.model.delivery import DeliveryState as State
from smartbox_tui.settings.destination import Retry


@dataclass(frozen=True, slots=True)
class Verdict:
    """`pause_s` of a row that waits; `detail` what the ledger keeps of a promise; `changes` of the row's values."""

    state: State
    reason: str = ""
    code: str = ""
    pause_s: float = 0.0
    detail: str = ""
    changes: dict[str, Any] = field(default_factory=dict)


def verdict(row: Any, answer: Answer, retry: Retry) -> Verdict:
    """A duplicate means stored right after a try whose outcome is unknown, and only then."""
    meaning = answer.meaning
    reason = f"{meaning.sentence} ({answer.told})" if answer.told else meaning.sentence
    if meaning.outcome is Outcome.LATER:
        code = "outcome-unknown" if row.uncertain else "archive-refused"
        return Verdict(State.WAITING, reason, code, meaning.pause_s)
    changes = {"attempts": row.attempts + 1, "failures": 0, "uncertain": False}
    stored = meaning.outcome in (Outcome.STORED, Outcome.STORED_WITH_WARNING)
    if stored or (meaning.outcome is Outcome.DUPLICATE and row.uncertain):
        detail = answer.told.partition(":")[0]
        changes["bytes_sent"] = row.bytes
        return Verdict(State.STORED, reason if detail else "", detail=detail, changes=changes)
    if meaning.outcome is Outcome.RETRY and row.attempts + 1 < retry.attempts:
        pause = backoff(row.attempts + 1, retry.first_s, retry.factor, retry.max_s, random.random())  # noqa: S311
        asked = min(meaning.pause_s, retry.max_s)
        return Verdict(State.WAITING, reason, "archive-refused", max(pause, asked), changes=changes)
    return Verdict(State.BLOCKED, reason, "archive-refused", changes=changes)
