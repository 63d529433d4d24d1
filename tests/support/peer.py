"""A DICOM peer that does exactly what a script says, wrong things above all. Plain sockets, none of our code.

    def script(call: Call) -> None:
        call.accept()
        call.read_message()
        call.close()

    with scripted_peer(script) as port: ...

The script runs once for each connection, in a thread of its own.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_IMPLEMENTATION = b"1.2.3.4"


@dataclass
class Call:
    """One connection, from the peer's side. Every read raises ConnectionError when the caller is gone."""

    sock: socket.socket
    stop: threading.Event
    contexts: dict[int, tuple[str, str]] = field(default_factory=dict)  # id: (abstract, first transfer syntax)
    message_id: int = 0
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    data: bytes = b""
    pdu_sizes: list[int] = field(default_factory=list)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise ConnectionError("closed")
            data += piece
        return data

    def read_pdu(self) -> tuple[int, bytes]:
        kind, _, length = struct.unpack(">BBL", self._exactly(6))
        return kind, self._exactly(length)

    def send_pdu(self, kind: int, body: bytes) -> None:
        self.sock.sendall(struct.pack(">BBL", kind, 0, len(body)) + body)

    def _read_request(self) -> bytes:
        kind, body = self.read_pdu()
        assert kind == 1
        position = 68
        while position < len(body):
            item, _, length = struct.unpack(">BBH", body[position : position + 4])
            if item == 0x20:
                self._read_context(body[position + 4 : position + 4 + length])
            position += 4 + length
        return body

    def _read_context(self, item: bytes) -> None:
        names, position = [], 4
        while position < len(item):
            (length,) = struct.unpack(">H", item[position + 2 : position + 4])
            names.append(item[position + 4 : position + 4 + length].decode())
            position += 4 + length
        self.contexts[item[0]] = (names[0], names[1])

    def accept(self, *, max_pdu: int = 16384, results: Callable[[str, str], int] = lambda _a, _t: 0) -> None:
        """Answers with A-ASSOCIATE-AC; `results` decides each context's result from its two UIDs."""
        body = self._read_request()

        def item(kind: int, value: bytes) -> bytes:
            return struct.pack(">BBH", kind, 0, len(value)) + value

        answer = body[:68] + item(0x10, b"1.2.840.10008.3.1.1.1")
        for number, (abstract, transfer) in self.contexts.items():
            answer += item(0x21, bytes((number, 0, results(abstract, transfer), 0)) + item(0x40, transfer.encode()))
        answer += item(0x50, item(0x51, struct.pack(">L", max_pdu)) + item(0x52, _IMPLEMENTATION))
        self.send_pdu(2, answer)

    def reject(self, result: int, source: int, reason: int) -> None:
        self._read_request()
        self.send_pdu(3, bytes((0, result, source, reason)))

    def read_message(self, *, data_pdus: int | None = None) -> None:
        """Reads a command and its data set; stops after `data_pdus` PDUs of data when given."""
        command, data, seen, data_wanted = b"", b"", 0, True
        while True:
            kind, body = self.read_pdu()
            if kind != 4:
                raise ConnectionError(f"PDU type {kind}")
            self.pdu_sizes.append(len(body))
            length, flags = struct.unpack(">L", body[:4])[0], body[5]
            assert length == len(body) - 4, "one PDV a PDU is what our sender writes"
            if flags & 1:
                command += body[6:]
                if flags & 2:
                    data_wanted = self._read_command(command)
            else:
                data += body[6:]
                seen += 1
            self.data = data
            if (flags & 2 and (not flags & 1 or not data_wanted)) or (data_pdus is not None and seen >= data_pdus):
                return

    def _read_command(self, command: bytes) -> bool:
        position, values = 0, {}
        while position < len(command):
            group, element, length = struct.unpack("<HHL", command[position : position + 8])
            assert group == 0
            values[element] = command[position + 8 : position + 8 + length]
            position += 8 + length
        (self.message_id,) = struct.unpack("<H", values[0x0110])
        self.sop_class_uid = values[0x0002].rstrip(b"\0").decode()
        self.sop_instance_uid = values.get(0x1000, b"").rstrip(b"\0").decode()
        return values[0x0800] != b"\x01\x01"

    def respond(
        self,
        status: int,
        *,
        message_id: int | None = None,
        uid: str | None = None,
        comment: str = "",
        field: int = 0x8001,
        pieces: bool = False,
    ) -> None:
        """A response on the first context. `pieces`: every byte in a segment of its own."""

        def element(number: int, value: bytes) -> bytes:
            value += b"\0" * (len(value) % 2)
            return struct.pack("<HHL", 0, number, len(value)) + value

        def short(value: int) -> bytes:
            return struct.pack("<H", value)

        command = element(0x0002, self.sop_class_uid.encode()) + element(0x0100, short(field))
        command += element(0x0120, short(self.message_id if message_id is None else message_id))
        command += element(0x0800, short(0x0101)) + element(0x0900, short(status))
        command += element(0x0902, comment.encode()) if comment else b""
        command += element(0x1000, (self.sop_instance_uid if uid is None else uid).encode())
        command = element(0x0000, struct.pack("<L", len(command))) + command
        pdv = struct.pack(">LBB", len(command) + 2, next(iter(self.contexts), 1), 3) + command
        data = struct.pack(">BBL", 4, 0, len(pdv)) + pdv
        for piece in [data[i : i + 1] for i in range(len(data))] if pieces else [data]:
            self.sock.sendall(piece)

    def abort(self, source: int = 2, reason: int = 0) -> None:
        self.send_pdu(7, bytes((0, 0, source, reason)))

    def ask_release(self) -> None:
        self.send_pdu(5, bytes(4))

    def answer_release(self) -> None:
        kind, _ = self.read_pdu()
        assert kind == 5, kind
        self.send_pdu(6, bytes(4))

    def silent(self) -> None:
        """Neither reads nor writes until the test is over."""
        self.stop.wait(60)

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


@dataclass
class ScriptedPeer:
    port: int
    calls: list[Call]
    failures: list[BaseException]


@contextlib.contextmanager
def scripted_peer(script: Callable[[Call], None], *, receive_buffer: int | None = None) -> Iterator[ScriptedPeer]:
    """Listens on a free port of this machine. A script's own AssertionError fails the test at the end.

    `receive_buffer`: small, so that a peer which does not read is felt at once.
    """
    stop = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))
    if receive_buffer:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    peer = ScriptedPeer(server.getsockname()[1], [], [])
    threads: list[threading.Thread] = []

    def run(call: Call) -> None:
        try:
            script(call)
        except (OSError, ValueError):
            pass  # the caller hung up, as some tests want
        except BaseException as exc:
            peer.failures.append(exc)
        finally:
            call.sock.close()

    def listen() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = server.accept()
                call = Call(sock, stop)
                peer.calls.append(call)
                thread = threading.Thread(target=run, args=(call,), daemon=True)
                thread.start()
                threads.append(thread)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield peer
    finally:
        stop.set()
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        listener.join(5)
        for thread in threads:
            thread.join(5)
    assert not peer.failures, peer.failures
