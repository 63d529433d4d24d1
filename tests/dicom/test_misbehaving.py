"""Whatever a peer does, at whatever byte: the right outcome, in time, and nothing left over."""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.status import meaning
from smartbox_tui.dicom.scu.store import StoreResult, StoreSession
from smartbox_tui.dicom.scu.tls import Tls, TlsTrouble
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Outcome, TransferLost
from tests.dicom.pictures import ORDERED, composition, still
from tests.support.badpeer import AFTER, BEFORE, MIDDLE, RELEASE, Bad, Script
from tests.support.certificates import Authority
from tests.support.peer import Call, scripted_peer

TIMEOUT_S = 0.6
LONGEST_S = 12.0
"""What a loaded machine may need for what takes at most three time-outs."""


class Secured:
    """The same misbehaviour behind a TLS that behaves."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        pair = authority.issue("archive", "server", "IP:127.0.0.1")
        self.trusting = Tls(ca_file=str(authority.cert))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.cert, pair.key)

    def around(self, script: Script) -> Script:
        def secured(call: Call) -> None:
            call.sock = self._context.wrap_socket(call.sock, server_side=True)
            script(call)

        return secured


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Secured:
    return Secured(tmp_path_factory.mktemp("ca"))


def by_name(bad: Bad) -> str:
    return bad.name


def open_files() -> set[str]:
    """What /proc/self/fd points to; sockets by their inode."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except OSError:  # the listing's own
            continue
    return found


@pytest.fixture(autouse=True)
def nothing_left_over() -> Iterator[None]:
    files, threads = open_files(), set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:  # the peer's own threads may take a moment
        left, running = open_files() - files, set(threading.enumerate()) - threads
        if not left and not running:
            return
        time.sleep(0.02)
    assert not left, left
    assert not running, running


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> tuple[Composition, Composition]:
    """A small one, and one that no kernel buffer takes."""
    found = []
    for size in (10_000, 64 << 20):
        path = tmp_path_factory.mktemp("objects") / "picture"
        with path.open("wb") as file:
            file.truncate(size)
        found.append(composition(ORDERED, still("vl-endoscopic", path), path))
    return found[0], found[1]


def send_to(bad: Bad, item: Composition, tls: Secured | None = None) -> StoreResult | SmartBoxError:
    """One object on one association, in time."""
    script = bad.script if tls is None else tls.around(bad.script)
    with scripted_peer(script, receive_buffer=65536) as peer:
        begin = time.monotonic()
        target = Peer("127.0.0.1", peer.port, "ANY", timeout_s=TIMEOUT_S, tls=tls.trusting if tls else None)
        try:
            with StoreSession(target, [(item.sop_class_uid, item.transfer_syntax_uid)]) as session:
                return session.store(item)
        except SmartBoxError as exc:
            return exc
        finally:
            assert time.monotonic() - begin < LONGEST_S, "every wait must end"


@pytest.mark.parametrize("bad", BEFORE, ids=by_name)
def test_before_the_association_stands(bad: Bad, objects: tuple[Composition, Composition]) -> None:
    error = send_to(bad, objects[0])
    assert isinstance(error, SmartBoxError)
    assert not isinstance(error, TransferLost)
    assert (error.code, bool(error.message), bool(error.hint)) == (bad.code, True, True)


@pytest.mark.parametrize("bad", MIDDLE, ids=by_name)
def test_in_the_middle_of_an_object(bad: Bad, objects: tuple[Composition, Composition]) -> None:
    error = send_to(bad, objects[1])
    assert isinstance(error, TransferLost)
    assert (error.code, error.outcome_unknown) == (bad.code, False)


@pytest.mark.parametrize("bad", AFTER, ids=by_name)
def test_after_the_last_byte(bad: Bad, objects: tuple[Composition, Composition]) -> None:
    answer = send_to(bad, objects[0])
    if bad.code is None:
        assert isinstance(answer, StoreResult)
        assert answer.status == bad.status
    else:
        assert isinstance(answer, TransferLost)
        assert (answer.code, answer.outcome_unknown) == (bad.code, True)


@pytest.mark.parametrize("bad", RELEASE, ids=by_name)
def test_at_the_release(bad: Bad, objects: tuple[Composition, Composition]) -> None:
    answer = send_to(bad, objects[0])
    assert isinstance(answer, StoreResult), "what was answered before counts"
    assert answer.status == bad.status


@pytest.mark.parametrize("bad", [*MIDDLE, *AFTER, *RELEASE], ids=by_name)
def test_under_tls_it_is_the_same(bad: Bad, objects: tuple[Composition, Composition], secured: Secured) -> None:
    answer = send_to(bad, objects[1 if bad in MIDDLE else 0], secured)
    if bad.code is None:
        assert isinstance(answer, StoreResult), answer
        assert answer.status == bad.status
    else:
        assert isinstance(answer, TransferLost)
        assert (answer.code, answer.outcome_unknown) == (bad.code, bad.code == "outcome-unknown")


