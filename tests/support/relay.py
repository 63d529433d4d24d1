"""A TCP relay in front of an archive: as slow as asked, and it can be cut, stalled, deaf or away."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Final, Self

_PIECE: Final = 16384
_RESET: Final = struct.pack("ii", 1, 0)
_LOOK_S: Final = 0.2
_P_DATA: Final = 4  # the PDU's type is its first byte
_LATE_S: Final = 0.1  # what a thread that woke late may catch up


class Relay:
    """`bytes_per_s` counts towards the archive, for all connections together, and may be changed while it runs;
    `away`: who calls is hung up on at once; `passed`: bytes that have gone on to the archive."""

    def __init__(self, target_port: int, bytes_per_s: int) -> None:
        self.bytes_per_s = bytes_per_s
        self.target_port = target_port
        self.away = False
        self.passed = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._lock = threading.Lock()
        self._next_at = time.monotonic()
        self._flowing = threading.Event()
        self._flowing.set()
        self._answering = threading.Event()
        self._answering.set()
        self._deaf = False
        self._cut_in: int | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._flowing.set()
        self._answering.set()
        self.cut()

    def cut(self, *, hard: bool = False) -> None:
        """Ends all connections at once; `hard` with a reset."""
        with self._lock:
            items, self._open = self._open, []
            self._cut_in = None
        for item in items:
            with contextlib.suppress(OSError):
                if hard:
                    item.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                item.shutdown(socket.SHUT_RDWR)

    def cut_in(self, count: int) -> None:
        """Ends all connections in the middle of what goes to the archive, after so many more bytes."""
        with self._lock:
            self._cut_in = count

    def stall(self, stalled: bool) -> None:
        """Nothing moves in either direction, nothing is lost, until it is told otherwise."""
        if stalled:
            self._flowing.clear()
        else:
            self._flowing.set()

    def hold_answers(self, held: bool) -> None:
        """What a DICOM archive says of objects waits (PS3.8, 9.3.5); that it takes an association does not."""
        if held:
            self._answering.clear()
        else:
            self._answering.set()

    def drop(self, dropping: bool) -> None:
        """What comes is taken and thrown away in both directions, as on a line that has died without a word; a
        connection that has lost something so ends with it."""
        self._deaf = dropping
        if not dropping:
            self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    self._connect(near)
                except OSError:  # nobody listens there, or the caller has gone already
                    near.close()

    def _connect(self, near: socket.socket) -> None:
        if self.away:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            near.close()
            return
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        far = socket.create_connection(("127.0.0.1", self.target_port), 5)
        far.settimeout(None)
        for item in (near, far):  # what the relay holds back is what it is asked to
            item.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open += [near, far]
        halves = _Halves((near, far))
        for source, sink, slow in ((near, far, True), (far, near, False)):
            threading.Thread(target=self._pump, args=(source, sink, slow, halves), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, slow: bool, halves: _Halves) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE) if slow else self._answer(source):
                if slow:
                    data = self._paced(data)
                elif data[0] == _P_DATA:
                    self._answering.wait()
                while not self._flowing.wait(_LOOK_S):
                    pass
                if not self._deaf:
                    sink.sendall(data)
                    self.passed += len(data) if slow else 0
                if slow and self._is_time_to_cut():
                    self.cut()
        for item in (source, sink):
            with contextlib.suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
        if halves.one_is_done():
            with self._lock:
                self._open = [item for item in self._open if item not in halves.sockets]
            for item in halves.sockets:
                item.close()

    @staticmethod
    def _answer(source: socket.socket) -> bytes:
        """The archive's next bytes, acknowledged at once: else each answer of a DCMTK archive takes 40 ms more."""
        poll = select.poll()
        poll.register(source, select.POLLIN)
        poll.poll()
        source.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return source.recv(_PIECE)

    def _paced(self, data: bytes) -> bytes:
        """Waits as long as these bytes take; answers as many as may go before a cut."""
        with self._lock:
            now = time.monotonic()
            self._next_at = max(self._next_at, now - _LATE_S) + len(data) / self.bytes_per_s
            pause = self._next_at - now
            if self._cut_in is not None:
                data = data[: max(0, self._cut_in)]
                self._cut_in -= len(data)
        if pause > 0:
            time.sleep(pause)
        return data

    def _is_time_to_cut(self) -> bool:
        with self._lock:
            return self._cut_in is not None and self._cut_in <= 0


class _Halves:
    """The two directions of a connection: whoever ends last closes it."""

    def __init__(self, sockets: tuple[socket.socket, socket.socket]) -> None:
        self.sockets = sockets
        self._running = 2
        self._lock = threading.Lock()

    def one_is_done(self) -> bool:
        """True for the last one."""
        with self._lock:
            self._running -= 1
            return not self._running
