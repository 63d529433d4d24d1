"""Whatever a server says: an answer, or an error of ours; never stored what is not named, no other exception."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartbox_tui.dicom.scu.link import LinkLost
from smartbox_tui.dicom.web import native, status, stow, wire
from smartbox_tui.dicom.web.client import Reply
from smartbox_tui.dicom.web.wire import Head
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Outcome, TransferLost
from tests.dicom.web_rig import picture, session
from tests.support.webpeer import Call, Conversation, WebPeer

UID = "1.2.3.4"
STORED = (Outcome.STORED, Outcome.STORED_WITH_WARNING)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(UID),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["00081199", "00081198", "00081197", "00081155", "00081196", "Value", "vr", "00000902"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def meaning(code: int, body: bytes, **fields: str) -> Outcome:
    return status.answer(Reply(Head(code, "", fields), body), UID).meaning.outcome


@settings(max_examples=400, deadline=None)
@given(values, st.integers(100, 999))
def test_any_json(value: Any, code: int) -> None:
    outcome = meaning(code, json.dumps(value).encode())
    if outcome in STORED:
        assert 200 <= code < 300
        assert json.dumps(value).count(UID)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=300), st.integers(100, 999), st.text(max_size=30))
def test_any_bytes(body: bytes, code: int, text: str) -> None:
    for begin in (b"", b"{", b"[", b"<NativeDicomModel>", b'{"00081199":{"vr":"SQ","Value":['):
        assert meaning(code, begin + body, warning=text, **{"retry-after": text}) not in STORED


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_head(raw: bytes) -> None:
    for begin in (b"", b"HTTP/1.1 200 OK\r\n"):
        try:
            found = wire._parse(begin + raw)
        except LinkLost:
            continue
        assert 0 <= found.status <= 999


def test_deep_and_wide() -> None:
    deep = b'{"00081199":{"vr":"SQ","Value":[' * 5000
    assert meaning(200, deep) is Outcome.RETRY
    assert native.read(b"<a>" * 5000) == []
    assert native.read(b"[" + b"{}," * 10_000 + b"{}]")


@pytest.mark.parametrize("seed", range(3))
def test_an_answer_with_bytes_changed(seed: int, tmp_path: Any) -> None:
    """A true answer in which some bytes are others: never an exception of another kind, and the session goes on."""
    chance = random.Random(seed)
    one = picture(tmp_path)

    def spoilt(talk: Conversation, call: Call) -> None:
        body = json.dumps(
            {"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": [one.sop_instance_uid]}}]}}
        )
        raw = bytearray(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        for _ in range(chance.randint(1, 4)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        talk.send(bytes(raw))
        talk.close()

    known: list[bool] = []
    with WebPeer() as peer, session(peer, timeout_s=0.5) as archive:
        for _ in range(60):
            peer.script.append(spoilt)
            try:
                stow.store(archive, one)
            except TransferLost as exc:
                known.append(not exc.outcome_unknown)
            except SmartBoxError:
                pass  # a status that made it knock
            peer.script.clear()
        assert not any(known)
        assert stow.store(archive, one).meaning.outcome is Outcome.STORED
