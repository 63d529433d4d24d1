"""The way to web services: its forms one after the other, its fall-back, and that nothing goes twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.dicom.compose import Composition
from smartbox_tui.dicom.scu.peer import Peer
from smartbox_tui.dicom.web.service import Service
from smartbox_tui.engine.delivery import webway
from smartbox_tui.engine.delivery.answers import verdict
from smartbox_tui.engine.delivery.forms import Form, forms
from smartbox_tui.engine.delivery.line import Line
from smartbox_tui.engine.delivery.webway import WebWay
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.model.answer import Answer, Outcome, TransferLost
from smartbox_tui.model.delivery import OFFERED, DeliveryState
from smartbox_tui.model.instance import EXPLICIT_VR_LE, JPEG_BASELINE, JPEG_EXTENDED
from smartbox_tui.settings.destination import Retry
from tests.dicom.web_rig import picture
from tests.support.dcmtk import StoreScp, free_port, storescp
from tests.support.webpeer import WebPeer, names_failed, plain


@pytest.fixture
def peer() -> Iterator[WebPeer]:
    with WebPeer() as running:
        yield running


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[StoreScp]:
    with storescp(tmp_path / "scp") as running:
        yield running


def way_of(peer: WebPeer, behind: StoreScp | None = None) -> WebWay:
    line = Line(Peer("127.0.0.1", behind.port, "STORESCP", timeout_s=5)) if behind else None
    return WebWay(Service(peer.url, 2.0), line)


def wanted(item: Composition) -> tuple[Form, ...]:
    return forms(item.sop_class_uid, item.transfer_syntax_uid)


def agreed(way: WebWay, item: Composition) -> Form:
    return way.agree(wanted(item), lambda: ())


def sent(way: WebWay, item: Composition, *, uncertain: bool = False) -> Answer:
    agreed(way, item)
    return way.store(item, on_progress=lambda _: None, cancelled=lambda: False, uncertain=uncertain)


def outcome(way: WebWay, item: Composition, **values: Any) -> Outcome:
    return sent(way, item, **values).meaning.outcome


@pytest.mark.parametrize("refusal", [plain(415), names_failed(409, 0xC122)])
def test_what_is_not_taken_goes_in_its_next_form(peer: WebPeer, refusal: Any, tmp_path: Path) -> None:
    way, item = way_of(peer), picture(tmp_path)
    tried = []
    for _ in range(len(wanted(item))):
        peer.script.append(refusal)
        form = agreed(way, item)
        tried.append(form.transfer_syntax_uid)
        made = replace(item, transfer_syntax_uid=form.transfer_syntax_uid)
        answer = way.store(made, on_progress=lambda _: None, cancelled=lambda: False)
        assert answer.meaning.outcome is Outcome.LATER
        row: Any = type("Row", (), {"attempts": 0, "bytes": 1, "uncertain": False})
        assert verdict(row, answer, Retry()).state is DeliveryState.WAITING
        assert not verdict(row, answer, Retry()).changes  # no attempt is counted
    assert tried[:3] == [JPEG_BASELINE, JPEG_EXTENDED, EXPLICIT_VR_LE]
    with pytest.raises(SmartBoxError) as caught:
        agreed(way, item)
    assert caught.value.code == "no-context"
    assert OFFERED in caught.value.message
    assert agreed(way, picture(tmp_path, word="vl-photographic"))  # that is another kind


def test_a_class_that_is_not_taken_is_not_tried_in_other_syntaxes(peer: WebPeer, tmp_path: Path) -> None:
    way, item = way_of(peer), picture(tmp_path)
    peer.script.append(names_failed(409, 0x0122))
    assert outcome(way, item) is Outcome.LATER
    with pytest.raises(SmartBoxError) as caught:
        agreed(way, item)
    assert caught.value.code == "no-context"


def test_what_is_not_taken_is_tried_again_some_day(
    peer: WebPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way, item = way_of(peer), picture(tmp_path)
    peer.script.append(plain(415))
    assert outcome(way, item) is Outcome.LATER
    assert agreed(way, item).transfer_syntax_uid == JPEG_EXTENDED
    monkeypatch.setattr(webway, "REMEMBER_S", 0.0)
    assert outcome(way, item) is Outcome.STORED
    assert agreed(way, item).transfer_syntax_uid == JPEG_BASELINE


def test_what_the_web_does_not_take_goes_by_c_store(peer: WebPeer, behind: StoreScp, tmp_path: Path) -> None:
    way = way_of(peer, behind)
    peer.script.append(plain(413))
    large = picture(tmp_path, 50_000)
    assert outcome(way, large) is Outcome.STORED
    assert outcome(way, picture(tmp_path)) is Outcome.STORED  # the next one by the web again
    assert (len(behind.files()), len(peer.stored)) == (1, 1)
    peer.script.append(names_failed(409, 0x0122))
    other = picture(tmp_path)
    assert outcome(way, other) is Outcome.LATER
    assert outcome(way, other) is Outcome.STORED
    assert (len(behind.files()), len(peer.stored)) == (2, 1)
    way.hang_up()
    assert not way.is_connected


def test_too_large_without_anybody_behind_is_said(peer: WebPeer, tmp_path: Path) -> None:
    peer.script += [plain(413)] * 2
    assert sent(way_of(peer), picture(tmp_path)).meaning.outcome is Outcome.BLOCKED
    nobody = WebWay(Service(peer.url, 2.0), Line(Peer("127.0.0.1", free_port(), "X", timeout_s=2)))
    assert sent(nobody, picture(tmp_path)).told == "413"


def test_away_and_back(peer: WebPeer, behind: StoreScp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = way_of(peer, behind)
    peer.away = True
    assert outcome(way, picture(tmp_path)) is Outcome.STORED
    way.hang_up()
    way.probe()  # somebody behind is there
    assert outcome(way, picture(tmp_path)) is Outcome.STORED
    assert len(behind.files()) == 2
    peer.away = False
    assert outcome(way, picture(tmp_path)) is Outcome.STORED
    assert len(behind.files()) == 3  # it is not asked for every object
    monkeypatch.setattr(way, "_ask_at", 0.0)
    assert outcome(way, picture(tmp_path)) is Outcome.STORED
    assert (len(behind.files()), len(peer.stored)) == (3, 1)


def test_nobody_is_there_at_all(tmp_path: Path) -> None:
    way = WebWay(Service(f"http://127.0.0.1:{free_port()}/x", 2.0), Line(Peer("127.0.0.1", free_port(), "X")))
    for ask in (way.probe, lambda: agreed(way, picture(tmp_path))):
        with pytest.raises(SmartBoxError) as caught:
            ask()
        assert "/x" in caught.value.message


def test_what_may_have_arrived_by_the_web_waits_for_it(
    peer: WebPeer, behind: StoreScp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def takes_and_dies(talk: Any, call: Any) -> None:
        peer.take(call.objects[0])
        peer.away = True
        talk.close()

    way, item = way_of(peer, behind), picture(tmp_path)
    peer.script.append(takes_and_dies)
    with pytest.raises(TransferLost) as caught:
        outcome(way, item)
    assert caught.value.outcome_unknown
    way.probe()
    answer = sent(way, item, uncertain=True)
    assert answer.meaning.outcome is Outcome.LATER
    assert answer.meaning.pause_s > 0
    row: Any = type("Row", (), {"attempts": 0, "bytes": 1, "uncertain": True})
    assert verdict(row, answer, Retry()).code == "outcome-unknown"
    assert outcome(way, picture(tmp_path)) is Outcome.STORED  # the others do not wait
    assert len(behind.files()) == 1
    peer.away = False
    monkeypatch.setattr(way, "_ask_at", 0.0)
    stores = len(peer.stores)
    assert outcome(way, item, uncertain=True) is Outcome.DUPLICATE
    assert len(peer.stores) == stores  # it says by QIDO-RS that it has it
    assert peer.times_stored[item.sop_instance_uid] == 1
    assert len(behind.files()) == 1


def test_a_processing_failure_of_what_is_not_there_is_one(peer: WebPeer, tmp_path: Path) -> None:
    way, item = way_of(peer), picture(tmp_path)
    peer.script += [names_failed(409, 0x0110)] * 3
    assert outcome(way, item, uncertain=True) is Outcome.RETRY
    peer.stored[item.sop_instance_uid] = b""
    agreed(way, item)
    peer.searches += [plain(500)]  # where it cannot be asked before, it is asked after
    answer = way.store(item, on_progress=lambda _: None, cancelled=lambda: False, uncertain=True)
    assert answer.meaning.outcome is Outcome.DUPLICATE
    assert outcome(way, picture(tmp_path)) is Outcome.RETRY


def test_what_was_lost_on_the_association_is_repeated_there(
    peer: WebPeer, behind: StoreScp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way, item = way_of(peer, behind), picture(tmp_path)
    peer.away = True
    way.probe()
    line = way._line
    assert line is not None
    real = line.store

    def lost(*arguments: Any, **values: Any) -> Answer:
        real(*arguments, **values)
        raise TransferLost("outcome-unknown", "", "", outcome_unknown=True)

    monkeypatch.setattr(line, "store", lost)
    with pytest.raises(TransferLost):
        outcome(way, item)
    monkeypatch.setattr(line, "store", real)
    assert outcome(way, item, uncertain=True) is Outcome.STORED
    assert len(behind.files()) == 1  # the same file again
    assert outcome(way, item, uncertain=True) is Outcome.LATER  # of another one nobody remembers the road


def test_a_shut_door_is_asked_about_storing(peer: WebPeer, tmp_path: Path) -> None:
    """Everybody may search there, and nobody may store."""
    way = way_of(peer)
    normal = peer._answer

    def reading_only(talk: Any, call: Any) -> None:
        if call.method == "POST":
            talk.body(call)
            talk.reply(403)
        else:
            normal(talk, call)

    peer._answer = reading_only  # type: ignore[method-assign]
    way.probe()
    for _ in range(2):
        with pytest.raises(SmartBoxError) as caught:
            sent(way, picture(tmp_path))
        assert caught.value.code == "calling-aet-rejected"
    stores = len(peer.stores)
    with pytest.raises(SmartBoxError):
        way.probe()
    assert len(peer.stores) == stores
    peer._answer = normal  # type: ignore[method-assign]
    way.probe()
    assert outcome(way, picture(tmp_path)) is Outcome.STORED


def test_who_asks_to_be_left_alone_is(peer: WebPeer) -> None:
    way = way_of(peer)
    peer.searches += [plain(503, Retry_After="100")]
    for _ in range(3):
        with pytest.raises(SmartBoxError) as caught:
            way.probe()
        assert caught.value.code == "refused"
    assert len(peer.calls) == 1
