"""What stands before an archive in a hospital: it speaks TLS to the outside, plain HTTP to the inside.

Debian's Orthanc 1.10.1 takes the greeting of HTTPS and resets the connection at the first request, curl's too.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def tls_front(target_port: int, context: ssl.SSLContext) -> Iterator[int]:
    """Its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def serve(outside: socket.socket) -> None:
        with contextlib.suppress(OSError):
            near = context.wrap_socket(outside, server_side=True)
            far = socket.create_connection(("127.0.0.1", target_port))
            open_.extend((near, far))
            back = threading.Thread(target=pump, args=(far, near), daemon=True)
            back.start()
            pump(near, far)
            back.join(5)
            near.close()
            far.close()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                outside, _ = listener.accept()
                threading.Thread(target=serve, args=(outside,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for sock in open_:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
