"""Exam states as a table (DESIGN section 2). An unknown pair raises."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class ExamState(StrEnum):
    """open: pictures go to it. unassigned: opened by a trigger, no patient yet. suspended: found after a reboot.
    closed: done. appended: reopened for pictures after closing (new series, new performed step)."""

    OPEN = "open"
    UNASSIGNED = "unassigned"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    APPENDED = "appended"


TRANSITIONS: Final[frozenset[tuple[ExamState, ExamState]]] = frozenset(
    {
        (ExamState.OPEN, ExamState.CLOSED),
        (ExamState.OPEN, ExamState.SUSPENDED),
        (ExamState.UNASSIGNED, ExamState.OPEN),  # assigned, or declared an emergency
        (ExamState.UNASSIGNED, ExamState.CLOSED),
        (ExamState.SUSPENDED, ExamState.OPEN),
        (ExamState.SUSPENDED, ExamState.CLOSED),
        (ExamState.SUSPENDED, ExamState.APPENDED),  # what was suspended while it was appended to
        (ExamState.CLOSED, ExamState.APPENDED),
        (ExamState.APPENDED, ExamState.CLOSED),
        (ExamState.APPENDED, ExamState.SUSPENDED),
    }
)

CURRENT: Final = frozenset({ExamState.OPEN, ExamState.UNASSIGNED, ExamState.APPENDED})
"""States in which an exam can be the one that pictures go to."""


class IllegalTransition(ValueError):
    """A state change that the table does not hold: a defect of ours, never the operator's."""


def check(old: ExamState, new: ExamState) -> None:
    """Raises IllegalTransition for a pair that is not in the table."""
    if (old, new) not in TRANSITIONS:
        raise IllegalTransition(f"an exam cannot go from {old} to {new}")
