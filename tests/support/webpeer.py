"""A web server in the shapes that archives' answers were recorded in, and one that misbehaves as it is told to.

Addresses, attributes and status codes are those of dcm4chee-arc (RetrieveURL, ReferencedSOPSequence,
FailedSOPSequence with FailureReason, ErrorComment, a Warning header; 409 when nothing was stored, 204 for an empty
search), the token endpoint is Keycloak's.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

from pydicom import dcmread

JSON = {"Content-Type": "application/dicom+json"}
PREFIX = "/dcm4chee-arc/aets/DCM4CHEE/rs"
TOKENS = "/realms/dcm4che/protocol/openid-connect/token"


@dataclass
class Call:
    """`whole`: all of the body came."""

    method: str
    path: str
    fields: dict[str, str]
    body: bytes = b""
    whole: bool = True
    length: int = 0

    @property
    def objects(self) -> list[bytes]:
        """The parts of a multipart body."""
        match = re.search(r'boundary="?([^";]+)', self.fields.get("content-type", ""))
        if not match:
            return []
        parts = (b"\r\n" + self.body).split(b"\r\n--" + match[1].encode())[1:-1]
        return [part.partition(b"\r\n\r\n")[2] for part in parts]


class Gone(Exception):
    """The client has closed."""


class Conversation:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, ending: threading.Event) -> None:
        self.sock, self.ending = sock, ending
        self._inbox = b""

    def _more(self) -> None:
        data = self.sock.recv(1 << 18)
        if not data:
            raise Gone
        self._inbox += data

    def head(self) -> Call:
        while b"\r\n\r\n" not in self._inbox:
            self._more()
        raw, _, self._inbox = self._inbox.partition(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        return Call(method, path, fields, length=int(fields.get("content-length", "0")))

    def body(self, call: Call, keep: bool = True) -> None:
        """Reads what belongs to the call; without `keep` it is only counted."""
        pieces, left = [], call.length
        call.whole = False
        while left:
            if not self._inbox:
                self._more()
            piece, self._inbox = self._inbox[:left], self._inbox[left:]
            left -= len(piece)
            if keep:
                pieces.append(piece)
        call.body, call.whole = b"".join(pieces), True

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reply(
        self, status: int, body: bytes | str = b"", fields: dict[str, str] | None = None, *, chunks: int = 0
    ) -> None:
        """`chunks`: bytes of each chunk; 0: with a Content-Length."""
        data = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status} Whatever", "Server: WildFly/26"]
        lines += [f"{name}: {value}" for name, value in (fields or {}).items()]
        if status not in (204, 304):
            lines.append("Transfer-Encoding: chunked" if chunks else f"Content-Length: {len(data)}")
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        if chunks:
            pieces = [data[at : at + chunks] for at in range(0, len(data), chunks)]
            data = b"".join(b"%x;x=y\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nX-T: 1\r\n\r\n"
        self.send(head + data)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        raise Gone

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        raise Gone

    def hang(self) -> None:
        """Says nothing more, and reads nothing more."""
        self.ending.wait(60)
        raise Gone

    def drip(self, data: bytes, pause_s: float = 0.05) -> None:
        for at in range(len(data)):
            if self.ending.wait(pause_s):
                raise Gone
            self.send(data[at : at + 1])

    def flood(self, piece: bytes) -> None:
        """Without end."""
        while not self.ending.is_set():
            self.send(piece)
        raise Gone


Action = Callable[[Conversation, Call], None]


def attribute(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def item(sop_class: str, uid: str, **more: Any) -> dict[str, Any]:
    return {"00081150": attribute("UI", sop_class), "00081155": attribute("UI", uid), **more}


def stored_answer(
    url: str, *items: dict[str, Any], failed: tuple[dict[str, Any], ...] = (), comment: str = ""
) -> str:
    """dcm4chee's."""
    values: dict[str, Any] = {}
    if comment:
        values["00000902"] = attribute("LO", comment)
    if items:
        values["00081190"] = attribute("UR", url)
    if failed:
        values["00081198"] = attribute("SQ", *failed)
    if items:
        values["00081199"] = attribute("SQ", *items)
    return json.dumps(values)


