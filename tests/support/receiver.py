"""A receiver of webhooks: a real HTTP server that answers as a test wants, and keeps what it heard."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.certificates import Pair


class Receiver:
    """`answer(number, event)` gives the status of the call with that number (from 0); -1 hangs up without one, -2
    says nothing until the receiver is stopped, -3 drips its headers for ever."""

    def __init__(self, answer: Callable[[int, dict[str, Any]], int]) -> None:
        self.answer = answer
        self.calls: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.taken: list[dict[str, Any]] = []
        self.ending = threading.Event()
        self.url = ""

    def names(self) -> list[str]:
        return [item["event"] for item in self.taken]


@contextlib.contextmanager
def receiver(
    answer: Callable[[int, dict[str, Any]], int] = lambda _number, _event: 200,
    tls: Pair | None = None,
    port: int = 0,
) -> Iterator[Receiver]:
    made = Receiver(answer)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            event = json.loads(body)
            with lock:
                number = len(made.calls)
                made.calls.append(event)
                made.headers.append(dict(self.headers))
                made.bodies.append(body)
            status = made.answer(number, event)
            if status == -1:
                self.close_connection = True
                return
            if status == -2:
                made.ending.wait(60)
                return
            if status == -3:
                with contextlib.suppress(OSError):
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                    while not made.ending.is_set():
                        self.wfile.write(b"X: y\r\n")
                        time.sleep(0.2)
                return
            if 200 <= status < 300:
                with lock:
                    made.taken.append(event)
            self.send_response(status)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"heard")

        def log_message(self, *_: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            return

    server = Server(("127.0.0.1", port), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.cert, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    made.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}/events"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.ending.set()
        server.shutdown()
        server.server_close()
