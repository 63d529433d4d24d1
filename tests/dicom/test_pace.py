"""A destination's rate limit: smooth, for all its connections together, under TLS too, and nobody waits for it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.scu.pace import Pace
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
from smartbox_tui.dicom.scu.tls import Tls
from smartbox_tui.model.answer import TransferCancelled, TransferLost
from tests.dicom.pictures import ORDERED, composition, still
from tests.support.certificates import Authority
from tests.support.dcmtk import storescp
from tests.support.peer import Call, scripted_peer

RATE = 1_000_000


@pytest.fixture
def item(tmp_path: Path) -> Composition:
    path = tmp_path / "picture"
    path.write_bytes(os.urandom(2 * RATE))
    return composition(ORDERED, still("vl-endoscopic", path), path)


def pairs(item: Composition) -> list[tuple[str, str]]:
    return [(item.sop_class_uid, item.transfer_syntax_uid)]


def test_it_flows_evenly_at_the_rate(item: Composition) -> None:
    arrived: list[tuple[float, int]] = []

    def script(call: Call) -> None:
        call.accept(max_pdu=131072)
        recv = call.sock.recv

        class Watched:
            def recv(self, count: int) -> bytes:
                data = recv(count)
                arrived.append((time.monotonic(), len(data)))
                return data

            def __getattr__(self, name: str) -> object:
                return getattr(real, name)

        real, call.sock = call.sock, Watched()  # type: ignore[assignment]
        call.read_message()
        call.respond(0)
        call.answer_release()

    told: list[int] = []
    with scripted_peer(script) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY", timeout_s=10, pace=Pace(RATE))
        begin = time.monotonic()
        with StoreSession(target, pairs(item)) as session:
            assert session.store(item, on_progress=told.append).status == 0
        seconds = time.monotonic() - begin
    assert seconds >= 0.85 * item.dataset_length / RATE
    assert len(told) >= 8, "progress and cancelling keep their second"
    # No burst: in no quarter of a second more than half a second's bytes, however late the threads woke.
    for start, _ in arrived:
        assert sum(count for at, count in arrived if start <= at < start + 0.25) <= RATE // 2


def test_all_connections_share_it(item: Composition) -> None:
    def script(call: Call) -> None:
        call.accept(max_pdu=131072)
        call.read_message()
        call.respond(0)
        call.answer_release()

    with scripted_peer(script) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY", timeout_s=10, pace=Pace(2 * RATE))
        failed: list[BaseException] = []

        def run() -> None:
            try:
                with StoreSession(target, pairs(item)) as session:
                    session.store(item)
            except BaseException as exc:
                failed.append(exc)

        begin = time.monotonic()
        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - begin >= 0.85 * 3 * item.dataset_length / (2 * RATE)
    assert not failed


def test_it_counts_under_tls(item: Composition, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    pair = authority.issue("archive", "server", "DNS:localhost")
    with storescp(tmp_path / "scp", "+tls", str(pair.key), str(pair.cert), "-ic", "+B") as peer:
        target = Peer(
            "localhost", peer.port, "ANY", timeout_s=10, tls=Tls(ca_file=str(authority.cert)), pace=Pace(RATE)
        )
        begin = time.monotonic()
        with StoreSession(target, pairs(item)) as session:
            assert session.store(item).status == 0
        assert time.monotonic() - begin >= 0.85 * item.dataset_length / RATE


def slow(port: int, timeout_s: float = 2) -> Peer:
    return Peer("127.0.0.1", port, "ANY", timeout_s=timeout_s, pace=Pace(10_000))


def test_while_it_waits_an_abort_and_a_cancel_are_noticed(item: Composition) -> None:
    def aborts(call: Call) -> None:
        call.accept()
        call.read_message(data_pdus=1)
        call.abort()
        call.silent()

    with scripted_peer(aborts) as peer:
        begin = time.monotonic()
        with StoreSession(slow(peer.port), pairs(item)) as session, pytest.raises(TransferLost) as caught:
            session.store(item)
        assert (caught.value.outcome_unknown, "aborted" in caught.value.message) == (False, True)
        assert time.monotonic() - begin < 10

    def listens(call: Call) -> None:
        call.accept()
        call.read_message()

    with scripted_peer(listens) as peer:
        begin = time.monotonic()
        with StoreSession(slow(peer.port), pairs(item)) as session, pytest.raises(TransferCancelled):
            session.store(item, cancelled=lambda: time.monotonic() > begin + 0.5)
        with StoreSession(slow(peer.port), pairs(item)) as session:
            threading.Timer(0.5, session.abort).start()
            with pytest.raises(TransferCancelled):
                session.store(item)
        assert time.monotonic() - begin < 20


def test_the_limit_is_no_silence_of_the_peer(tmp_path: Path) -> None:
    """Longer than the time-out under way, and not lost for it."""
    path = tmp_path / "picture"
    path.write_bytes(os.urandom(20_000))
    small = composition(ORDERED, still("vl-endoscopic", path), path)

    def script(call: Call) -> None:
        call.accept()
        call.read_message()
        call.respond(0)
        call.answer_release()

    with scripted_peer(script) as peer, StoreSession(slow(peer.port, 1.0), pairs(small)) as session:
        assert session.store(small).status == 0