def test_every_silence_in_the_greeting_of_tls_ends_in_time(objects: tuple[Composition, Composition]) -> None:
    for said in (
        b"",
        b"\x16",
        b"\x16\x03\x03\x00\x7a",
        b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(32),
    ):

        def script(call: Call, said: bytes = said) -> None:
            call.sock.recv(10)
            for position in range(len(said)):
                call.sock.sendall(said[position : position + 1])
            call.silent()

        with scripted_peer(script) as peer:
            begin = time.monotonic()
            session = StoreSession(
                Peer("127.0.0.1", peer.port, "ANY", timeout_s=TIMEOUT_S, tls=Tls()),
                [(objects[0].sop_class_uid, objects[0].transfer_syntax_uid)],
            )
            with pytest.raises(TlsTrouble) as caught:
                session.open()
            assert caught.value.cause == "silent"
            assert time.monotonic() - begin < LONGEST_S


STATUSES = {
    # PS3.4 table B.2-1, PS3.7 Annex C, and some of nobody's
    0x0000: Outcome.STORED, 0xB000: Outcome.STORED_WITH_WARNING, 0xB006: Outcome.STORED_WITH_WARNING,
    0xB007: Outcome.STORED_WITH_WARNING, 0xA700: Outcome.RETRY, 0xA7FF: Outcome.RETRY, 0xA900: Outcome.BLOCKED,
    0xA9FF: Outcome.BLOCKED, 0xC000: Outcome.BLOCKED, 0xCFFF: Outcome.BLOCKED, 0x0111: Outcome.DUPLICATE,
    0x0110: Outcome.RETRY, 0x0117: Outcome.BLOCKED, 0x0122: Outcome.BLOCKED, 0x0124: Outcome.BLOCKED,
    0x0210: Outcome.RETRY, 0x0211: Outcome.BLOCKED, 0x0212: Outcome.BLOCKED, 0xFE00: Outcome.RETRY,
    0xFF00: Outcome.BLOCKED, 0x7777: Outcome.BLOCKED,
}  # fmt: skip


def test_every_status_is_told_as_it_came_on_one_association(objects: tuple[Composition, Composition]) -> None:
    item = objects[0]

    def script(call: Call) -> None:
        call.accept()
        for status in STATUSES:
            call.read_message()
            call.respond(status, comment="why not")
        call.answer_release()

    with scripted_peer(script) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY", timeout_s=5)
        with StoreSession(target, [(item.sop_class_uid, item.transfer_syntax_uid)]) as session:
            for status, outcome in STATUSES.items():
                result = session.store(item)
                assert (result.status, result.comment) == (status, "why not")
                assert meaning(result.status).outcome == outcome, f"{status:04X}"


def test_an_answer_given_twice_does_not_answer_the_next_object(objects: tuple[Composition, Composition]) -> None:
    item = objects[0]

    def script(call: Call) -> None:
        call.accept()
        for status in (0x0000, 0xA700, 0xC000):
            call.read_message()
            call.respond(status)
            call.respond(status)
        call.answer_release()

    with scripted_peer(script) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY", timeout_s=5)
        with StoreSession(target, [(item.sop_class_uid, item.transfer_syntax_uid)]) as session:
            assert [session.store(item).status for _ in range(3)] == [0x0000, 0xA700, 0xC000]


@pytest.mark.parametrize("max_pdu", [0, 4096, 4097, 12345, 16384, 131072, (1 << 20) + 7, 5 << 20, 0xFFFFFFFF])
def test_pdus_are_as_long_as_the_peer_takes_them(
    max_pdu: int, objects: tuple[Composition, Composition], tmp_path: Path
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(os.urandom(3_000_000))
    item = composition(ORDERED, still("vl-endoscopic", path), path)

    def script(call: Call) -> None:
        call.accept(max_pdu=max_pdu)
        for _ in range(2):
            call.read_message()
            assert call.data == b"".join(item.chunks())
            call.respond(0)
        call.answer_release()

    with scripted_peer(script) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY", timeout_s=10)
        with StoreSession(target, [(item.sop_class_uid, item.transfer_syntax_uid)]) as session:
            assert [session.store(item).status for _ in range(2)] == [0, 0]
        sizes = peer.calls[0].pdu_sizes
    whole = (min(max_pdu or 131072, 1 << 20) - 6 & ~1) + 6
    assert max(sizes) == whole <= (max_pdu or whole)
    assert all(size % 2 == 0 for size in sizes)
    count = -(-item.dataset_length // (whole - 6))
    assert len([size for size in sizes if size == whole]) >= 2 * (count - 1)
    assert len(sizes) <= 2 * (count + 1)
