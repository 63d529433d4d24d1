"""Objects arrive at real archives as they left, byte by byte."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from smartbox_tui.dicom import scp
from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import Composition, compose, from_part10
from smartbox_tui.dicom.scu.echo import echo
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Outcome
from smartbox_tui.model.instance import H264_HP_42_2D, SOP_CLASSES
from tests.dicom.pictures import CLIP_WORDS, EQUIPMENT, ORDERED, Media, clip, composition, still
from tests.support.dcmtk import storescp
from tests.support.orthanc import Orthanc
from tests.support.peer import Call, scripted_peer


def contexts(*items: Composition) -> list[tuple[str, str]]:
    return [(item.sop_class_uid, item.transfer_syntax_uid) for item in items]


def dataset(item: Composition) -> bytes:
    return b"".join(item.chunks())


def all_kinds(media: Media) -> list[Composition]:
    made = [
        composition(ORDERED, still(word, media.still), media.still)
        for word in SOP_CLASSES
        if not word.startswith("video")
    ]
    for path, syntax in ((media.clip_30, None), (media.clip_60, H264_HP_42_2D)):
        for word in CLIP_WORDS:
            picture = clip(word, path, syntax) if syntax else clip(word, path)
            made.append(composition(ORDERED, picture, path))
    return made


@pytest.mark.orthanc
def test_orthanc_gives_every_object_back_byte_for_byte(archive: Orthanc, media: Media, tmp_path: Path) -> None:
    items = all_kinds(media)
    with StoreSession(Peer("127.0.0.1", archive.port, archive.aet), contexts(*items)) as session:
        for item in items:
            assert session.store(item).meaning.outcome is Outcome.STORED
    for item in items:
        path = tmp_path / "back.dcm"
        path.write_bytes(archive.file_of(item.sop_instance_uid))
        assert dataset(from_part10(path)) == dataset(item)


@pytest.mark.parametrize("pdu", ["4096", "16384", "131072"])
def test_storescp_holds_what_we_sent_whatever_its_pdu_size(pdu: str, media: Media, tmp_path: Path) -> None:
    items = all_kinds(media)
    with storescp(tmp_path / "scp", "-pdu", pdu, "+B") as peer:
        with StoreSession(Peer("127.0.0.1", peer.port, "STORESCP"), contexts(*items)) as session:
            assert len(session.accepted) == len(set(contexts(*items)))
            for item in items:
                assert session.store(item).status == 0
        held = {found.sop_instance_uid: dataset(found) for found in map(from_part10, peer.files())}
    assert held == {item.sop_instance_uid: dataset(item) for item in items}


def test_our_own_archive_holds_what_we_sent(media: Media, tmp_path: Path) -> None:
    items = all_kinds(media)
    archive = scp.start("127.0.0.1", 0, "DEMO", tmp_path / "demo")
    try:
        peer = Peer("127.0.0.1", archive.port, "DEMO")
        echo(peer)
        with StoreSession(peer, contexts(*items)) as session:
            assert all(session.store(item).status == 0 for item in items)
        held = {found.sop_instance_uid: dataset(found) for found in map(from_part10, archive.stored())}
    finally:
        archive.stop()
    assert held == {item.sop_instance_uid: dataset(item) for item in items}


@pytest.mark.parametrize("max_pdu", [0, 64, 4096, 16384, 131072, 0xFFFFFFFF])
@pytest.mark.parametrize("extra", [0, 1, 2, 7, 4074, 4090])
def test_pdus_keep_to_the_peers_maximum_and_lose_no_byte(max_pdu: int, extra: int, tmp_path: Path) -> None:
    bitstream = tmp_path / "bits"
    bitstream.write_bytes(os.urandom((1 << 17) + extra))
    item = composition(ORDERED, still("vl-endoscopic", bitstream), bitstream)

    def script(call: Call) -> None:
        call.accept(max_pdu=max_pdu)
        for _ in range(2):  # the second object goes through slots that the first has patched
            call.read_message()
            assert call.data == dataset(item)
            assert call.sop_instance_uid == item.sop_instance_uid
            assert max(call.pdu_sizes) <= (max_pdu or 131072)
            call.respond(0, pieces=True)
        call.answer_release()

    seen: list[int] = []
    with (
        scripted_peer(script) as peer,
        StoreSession(Peer("127.0.0.1", peer.port, "ANY", timeout_s=10), contexts(item)) as session,
    ):
        assert session.store(item, on_progress=seen.append).status == 0
        assert session.store(item).status == 0
    assert seen[-1] == item.dataset_length
    assert seen == sorted(seen)


def test_objects_of_different_kinds_go_on_their_own_contexts(media: Media) -> None:
    first = composition(ORDERED, still("vl-endoscopic", media.still), media.still)
    second = composition(ORDERED, clip("video-endoscopic", media.clip_30), media.clip_30)

    def script(call: Call) -> None:
        call.accept()
        for item in (first, second, first):
            call.read_message()
            assert (call.sop_class_uid, call.data) == (item.sop_class_uid, dataset(item))
            call.respond(0)
        call.answer_release()

    with (
        scripted_peer(script) as peer,
        StoreSession(Peer("127.0.0.1", peer.port, "ANY"), contexts(first, second)) as session,
    ):
        for item in (first, second, first):
            session.store(item)


def test_an_object_without_an_accepted_context_is_not_sent_and_the_session_goes_on(media: Media) -> None:
    taken = composition(ORDERED, still("vl-endoscopic", media.still), media.still)
    refused = composition(ORDERED, clip("video-endoscopic", media.clip_30), media.clip_30)

    def script(call: Call) -> None:
        call.accept(results=lambda abstract, _: 0 if abstract == taken.sop_class_uid else 3)
        call.read_message()
        call.respond(0)
        call.answer_release()

    with (
        scripted_peer(script) as peer,
        StoreSession(Peer("127.0.0.1", peer.port, "ANY"), contexts(taken, refused)) as session,
    ):
        assert session.accepted == contexts(taken)
        with pytest.raises(SmartBoxError) as caught:
            session.store(refused)
        assert caught.value.code == "no-context"
        assert session.store(taken).status == 0


def test_no_context_at_all_is_an_error_with_a_hint(media: Media) -> None:
    item = composition(ORDERED, still("vl-endoscopic", media.still), media.still)

    def script(call: Call) -> None:
        call.accept(results=lambda _a, _t: 4)
        call.answer_release()

    with scripted_peer(script) as peer, pytest.raises(SmartBoxError) as caught:
        StoreSession(Peer("127.0.0.1", peer.port, "ANY"), contexts(item)).open()
    assert (caught.value.code, bool(caught.value.hint)) == ("no-context", True)


def test_200_associations_leave_no_thread_and_no_descriptor(media: Media, tmp_path: Path) -> None:
    item = composition(ORDERED, still("vl-endoscopic", media.still), media.still)

    def script(call: Call) -> None:
        call.accept()
        call.read_message()
        call.respond(0)
        kind, _ = call.read_pdu()
        if kind == 5:
            call.send_pdu(6, bytes(4))

    with scripted_peer(script) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY")
        with StoreSession(target, contexts(item)) as session:
            session.store(item)
        threads = {thread for thread in threading.enumerate() if "run" not in thread.name}
        descriptors = len(os.listdir("/proc/self/fd"))
        for number in range(200):
            session = StoreSession(target, contexts(item))
            session.open()
            session.store(item)
            if number % 2:
                session.close()
            else:
                session.abort()
                session.__exit__(SmartBoxError, None, None)
        for call in peer.calls:
            call.sock.close()
        assert {thread for thread in threading.enumerate() if "run" not in thread.name} <= threads
        assert len(os.listdir("/proc/self/fd")) <= descriptors


def test_a_large_object_needs_no_memory_of_its_size(tmp_path: Path) -> None:
    bitstream = tmp_path / "large"
    with bitstream.open("wb") as file:
        file.truncate(512 << 20)
    header = build_header(ORDERED, clip("video-endoscopic", bitstream), EQUIPMENT)
    item = compose(header, bitstream, 512 << 20)
    with storescp(tmp_path / "scp", "-pdu", "131072", "+B", "--ignore") as peer:
        peak: list[int] = []
        before = _resident_kib()
        with StoreSession(Peer("127.0.0.1", peer.port, "STORESCP"), contexts(item)) as session:
            assert session.store(item, on_progress=lambda _: peak.append(_resident_kib())).status == 0
    assert max(peak) - before < 20 << 10


def _resident_kib() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4


def test_a_stock_storescp_does_not_cost_40_ms_an_object(tmp_path: Path) -> None:
    """Nagle there and delayed ACK here (FIELD-NOTES): the sender alone can cure it."""
    bitstream = tmp_path / "bits"
    bitstream.write_bytes(os.urandom(100_000))
    item = composition(ORDERED, still("vl-endoscopic", bitstream), bitstream)
    with (
        storescp(tmp_path / "scp") as peer,
        StoreSession(Peer("127.0.0.1", peer.port, "STORESCP"), contexts(item)) as session,
    ):
        session.store(item)
        took = []
        for _ in range(50):
            begin = time.monotonic()
            assert session.store(item).status == 0
            took.append(time.monotonic() - begin)
    assert sorted(took)[12] < 0.035, "in the trap every object waits; on a loaded machine some do"
