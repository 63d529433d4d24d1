"""Requests to one web server, one after the other on one connection, which is kept as long as the server keeps it.

No redirect is followed: whoever asks is told where it points. No proxy is used.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from smartbox_tui.dicom.scu.link import LinkLost, connected
from smartbox_tui.dicom.scu.tls import TlsTrouble, Trouble
from smartbox_tui.dicom.web.service import Service
from smartbox_tui.dicom.web.wire import Answered, Head, TooLong, Wire
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import TransferCancelled

ANSWER_MAX: Final = 4 << 20
"""Bytes of an answer that is kept in memory."""

_IDLE_S: Final = 2.0
"""A connection is not used again after so long without a word, or half of what the server says it keeps it."""

Sink = Callable[[bytes], object]
Opener = Callable[[Head], Sink]
"""Told the head of an answer of 200, gives what takes its body."""


class Body(Protocol):
    """What a request carries. May be sent more than once."""

    @property
    def length(self) -> int: ...

    def send(self, head: bytes, send: Callable[[memoryview | bytes], None]) -> None:
        """`head` and all of the body, in few pieces."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """A short Body."""

    data: bytes = b""

    @property
    def length(self) -> int:
        return len(self.data)

    def send(self, head: bytes, send: Callable[[memoryview | bytes], None]) -> None:
        send(head + self.data)


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is empty where a sink has taken it. `whole`: the server had all of our request before it answered."""

    head: Head
    body: bytes = b""
    whole: bool = True

    @property
    def status(self) -> int:
        return self.head.status


class Interrupted(Exception):
    """No answer. `whole`: the last byte of the request had left us; `begun`: the answer had begun; `local`: stopped
    on this side."""

    def __init__(self, lost: LinkLost, *, whole: bool, begun: bool) -> None:
        super().__init__(lost.why)
        self.code, self.why, self.local, self.trouble = lost.code, lost.why, lost.local, lost.trouble
        self.whole, self.begun = whole, begun


