"""HTTP/1.1 on a Link (RFC 9112): bytes instead of PDUs, with the same patience, pace, TLS and waking.

What a server may cost is bounded: its heads in bytes and in time, its bodies by whoever reads them.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from smartbox_tui.dicom.scu.link import Link, LinkLost
from smartbox_tui.dicom.scu.tls import ENCRYPTED

HEAD_MAX: Final = 65536
_LINE_MAX: Final = 1024  # of a chunk's size
_INTERIM_MAX: Final = 8
_SLICE_S: Final = 0.5
_TLS_ALERT: Final = b"\x15\x03"
_NO_HTTP: Final = "the other side does not speak HTTP/1.1"
STEADY: Final = 65536
"""A body must go on by so many bytes within each time-out: one that drips is no answer."""


class Answered(Exception):
    """The server has answered while we were still sending."""


class TooLong(Exception):
    """The body is longer than its reader wanted."""


@dataclass(frozen=True, slots=True)
class Head:
    """`fields`: names in lower case, repeated ones joined by a comma."""

    status: int
    reason: str
    fields: dict[str, str] = field(default_factory=dict)
    version: str = "HTTP/1.1"

    def tokens(self, name: str) -> list[str]:
        return [word.strip().lower() for word in self.fields.get(name, "").split(",") if word.strip()]


class Wire(Link):
    """One connection to a web server."""

    _unasked = False
    """What arrives now comes before we have asked to the end."""

    def send(self, data: memoryview | bytes) -> None:
        """As a Link's; raises Answered when the server has answered before it had all."""
        self._unasked = True
        try:
            super().send(data)
        finally:
            self._unasked = False

    def check(self) -> None:
        """As a Link's; raises Answered when something lies there that nobody asked for."""
        self._unasked = True
        try:
            super().check()
        finally:
            self._unasked = False

    def _notice_end(self) -> None:
        self._drop_interim()
        if self._inbox and self._unasked:
            raise Answered
        if self._closed_by_peer:
            raise LinkLost("refused", "the connection was closed by the other side")

    def _drop_interim(self) -> None:
        """1xx is nothing yet (RFC 9110 15.2)."""
        while self._inbox[:11].startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")):
            end = self._inbox.find(b"\r\n\r\n")
            if end < 0:
                break
            del self._inbox[: end + 4]

    def head(self, patience_s: float) -> Head:
        """The next answer's head, within `patience_s` from the moment the kernel has delivered what we sent.

        Raises LinkLost: time is up, closed, or no HTTP."""
        deadline = time.monotonic() + patience_s
        unsent = self._unsent()
        for _ in range(_INTERIM_MAX):
            while (end := self._inbox.find(b"\r\n\r\n")) < 0:
                self._refuse_nonsense(len(self._inbox))
                if self._closed_by_peer:
                    raise LinkLost("refused", "the connection was closed by the other side")
                if self._wait(select.POLLIN, min(deadline, time.monotonic() + _SLICE_S), patient=True):
                    self._take()
                elif (left := self._unsent()) < unsent:  # a slow line still carries the object: that is progress
                    unsent, deadline = left, time.monotonic() + patience_s
                if time.monotonic() >= deadline:
                    raise LinkLost("timeout", f"no answer within {patience_s:g} s")
            self._refuse_nonsense(end)
            raw = bytes(self._inbox[:end])
            del self._inbox[: end + 4]
            found = _parse(raw)
            if found.status >= 200:
                return found
        raise LinkLost("refused", _NO_HTTP)

    def _refuse_nonsense(self, length: int) -> None:
        if self._inbox[:2] == _TLS_ALERT:
            raise LinkLost("tls", ENCRYPTED.why, trouble=ENCRYPTED)
        if length > HEAD_MAX or not b"HTTP/1.".startswith(self._inbox[:7]):
            raise LinkLost("refused", _NO_HTTP)

    def body(self, head: Head, sink: Callable[[bytes], object], limit: int, *, total_s: float = 0.0) -> bool:
        """Hands the body to `sink` in pieces; True when another request may follow on this connection.

        limit    the most bytes it may have; TooLong for one more
        total_s  for all of it, 0: as long as it goes on steadily
        Raises LinkLost, TooLong, and what `sink` raises.
        """
        reader = _Body(self, sink, limit, self._timeout_s, total_s)
        closing = "close" in head.tokens("connection")
        if head.version == "HTTP/1.0" and "keep-alive" not in head.tokens("connection"):
            closing = True
        if head.status in (204, 304):
            return not closing
        if codings := head.tokens("transfer-encoding"):
            if codings != ["chunked"]:
                raise LinkLost("refused", f"it answers in the coding {', '.join(codings)[:40]}")
            reader.chunked()
            return not closing and "content-length" not in head.fields
        if "content-length" in head.fields:
            reader.counted(_length(head.fields["content-length"]))
            return not closing
        reader.to_the_end()
        return False

    # ---- for _Body

    def more(self, deadline: float) -> bool:
        """At least one more byte in the inbox; False when the peer has closed. Raises LinkLost (timeout)."""
        before = len(self._inbox)
        while len(self._inbox) == before:
            if self._closed_by_peer:
                return False
            if time.monotonic() >= deadline:
                raise LinkLost("timeout", "its answer did not go on")
            if self._wait(select.POLLIN, deadline, patient=True):
                self._take()
        return True

    @property
    def inbox(self) -> bytearray:
        """What has arrived and was not taken yet."""
        return self._inbox


