"""When a step is scheduled: a worklist server's local time, as a moment."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any


def with_offset(local: str, source: dict[str, Any]) -> str | None:
    """DICOM's local time (PS3.4 K.6.1.2.2) as RFC 3339; None where the server gave none.

    In the offset that the answer itself states, (0008,0201) in the DICOM JSON model, else in the box's.
    """
    try:
        moment = datetime.fromisoformat(local)
        own = _own_offset(source)
        return (moment.replace(tzinfo=own) if own else moment).astimezone().isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None


def _own_offset(source: dict[str, Any]) -> tzinfo | None:
    try:
        return datetime.strptime(str(source["00080201"]["Value"][0]).strip(), "%z").tzinfo
    except (LookupError, TypeError, ValueError):
        return None
