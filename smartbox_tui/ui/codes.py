"""Codes from a scanner or held before the camera: what they may say, and which worklist entries they mean. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from textual.message import Message

from smartbox_tui.wire.state import WorklistItem

MOST: Final = 256
"""A longer text is no identifier: DICOM's have 64 characters at most, with what a label puts around them."""


class CodeScanned(Message):
    """A scanner has read a code. Post it to the app, from any thread."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


def clean(text: str) -> str:
    """The code as an identifier: without the blanks, line ends and control characters around and in it; empty
    where it is too long to be one."""
    kept = "".join(sign for sign in text if sign.isprintable()).strip()
    return kept if len(kept) <= MOST else ""


def matching(items: Iterable[WorklistItem], code: str) -> list[WorklistItem]:
    """The entries that have it as accession number, patient ID, step ID or requested procedure ID: exactly, for
    half an ID is another patient's."""
    wanted = clean(code)
    if not wanted:
        return []
    return [
        item
        for item in items
        if wanted
        in (
            item.accession_number.strip(),
            item.patient.id.strip(),
            item.step_id.strip(),
            item.requested_procedure_id.strip(),
        )
    ]