class _Body:
    def __init__(
        self, wire: Wire, sink: Callable[[bytes], object], limit: int, timeout_s: float, total_s: float
    ) -> None:
        self._wire, self._sink, self._limit, self._timeout_s = wire, sink, limit, timeout_s
        self._done = 0
        self._last = time.monotonic() + total_s if total_s else float("inf")
        self._counted, self._deadline = 0, min(self._last, time.monotonic() + timeout_s)

    def _more(self) -> bool:
        return self._wire.more(self._deadline)

    def _pass_on(self, count: int) -> None:
        inbox = self._wire.inbox
        self._done += count
        if self._done > self._limit:
            raise TooLong
        piece = bytes(inbox[:count])
        del inbox[:count]
        self._sink(piece)
        if self._done - self._counted >= STEADY:
            self._counted, self._deadline = self._done, min(self._last, time.monotonic() + self._timeout_s)

    def counted(self, length: int) -> None:
        if self._done + length > self._limit:
            raise TooLong
        while length:
            if not self._wire.inbox and not self._more():
                raise LinkLost("refused", "the connection was closed in the middle of the answer")
            count = min(length, len(self._wire.inbox))
            self._pass_on(count)
            length -= count

    def to_the_end(self) -> None:
        while self._wire.inbox or self._more():
            self._pass_on(len(self._wire.inbox))

    def chunked(self) -> None:
        """RFC 9112 7.1; extensions and trailers are dropped."""
        while True:
            size = self._line(_LINE_MAX).partition(b";")[0].strip()
            if not size or len(size) > 15 or size.strip(b"0123456789abcdefABCDEF"):
                raise LinkLost("refused", _NO_HTTP)
            length = int(size, 16)
            if not length:
                break
            self.counted(length)
            if self._line(_LINE_MAX):
                raise LinkLost("refused", _NO_HTTP)
        room = HEAD_MAX
        while line := self._line(room):
            room -= len(line) + 2
            if room <= 0:
                raise LinkLost("refused", _NO_HTTP)

    def _line(self, longest: int) -> bytes:
        inbox = self._wire.inbox
        while (end := inbox.find(b"\r\n")) < 0:
            if len(inbox) > longest:
                raise LinkLost("refused", _NO_HTTP)
            if not self._more():
                raise LinkLost("refused", "the connection was closed in the middle of the answer")
        line = bytes(inbox[:end])
        del inbox[: end + 2]
        return line


def _length(text: str) -> int:
    """Repeated equal ones are one (RFC 9112 6.3)."""
    values = {word.strip() for word in text.split(",")}
    value = values.pop()
    if values or not value.isascii() or not value.isdigit() or len(value) > 15:
        raise LinkLost("refused", _NO_HTTP)
    return int(value)


def _parse(raw: bytes) -> Head:
    first, *lines = raw.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    status, _, reason = rest.partition(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0") or len(status) != 3 or not status.isascii() or not status.isdigit():
        raise LinkLost("refused", _NO_HTTP)
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            continue  # folded or broken: nothing that we go by (RFC 9112 5.2)
        key, value = name.lower(), value.strip()
        fields[key] = f"{fields[key]}, {value}" if key in fields else value
    return Head(int(status), reason.strip()[:80], fields, version)
