"""The TCP (or TLS) connection to a peer: sends buffers, receives PDUs, and never waits for ever.

One thread uses a Link; only `wake` may come from another.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import ssl
import struct
import termios
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from smartbox_tui.dicom.scu.pace import Pace
from smartbox_tui.dicom.scu.tls import ENCRYPTED, NO_GREETING, Tls, TlsTrouble, Trouble, explain, summary
from smartbox_tui.errors import SmartBoxError

_PDU_MAX: Final = 1 << 20
"""Longest PDU we take: we only ever receive negotiation and responses."""

_TLS_ALERT: Final = b"\x15\x03"
"""How a TLS server answers who does not greet it (RFC 8446 5.1); no PDU begins so."""

_TLS_PIECE: Final = 65536
"""OpenSSL says nothing before it is rid of the whole of what it was given: short enough to see progress."""

_SLICE_S: Final = 0.5  # how often a wait looks whether the kernel still gets rid of what we sent
_UNREACHABLE: Final = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})
_HUNG_UP: Final = frozenset({errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE})


class LinkLost(Exception):
    """The connection is of no more use. `code` is the contract's, `why` a sentence's end for a person.

    `local`: this side ended it (`Link.wake`). `trouble`: of TLS, where that was it.
    """

    def __init__(self, code: str, why: str, *, local: bool = False, trouble: Trouble | None = None) -> None:
        super().__init__(why)
        self.trouble = trouble
        self.code = code
        self.why = why
        self.local = local


class Link:
    """A connected socket, non-blocking. `timeout_s`: the longest time without any progress; `tls`: what it was
    secured with; `pace`: how fast it may send."""

    def __init__(
        self, sock: socket.socket, timeout_s: float, tls: Tls | None = None, pace: Pace | None = None
    ) -> None:
        self._sock = sock
        self._timeout_s = timeout_s
        self._tls, self._pace = tls or Tls(), pace
        self._inbox = bytearray()
        self._closed_by_peer = False
        self._lock = threading.Lock()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._open = True
        sock.setblocking(False)
        # Without it the last, short segment of an object waits for the ACK of the one before.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll = select.poll()  # select() would fail above 1024 open files
        self._poll.register(self._wake_fd, select.POLLIN)
        self._poll.register(sock, select.POLLIN)

    def wake(self) -> None:
        """From any thread: the call that is waiting, or the next one, ends with LinkLost(local)."""
        with self._lock:
            if self._open:
                os.eventfd_write(self._wake_fd, 1)

    def close(self, *, hard: bool = False) -> None:
        """`hard`: with a reset, so that what still lies in the kernel is thrown away and the peer knows at once."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            os.close(self._wake_fd)
        with contextlib.suppress(OSError, ValueError):
            if hard:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif isinstance(self._sock, ssl.SSLSocket):
                self._sock.unwrap()  # our close_notify (RFC 8446 6.1); nobody waits for the peer's
        self._sock.close()

    def farewell(self, data: bytes) -> None:
        """Sends a last short PDU if the kernel takes it at once: nobody waits for a peer's ears. Never raises."""
        with contextlib.suppress(OSError):
            self._sock.send(data)

    def check(self) -> None:
        """Looks, without waiting, at what the peer said since. Raises LinkLost: it aborted, asked or closed."""
        if self._wait(select.POLLIN, 0.0, patient=True):
            self._take()
        self._notice_end()

    def send(self, data: memoryview | bytes) -> None:
        """Returns when the kernel has all of `data`; what arrives meanwhile is kept for `receive`.

        Raises LinkLost when the peer aborts, closes or takes nothing for the link's time-out: then not all of
        `data` has left this machine.
        """
        view = memoryview(data)
        deadline = time.monotonic() + self._timeout_s
        wanted = select.POLLIN | select.POLLOUT
        allowed = 0  # OpenSSL wants what it could not send offered again, not less of it
        while view:
            if not allowed:
                allowed, pause = self._allowance(len(view))
                if not allowed:
                    deadline = time.monotonic() + pause
                    if self._wait(select.POLLIN, deadline, patient=True):
                        self._take()
                        self._notice_end()
                    deadline += self._timeout_s
                    continue
            if self._wait(wanted, deadline) & (select.POLLIN | select.POLLHUP):
                self._take()
                self._notice_end()
            wanted = select.POLLIN | select.POLLOUT
            try:
                count = self._sock.send(view[:allowed])
            except (BlockingIOError, InterruptedError, ssl.SSLWantWriteError):
                count = 0
            except ssl.SSLWantReadError:  # a key update: a writable socket would only make us spin
                count, wanted = 0, select.POLLIN
            except OSError as exc:
                raise self._lost(exc) from exc
            view = view[count:]
            allowed -= count
            if count:
                deadline = time.monotonic() + self._timeout_s
            elif time.monotonic() >= deadline:
                raise self._stalled()

    def _allowance(self, wanted: int) -> tuple[int, float]:
        """Bytes that may go now, and seconds to wait when none."""
        most = min(wanted, _TLS_PIECE) if isinstance(self._sock, ssl.SSLSocket) else wanted
        return (most, 0.0) if self._pace is None else self._pace.take(most)

    def receive(
        self, timeout_s: float | None = None, on_wait: Callable[[], None] | None = None
    ) -> tuple[int, bytes]:
        """The next PDU: its type, and what follows its six bytes of head (PS3.8 9.3.1).

        Waits `timeout_s` (default: the link's) from the moment the kernel has delivered what we sent. `on_wait`
        is called about twice a second of waiting; it may send. Raises LinkLost: time is up, closed, or no DICOM.
        """
        patience = self._timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + patience
        unsent = self._unsent()
        while True:
            pdu = self._next_pdu()
            if pdu is not None:
                return pdu
            if self._closed_by_peer:
                raise LinkLost("refused", "the connection was closed by the other side")
            if self._wait(select.POLLIN, min(deadline, time.monotonic() + _SLICE_S), patient=True):
                self._take()
                continue
            if on_wait is not None:
                on_wait()
            left = self._unsent()
            if left < unsent:  # a slow line still carries the object: that is progress
                unsent, deadline = left, time.monotonic() + patience
            if time.monotonic() >= deadline:
                raise LinkLost("timeout", f"no answer within {patience:g} s")

    def _next_pdu(self) -> tuple[int, bytes] | None:
        head = self._head(0)
        if head is None or len(self._inbox) < 6 + head[1]:
            return None
        kind, length = head
        body = bytes(self._inbox[6 : 6 + length])
        del self._inbox[: 6 + length]
        return kind, body

    def _head(self, position: int) -> tuple[int, int] | None:
        """Type and length of the PDU that begins there in the inbox; None before its head is whole.

        Raises LinkLost when it is none."""
        head = self._inbox[position : position + 6]
        if head[:2] == _TLS_ALERT:
            raise LinkLost("tls", ENCRYPTED.why, trouble=ENCRYPTED)
        length = int.from_bytes(head[2:6], "big")
        if (len(head) > 1 and not 1 <= head[0] <= 7) or (len(head) == 6 and length > _PDU_MAX):
            raise LinkLost("refused", "the other side does not speak DICOM")
        return (head[0], length) if len(head) == 6 else None

    def _notice_end(self) -> None:
        """While sending: an A-ABORT, A-RELEASE-RQ, nonsense or close is news; an early response waits for its
        reader."""
        position = 0
        while position < len(self._inbox):
            if self._inbox[position] == 7:
                raise LinkLost("refused", "the archive aborted the association")
            if self._inbox[position] == 5:
                raise LinkLost("refused", "the archive asked to end the association")
            head = self._head(position)
            if head is None:
                break
            position += 6 + head[1]
        if self._closed_by_peer:
            raise LinkLost("refused", "the connection was closed by the other side")
        if len(self._inbox) > _PDU_MAX:
            raise LinkLost("refused", "the other side does not speak DICOM")

    def _wait(self, events: int, deadline: float, *, patient: bool = False) -> int:
        """The socket's events; 0 when `deadline` passed and `patient`. Raises LinkLost: timeout, woken."""
        self._poll.modify(self._sock, events)
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return select.POLLIN
        left = max(0.0, deadline - time.monotonic())
        ready = dict(self._poll.poll(left * 1000 + 1))
        if self._wake_fd in ready:
            raise LinkLost("refused", "it was stopped on this side", local=True)
        result = ready.get(self._sock.fileno(), 0)
        if not result and not patient:
            raise self._stalled()
        return result

    def _stalled(self) -> LinkLost:
        return LinkLost("timeout", f"the other side took no data for {self._timeout_s:g} s")

    def _take(self) -> None:
        """Moves what has arrived to the inbox."""
        try:
            # Peers built on DCMTK write a response in two pieces, and Nagle holds the second until the first
            # is acknowledged: 40 ms an object. This sends the ACK now. It does not stick, hence every time.
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            data = self._sock.recv(65536)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as exc:
            raise self._lost(exc) from exc
        if data:
            self._inbox += data
        else:
            self._closed_by_peer = True

    def _lost(self, exc: OSError) -> LinkLost:
        # A peer's last words may have come just before its reset: an A-ABORT, or an alert of TLS, says more than
        # ECONNRESET.
        if not isinstance(exc, ssl.SSLError):
            try:
                self._inbox += self._sock.recv(65536)
            except ssl.SSLError as words:
                exc = words
            except OSError:
                pass
        self._notice_end()
        if isinstance(exc, ssl.SSLEOFError):
            return LinkLost("refused", "the connection was closed by the other side")
        if isinstance(exc, ssl.SSLError):
            trouble = explain(exc, self._tls)
            return LinkLost("tls", trouble.why, trouble=trouble)
        return LinkLost("refused", f"the connection broke ({exc.strerror or type(exc).__name__})")

    @property
    def secured(self) -> tuple[str, str]:
        """What TLS agreed on, and a hint about the peer's certificate; empty without TLS."""
        return summary(self._sock) if isinstance(self._sock, ssl.SSLSocket) else ("", "")

    def _unsent(self) -> int:
        """Bytes that the peer has not acknowledged yet (SIOCOUTQ)."""
        try:
            raw = fcntl.ioctl(self._sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
        except OSError:
            return 0
        return int.from_bytes(raw, "little")


class Called(Protocol):
    """Whom to connect to: a Peer, or a web service."""

    @property
    def name(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def tls(self) -> Tls | None: ...
    @property
    def pace(self) -> Pace | None: ...


_L = TypeVar("_L", bound=Link)


def connect(peer: Called) -> Link:
    """`connected` for DICOM's own protocol."""
    return connected(peer, Link)


def connected(peer: Called, kind: type[_L]) -> _L:
    """A connection to the first of the host's addresses that takes one, `timeout_s` for each of them, and as much
    again for the greeting of TLS.

    Raises SmartBoxError no-route (name unknown, unreachable), refused, timeout; TlsTrouble.
    """
    context = peer.tls.context(peer.name) if peer.tls is not None else None
    try:
        addresses = socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as exc:
        raise SmartBoxError(
            "no-route",
            f"The host name {peer.host} cannot be resolved.",
            "Check the host's spelling, and the box's DNS settings; an IP address works without DNS.",
        ) from exc
    failure: OSError = OSError("no address")
    for family, type_, protocol, _, address in addresses:
        sock = socket.socket(family, type_ | socket.SOCK_CLOEXEC, protocol)
        try:
            sock.settimeout(peer.timeout_s)
            sock.connect(address)
            return kind(_secured(sock, peer, context), peer.timeout_s, peer.tls, peer.pace)
        except OSError as exc:
            sock.close()
            failure = exc
        except BaseException:
            sock.close()
            raise
    raise _connect_error(peer, failure) from failure


def _secured(sock: socket.socket, peer: Called, context: ssl.SSLContext | None) -> socket.socket:
    """After the greeting of TLS, which has the socket's time-out as a whole. Raises TlsTrouble."""
    if context is None or peer.tls is None:
        return sock
    try:
        return context.wrap_socket(sock, server_hostname=peer.tls.name or peer.host)
    except OSError as exc:
        raise TlsTrouble(peer.name, explain(exc, peer.tls)) from exc
    except ValueError as exc:
        raise TlsTrouble(peer.name, NO_GREETING) from exc


def _connect_error(peer: Called, exc: OSError) -> SmartBoxError:
    if isinstance(exc, TimeoutError) or exc.errno == errno.ETIMEDOUT:
        return SmartBoxError(
            "timeout",
            f"{peer.name} does not answer within {peer.timeout_s:g} s.",
            "Check the IP address, that the machine is on, and that no firewall drops the port.",
        )
    if exc.errno == errno.ECONNREFUSED:
        return SmartBoxError(
            "refused",
            f"{peer.name} refuses the connection: nothing listens on port {peer.port}.",
            "Check the port number, and that the archive's DICOM service runs.",
        )
    if exc.errno in _HUNG_UP:
        return SmartBoxError(
            "refused",
            f"{peer.name} closes the connection as soon as it stands.",
            "Its firewall, or the archive, may take calls of known addresses only.",
        )
    why = "no route to the host" if exc.errno in _UNREACHABLE else exc.strerror or type(exc).__name__
    return SmartBoxError(
        "no-route",
        f"{peer.name} cannot be reached: {why}.",
        "Check the network cable, the box's IP settings and the gateway.",
    )
