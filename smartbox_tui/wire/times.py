"""RFC 3339 times with offset, as the contract's JSON has them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The wall clock in the box's time zone, milliseconds."""
    return datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")


def parse(text: str) -> datetime:
    """Raises ValueError."""
    return datetime.fromisoformat(text)