class Client:
    """Used by one thread; `abort` by any."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._wire: Wire | None = None
        self._idle_since = 0.0
        self._idle_s = _IDLE_S
        self._lock = threading.Lock()
        self._busy = self._stopped = False

    @property
    def is_connected(self) -> bool:
        return self._wire is not None

    @property
    def secured(self) -> tuple[str, str]:
        """`Link.secured` of the connection that is open."""
        return self._wire.secured if self._wire is not None else ("", "")

    def connect(self) -> None:
        """A connection, if there is none that can be used. Raises what `link.connected` raises."""
        if self._wire is None:
            self._wire = connected(self.service, Wire)
            self._idle_since = time.monotonic()

    def request(
        self,
        method: str,
        path: str,
        fields: dict[str, str],
        body: Body | None = None,
        *,
        patience_s: float = 0.0,
        sink: Opener | None = None,
    ) -> Reply:
        """`path` goes behind the service's own; `fields` are the request's, besides Host and Content-Length.

        patience_s  for the answer's first byte, where that is longer than the service's time-out
        sink        opens what takes the body of an answer of 200, piece by piece and as long as it goes on
        Raises what `connected` raises, Interrupted, TransferCancelled after `abort`, archive-refused for an answer
        without end, and what `body` and `sink` raise (the connection is closed then).
        """
        with self._lock:
            self._busy, self._stopped = True, False
        try:
            return self._request(method, path, fields, body, patience_s, sink)
        except BaseException:
            self.close(hard=True)
            raise
        finally:
            with self._lock:
                self._busy, stopped = False, self._stopped
            if stopped:  # too late for this one: it must not end the next one
                self.close(hard=True)

    def _request(
        self,
        method: str,
        path: str,
        fields: dict[str, str],
        body: Body | None,
        patience_s: float,
        sink: Opener | None,
    ) -> Reply:
        self._drop_stale()
        reused = self.is_connected
        head = self._head(method, path, fields, body)
        try:
            return self._exchange(head, body or Bytes(), patience_s, sink)
        except Interrupted as exc:
            # The server may have closed the kept connection in this very moment. What cannot have arrived whole, or
            # asks only, is sent once more.
            if not reused or exc.local or exc.begun or exc.code == "timeout" or (exc.whole and method != "GET"):
                raise
        self.close(hard=True)
        return self._exchange(head, body or Bytes(), patience_s, sink)

    def is_ready(self) -> bool:
        """Whether there is a connection that the next request can use."""
        self._drop_stale()
        return self.is_connected

    def _drop_stale(self) -> None:
        if self._wire is None:
            return
        stale = time.monotonic() - self._idle_since > self._idle_s
        if not stale:
            try:
                self._wire.check()
            except (LinkLost, Answered):
                stale = True
        if stale:
            self.close()

    def _head(self, method: str, path: str, fields: dict[str, str], body: Body | None) -> bytes:
        lines = [f"{method} {self.service.path}{path} HTTP/1.1", f"Host: {self.service.authority}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        if body is not None:
            lines.append(f"Content-Length: {body.length}")
        if any(not line.isprintable() for line in lines):
            raise SmartBoxError("bad-value", "What is asked of the web service cannot be put into words.", "")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _exchange(self, head: bytes, body: Body, patience_s: float, sink: Opener | None) -> Reply:
        self.connect()
        wire = self._wire
        assert wire is not None
        if self._stopped:  # while it was connecting
            raise TransferCancelled(self.service.name)
        whole = begun = False
        try:
            try:
                body.send(head, wire.send)
                whole = True
            except Answered:
                pass
            answer = wire.head(max(patience_s, self.service.timeout_s) if whole else self.service.timeout_s)
            begun = True
            return self._read(wire, answer, sink, whole=whole)
        except LinkLost as exc:
            raise Interrupted(exc, whole=whole, begun=begun) from exc

    def _read(self, wire: Wire, answer: Head, sink: Opener | None, *, whole: bool) -> Reply:
        kept = bytearray()
        streamed = sink is not None and answer.status == 200
        try:
            if streamed and sink is not None:
                goes_on = wire.body(answer, sink(answer), 1 << 62)
            else:
                goes_on = wire.body(answer, kept.extend, ANSWER_MAX, total_s=self.service.timeout_s)
        except TooLong as exc:
            raise SmartBoxError(
                "archive-refused",
                f"{self.service.name} gave an answer of more than {ANSWER_MAX >> 20} MB.",
                "Is this the address of a DICOMweb service?",
            ) from exc
        except LinkLost:
            if streamed or answer.status < 300:
                raise
            goes_on = False  # a refusal whose text is cut off is a refusal
        if goes_on and whole:
            self._idle_since, self._idle_s = time.monotonic(), _kept_s(answer)
        else:
            self.close(hard=not whole)
        return Reply(answer, bytes(kept), whole)

    def abort(self) -> None:
        """From any thread: the request that runs ends soon, with TransferCancelled or Interrupted(local)."""
        with self._lock:
            self._stopped = self._busy
            if self._busy and self._wire is not None:
                self._wire.wake()

    def close(self, *, hard: bool = False) -> None:
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close(hard=hard)


def _kept_s(answer: Head) -> float:
    for word in answer.tokens("keep-alive"):
        name, _, value = word.partition("=")
        if name.strip() == "timeout" and value.strip().isdigit() and len(value) < 6:
            return min(int(value) / 2, 60.0)
    return _IDLE_S


def lost(name: str, exc: Interrupted) -> SmartBoxError:
    """Of a question, which can be asked again at any time."""
    if exc.local:
        return TransferCancelled(name)
    if exc.trouble is not None:
        return TlsTrouble(name, _for_web(exc.trouble))
    return SmartBoxError(exc.code, f"{name} did not answer: {exc.why}.", "The archive's log says more.")


_HINTS: Final = {
    "plain": "Check the port: a web service without TLS is called as http://…",
    "encrypted": "Call it as https://…; it may have another port for that.",
}


def _for_web(trouble: Trouble) -> Trouble:
    return Trouble(trouble.cause, trouble.why, _HINTS.get(trouble.cause, trouble.hint))


def said(location: str) -> str:
    """Where a redirect points, without what may be secret in it."""
    try:
        parts = urlsplit(location)
        text = f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    except ValueError:
        return ""
    return text[:200] if parts.scheme in ("http", "https") and parts.hostname and text.isprintable() else ""