@dataclass
class WebPeer:
    """Runs until the block ends. A store request gets the first of `script` that is left, else the normal answer;
    `early`: the same, before its body is read; `searches`, `tokens`: likewise. `basic` (user:password) or `bearer`:
    what a request must show; after a token was asked for it is that one."""

    tls: ssl.SSLContext | None = None
    prefix: str = PREFIX
    script: list[Action] = field(default_factory=list)
    early: list[Action] = field(default_factory=list)
    searches: list[Action] = field(default_factory=list)
    tokens: list[Action] = field(default_factory=list)
    basic: str = ""
    bearer: str = ""
    calls: list[Call] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    times_stored: dict[str, int] = field(default_factory=dict)
    connections: int = 0
    token_life_s: int = 300
    keep: bool = True
    away: bool = False

    def __post_init__(self) -> None:
        self.ending = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._made = 0

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{self.prefix}"

    @property
    def token_url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{TOKENS}"

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    def of(self, method: str, part: str = "") -> list[Call]:
        return [call for call in self.calls if call.method == method and part in call.path]

    @property
    def stores(self) -> list[Call]:
        """Store requests that carried an object; not those that only knock."""
        return [call for call in self.of("POST", "/studies") if call.length > 100]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                if self.away:
                    sock.close()
                    continue
                self.connections += 1
                self._sockets.append(sock)
                thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
                thread.start()
                self._threads.append(thread)

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, Gone, ValueError):
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            talk = Conversation(sock, self.ending)
            while True:
                call = talk.head()
                self.calls.append(call)
                self._answer(talk, call)
        with contextlib.suppress(OSError):
            sock.close()

    def _answer(self, talk: Conversation, call: Call) -> None:
        storing = call.method == "POST" and call.path.startswith(f"{self.prefix}/studies") and call.length > 100
        if storing and self.early:
            self.early.pop(0)(talk, call)
            return
        if call.path == TOKENS:
            talk.body(call)
            (self.tokens.pop(0) if self.tokens else self._token)(talk, call)
            return
        talk.body(call, keep=self.keep)
        if not self._lets_in(call):
            talk.reply(401, "", {"WWW-Authenticate": 'Bearer realm="dcm4che"'})
        elif storing:
            (self.script.pop(0) if self.script else self.store)(talk, call)
        elif call.path.startswith(f"{self.prefix}/studies") and call.method == "POST":
            talk.reply(409, "{}", JSON)
        elif call.path.startswith((f"{self.prefix}/studies", f"{self.prefix}/instances")):
            (self.searches.pop(0) if self.searches else self.search)(talk, call)
        else:
            talk.reply(404, "<html><body>404 - Not Found</body></html>", {"Content-Type": "text/html"})

    def _lets_in(self, call: Call) -> bool:
        shown = call.fields.get("authorization", "")
        if self.basic:
            return shown == f"Basic {base64.b64encode(self.basic.encode()).decode()}"
        return not self.bearer or shown == f"Bearer {self.bearer}"

    def _token(self, talk: Conversation, call: Call) -> None:
        form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
        shown = call.fields.get("authorization", "").removeprefix("Basic ")
        pair = base64.b64decode(shown).decode() if shown else f"{form.get('client_id')}:{form.get('client_secret')}"
        if pair != "box:geheim":
            body = {
                "error": "unauthorized_client",
                "error_description": "Invalid client",
            }
            talk.reply(401, json.dumps(body), {"Content-Type": "application/json"})
            return
        self._made += 1
        self.bearer = f"eyJhbGciOiJSUzI1NiJ9.{self._made}.signature"
        body = {"access_token": self.bearer, "expires_in": self.token_life_s, "refresh_expires_in": 0}
        body |= {"token_type": "Bearer", "not-before-policy": 0, "scope": "profile email"}  # type: ignore[dict-item]
        talk.reply(200, json.dumps(body), {"Content-Type": "application/json"})

    def store(self, talk: Conversation, call: Call) -> None:
        items = [item(*self.take(data)) for data in call.objects]
        talk.reply(200, stored_answer(self.url, *items), JSON)

    def take(self, data: bytes) -> tuple[str, str]:
        """Stores an object; its class and UID."""
        found = dcmread(io.BytesIO(data), stop_before_pixels=True)
        uid = str(found.SOPInstanceUID)
        self.stored[uid] = data
        self.times_stored[uid] = self.times_stored.get(uid, 0) + 1
        return str(found.SOPClassUID), uid

    def search(self, talk: Conversation, call: Call) -> None:
        asked = parse_qs(call.path.partition("?")[2]).get("SOPInstanceUID", [""])[0]
        found = [{"00080018": attribute("UI", uid)} for uid in self.stored if asked in ("", uid)]
        if not found:
            talk.reply(204)
            return
        talk.reply(200, json.dumps(found), {"Content-Type": "application/dicom+json"}, chunks=64)


# ---- what a store request may be answered with


def plain(status: int, body: str = "", **fields: str) -> Action:
    """`fields`: with _ for -."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}

    def action(talk: Conversation, call: Call) -> None:
        talk.reply(status, body, named)

    return action


def names_failed(
    status: int, reason: int | None, *, comment: str = "", with_uid: bool = True, header: str = ""
) -> Action:
    """dcm4chee answers 409 with one object; others 200."""

    def action(talk: Conversation, call: Call) -> None:
        found = dcmread(io.BytesIO(call.objects[0]), stop_before_pixels=True)
        more = {} if reason is None else {"00081197": attribute("US", reason)}
        entry = item(str(found.SOPClassUID), str(found.SOPInstanceUID), **more) if with_uid else more
        fields = {**JSON, **({"Warning": f"299 http://archive/rs: {header}"} if header else {})}
        talk.reply(status, stored_answer("", failed=(entry,), comment=comment), fields)

    return action


def names_stored(
    status: int = 200, *, uid: str = "", warning: int | None = None, also_failed: bool = False
) -> Action:
    def action(talk: Conversation, call: Call) -> None:
        found = dcmread(io.BytesIO(call.objects[0]), stop_before_pixels=True)
        own = uid or str(found.SOPInstanceUID)
        more = {} if warning is None else {"00081196": attribute("US", warning)}
        entry = item(str(found.SOPClassUID), own, **more)
        failed = (
            (item(str(found.SOPClassUID), own, **{"00081197": attribute("US", 0xA700)}),) if also_failed else ()
        )
        talk.reply(
            status, stored_answer("http://a", entry, failed=failed), {"Content-Type": "application/dicom+json"}
        )

    return action


def names_nothing(status: int = 200) -> Action:
    """Orthanc's answer to what it could not read, with 400; a lying server's with 200."""
    empty = {"00080005": attribute("CS", "ISO_IR 192"), "00081198": attribute("SQ"), "00081199": attribute("SQ")}
    return plain(status, json.dumps(empty))


@contextlib.contextmanager
def listening(action: Callable[[Conversation], None]) -> Iterator[int]:
    """A port where each connection gets this treatment."""
    ending = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(sock: socket.socket) -> None:
        with contextlib.suppress(OSError, Gone):
            action(Conversation(sock, ending))
        sock.close()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                threading.Thread(target=serve, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        ending.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
