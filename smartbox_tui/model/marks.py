"""What the marks of a clip say, for the Key Object Selection that names their frames."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """`at_s` seconds from the clip's first frame on, `frame` the number of the frame shown then, from 1 on."""

    at_s: float
    frame: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class MarkedFrames:
    """A Key Object Selection beside the clip; `clip`: (Series, SOP Class, SOP Instance UID) of the rendition that
    has these frames; `made_at` aware."""

    sop_instance_uid: str
    series_instance_uid: str
    series_number: int
    instance_number: int
    made_at: datetime
    clip: tuple[str, str, str]
    marks: tuple[Mark, ...]
