"""Whom to call, and as whom."""

from __future__ import annotations

from dataclasses import dataclass, field

from smartbox_tui.dicom.scu.pace import Pace
from smartbox_tui.dicom.scu.tls import Tls
from smartbox_tui.errors import SmartBoxError


@dataclass(frozen=True, slots=True)
class Peer:
    """An application entity and how to reach it.

    timeout_s  for the connection, and for every wait without progress after it; no wait is without one
    tls        what the connection is secured with, or None for plain TCP
    pace       how fast all its connections together may send, or None for as fast as they go
    Raises bad-value for an AE title, port or time-out that DICOM or TCP does not allow.
    """

    host: str
    port: int
    called_aet: str
    calling_aet: str = "SMARTBOX"
    timeout_s: float = 30.0
    tls: Tls | None = None
    pace: Pace | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        check_aet(self.called_aet)
        check_aet(self.calling_aet)
        if not 0 < self.port < 65536:
            raise SmartBoxError("bad-value", f"{self.port} is not a TCP port.", "A number from 1 to 65535.")
        if not self.timeout_s > 0:
            raise SmartBoxError("bad-value", "A time-out must be more than 0 seconds.", "timeout_s = 30")

    @property
    def name(self) -> str:
        """For messages: AET at host:port."""
        return f"{self.called_aet} at {self.host}:{self.port}"


def check_aet(title: str) -> None:
    """An AE title has 1 to 16 ASCII characters, no backslash or control character (PS3.5 6.2, AE).

    Leading and trailing spaces are not significant, only spaces are not a title. Raises bad-value.
    """
    text = title.strip(" ")
    if not 1 <= len(text) <= 16 or not text.isascii() or "\\" in text or not text.isprintable():
        raise SmartBoxError(
            "bad-value",
            f"{title!r} is not an AE title.",
            "1 to 16 letters, digits or signs, no backslash, as the archive's administrator set it up.",
        )
