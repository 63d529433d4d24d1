"""UIDs from UUIDs (PS3.5 B.2): a command's UUID decides the UID of what it makes, so a repeat finds it."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid5

IMPLEMENTATION_CLASS_UID: Final = "2.25.302043790172249692526321623266752743501"
"""Ours, for group 2 and the association (PS3.7 D.3.3.2); made once from a random UUID."""

IMPLEMENTATION_VERSION_NAME: Final = "SMARTBOX_1"


def uid_of(uuid: UUID) -> str:
    """`2.25.` and the UUID as a decimal number (PS3.5 B.2); at most 44 characters."""
    return f"2.25.{uuid.int}"


def further(uuid: UUID, index: int) -> UUID:
    """The UUID of the `index`-th instance of one command: the first is the command's own."""
    return uuid if index == 0 else uuid5(uuid, str(index))


def series_uuid(exam_id: UUID, source: str, part: int = 0, generation: int = 0) -> UUID:
    """One series per exam and source (IHE EIA); `part` counts the appended ones (added after closing),
    `generation` how often the exam was reassigned: a corrected exam has other series."""
    again = f":g{generation}" if generation else ""
    return uuid5(exam_id, f"series:{source}:{part}{again}")


def study_uid(exam_id: UUID, generation: int = 0) -> str:
    """An exam's own study, where no worklist entry names one."""
    return uid_of(uuid5(exam_id, f"study:g{generation}") if generation else exam_id)


def reissued(picture: UUID, generation: int) -> str:
    """The SOP Instance UID that a picture gets when its exam is reassigned and its old one was seen outside."""
    return uid_of(uuid5(picture, f"generation:{generation}"))
