"""STOW-RS: what an archive's answer makes of the object, in the shapes that archives answer in."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from smartbox_tui.dicom.build import build_header
from smartbox_tui.dicom.compose import compose
from smartbox_tui.dicom.scu.pace import Pace
from smartbox_tui.dicom.web import stow
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Outcome, TransferCancelled
from tests.dicom.pictures import EQUIPMENT, ORDERED, clip
from tests.dicom.web_rig import picture, session, whole
from tests.support.webpeer import (
    Action,
    Call,
    Conversation,
    WebPeer,
    attribute,
    item,
    names_failed,
    names_nothing,
    names_stored,
    plain,
)

S, W, R, B, D = (
    Outcome.STORED,
    Outcome.STORED_WITH_WARNING,
    Outcome.RETRY,
    Outcome.BLOCKED,
    Outcome.DUPLICATE,
)


def test_many_objects_arrive_as_they_are_on_one_connection(tmp_path: Path) -> None:
    items = [picture(tmp_path, size) for size in (1, 20_000, (1 << 20) - 700, 1 << 20, 3_000_001)]
    told: list[int] = []
    with WebPeer() as peer, session(peer) as archive:
        for one in items:
            answer = stow.store(archive, one, on_progress=told.append)
            assert (answer.meaning.outcome, answer.told) == (S, "")
            assert told[-1] == one.dataset_length
        assert peer.connections == 1
    assert peer.stored == {one.sop_instance_uid: whole(one) for one in items}
    call = peer.stores[0]
    assert call.path == "/dicom-web/studies".replace("/dicom-web", peer.prefix)
    assert call.fields["content-type"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert call.fields["accept"].startswith("application/dicom+json")
    assert "transfer-encoding" not in call.fields


ANSWERS: list[tuple[str, Action, Outcome, str]] = [
    ("stored", names_stored(), S, ""),
    ("accepted", names_stored(202), S, ""),
    ("coerced", names_stored(warning=0xB000), W, "B000H"),
    ("unknown warning", names_stored(warning=0x1234), W, "1234H"),
    ("failed though 200", names_failed(200, 0xA700), R, "A700H"),
    ("failed and stored at once", names_stored(200, also_failed=True), R, "A700H"),
    ("202, all failed", names_failed(202, 0xC000), B, "C000H"),
    ("dcm4chee's conflict", names_failed(409, 0x0110, comment="Disk full"), R, "0110H: Disk full"),
    ("a Warning header", names_failed(409, 0xA900, header="Missing Modality"), B, "A900H: Missing Modality"),
    ("another class", names_failed(409, 0x0122), B, "0122H"),
    ("another syntax", names_failed(409, 0xC122), B, "C122H"),
    ("duplicate", names_failed(409, 0x0111), D, "0111H"),
    ("duplicate in Azure", names_failed(409, 45070), D, "B00EH"),
    ("just being stored", names_failed(409, 45071), R, "B00FH"),
    ("a failure called a warning", names_failed(200, 0xB007), B, "B007H"),
    ("a failure called success", names_failed(200, 0), B, "0000H"),
    ("no reason", names_failed(409, None), B, "409"),
    ("no UID", names_failed(409, 0xC000, with_uid=False), B, "C000H"),
    ("nobody is named", names_nothing(200), R, "200"),
    ("Orthanc could not read it", names_nothing(400), B, "400"),
    ("somebody else is named", names_stored(uid="1.2.3.99"), R, "200"),
    ("no body", plain(200), R, "200"),
    ("no content", plain(204), R, "204"),
    ("a web page", plain(200, "<html><body>Welcome</body></html>", Content_Type="text/html"), R, "200"),
    ("broken JSON", plain(200, '{"00081199": {"Value": [{'), R, "200"),
    ("deep JSON", plain(200, "[" * 100_000), R, "200"),
    (
        "strange JSON",
        plain(200, '{"00081199": {"vr": "SQ", "Value": [7, null, {"00081155": 3}]}, "x": []}'),
        R,
        "200",
    ),
    ("entities", plain(200, '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), R, "200"),
    ("named, but 400", names_stored(400), R, "400"),
    ("conflict without a word", plain(409), R, "409"),
    ("too large", plain(413, "<html>nginx</html>"), B, "413"),
    ("unsupported", plain(415), B, "415"),
    ("no room", plain(507), R, "507"),
    ("broken", plain(500, "NullPointerException"), R, "500"),
    ("broken otherwise", plain(599), R, "599"),
    ("teapot", plain(418), B, "418"),
    ("busy, the door is open", plain(503, Retry_After="7"), R, "503"),
    ("too many", plain(429), R, "429"),
    ("forbidden for this one", plain(403), B, "403"),
    ("redirect for this one", plain(307, Location="https://else.where/x?token=geheim"), B, "307"),
]


@pytest.mark.parametrize(
    ("action", "outcome", "told"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS]
)
def test_an_answer_means(action: Action, outcome: Outcome, told: str, tmp_path: Path) -> None:
    with WebPeer(script=[action]) as peer, session(peer) as archive:
        answer = stow.store(archive, picture(tmp_path))
        assert (answer.meaning.outcome, answer.told) == (outcome, told)
        assert answer.meaning.sentence
        assert stow.store(archive, picture(tmp_path)).meaning.outcome is S  # the session goes on


def test_native_xml_is_read_as_well(tmp_path: Path) -> None:
    """Orthanc's shape of it."""
    one = picture(tmp_path)
    text = (
        '<?xml version="1.0" encoding="utf-8"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
        '<DicomAttribute tag="00081198" vr="SQ" keyword="FailedSOPSequence"/>'
        '<DicomAttribute tag="00081199" vr="SQ" keyword="ReferencedSOPSequence"><Item number="1">'
        '<DicomAttribute tag="00081155" vr="UI"><Value number="1">UID</Value></DicomAttribute></Item>'
        "</DicomAttribute></NativeDicomModel>"
    ).replace("UID", one.sop_instance_uid)
    failed = text.replace('keyword="FailedSOPSequence"/>', "/>").replace("00081199", "00081198", 2)
    with WebPeer(script=[plain(200, text), plain(200, failed)]) as peer, session(peer) as archive:
        assert stow.store(archive, one).meaning.outcome is S
        assert stow.store(archive, one).meaning.outcome is B


