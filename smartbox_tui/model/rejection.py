"""What a rejection note says: which objects an archive should hide, and why (IHE RAD TF-3 4.66)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RejectionNote:
    """A Key Object Selection of its own series; `instances`: (Series, SOP Class, SOP Instance UID) of each rejected
    object, as it was sent; `made_at` aware."""

    sop_instance_uid: str
    series_instance_uid: str
    series_number: int
    instance_number: int
    made_at: datetime
    instances: tuple[tuple[str, str, str], ...]
