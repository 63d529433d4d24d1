"""What servers answer, damaged on the way: every call ends soon, with an answer or the documented error."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given

from smartbox_tui.dicom.scu import mpps
from smartbox_tui.dicom.scu.echo import check_destination
from smartbox_tui.dicom.scu.find import find_worklist
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.worklist import WorklistKeys
from tests.dicom.pictures import ORDERED, Media, composition, still
from tests.support.fuzzing import damaged, examples
from tests.support.peer import Call, scripted_peer
from tests.support.worklist_peer import WorklistPeer, entry

TIMEOUT_S = 2.0
"""Nothing waits so long here: the server hangs up long before."""


@dataclass
class Recorded:
    """A socket that keeps what is sent through it."""

    sock: Any
    sent: io.BytesIO = field(default_factory=io.BytesIO)

    def sendall(self, data: bytes) -> None:
        self.sent.write(data)
        self.sock.sendall(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)


class Parrot:
    """A server that says the same to everybody, whatever they ask, and hangs up when nothing more comes."""

    def __init__(self) -> None:
        self.says = b""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._server.accept()
                with sock, contextlib.suppress(OSError):
                    sock.settimeout(0.1)
                    sock.sendall(self.says)
                    while sock.recv(65536):
                        pass

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)


@pytest.fixture
def parrot() -> Iterator[Parrot]:
    made = Parrot()
    yield made
    made.close()


def recorded(script: Callable[[Call], None], call: Callable[[Peer], object]) -> bytes:
    """What a good server sends in `call`."""
    kept: list[Recorded] = []

    def run(peer_call: Call) -> None:
        kept.append(Recorded(peer_call.sock))
        peer_call.sock = kept[-1]  # type: ignore[assignment]
        script(peer_call)

    with scripted_peer(run) as server, contextlib.suppress(SmartBoxError):
        call(Peer("127.0.0.1", server.port, "RIS", timeout_s=TIMEOUT_S))
    assert kept
    assert len(kept[-1].sent.getvalue()) > 100
    return kept[-1].sent.getvalue()


def stored(call: Call) -> None:
    call.accept()
    call.read_message()
    call.respond(0xB000, comment="coerced")
    call.answer_release()


def echoed(call: Call) -> None:
    call.accept()
    call.read_message()
    call.respond(0, field=0x8030)
    call.answer_release()


def answered(call: Call) -> None:
    call.accept()
    call.read_message()
    call.respond(0, field=0x8140)
    call.answer_release()


def listed(call: Call) -> None:
    made = WorklistPeer(entries=[entry(number, "20261121", name="山田^太郎") for number in range(3)])
    made._script(call)


def calls(media: Media) -> dict[str, tuple[Callable[[Call], None], Callable[[Peer], object]]]:
    item = composition(ORDERED, still("vl-endoscopic", media.still), media.still)
    step = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}, "00400252": {"vr": "CS", "Value": ["IN PROGRESS"]}}

    def store(peer: Peer) -> None:
        with StoreSession(peer, [(item.sop_class_uid, item.transfer_syntax_uid)]) as session:
            session.store(item)

    return {
        "store": (stored, store),
        "find": (listed, lambda peer: find_worklist(peer, WorklistKeys(), on_entry=lambda _entry: None)),
        "mpps": (answered, lambda peer: mpps.create(peer, "1.2.3", step)),
        "check": (echoed, lambda peer: check_destination(peer, [(item.sop_class_uid, item.transfer_syntax_uid)])),
    }


@pytest.mark.parametrize("name", ["store", "find", "mpps", "check"])
def test_a_damaged_answer_is_an_error_with_a_sentence(name: str, media: Media, parrot: Parrot) -> None:
    script, call = calls(media)[name]
    good = recorded(script, call)
    peer = Peer("127.0.0.1", parrot.port, "RIS", timeout_s=TIMEOUT_S)

    @given(damaged([good]))
    @examples(60)
    def check(data: bytes) -> None:
        parrot.says = data
        try:
            call(peer)
        except SmartBoxError as exc:
            said = exc.message
        else:
            said = "an answer"
        assert said

    check()


def test_the_recorded_answers_are_good_ones(media: Media, parrot: Parrot) -> None:
    """Else damage would be done to what nobody would take anyway."""
    found = []
    for name in ("find", "mpps", "check", "store"):
        script, call = calls(media)[name]
        parrot.says = recorded(script, call)
        found.append(call(Peer("127.0.0.1", parrot.port, "RIS", timeout_s=TIMEOUT_S)))
    assert found[0].count == 3  # type: ignore[attr-defined]
    assert found[1].outcome is mpps.StepOutcome.DONE  # type: ignore[attr-defined]
    assert found[2]["ok"]  # type: ignore[index]
