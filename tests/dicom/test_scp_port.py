"""The box's own DICOM port: who may call it, what it answers; byte-level misbehaviour leaves nothing behind.

Callers are plain sockets with their own few lines of DICOM, DCMTK and pynetdicom.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance, Verification

from smartbox_tui.dicom import scp_association, scp_port
from smartbox_tui.dicom.scp_association import Rules
from smartbox_tui.dicom.scp_port import ASSOCIATIONS_MAX, Port
from smartbox_tui.dicom.scp_table import COMMITMENT, SERVICES, VERIFICATION, committed, verified
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.commitment import Report
from tests.support.box import until

UID = "2.25.1"
ECHO, IMPLICIT = "1.2.840.10008.1.1", "1.2.840.10008.1.2"


class Heard:
    def __init__(self) -> None:
        self.reports: list[tuple[str, Report]] = []
        self.refused: list[tuple[str, str, str]] = []
        self.status = 0x0000

    def report(self, aet: str, report: Report) -> int:
        self.reports.append((aet, report))
        if self.status < 0:
            raise RuntimeError("a defect")
        return self.status


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def port(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Port]:
    monkeypatch.setattr(scp_association, "ARTIM_S", 1.0)
    monkeypatch.setattr(scp_association, "MESSAGE_S", 1.0)
    threads = threading.active_count()
    made = Port(
        SERVICES,
        {VERIFICATION.name: verified, COMMITMENT.name: committed(heard.report)},
        lambda: Rules(frozenset({"SMARTBOX"}), frozenset({"ARCHIVE"}), idle_s=1.5),
        lambda *told: heard.refused.append(told),
    )
    made.start(0, "127.0.0.1")
    yield made
    made.stop()
    until(lambda: threading.active_count() <= threads, 10, "no thread left over")
    assert made.associations == 0


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# ---- well-behaved callers


def test_echoscu_of_anybody_who_knows_the_title(port: Port) -> None:
    if shutil.which("echoscu") is None:
        pytest.skip("DCMTK is not installed")
    call = ["echoscu", "-aec", "SMARTBOX", "-aet", "ANYBODY", "--repeat", "3", "127.0.0.1", str(port.number)]
    assert subprocess.run(call, check=False, timeout=20).returncode == 0
    call[2] = "SMARTBOY"
    assert subprocess.run(call, check=False, timeout=20, capture_output=True).returncode != 0


def event(*, uid: str = UID, failed: bool = False) -> Dataset:
    data, item = Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    data.TransactionUID = uid
    if failed:
        item.FailureReason = 0x0112
        data.FailedSOPSequence = [item]
    else:
        data.ReferencedSOPSequence = [item]
    return data


@pytest.mark.parametrize("role", [True, False], ids=["with role selection", "without"])
def test_a_report_with_its_role(port: Port, heard: Heard, role: bool) -> None:
    ae = AE(ae_title="ARCHIVE")
    ae.add_requested_context(StorageCommitmentPushModel)
    ae.add_requested_context(Verification)
    roles = [build_role(StorageCommitmentPushModel, scp_role=True)] if role else []
    association = ae.associate("127.0.0.1", port.number, ae_title="SMARTBOX", ext_neg=roles)
    assert association.is_established
    if role:
        (accepted,) = [item for item in association.accepted_contexts if item.abstract_syntax != Verification]
        assert (accepted.as_scp, accepted.as_scu) == (True, False)
    instance = StorageCommitmentPushModelInstance
    for dataset, kind in ((event(), 1), (event(failed=True), 2)):
        answer, _ = association.send_n_event_report(dataset, kind, StorageCommitmentPushModel, instance)
        assert answer.Status == 0
    assert heard.reports[0] == ("ARCHIVE", Report(UID, ("1.2.3",), ()))
    assert heard.reports[1] == ("ARCHIVE", Report(UID, (), (("1.2.3", 0x0112),)))
    told = len(heard.reports)
    for dataset, kind, where, status in (
        (event(), 3, instance, 0x0113),
        (event(), 1, "1.2.3.4", 0x0112),
        (event(uid=""), 1, instance, 0x0110),
    ):
        answer, _ = association.send_n_event_report(dataset, kind, StorageCommitmentPushModel, where)
        assert answer.Status == status
    assert len(heard.reports) == told
    heard.status = -1  # a defect of ours
    answer, _ = association.send_n_event_report(event(), 1, StorageCommitmentPushModel, instance)
    assert answer.Status == 0x0110
    assert association.send_c_echo().Status == 0
    association.release()


def test_a_stranger_may_verify_and_not_report(port: Port, heard: Heard) -> None:
    ae = AE(ae_title="STRANGER")
    ae.add_requested_context(StorageCommitmentPushModel)
    association = ae.associate("127.0.0.1", port.number, ae_title="SMARTBOX")
    assert association.is_rejected
    answer = association.acceptor.primitive
    assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, 3)
    assert heard.refused == [("STRANGER", "127.0.0.1", "calling AE title not recognised")]
    ae.add_requested_context(Verification)
    association = ae.associate("127.0.0.1", port.number, ae_title="SMARTBOX")
    assert [item.abstract_syntax for item in association.accepted_contexts] == [Verification]
    association.release()


def test_what_the_box_does_not_offer_is_rejected_in_its_context(port: Port) -> None:
    ae = AE(ae_title="ARCHIVE")
    ae.add_requested_context("1.2.840.10008.5.1.4.1.1.7")
    ae.add_requested_context(Verification, "1.2.840.10008.1.2.4.50")
    ae.add_requested_context(Verification)
    association = ae.associate("127.0.0.1", port.number, ae_title="SMARTBOX")
    assert sorted(item.result for item in association.rejected_contexts) == [3, 4]
    assert association.send_c_echo().Status == 0
    association.release()


def test_a_port_that_is_taken(port: Port) -> None:
    other = Port(SERVICES, {}, lambda: Rules(frozenset(), frozenset()))
    with pytest.raises(SmartBoxError) as caught:
        other.start(port.number, "127.0.0.1")
    assert caught.value.code == "in-use"
    other.stop()


def test_too_many_are_turned_away_and_room_comes_back(port: Port) -> None:
    sockets = [socket.create_connection(("127.0.0.1", port.number)) for _ in range(ASSOCIATIONS_MAX)]
    until(lambda: port.associations == ASSOCIATIONS_MAX, 5)
    with socket.create_connection(("127.0.0.1", port.number), 5) as late:
        late.sendall(request())
        assert late.recv(100) == scp_port._TRANSIENT_LIMIT
    until(lambda: port.associations == 0, 10, "the silent ones to be cut off")
    for sock in sockets:
        sock.close()
    with socket.create_connection(("127.0.0.1", port.number), 5) as sock:
        sock.sendall(request())
        assert sock.recv(1) == b"\x02"


# ---- what anybody may send


def item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def pdu(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack(">BBL", kind, 0, len(body) if length is None else length) + body


def request(
    *, called: bytes = b"SMARTBOX", contexts: bytes | None = None, version: int = 1,
    application: bytes | None = None, max_pdu: int = 16384,
) -> bytes:  # fmt: skip
    if contexts is None:
        contexts = item(0x20, b"\x01\0\0\0" + item(0x30, ECHO.encode()) + item(0x40, IMPLICIT.encode()))
    body = struct.pack(">HH", version, 0) + called.ljust(16) + b"ARCHIVE".ljust(16) + bytes(32)
    body += item(0x10, application or b"1.2.840.10008.3.1.1.1") + contexts
    body += item(0x50, item(0x51, struct.pack(">L", max_pdu)) + item(0x52, b"1.2.3"))
    return pdu(1, body)


def pdv(piece: bytes, flags: int, number: int = 1) -> bytes:
    return struct.pack(">LBB", len(piece) + 2, number, flags) + piece


def command(field: int = 0x0030, data: int = 0x0101, length: int | None = None) -> bytes:
    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(value)) + value

    body = element(2, ECHO.encode() + b"\0") + element(0x100, struct.pack("<H", field))
    body += element(0x110, b"\1\0") + element(0x800, struct.pack("<H", data))
    return element(0, struct.pack("<L", len(body) if length is None else length)) + body


ABORTED, REJECTED, CLOSED = b"\x07", b"\x03", b""
BEFORE = {
    "nothing": (b"", ABORTED),
    "half a head": (b"\x01\0\0", ABORTED),
    "a head alone": (pdu(1, b"", 200), ABORTED),
    "half a request": (request()[:60], ABORTED),
    "a request of 2^32-1 bytes": (pdu(1, b"", 0xFFFFFFFF), ABORTED),
    "a request of length 0": (pdu(1, b""), ABORTED),
    "zeros": (pdu(1, bytes(4000)), ABORTED),
    "ones": (pdu(1, b"\xff" * 4000), ABORTED),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: box\r\n\r\n", ABORTED),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50), ABORTED),
    "data first": (pdu(4, pdv(command(), 3)), ABORTED),
    "a release first": (pdu(5, bytes(4)), ABORTED),
    "an abort first": (pdu(7, bytes(4)), CLOSED),
    "an acceptance": (pdu(2, bytes(80)), ABORTED),
    "PDU type 0": (pdu(0, bytes(4)), ABORTED),
    "PDU type 99": (pdu(99, bytes(4)), ABORTED),
    "another called title": (request(called=b"OTHER"), REJECTED),
    "a title in small letters": (request(called=b"smartbox"), REJECTED),
    "protocol version 2": (request(version=2), REJECTED),
    "another application": (request(application=b"1.2.3"), REJECTED),
    "no contexts": (request(contexts=b"\x20\0\0\0"), ABORTED),
    "an even context": (request(contexts=item(0x20, b"\x02\0\0\0" + item(0x30, b"1.2") + item(0x40, b"1.2"))),
                        ABORTED),
    "a context twice": (request(contexts=item(0x20, b"\x01\0\0\0" + item(0x30, b"1.2") + item(0x40, b"1.2")) * 2),
                        ABORTED),
    "a context without syntaxes": (request(contexts=item(0x20, b"\x01\0\0\0")), ABORTED),
    "200 contexts": (request(contexts=b"".join(
        item(0x20, bytes((number & 255 | 1, 0, 0, 0)) + item(0x30, b"1.2") + item(0x40, b"1.2"))
        for number in range(200))), ABORTED),
}  # fmt: skip
AFTER = {
    "nothing": b"",
    "half a head": b"\x04\0",
    "half a PDU": pdu(4, b"ab", 100),
    "a PDU of 2^32-1 bytes": pdu(4, b"", 0xFFFFFFFF),
    "an empty PDU": pdu(4, b""),
    "a PDU shorter than its PDV": pdu(4, b"\0\0\1\0\1\3ab"),
    "a PDV of length 0": pdu(4, b"\0\0\0\0\1\3"),
    "another context": pdu(4, pdv(command(), 3, 77)),
    "a data set first": pdu(4, pdv(b"abcd", 2)),
    "a command without end": pdu(4, pdv(bytes(60000), 1)) * 3,
    "a command that stops": pdu(4, pdv(command()[:20], 1)),
    "noise as a command": pdu(4, pdv(b"\xaa" * 40, 3)),
    "a command cut off": pdu(4, pdv(command()[:-3], 3)),
    "empty fragments": pdu(4, pdv(b"", 1) * 3000),
    "a second request": request(),
    "an acceptance": pdu(2, bytes(80)),
    "a rejection": pdu(3, bytes(4)),
    "a release nobody asked for": pdu(6, bytes(4)),
    "PDU type 0": pdu(0, b""),
    "PDU type 99": pdu(99, bytes(4)),
    "text": b"panic: out of memory\n",
    "a data set that is a command": pdu(4, pdv(command(data=1), 3)) + pdu(4, pdv(b"abc", 3)),
    "a data set that never ends": pdu(4, pdv(command(data=1), 3)) + pdu(4, pdv(b"abc", 0)),
}


def read_all(sock: socket.socket) -> bytes:
    data = b""
    try:
        while piece := sock.recv(4096):
            data += piece
    except ConnectionError:
        pass
    return data


@pytest.mark.parametrize("name", list(BEFORE))
def test_misbehaviour_before_the_association(port: Port, name: str) -> None:
    sent, wanted = BEFORE[name]
    before = descriptors()
    with socket.create_connection(("127.0.0.1", port.number), 8) as sock:
        sock.sendall(sent)
        assert read_all(sock)[:1] in (wanted, CLOSED)
    _nothing_left(port, before)


@pytest.mark.parametrize("name", list(AFTER))
def test_misbehaviour_within_the_association(port: Port, name: str) -> None:
    before = descriptors()
    with socket.create_connection(("127.0.0.1", port.number), 8) as sock:
        sock.sendall(request())
        assert sock.recv(1) == b"\x02"
        sock.sendall(AFTER[name])
        read_all(sock)
    _nothing_left(port, before)


def _nothing_left(port: Port, before: int) -> None:
    until(lambda: port.associations == 0, 10, "the association to end")
    until(lambda: descriptors() <= before, 10, "no socket left over")
    with socket.create_connection(("127.0.0.1", port.number), 5) as sock:  # and it serves the next one
        sock.sendall(request())
        assert sock.recv(1) == b"\x02"
    until(lambda: port.associations == 0, 10, "the association to end")


def test_a_report_longer_than_any_is_refused_and_costs_no_memory(port: Port) -> None:
    """200 MB of data set, which is not kept; the association goes on."""
    service = COMMITMENT.sop_classes[0].encode()
    contexts = item(0x20, b"\x01\0\0\0" + item(0x30, service) + item(0x40, IMPLICIT.encode()))
    with socket.create_connection(("127.0.0.1", port.number), 10) as sock:
        sock.sendall(request(contexts=contexts))
        assert sock.recv(4096)[:1] == b"\x02"
        rss = _rss()

        def element(number: int, value: bytes) -> bytes:
            return struct.pack("<HHL", 0, number, len(value)) + value

        body = element(2, service) + element(0x100, b"\0\1") + element(0x110, b"\1\0") + element(0x800, b"\1\0")
        body += element(0x1000, b"1.2.840.10008.1.20.1.1") + element(0x1002, b"\1\0")
        sock.sendall(pdu(4, pdv(element(0, struct.pack("<L", len(body))) + body, 3)))
        piece = pdu(4, pdv(bytes(60000), 0))
        end = time.monotonic() + 0.8  # MESSAGE_S here is one second
        while time.monotonic() < end:
            sock.sendall(piece)
        sock.sendall(pdu(4, pdv(b"", 2)))
        answer = sock.recv(4096)
        assert answer[:1] == b"\x04"
        assert struct.pack("<HHLH", 0, 0x900, 2, 0x0213) in answer
        assert _rss() - rss < 30 << 20
        sock.sendall(pdu(5, bytes(4)))
        assert sock.recv(10)[:1] == b"\x06"


def _rss() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("seed", range(6))
def test_broken_bytes_of_a_good_call(port: Port, seed: int) -> None:
    chance = random.Random(seed)
    before = descriptors()
    for _ in range(25):
        data = bytearray(request() + pdu(4, pdv(command(), 3)) + pdu(5, bytes(4)))
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        with socket.create_connection(("127.0.0.1", port.number), 8) as sock:
            sock.sendall(data)
            if chance.random() < 0.5:
                sock.shutdown(socket.SHUT_WR)
    until(lambda: port.associations == 0, 15, "all associations to end")
    until(lambda: descriptors() <= before, 10, "no socket left over")