def test_chunks_in_any_size(tmp_path: Path) -> None:
    def chunked(talk: Conversation, call: Call) -> None:
        sop_class, uid = peer.take(call.objects[0])
        talk.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n")
        talk.reply(200, json.dumps({"00081199": attribute("SQ", item(sop_class, uid))}), chunks=7)

    with WebPeer(script=[chunked, chunked]) as peer, session(peer) as archive:
        assert stow.store(archive, picture(tmp_path)).meaning.outcome is S
        assert stow.store(archive, picture(tmp_path)).meaning.outcome is S
        assert peer.connections == 1


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("7", 7, 7), ("99999999", 300, 300), ("soon", 0, 0), ("-3", 0, 0), ("²", 0, 0), ("date", 80, 100)],
)
def test_what_a_busy_archive_asks_for_is_told(text: str, low: float, high: float, tmp_path: Path) -> None:
    if text == "date":
        text = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    def busy(talk: Conversation, call: Call) -> None:
        talk.send(f"HTTP/1.1 503 Busy\r\nRetry-After: {text}\r\nContent-Length: 0\r\n\r\n".encode())

    with WebPeer(script=[busy]) as peer, session(peer) as archive:
        answer = stow.store(archive, picture(tmp_path))
    assert answer.meaning.outcome is R
    assert low <= answer.meaning.pause_s <= high


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "calling-aet-rejected"),
        (403, "calling-aet-rejected"),
        (404, "called-aet-rejected"),
        (405, "called-aet-rejected"),
        (501, "called-aet-rejected"),
        (302, "called-aet-rejected"),
        (429, "refused"),
        (503, "refused"),
    ],
)
def test_what_every_store_request_gets_is_about_the_archive(status: int, code: str, tmp_path: Path) -> None:
    """It is asked with an empty request: no object counts an attempt because of a proxy or a lost password."""

    class Shut(WebPeer):
        def _answer(self, talk: Conversation, call: Call) -> None:
            talk.body(call)
            talk.reply(status, "", {"Location": "https://archive.example/new?secret=1", "Retry-After": "20"})

    with Shut() as peer, session(peer) as archive, pytest.raises(SmartBoxError) as caught:
        stow.store(archive, picture(tmp_path))
    assert caught.value.code == code
    assert caught.value.hint
    assert not isinstance(caught.value, TransferCancelled)
    if status == 302:
        assert "https://archive.example/new." in caught.value.message
        assert "secret" not in caught.value.message


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with WebPeer(basic="box:geheim") as other, WebPeer() as peer:
        peer.script.append(plain(307, Location=other.url))
        with session(peer) as archive:
            assert stow.store(archive, picture(tmp_path)).meaning.outcome is B
        assert not other.calls


def test_cancelling_before_the_last_piece_leaves_nothing_there(tmp_path: Path) -> None:
    one = picture(tmp_path, 3 << 20)
    for pieces in range(4):
        asked: list[int] = []

        def cancelled(asked: list[int] = asked, pieces: int = pieces) -> bool:
            asked.append(1)
            return len(asked) > pieces

        with WebPeer() as peer, session(peer) as archive:
            with pytest.raises(TransferCancelled):
                stow.store(archive, one, cancelled=cancelled)
            assert not archive.is_connected
            assert not peer.stored
            assert stow.store(archive, picture(tmp_path)).meaning.outcome is S


def test_a_rate_limit_holds(tmp_path: Path) -> None:
    one = picture(tmp_path, 600_000)
    with WebPeer() as peer, session(peer, pace=Pace(400_000)) as archive:
        begin = time.monotonic()
        assert stow.store(archive, one).meaning.outcome is S
        assert time.monotonic() - begin > 1.2


def test_a_large_object_needs_no_memory_of_its_size(tmp_path: Path) -> None:
    bitstream = tmp_path / "large"
    with bitstream.open("wb") as file:
        file.truncate(512 << 20)
    one = compose(build_header(ORDERED, clip("video-endoscopic", bitstream), EQUIPMENT), bitstream, 512 << 20)

    def drop(talk: Conversation, call: Call) -> None:
        talk.reply(200, json.dumps({"00081199": attribute("SQ", item("1.2", one.sop_instance_uid))}))

    peak: list[int] = []
    with WebPeer(script=[drop, drop], keep=False) as peer, session(peer, timeout_s=10) as archive:
        before = _resident_kib()
        answer = stow.store(archive, one, on_progress=lambda _: peak.append(_resident_kib()))
        assert answer.meaning.outcome is S
    assert max(peak) - before < 20 << 10


def _resident_kib() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4


def test_a_picture_that_became_shorter_is_not_sent(tmp_path: Path) -> None:
    one = picture(tmp_path, 3 << 20)
    path = next(tmp_path.iterdir())
    os.truncate(path, 2 << 20)
    with WebPeer() as peer, session(peer) as archive:
        with pytest.raises(SmartBoxError) as caught:
            stow.store(archive, one)
        assert caught.value.code == "invalid-object"
        assert not peer.stored
