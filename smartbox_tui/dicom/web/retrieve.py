"""WADO-RS (PS3.18 10.4): an instance as it is stored, streamed to whoever wants it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from smartbox_tui.dicom.web.query import not_there
from smartbox_tui.dicom.web.session import Session
from smartbox_tui.dicom.web.wire import Head
from smartbox_tui.errors import SmartBoxError

ACCEPT: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'
"""The star: in the transfer syntax that it is stored in (PS3.18 8.7.3.5.2)."""

_HEAD_MAX: Final = 16384
_BOUNDARY: Final = re.compile(r"""boundary\s*=\s*("([^"]+)"|[^\s;"]+)""", re.IGNORECASE)

Sink = Callable[[bytes], object]


def retrieve_instance(session: Session, study: str, series: str, sop: str, sink: Sink) -> int:
    """Hands the Part 10 file to `sink` in pieces, in order; returns its bytes. A sink that has got some of them
    before an error has got no object.

    Raises not-found, what Session.probe raises, archive-refused (no, or not one, object in the answer), and what
    `sink` raises. An archive that says nothing for the service's time-out, or drips, is a timeout.
    """
    opened: list[_Part] = []

    def opener(head: Head) -> Sink:
        opened.append(_Part(session.name, head.fields.get("content-type", ""), sink))
        return opened[-1].take

    path = f"/studies/{quote(study)}/series/{quote(series)}/instances/{quote(sop)}"
    reply = session.get(path, ACCEPT, sink=opener)
    if reply.status != 200:
        raise not_there(session.name)
    return opened[-1].finish()


class _Part:
    """Finds the one part of a multipart answer (RFC 2046 5.1.1) as it comes in; or takes all of another one."""

    def __init__(self, name: str, content_type: str, sink: Sink) -> None:
        self._name, self._sink = name, sink
        self._kept = bytearray()
        self._count = 0
        self._state = "before"
        kind = content_type.partition(";")[0].strip().lower()
        match = _BOUNDARY.search(content_type)
        if kind == "multipart/related" and match:
            self._delimiter = b"\r\n--" + (match[2] or match[1]).encode("latin-1", "replace")
            self._kept += b"\r\n"  # so that the first one is like the others
        elif kind == "application/dicom":
            self._state, self._delimiter = "plain", b""
        else:
            raise self._wrong("answers a request for an object with something else")

    def _wrong(self, why: str) -> SmartBoxError:
        return SmartBoxError("archive-refused", f"{self._name} {why}.", "The archive's log says more.")

    def take(self, piece: bytes) -> None:
        if self._state == "plain":
            self._pass_on(piece)
            return
        self._kept += piece
        while self._step():
            pass

    def _pass_on(self, piece: bytes) -> None:
        if piece:
            self._count += len(piece)
            self._sink(piece)

    def _step(self) -> bool:
        """True: there may be more to do with what is kept."""
        kept = self._kept
        match self._state:
            case "before":
                return self._skip_to_part()
            case "head":
                end = kept.find(b"\r\n\r\n")
                if end < 0 and len(kept) > _HEAD_MAX:
                    raise self._wrong("answers with a part that does not begin")
                if end < 0:
                    return False
                del kept[: end + 4]
                self._state = "part"
                return True
            case "part":
                at = kept.find(self._delimiter)
                ready = at if at >= 0 else max(0, len(kept) - len(self._delimiter) + 1)
                self._pass_on(bytes(kept[:ready]))
                del kept[:ready]
                if at >= 0:
                    self._state = "after"
                return at >= 0
            case "after":
                rest = bytes(kept[len(self._delimiter) : len(self._delimiter) + 2])
                if len(rest) < 2:
                    return False
                if rest != b"--":
                    raise self._wrong("answers with more than one object")
                self._state = "done"
                return True
            case _:
                kept.clear()
                return False

    def _skip_to_part(self) -> bool:
        kept = self._kept
        at = kept.find(self._delimiter)
        if at < 0:
            if len(kept) > _HEAD_MAX:
                raise self._wrong("answers with a multipart that does not begin")
            return False
        if len(kept) < at + len(self._delimiter) + 2:
            return False
        if kept[at + len(self._delimiter) :][:2] == b"--":
            raise self._wrong("answers with no object")
        del kept[: at + len(self._delimiter)]
        self._state = "head"
        return True

    def finish(self) -> int:
        if self._state not in ("done", "plain") or not self._count:
            raise self._wrong("answers with an object that does not end")
        return self._count
