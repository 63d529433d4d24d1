"""STOW-RS against a server that misbehaves at each stage: it ends in time, in the right way, and leaves nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from smartbox_tui.dicom.web import stow
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Outcome, TransferCancelled, TransferLost
from tests.dicom.web_rig import own_threads, picture, session
from tests.support.dcmtk import free_port
from tests.support.webpeer import Call, Conversation, WebPeer, listening, names_stored, plain

PATIENCE_S = 8.0
"""A wait is over after the time-out of 1 s; a loaded machine may need longer to say so."""


def half(talk: Conversation, call: Call) -> None:
    while call.length > 0 and len(talk._inbox) < call.length // 2:
        talk._more()


def after_half(then: Callable[[Conversation], object]) -> Callable[[Conversation, Call], None]:
    def action(talk: Conversation, call: Call) -> None:
        half(talk, call)
        then(talk)

    return action


def after_all(then: Callable[[Conversation], object]) -> Callable[[Conversation, Call], None]:
    def action(talk: Conversation, call: Call) -> None:
        then(talk)

    return action


def head(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("latin-1")


OK = "HTTP/1.1 200 OK\nContent-Type: application/dicom+json\n"
DURING = {
    "closes in the middle": (Conversation.close, "refused"),
    "resets in the middle": (Conversation.reset, "refused"),
    "reads nothing more": (Conversation.hang, "timeout"),
}
AFTER = {
    "closes": Conversation.close,
    "resets": Conversation.reset,
    "is silent": Conversation.hang,
    "speaks something else": lambda talk: talk.send(b"SSH-2.0-OpenSSH_9.2\r\n" + b"x" * 200),
    "half a head": lambda talk: (talk.send(b"HTTP/1.1 200 OK\r\nContent-Le"), talk.hang()),
    "drips its head": lambda talk: talk.drip(head(OK + "X-A: " + "a" * 4000 + "\n\n"), 0.01),
    "endless head": lambda talk: (talk.send(head(OK)), talk.flood(b"X-Fill: " + b"x" * 8000 + b"\r\n")),
    "one endless line": lambda talk: (talk.send(b"HTTP/1.1 200 "), talk.flood(b"x" * 65536)),
    "endless 100 Continue": lambda talk: talk.flood(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "closes in its body": lambda talk: (talk.send(head(OK + "Content-Length: 500\n\n{")), talk.close()),
    "silent in its body": lambda talk: (talk.send(head(OK + "Content-Length: 500\n\n{")), talk.hang()),
    "drips its body": lambda talk: (talk.send(head(OK + "Content-Length: 9000\n\n")), talk.drip(b" " * 9000, 0.01)),
    "bad chunk": lambda talk: talk.send(head(OK + "Transfer-Encoding: chunked\n\nzz\nhello\n")),
    "negative chunk": lambda talk: talk.send(head(OK + "Transfer-Encoding: chunked\n\n-5\nhello\n")),
    "chunks that do not end": lambda talk: (
        talk.send(head(OK + "Transfer-Encoding: chunked\n\n3\nabc\n")),
        talk.hang(),
    ),
    "endless trailers": lambda talk: (
        talk.send(head(OK + "Transfer-Encoding: chunked\n\n0\n")),
        talk.flood(b"A: b\r\n"),
    ),
    "unknown coding": lambda talk: talk.send(head(OK + "Transfer-Encoding: gzip, chunked\n\n0\n\n")),
    "two lengths": lambda talk: talk.send(head(OK + "Content-Length: 5\nContent-Length: 6\n\nhello!")),
    "no length at all": lambda talk: talk.send(head(OK + "Content-Length: -1\n\n")),
    "no status": lambda talk: talk.send(head("HTTP/1.1 OK\n\n")),
    "a proxy gives up": lambda talk: talk.reply(504, "<html>Gateway Timeout</html>"),
    "a proxy has lost it": lambda talk: talk.reply(502, "<html>Bad Gateway</html>"),
}


@pytest.mark.parametrize("what", DURING)
def test_before_the_last_byte_the_object_cannot_be_there(what: str, tmp_path: Path) -> None:
    then, code = DURING[what]
    one = picture(tmp_path, 24 << 20)
    with WebPeer(early=[after_half(then)]) as peer, session(peer) as archive:
        begin = time.monotonic()
        with pytest.raises(TransferLost) as caught:
            stow.store(archive, one)
        assert time.monotonic() - begin < PATIENCE_S
        assert (caught.value.code, caught.value.outcome_unknown) == (code, False)
        assert not archive.is_connected
        assert stow.store(archive, picture(tmp_path)).meaning.outcome is Outcome.STORED


@pytest.mark.parametrize("what", AFTER)
def test_after_the_last_byte_nobody_knows(what: str, tmp_path: Path) -> None:
    with WebPeer(script=[after_all(AFTER[what])]) as peer, session(peer) as archive:
        begin = time.monotonic()
        with pytest.raises(TransferLost) as caught:
            stow.store(archive, picture(tmp_path))
        assert time.monotonic() - begin < PATIENCE_S
        assert (caught.value.code, caught.value.outcome_unknown) == ("outcome-unknown", True)
        assert archive.is_connected == ("proxy" in what)
        assert stow.store(archive, picture(tmp_path)).meaning.outcome is Outcome.STORED


@pytest.mark.parametrize(
    "flood",
    [
        lambda talk: (talk.send(head(OK + "Content-Length: 99999999999\n\n")), talk.flood(b"x" * 65536)),
        lambda talk: (talk.send(head(OK + "\n")), talk.flood(b"x" * 65536)),
        lambda talk: (talk.send(head(OK + "Transfer-Encoding: chunked\n\n")), talk.flood(b"4\r\nabcd\r\n")),
        lambda talk: (
            talk.send(head(OK + "Transfer-Encoding: chunked\n\n")),
            talk.flood(b"FFFFFF\r\n" + b"x" * 0xFFFFFF),
        ),
    ],
)
def test_an_endless_answer_is_none_and_costs_little(
    flood: Callable[[Conversation], object], tmp_path: Path
) -> None:
    with WebPeer(script=[after_all(flood)]) as peer, session(peer, timeout_s=5) as archive:
        before = _resident_kib()
        unknown = False
        try:
            outcome = stow.store(archive, picture(tmp_path)).meaning.outcome
        except TransferLost as exc:  # it came in drips
            unknown = exc.outcome_unknown
        assert unknown or outcome is Outcome.RETRY
        assert _resident_kib() - before < 64 << 10
        assert not archive.is_connected


def _resident_kib() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4


@pytest.mark.parametrize(("status", "code"), [(413, ""), (401, ""), (400, ""), (408, "timeout"), (502, "refused")])
@pytest.mark.parametrize("hard", [False, True])
def test_an_answer_before_the_object_is_whole_ends_the_sending(
    status: int, code: str, hard: bool, tmp_path: Path
) -> None:
    def early(talk: Conversation, call: Call) -> None:
        talk.reply(status, "no", {"Connection": "close"})
        if hard:
            time.sleep(0.3)
            talk.reset()
        talk.close()

    sent: list[int] = []
    with WebPeer(early=[early]) as peer, session(peer) as archive:
        one = picture(tmp_path, 24 << 20)
        if code:
            with pytest.raises(TransferLost) as caught:
                stow.store(archive, one, on_progress=sent.append)
            assert (caught.value.code, caught.value.outcome_unknown) == (code, False)
        else:
            answer = stow.store(archive, one, on_progress=sent.append)
            assert answer.status == status
            assert answer.meaning.outcome is Outcome.BLOCKED
        assert sent[-1:] != [one.dataset_length]


def test_success_before_the_object_is_whole_is_a_lie(tmp_path: Path) -> None:
    with WebPeer(early=[lambda talk, call: talk.reply(200, "{}")]) as peer, session(peer) as archive:
        with pytest.raises(TransferLost) as caught:
            stow.store(archive, picture(tmp_path, 24 << 20))
        assert not caught.value.outcome_unknown


def test_a_connection_closed_meanwhile_is_made_anew(tmp_path: Path) -> None:
    def last(talk: Conversation, call: Call) -> None:
        names_stored()(talk, call)
        talk.close()

    with WebPeer(script=[last, last]) as peer, session(peer) as archive:
        for _ in range(3):
            assert stow.store(archive, picture(tmp_path)).meaning.outcome is Outcome.STORED
            time.sleep(0.05)
        assert peer.connections == 3
        assert len(peer.stores) == 3


@pytest.mark.parametrize("answer", ["Connection: close\n", "Keep-Alive: timeout=0\n"])
def test_a_server_that_keeps_nothing_gets_a_new_connection_each_time(answer: str, tmp_path: Path) -> None:
    def once(talk: Conversation, call: Call) -> None:
        talk.send(head(f"HTTP/1.1 409 Conflict\n{answer}Content-Length: 0\n\n"))

    with WebPeer(script=[once, once]) as peer, session(peer) as archive:
        for _ in range(2):
            assert stow.store(archive, picture(tmp_path)).status == 409
        assert peer.connections == 2


def test_a_server_of_1_0_is_understood(tmp_path: Path) -> None:
    def old(talk: Conversation, call: Call) -> None:
        talk.send(head("HTTP/1.0 409 Conflict\n\nsome text to the end"))
        talk.close()

    with WebPeer(script=[old]) as peer, session(peer) as archive:
        assert stow.store(archive, picture(tmp_path)).status == 409
        assert not archive.is_connected


@pytest.mark.parametrize("stage", ["body", "answer", "search"])
def test_stopping_from_another_thread(stage: str, tmp_path: Path) -> None:
    hang = after_half(Conversation.hang) if stage == "body" else after_all(Conversation.hang)
    peer = WebPeer(**{{"body": "early", "answer": "script", "search": "searches"}[stage]: [hang]})
    one = picture(tmp_path, 24 << 20)
    with peer, session(peer, timeout_s=60) as archive:
        timer = threading.Timer(0.5, archive.abort)
        timer.start()
        begin = time.monotonic()
        with pytest.raises(SmartBoxError) as caught:
            archive.probe() if stage == "search" else stow.store(archive, one)
        assert time.monotonic() - begin < PATIENCE_S
        timer.join()
        assert isinstance(caught.value, TransferLost if stage == "answer" else TransferCancelled)
        archive.abort()  # nothing runs: it does not concern the next one
        assert stow.store(archive, picture(tmp_path)).meaning.outcome is Outcome.STORED


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:{port}/x", "refused"),
        ("http://no-such-host.invalid/x", "no-route"),
        ("http://192.0.2.1/x", ""),
    ],
)
def test_nobody_is_there(url: str, code: str, tmp_path: Path) -> None:
    begin = time.monotonic()
    with session(url.format(port=free_port())) as archive:
        with pytest.raises(SmartBoxError) as caught:
            stow.store(archive, picture(tmp_path))
        assert caught.value.code in ((code,) if code else ("timeout", "no-route", "refused"))
        with pytest.raises(SmartBoxError) as asked:
            archive.probe()
        assert asked.value.code == caught.value.code
    assert time.monotonic() - begin < 2 * PATIENCE_S


def test_something_else_listens_there(tmp_path: Path) -> None:
    for words, code in (
        (b"\x15\x03\x03\x00\x02\x02\x0a", "tls"),
        (b"220 mail ESMTP\r\n", "refused"),
        (b"\x03\x00\x00\x00\x00\x04\x00\x01\x01\x01", "refused"),
    ):

        def speak(talk: Conversation, words: bytes = words) -> None:
            talk.head()
            talk.send(words)
            talk.hang()

        with listening(speak) as port, session(f"http://127.0.0.1:{port}") as archive:
            with pytest.raises(SmartBoxError) as caught:
                archive.probe()
            assert caught.value.code == code


def test_nothing_is_left_over(tmp_path: Path) -> None:
    one = picture(tmp_path)
    with WebPeer() as peer:
        with session(peer) as archive:
            stow.store(archive, one)
        threads, descriptors = own_threads(), _descriptors(peer)
        for number in range(60):
            peer.script.append([names_stored(), plain(500), after_all(Conversation.reset)][number % 3])
            archive = session(peer)
            try:
                stow.store(archive, one)
            except TransferLost:
                pass
            archive.close(hard=bool(number % 2))
        assert own_threads() <= threads
        assert _descriptors(peer) <= descriptors


def _descriptors(peer: WebPeer) -> int:
    for sock in peer._sockets:
        sock.close()
    return len(os.listdir("/proc/self/fd"))
