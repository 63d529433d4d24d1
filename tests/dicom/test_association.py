"""Negotiation and release: each cause has its sentence, and no peer can hold us."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Callable

import pytest

from smartbox_tui.dicom.scu.echo import check_destination, echo
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.scu.store import StoreSession
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import TransferLost
from smartbox_tui.model.instance import H264_HP_41, JPEG_BASELINE, SOP_CLASSES
from tests.support.dcmtk import storescp
from tests.support.orthanc import Orthanc
from tests.support.peer import Call, scripted_peer

STILL = (SOP_CLASSES["vl-endoscopic"], JPEG_BASELINE)
CLIP = (SOP_CLASSES["video-endoscopic"], H264_HP_41)


def open_session(port: int) -> None:
    StoreSession(Peer("127.0.0.1", port, "ANY", timeout_s=1.0), [STILL]).open()


def silent_after_connecting(call: Call) -> None:
    call.silent()


def closes_after_connecting(call: Call) -> None:
    call.close()


def aborts_the_negotiation(call: Call) -> None:
    call.read_pdu()
    call.abort()


def speaks_http(call: Call) -> None:
    call.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    call.silent()


def accepts_with_nonsense(call: Call) -> None:
    call.read_pdu()
    call.send_pdu(2, b"\xff" * 100)
    call.silent()


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (silent_after_connecting, "timeout"),
        (closes_after_connecting, "refused"),
        (aborts_the_negotiation, "refused"),
        (speaks_http, "refused"),
        (accepts_with_nonsense, "refused"),
        (lambda call: call.accept(max_pdu=5), "refused"),
        (lambda call: call.reject(1, 1, 7), "called-aet-rejected"),
        (lambda call: call.reject(1, 1, 3), "calling-aet-rejected"),
        (lambda call: call.reject(1, 1, 1), "refused"),
        (lambda call: call.reject(1, 1, 2), "refused"),
        (lambda call: call.reject(1, 2, 1), "refused"),
        (lambda call: call.reject(1, 2, 2), "refused"),
        (lambda call: call.reject(2, 3, 1), "refused"),
        (lambda call: call.reject(2, 3, 2), "refused"),
        (lambda call: call.reject(9, 9, 9), "refused"),
    ],
)
def test_a_failed_negotiation_says_its_cause(script: Callable[[Call], None], code: str) -> None:
    with scripted_peer(script) as peer, pytest.raises(SmartBoxError) as caught:
        open_session(peer.port)
    assert (caught.value.code, bool(caught.value.hint)) == (code, True)
    assert not isinstance(caught.value, TransferLost)


def test_each_rejection_has_a_sentence_of_its_own() -> None:
    sentences = set()
    for source, reason in ((1, 1), (1, 2), (1, 3), (1, 7), (2, 1), (2, 2), (3, 1), (3, 2), (3, 7)):
        with (
            scripted_peer(lambda call, s=source, r=reason: call.reject(1, s, r)) as peer,  # type: ignore[misc]
            pytest.raises(SmartBoxError) as caught,
        ):
            open_session(peer.port)
        sentences.add(caught.value.message.replace(str(peer.port), ""))
    assert len(sentences) == 9


def test_a_port_where_nothing_listens_and_a_name_nobody_knows() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SmartBoxError) as caught:
        open_session(port)
    assert caught.value.code == "refused"
    with pytest.raises(SmartBoxError) as caught:
        StoreSession(Peer("no-such-host.invalid", 104, "ANY"), [("1.2", "1.2")]).open()
    assert caught.value.code == "no-route"


def test_a_machine_that_swallows_the_connection_times_out() -> None:
    with socket.socket() as server:  # a full backlog: further SYNs are dropped, as by a firewall
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        time.sleep(0.1)
        try:
            with pytest.raises(SmartBoxError) as caught:
                open_session(port)
        finally:
            for filler in fillers:
                filler.close()
    assert caught.value.code == "timeout"


@pytest.mark.parametrize("ending", ["silence", "abort", "close", "both ask"])
def test_release_ends_whatever_the_peer_does(ending: str) -> None:
    def script(call: Call) -> None:
        call.accept()
        call.read_pdu()
        if ending == "silence":
            call.silent()
        elif ending == "abort":
            call.abort()
        elif ending == "both ask":
            call.ask_release()
            assert call.read_pdu()[0] == 6
            call.send_pdu(6, bytes(4))

    with scripted_peer(script) as peer:
        target = Peer("127.0.0.1", peer.port, "ANY", timeout_s=0.5)
        session = StoreSession(target, [STILL])
        session.open()
        begin = time.monotonic()
        session.close()
        assert time.monotonic() - begin < 30


@pytest.mark.parametrize("title", ["", " ", "A" * 17, "A\\B", "A\tB", "MÜLLER"])
def test_an_ae_title_that_is_none_is_refused(title: str) -> None:
    good = Peer("127.0.0.1", 104, "ANY")
    for key in ("called_aet", "calling_aet"):
        with pytest.raises(SmartBoxError) as caught:
            dataclasses.replace(good, **{key: title})  # type: ignore[arg-type]
        assert caught.value.code == "bad-value"


def answers_echo(status: int) -> Callable[[Call], None]:
    def script(call: Call) -> None:
        call.accept(results=lambda abstract, _: 3 if abstract == CLIP[0] else 0)
        call.read_message()
        call.respond(status, field=0x8030)
        call.answer_release()

    return script


def test_the_report_of_a_good_destination_says_what_it_takes() -> None:
    with scripted_peer(answers_echo(0)) as peer:
        report = check_destination(Peer("127.0.0.1", peer.port, "ANY"), [STILL, CLIP])
    assert report["ok"]
    assert [step["step"] for step in report["steps"]] == ["connect", "associate", "echo", "store"]
    assert all(set(step) == {"step", "ok", "message", "hint"} and step["message"] for step in report["steps"])
    assert report["accepted"] == [
        {"sop_class": STILL[0], "transfer_syntax": STILL[1], "accepted": True},
        {"sop_class": CLIP[0], "transfer_syntax": CLIP[1], "accepted": False},
    ]


def failed_step(script: Callable[[Call], None], contexts: list[tuple[str, str]] | None = None) -> tuple[str, str]:
    with scripted_peer(script) as peer:
        report = check_destination(Peer("127.0.0.1", peer.port, "ANY", timeout_s=0.5), contexts or [])
    assert not report["ok"]
    last = report["steps"][-1]
    assert not last["ok"]
    assert last["hint"]
    assert all(step["ok"] for step in report["steps"][:-1])
    return last["step"], last["code"]


def refuses_verification(call: Call) -> None:
    call.accept(results=lambda _a, _t: 3)
    call.answer_release()


def aborts_at_echo(call: Call) -> None:
    call.accept()
    call.read_message()
    call.abort()


def silent_at_echo(call: Call) -> None:
    call.accept()
    call.silent()


def test_the_report_ends_at_the_step_that_failed() -> None:
    assert failed_step(lambda call: call.reject(1, 1, 7)) == ("associate", "called-aet-rejected")
    assert failed_step(lambda call: call.reject(1, 1, 3)) == ("associate", "calling-aet-rejected")
    assert failed_step(silent_after_connecting) == ("associate", "timeout")
    assert failed_step(aborts_the_negotiation) == ("associate", "refused")
    assert failed_step(refuses_verification) == ("echo", "no-context")
    assert failed_step(answers_echo(0x0122)) == ("echo", "archive-refused")
    assert failed_step(aborts_at_echo) == ("echo", "refused")
    assert failed_step(silent_at_echo) == ("echo", "timeout")
    assert failed_step(answers_echo(0), [CLIP]) == ("store", "no-context")


def test_a_port_without_a_listener_fails_at_the_first_step() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    report = check_destination(Peer("127.0.0.1", port, "ANY"))
    assert [(step["step"], step["ok"], step["code"]) for step in report["steps"]] == [("connect", False, "refused")]


@pytest.mark.orthanc
def test_real_archives_answer_echo(archive: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> None:
    echo(Peer("127.0.0.1", archive.port, archive.aet))
    with storescp(tmp_path_factory.mktemp("scp")) as peer:
        report = check_destination(Peer("127.0.0.1", peer.port, "STORESCP"), [STILL, CLIP])
    assert report["ok"], report
    assert [item["accepted"] for item in report["accepted"]] == [True, True]
