"""The pictures as plain files beside the DICOM files: JPEG and video that every program can open."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from smartbox_tui.dicom.bitstreams import JPEG, bitstreams, ending, length_of
from smartbox_tui.dicom.compose import Composition, Segment
from smartbox_tui.dicom.fileset_records import Described
from smartbox_tui.engine.delivery.medium.files import Parts

FOLDER: Final = "PICTURES"
_OURS: Final = re.compile(r"^\d{4,}-([0-9A-F]{8})(-\d{4,})?\.(jpg|mp4|ts)(\.TMP)?$")


@dataclass(frozen=True, slots=True)
class Plain:
    """One file: where, and its bytes."""

    parts: Parts
    segments: tuple[Segment, ...]

    @property
    def length(self) -> int:
        return length_of(self.segments)


def plain_files(composition: Composition, described: Described, file_id: Parts) -> list[Plain]:
    """A still's JPEG, a burst's JPEGs, a clip's stream; nothing of what is none of these. The names begin with the
    picture's number in its series and end with that of its DICOM file, in folders of the same names.

    Raises OSError and invalid-object, of the picture itself.
    """
    found = bitstreams(composition)
    kind = ending(found[0]) if found else ""
    if not kind:
        return []
    stem = f"{max(0, described.instance_number):04d}-{file_id[-1]}"
    folder = (FOLDER, *file_id[1:-1])
    if kind != JPEG:  # a stream in several fragments is one all the same
        return [Plain((*folder, f"{stem}.{kind}"), tuple(part for item in found for part in item))]
    if len(found) == 1:
        return [Plain((*folder, f"{stem}.{kind}"), found[0])]
    return [Plain((*folder, f"{stem}-{at:04d}.{kind}"), item) for at, item in enumerate(found, 1)]


def leaf_of(name: str) -> str | None:
    """The last part of the File ID that a plain file of ours belongs to; None: it is none."""
    match = _OURS.match(name)
    return match[1] if match and not match[4] else None


def is_left_over(name: str) -> bool:
    """A plain file of ours that was never finished."""
    match = _OURS.match(name)
    return bool(match and match[4])
