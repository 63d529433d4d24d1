"""C-GET of one instance: peers that have it, do not, give another one, give nothing, or misbehave."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)

from smartbox_tui.dicom.fingerprint import Fingerprint, Reader
from smartbox_tui.dicom.scu.get import Key, get_instance
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.errors import SmartBoxError
from tests.support.peer import Call, scripted_peer

SC = "1.2.840.10008.5.1.4.1.1.7"
KEY = Key("1.2", "1.2.1", "1.2.3", SC, (JPEGBaseline8Bit, "1.2.840.10008.1.2.1"))


def still(uid: str = "1.2.3", size: int = 100_000) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.PatientID = SC, uid, "P-1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2", "1.2.1"
    dataset.PixelData = encapsulate([os.urandom(size)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return dataset


@contextlib.contextmanager
def archive(
    give: Callable[[Dataset], Iterator[Any]], *, has: bool = True, gets: bool = True, stores: bool = True
) -> Iterator[Peer]:
    def find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        assert event.identifier.QueryRetrieveLevel == "IMAGE"
        if has:
            yield 0xFF00, event.identifier

    ae = AE("ARCHIVE")
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    if gets:
        ae.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    if stores:
        ae.add_supported_context(SC, JPEGBaseline8Bit, scu_role=True, scp_role=True)
    handlers: list[Any] = [(evt.EVT_C_GET, lambda event: give(event.identifier)), (evt.EVT_C_FIND, find)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield Peer("127.0.0.1", server.socket.getsockname()[1], "ARCHIVE", timeout_s=3)
    finally:
        server.shutdown()


def fetch(peer: Peer) -> Fingerprint | None:
    readers: list[Reader] = []

    def opener(syntax: str) -> Callable[[bytes], None]:
        readers.append(Reader(syntax))
        return readers[-1].feed

    return readers[-1].finish() if get_instance(peer, KEY, opener) else None


def test_it_comes_as_it_is_held() -> None:
    held = still()

    def give(asked: Dataset) -> Iterator[Any]:
        assert (asked.StudyInstanceUID, asked.SeriesInstanceUID, asked.SOPInstanceUID) == ("1.2", "1.2.1", "1.2.3")
        yield 1
        yield 0xFF00, held

    with archive(give) as peer:
        found = fetch(peer)
    assert found is not None
    assert (found.sop_instance_uid, found.patient_id, found.length) == ("1.2.3", "P-1", 100_000)
    assert found.transfer_syntax_uid == JPEGBaseline8Bit


def test_it_is_not_there() -> None:
    def nothing(_: Dataset) -> Iterator[Any]:
        yield 0

    with archive(nothing, has=False) as peer:
        assert fetch(peer) is None


@pytest.mark.parametrize("other", [True, False], ids=["another object", "a failure"])
def test_it_is_there_and_does_not_come(other: bool) -> None:
    def give(_: Dataset) -> Iterator[Any]:
        yield 1
        yield (0xFF00, still("1.2.99")) if other else (0xA702, Dataset())

    with archive(give) as peer, pytest.raises(SmartBoxError) as caught:
        fetch(peer)
    assert caught.value.code == "archive-refused"


@pytest.mark.parametrize("values", [{"gets": False}, {"stores": False}])
def test_an_archive_that_gives_nothing_back(values: dict[str, bool]) -> None:
    with archive(lambda _: iter(()), **values) as peer, pytest.raises(SmartBoxError) as caught:
        fetch(peer)
    assert caught.value.code == "no-context"


def test_memory_does_not_grow_with_the_object() -> None:
    """64 MB from pynetdicom, which holds them several times itself: in a process of its own."""
    import subprocess
    import sys

    program = """
import sys
from tests.dicom.test_get import archive, still
def give(_):
    yield 1
    yield 0xFF00, still(size=64 << 20)
with archive(give) as peer:
    print(peer.port, flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            peer = Peer("127.0.0.1", int(process.stdout.readline()), "ARCHIVE", timeout_s=30)
            before = _rss()
            found = fetch(peer)
            assert found is not None
            assert found.length == 64 << 20
            assert _rss() - before < 16 << 20
        finally:
            process.stdin.close()


def _rss() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _after(*steps: Callable[[Call], object]) -> Callable[[Call], None]:
    def script(call: Call) -> None:
        call.accept()
        call.read_pdu()
        call.read_pdu()
        for step in steps:
            step(call)

    return script


def _pieces(call: Call) -> None:
    while not call.stop.wait(0.05):
        call.send_pdu(4, b"\0\0\0\2\1\1")


BAD = {
    "silence": _after(Call.silent),
    "closes": _after(Call.close),
    "resets": _after(Call.reset),
    "aborts": _after(Call.abort),
    "releases": _after(Call.ask_release, Call.silent),
    "half a head": _after(lambda call: call.sock.sendall(b"\x04\0"), Call.silent),
    "an absurd length": _after(lambda call: call.sock.sendall(b"\x04\0\xff\xff\xff\xff"), Call.silent),
    "another context": _after(lambda call: call.send_pdu(4, b"\0\0\0\4\x63\3ab"), Call.silent),
    "a data set nobody asked for": _after(lambda call: call.send_pdu(4, b"\0\0\0\4\1\2ab"), Call.silent),
    "noise": _after(lambda call: call.send_pdu(4, b"\0\0\0\x0c\1\3" + b"\xaa" * 10), Call.silent),
    "empty fragments without end": _after(_pieces),
    "text": _after(lambda call: call.sock.sendall(b"panic: out of memory\n"), Call.silent),
}


@pytest.mark.parametrize("name", list(BAD))
def test_misbehaviour_ends_in_time_and_leaves_nothing(name: str) -> None:
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    with scripted_peer(BAD[name]) as running:
        begin = time.monotonic()
        with pytest.raises(SmartBoxError) as caught:
            fetch(Peer("127.0.0.1", running.port, "ARCHIVE", timeout_s=0.7))
        assert caught.value.code in ("refused", "timeout")
        assert time.monotonic() - begin < 10
    assert threading.active_count() <= threads
    assert len(os.listdir("/proc/self/fd")) <= descriptors
