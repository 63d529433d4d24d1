"""A hook that is a web address: one POST, verified TLS, and an end in time whatever the server does."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from smartbox_tui.dicom.scu.tls import Tls, TlsTrouble, explain
from smartbox_tui.engine.hooks.reply import OUTPUT_BYTES, Outcome, Reply, text_of

BUSY: Final = frozenset({408, 429, 502, 503, 504})
"""Answers that somebody gives in the place of a server that is not there or has too much to do."""


class Post:
    """One call; `stop` ends it from another thread."""

    def __init__(self, url: str, tls: Tls, timeout_s: float) -> None:
        self._parts = urlsplit(url)
        self._tls, self._timeout_s = tls, timeout_s
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._late = self._stopped = False

    def stop(self) -> None:
        self._stopped = True
        self._cut()

    def _cut(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                # the plain one's: an SSLSocket would lose its state under the thread that reads
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _is_late(self) -> None:
        self._late = True
        self._cut()

    def send(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Never raises what network and server do."""
        host = self._parts.hostname or ""
        guard = threading.Timer(self._timeout_s, self._is_late)
        guard.daemon = True
        guard.start()
        try:
            status, said = self._exchange(host, body, headers)
            if self._late or self._stopped:  # cut in the middle of an answer, which then looks like a whole one
                raise ConnectionAbortedError
        except (OSError, ValueError, http.client.HTTPException, TlsTrouble) as exc:
            if self._stopped:
                return Reply(Outcome.ENDED)
            if self._late:
                return Reply(Outcome.AWAY, "timeout", f"{host} did not answer within {self._timeout_s:g} s.")
            return self._away(host, exc)
        finally:
            guard.cancel()
            self._close()
        return _answered(host, status, said)

    def _exchange(self, host: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        secure = self._parts.scheme == "https"
        port = self._parts.port or (443 if secure else 80)
        deadline = time.monotonic() + self._timeout_s
        self._keep(socket.create_connection((host, port), self._timeout_s))
        if secure:
            assert self._socket is not None
            context = self._tls.context(host)
            wrapped = context.wrap_socket(
                self._socket, server_hostname=self._tls.name or host, do_handshake_on_connect=False
            )
            self._keep(wrapped)
            wrapped.do_handshake()
        if time.monotonic() > deadline:  # it connected only just in time for the guard to miss it
            raise TimeoutError
        connection = http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        connection.default_port = 443 if secure else 80  # so that Host names a port only where it must
        connection.sock = self._socket
        target = quote(self._parts.path or "/", safe="/%:@!$&'()*+,;=~")
        connection.request("POST", target, body, {**headers, "Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read(OUTPUT_BYTES)

    def _keep(self, sock: socket.socket) -> None:
        with self._lock:
            self._socket = sock
        if self._late or self._stopped:
            self._cut()

    def _close(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = None

    def _away(self, host: str, exc: Exception) -> Reply:
        if isinstance(exc, TlsTrouble):
            return Reply(Outcome.AWAY, "tls", exc.message)
        if isinstance(exc, ssl.SSLError):
            return Reply(Outcome.AWAY, "tls", f"No TLS connection with {host}: {explain(exc, self._tls).why}.")
        if isinstance(exc, ConnectionRefusedError):
            return Reply(Outcome.AWAY, "refused", f"{host} is there, but nothing listens on the port.")
        if isinstance(exc, TimeoutError):
            return Reply(Outcome.AWAY, "timeout", f"{host} did not answer within {self._timeout_s:g} s.")
        if isinstance(exc, ConnectionError):
            return Reply(Outcome.AWAY, "refused", f"{host} hung up.")
        if isinstance(exc, OSError):
            return Reply(Outcome.AWAY, "no-route", f"There is no way to {host}: {exc.strerror or 'no such name'}.")
        return Reply(Outcome.FAILED, "archive-refused", f"{host} does not speak HTTP.")


def _answered(host: str, status: int, said: bytes) -> Reply:
    text = text_of(said)
    if 200 <= status < 300:
        return Reply(Outcome.TAKEN, said=text)
    reason = f"{host} answered {status} {http.client.responses.get(status, '')}".rstrip() + "."
    if status in BUSY:
        return Reply(Outcome.AWAY, "timeout", reason, text)
    outcome = Outcome.REFUSED if 400 <= status < 500 else Outcome.FAILED
    return Reply(outcome, "archive-refused", reason, text)
