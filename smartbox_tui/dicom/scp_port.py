"""The box's own DICOM port: listens, gives each connection a thread, and never more than a few."""

from __future__ import annotations

import contextlib
import errno
import logging
import select
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final

from smartbox_tui.dicom.scp_association import Acceptor, Rules
from smartbox_tui.dicom.scp_request import rejection
from smartbox_tui.dicom.scp_table import Handlers, Service
from smartbox_tui.dicom.scu.link import Link
from smartbox_tui.errors import SmartBoxError

log = logging.getLogger(__name__)

ASSOCIATIONS_MAX: Final = 8
SEND_S: Final = 10.0
_TRANSIENT_LIMIT: Final = rejection(2, 3, 2)  # local limit exceeded (PS3.8 9.3.4)


class Port:
    """A listening port. `rules` is asked at each connection: the settings may have changed."""

    def __init__(
        self,
        services: Sequence[Service],
        handlers: Handlers,
        rules: Callable[[], Rules],
        on_refused: Callable[[str, str, str], None] = lambda *_: None,
    ) -> None:
        self._services, self._handlers, self._rules = services, handlers, rules
        self._on_refused = on_refused
        self._lock = threading.Lock()
        self._links: dict[threading.Thread, Link] = {}
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self.number = 0

    def start(self, port: int, host: str = "") -> None:
        """Listens on all addresses, IPv6 where the machine has it; 0: any free port. Raises in-use."""
        try:
            server = _listening(port, host)
        except OSError as exc:
            raise SmartBoxError(
                "in-use",
                f"The box's DICOM port {port} cannot be opened: {exc.strerror or exc}.",
                "Choose another port in the settings, and have it entered in the archive.",
            ) from exc
        server.settimeout(0.5)
        self._socket, self.number = server, server.getsockname()[1]
        self._ending.clear()
        self._thread = threading.Thread(target=self._listen, args=(server,), name="dicom-port", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends all associations with an A-ABORT; within some seconds nothing is left."""
        self._ending.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None
        with self._lock:
            links = dict(self._links)
        for link in links.values():
            link.wake()
        for thread in links:
            thread.join(5)

    @property
    def associations(self) -> int:
        with self._lock:
            return len(self._links)

    def _listen(self, server: socket.socket) -> None:
        with server:
            while not self._ending.is_set():
                try:
                    sock, address = server.accept()
                except TimeoutError:
                    continue
                except OSError as exc:
                    if self._ending.is_set():
                        return
                    log.warning("a connection to the DICOM port failed: %s", exc.strerror)
                    self._ending.wait(0.2)  # out of file descriptors, say: never spin on it
                    continue
                self._take(sock, str(address[0]).removeprefix("::ffff:"))

    def _take(self, sock: socket.socket, host: str) -> None:
        if self.associations >= ASSOCIATIONS_MAX:
            log.warning("the DICOM port has %d associations: %s has to wait", ASSOCIATIONS_MAX, host)
            _turn_away(sock)
            return
        try:
            link = Link(sock, SEND_S)
        except OSError:
            sock.close()
            return
        thread = threading.Thread(target=self._serve, args=(link, host), name="dicom-caller", daemon=True)
        with self._lock:
            self._links[thread] = link
        thread.start()

    def _serve(self, link: Link, host: str) -> None:
        try:
            Acceptor(link, host, self._services, self._handlers, self._rules(), self._on_refused).serve()
        except Exception:
            log.exception("the DICOM port: a defect")
        finally:
            link.close()
            with self._lock:
                self._links.pop(threading.current_thread(), None)


def _listening(port: int, host: str) -> socket.socket:
    """Raises OSError."""
    if not host and socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, backlog=16, dualstack_ipv6=True)
        except OSError as exc:
            if exc.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):  # IPv6 is switched off
                raise
    return socket.create_server((host, port), backlog=16)


def _turn_away(sock: socket.socket) -> None:
    """Nobody waits for who is too many: what it has said so far is read, or the kernel would reset the connection
    and take the answer with it."""
    with contextlib.suppress(OSError), sock:
        sock.setblocking(False)
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        if poll.poll(50):
            sock.recv(65536)
        sock.send(_TRANSIENT_LIMIT)
        sock.shutdown(socket.SHUT_WR)
