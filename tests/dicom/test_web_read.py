"""QIDO-RS and WADO-RS: questions to archives of several habits, and objects that come back as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.dicom.web import query, retrieve, stow
from smartbox_tui.dicom.web.query import Found
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Outcome
from tests.dicom.web_rig import picture, session, whole
from tests.support.webpeer import Action, Call, Conversation, WebPeer, attribute, plain


def test_what_was_stored_is_found(tmp_path: Path) -> None:
    one = picture(tmp_path)
    with WebPeer() as peer, session(peer) as archive:
        assert query.search_instances(archive, sop=one.sop_instance_uid) == []
        stow.store(archive, one)
        found = query.search_instances(archive, study="1.2.3", series="1.2.4", sop=one.sop_instance_uid)
        assert [item.sop for item in found] == [one.sop_instance_uid]
        paths = [call.path.removeprefix(peer.prefix) for call in peer.of("GET")]
    assert paths[0].startswith(f"/instances?SOPInstanceUID={one.sop_instance_uid}&limit=")
    assert paths[1].startswith(
        f"/studies/1.2.3/series/1.2.4/instances?SOPInstanceUID={one.sop_instance_uid}&limit="
    )


def numbers(first: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "00080016": attribute("UI", "1.2"),
            "00080018": attribute("UI", f"1.2.{number}"),
            "0020000D": attribute("UI", "1.3"),
            "0020000E": attribute("UI", "1.4"),
        }
        for number in range(first, first + count)
    ]


@pytest.mark.parametrize("page", [100, 500, 10_000])
@pytest.mark.parametrize("knows_offset", [True, False])
def test_many_pages(page: int, knows_offset: bool) -> None:
    def search(talk: Conversation, call: Call) -> None:
        asked = {key: int(value) for key, value in re.findall(r"(limit|offset)=(\d+)", call.path)}
        first = asked["offset"] if knows_offset else 0
        count = min(page, asked["limit"], max(0, 1200 - first))
        talk.reply(200, json.dumps(numbers(first, count)))

    with WebPeer() as peer, session(peer) as archive:
        peer.searches += [search] * 30
        found = query.search_instances(archive, study="1.3")
    assert len(found) == (1200 if knows_offset else min(page, query.PAGE))
    assert found[0] == Found("1.3", "1.4", "1.2.0", "1.2")


def test_an_archive_that_does_not_match_is_not_believed() -> None:
    with WebPeer(searches=[plain(200, json.dumps(numbers(0, 3)))]) as peer, session(peer) as archive:
        assert query.search_instances(archive, sop="1.2.99") == []


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (plain(404), "called-aet-rejected"),
        (plain(403), "calling-aet-rejected"),
        (plain(302, Location="https://x.example/"), "called-aet-rejected"),
        (plain(503), "refused"),
        (plain(500), "archive-refused"),
        (plain(200, "<html>"), "archive-refused"),
        (plain(200, "{}"), "archive-refused"),
        (plain(200, ""), "archive-refused"),
        (lambda talk, call: talk.reset(), "refused"),
        (lambda talk, call: talk.hang(), "timeout"),
        (lambda talk, call: (talk.send(b"HTTP/1.1 200 OK\r\n\r\n["), talk.flood(b" " * 65536)), "archive-refused"),
    ],
)
def test_a_question_that_gets_no_answer(action: Action, code: str) -> None:
    with WebPeer(searches=[action, action]) as peer, session(peer) as archive:
        with pytest.raises(SmartBoxError) as caught:
            query.search_instances(archive, sop="1.2.3")
        assert caught.value.code == code
        assert query.search_instances(archive, sop="1.2.3") == [] if not peer.searches else True


def multipart(
    *objects: bytes, boundary: str = "b1", before: bytes = b"", quoted: bool = False
) -> tuple[str, bytes]:
    parts = b"".join(
        b"--%s\r\nContent-Type: application/dicom\r\nMIME-Version: 1.0\r\n\r\n%s\r\n" % (boundary.encode(), data)
        for data in objects
    )
    name = f'"{boundary}"' if quoted else boundary
    kind = f'multipart/related; type="application/dicom"; boundary={name}; start=x'
    return kind, before + parts + b"--%s--\r\nepilogue" % boundary.encode()


def answering(kind: str, body: bytes, chunks: int = 0) -> Action:
    return lambda talk, call: talk.reply(200, body, {"Content-Type": kind}, chunks=chunks)


TRICKY = b"\r\n--b\r\n--b1x"[:-2] + b"\r\n-\r\n--" + bytes(range(256)) * 40 + b"\r\n--b"


@pytest.mark.parametrize("chunks", [0, 1, 7, 4096])
@pytest.mark.parametrize("content", [b"D", TRICKY, b"\r\n" * 300])
def test_an_object_comes_back_byte_for_byte(content: bytes, chunks: int) -> None:
    for quoted, before in ((False, b""), (True, b"a preamble\r\n")):
        got: list[bytes] = []
        kind, body = multipart(content, quoted=quoted, before=before)
        with WebPeer(searches=[answering(kind, body, chunks)]) as peer, session(peer, timeout_s=5) as archive:
            assert retrieve.retrieve_instance(archive, "1", "2", "3", got.append) == len(content)
            assert peer.calls[0].path == f"{peer.prefix}/studies/1/series/2/instances/3"
            assert "transfer-syntax=*" in peer.calls[0].fields["accept"]
        assert b"".join(got) == content


def test_an_object_that_comes_without_parts() -> None:
    got: list[bytes] = []
    with WebPeer(searches=[answering("application/dicom", b"abc")]) as peer, session(peer) as archive:
        assert retrieve.retrieve_instance(archive, "1", "2", "3", got.append) == 3
    assert got == [b"abc"]


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (plain(404), "not-found"),
        (plain(204), "not-found"),
        (plain(406), "archive-refused"),
        (plain(401), "calling-aet-rejected"),
        (answering("text/html", b"<html>"), "archive-refused"),
        (answering("multipart/related", b"--x--"), "archive-refused"),
        (answering(*multipart()), "archive-refused"),
        (answering(*multipart(b"one", b"two")), "archive-refused"),
        (answering(multipart()[0], multipart(b"cut")[1][:-14]), "archive-refused"),
        (answering(multipart()[0], b"x" * 100_000), "archive-refused"),
        (answering(multipart()[0], b"--b1\r\n" + b"x" * 100_000), "archive-refused"),
        (answering("application/dicom", b""), "archive-refused"),
    ],
)
def test_an_object_that_does_not_come(action: Action, code: str) -> None:
    with WebPeer(searches=[action]) as peer, session(peer) as archive:
        with pytest.raises(SmartBoxError) as caught:
            retrieve.retrieve_instance(archive, "1", "2", "3", lambda piece: None)
        assert caught.value.code == code


@pytest.mark.parametrize("then", [Conversation.close, Conversation.reset, Conversation.hang])
def test_an_object_that_breaks_off_is_not_asked_for_twice(then: Callable[[Conversation], None]) -> None:
    """A sink that has begun cannot begin anew: whoever asked decides."""

    def half(talk: Conversation, call: Call) -> None:
        kind, body = multipart(b"x" * 5000)
        talk.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        talk.send(body[:3000])
        then(talk)

    got: list[bytes] = []
    with WebPeer(searches=[plain(404), half]) as peer, session(peer) as archive:
        with pytest.raises(SmartBoxError):
            retrieve.retrieve_instance(archive, "1", "2", "3", got.append)
        with pytest.raises(SmartBoxError) as caught:
            retrieve.retrieve_instance(archive, "1", "2", "3", got.append)
        assert caught.value.code in ("refused", "timeout")
        assert len(peer.of("GET")) == 2
        assert not archive.is_connected
    assert len(b"".join(got)) < 3000


def test_a_sink_that_fails_ends_it() -> None:
    def full(piece: bytes) -> None:
        raise OSError(28, "No space left on device")

    with WebPeer(searches=[answering(*multipart(b"abc"))]) as peer, session(peer) as archive:
        with pytest.raises(OSError, match="No space"):
            retrieve.retrieve_instance(archive, "1", "2", "3", full)
        assert not archive.is_connected


def test_a_large_object_needs_no_memory_of_its_size() -> None:
    size = 300 << 20

    def large(talk: Conversation, call: Call) -> None:
        kind, body = multipart(b"")
        head, _, tail = body.partition(b"\r\n\r\n")
        length = len(body) + size
        talk.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n".encode())
        talk.send(head + b"\r\n\r\n")
        for _ in range(size >> 20):
            talk.send(bytes(1 << 20))
        talk.send(tail)

    peak = [0]

    def sink(piece: bytes) -> None:
        with open("/proc/self/statm") as file:
            peak[0] = max(peak[0], int(file.read().split()[1]) * 4)

    with WebPeer(searches=[large]) as peer, session(peer, timeout_s=10) as archive:
        with open("/proc/self/statm") as file:
            before = int(file.read().split()[1]) * 4
        assert retrieve.retrieve_instance(archive, "1", "2", "3", sink) == size
    assert peak[0] - before < 20 << 10


def test_metadata() -> None:
    body = json.dumps(numbers(0, 1))
    with WebPeer(searches=[plain(200, body), plain(404), plain(200, "[1]")]) as peer, session(peer) as archive:
        assert query.metadata(archive, "1", "2", "3")["00080018"]["Value"] == ["1.2.0"]
        for code in ("not-found", "archive-refused"):
            with pytest.raises(SmartBoxError) as caught:
                query.metadata(archive, "1", "2", "3")
            assert caught.value.code == code


def test_whether_it_is_there_without_search(tmp_path: Path) -> None:
    """A service that only stores is one, too; a web site is none."""
    with WebPeer(searches=[plain(405), plain(403), plain(404), plain(500)]) as peer, session(peer) as archive:
        for _ in range(4):
            archive.probe()
        assert stow.store(archive, picture(tmp_path)).meaning.outcome is Outcome.STORED
    for prefix in ("/else", ""):
        with WebPeer() as peer, session(peer.url.replace(peer.prefix, prefix)) as archive:
            with pytest.raises(SmartBoxError) as caught:
                archive.probe()
            assert caught.value.code == "called-aet-rejected"

    def site(talk: Conversation, call: Call) -> None:
        talk.reply(200, "<html>Welcome</html>")

    class Site(WebPeer):
        def _answer(self, talk: Conversation, call: Call) -> None:
            talk.body(call)
            site(talk, call)

    with Site() as peer, session(peer) as archive:
        with pytest.raises(SmartBoxError) as caught:
            archive.probe()
        assert caught.value.code == "called-aet-rejected"
    assert whole(picture(tmp_path))
