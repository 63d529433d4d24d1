"""The connection tests of worklist and performed steps: each cause has its step, code and words."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.dicom import scp
from smartbox_tui.dicom.scu.check import check_mpps, check_worklist
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.tls import Tls
from tests.support.dcmtk import storescp
from tests.support.orthanc import Orthanc
from tests.support.peer import Call, scripted_peer
from tests.support.worklist import Scheduled, wlmscpfs

Check = Callable[[Peer], dict[str, Any]]
BOTH = pytest.mark.parametrize("check", [check_worklist, check_mpps])


def steps(report: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(item["step"], item["ok"]) for item in report["steps"]]


def last(report: dict[str, Any]) -> tuple[str, str]:
    failed = report["steps"][-1]
    assert not report["ok"]
    assert failed["message"]
    assert failed["hint"]
    return failed["step"], failed["code"]


def test_a_worklist_that_answers(tmp_path: Path) -> None:
    with wlmscpfs(
        tmp_path, [Scheduled("1", "Müller^Jörg"), Scheduled("2", "Meier^Eva", date="19990101")]
    ) as server:
        report = check_worklist(Peer("127.0.0.1", server.port, server.aet))
        assert steps(report) == [("connect", True), ("associate", True), ("echo", True), ("find", True)]
        assert "1 entry" in report["steps"][-1]["message"]
        server.write([])
        assert "no entry" in check_worklist(Peer("127.0.0.1", server.port, server.aet))["steps"][-1]["message"]
        server.write([Scheduled(f"P{n}", f"A^{n}") for n in range(502)])
        assert "more than 500" in check_worklist(Peer("127.0.0.1", server.port, server.aet))["steps"][-1]["message"]
        server.write([Scheduled("1", "Иванов^Иван", "ISO_IR 144")])
    with wlmscpfs(tmp_path, [Scheduled("1", "Иванов^Иван", "ISO_IR 144")], csk=False) as server:
        found = check_worklist(Peer("127.0.0.1", server.port, server.aet), charset="utf-8")["steps"][-1]
        assert "worklist.charset" in found["hint"]
        # A server where another AE title has the list.
        assert last(check_worklist(Peer("127.0.0.1", server.port, "NOBODY")))[0] == "associate"


def test_the_demos_server_takes_both(tmp_path: Path) -> None:
    running = scp.start("127.0.0.1", 0, "DEMO", tmp_path, require_called_aet=True)
    try:
        peer = Peer("127.0.0.1", running.port, "DEMO")
        assert steps(check_mpps(peer)) == [("connect", True), ("associate", True), ("echo", True), ("mpps", True)]
        assert check_worklist(peer)["ok"]
        assert running.performed() == {}
        assert last(check_mpps(Peer("127.0.0.1", running.port, "OTHER"))) == ("associate", "called-aet-rejected")
    finally:
        running.stop()


@BOTH
def test_an_archive_without_the_service(check: Check, archive: Orthanc) -> None:
    report = check(Peer("127.0.0.1", archive.port, archive.aet))
    assert last(report)[1] in ("no-context", "archive-refused", "refused")
    assert steps(report)[:3] == [("connect", True), ("associate", True), ("echo", True)]


@BOTH
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (lambda call: call.reject(1, 1, 7), ("associate", "called-aet-rejected")),
        (lambda call: call.reject(1, 1, 3), ("associate", "calling-aet-rejected")),
        (lambda call: call.reject(2, 3, 1), ("associate", "refused")),
        (lambda call: call.close(), ("associate", "refused")),
        (lambda call: call.silent(), ("associate", "timeout")),
        (lambda call: call.sock.sendall(b"\x15\x03\x01\x00\x02\x02\x0a"), ("associate", "tls")),
        (lambda call: (call.accept(results=lambda _a, _t: 3), call.answer_release()), None),
        (lambda call: (call.accept(), call.read_message(), call.close()), ("echo", "refused")),
    ],
)
def test_each_cause_has_its_words(
    check: Check, script: Callable[[Call], Any], expected: tuple[str, str] | None
) -> None:
    with scripted_peer(script) as peer:
        found = last(check(Peer("127.0.0.1", peer.port, "ANY", timeout_s=1)))
    assert found == (expected or ("find" if check is check_worklist else "mpps", "no-context"))


@BOTH
def test_a_port_where_nothing_listens_and_a_host_nobody_knows(check: Check) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert last(check(Peer("127.0.0.1", port, "ANY"))) == ("connect", "refused")
    assert last(check(Peer("no-such-host.invalid", 104, "ANY"))) == ("connect", "no-route")


@BOTH
def test_a_server_without_verification_is_none_the_worse(check: Check) -> None:
    def script(call: Call) -> None:
        call.accept(results=lambda abstract, _: 3 if abstract == "1.2.840.10008.1.1" else 0)
        if check is check_worklist:
            call.read_message()
            del call.contexts[1]  # the answer goes on the context of the query
            call.respond(0, field=0x8020)
        call.answer_release()

    with scripted_peer(script) as peer:
        report = check(Peer("127.0.0.1", peer.port, "ANY", timeout_s=2))
    name = "find" if check is check_worklist else "mpps"
    assert steps(report) == [("connect", True), ("associate", True), (name, True)]


def test_tls_to_a_plain_port_is_said_to_be_that(tmp_path: Path) -> None:
    with storescp(tmp_path / "scp") as peer:
        target = Peer("localhost", peer.port, "STORESCP", timeout_s=2, tls=Tls())
        assert last(check_worklist(target)) == ("tls", "tls")
    with scripted_peer(Call.silent) as silent:
        target = Peer("localhost", silent.port, "ANY", timeout_s=1, tls=Tls())
        assert last(check_mpps(target)) == ("tls", "tls")
