"""The worklist of an engine: the last list stands whatever the server does, and its age is told."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from smartbox_tui.engine.orders import scheduled
from smartbox_tui.engine.orders import worklist as lists
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.store import worklist as kept
from tests.engine.worklist_rig import DAY, TODAY, Rig
from tests.support.box import until
from tests.support.dcmtk import free_port
from tests.support.worklist_peer import WorklistPeer, entry, worklist_peer


def test_the_first_list_is_there_at_once_and_nothing_has_arrived(rig: Rig) -> None:
    service = rig.changes[0].service
    assert (service.name, service.state, service.count, service.truncated) == ("worklist", "ok", 2, False)
    assert service.at is not None
    assert rig.changes[0].arrived == []
    assert rig.names() == ["Müster1^Eva", "Müster2^Eva"]


def test_an_entry_is_the_same_from_refresh_to_refresh_and_its_whole_is_kept(rig: Rig) -> None:
    first = kept.listed(rig.store.reader)
    rig.refresh()
    assert kept.listed(rig.store.reader) == first
    found = rig.worklist.entry(first[0].id)
    assert (found.patient.name, found.patient.birth_date) == ("Müster1^Eva", date(1961, 3, 14))
    assert (found.study_instance_uid, found.accession_number, found.step_id) == ("1.2.3.1", "A1", "S1")
    assert found.scheduled_at == f"{TODAY.isoformat()}T00:01:00"
    assert found.source["00401001"]["Value"] == ["R1"]
    with pytest.raises(SmartBoxError) as caught:
        rig.worklist.entry(str(uuid4()))
    assert caught.value.code == "not-found"


@pytest.mark.parametrize("status", [0, 0xC001], ids=["line cut", "failure"])
def test_an_answer_that_broke_off_never_replaces_the_list(rig: Rig, server: WorklistPeer, status: int) -> None:
    at = rig.changes[0].service.at
    server.entries = [entry(number, DAY) for number in (1, 3, 4)]
    server.fail_after, server.status = (2, 0) if not status else (None, status)
    service = rig.refresh().service
    assert service.state == ("unreachable" if not status else "rejected")
    assert service.reason
    assert service.code
    assert (service.at, service.count) == (at, 2)  # of the last complete answer
    assert rig.names() == ["Müster1^Eva", "Müster2^Eva"]
    known = {row.id: row.listed for row in kept.search(rig.store.reader, lists.WorklistKeys())}
    assert sorted(known.values()) == ([False, True, True] if not status else [False, False, True, True])
    assert rig.worklist.away() == ""  # once is no alarm
    rig.refresh()
    assert rig.worklist.away()
    server.fail_after, server.status = None, 0
    change = rig.refresh()
    assert change.service.state == "ok"
    assert [item.patient.id for item in change.arrived] == ["P3", "P4"]
    assert rig.names() == ["Müster1^Eva", "Müster3^Eva", "Müster4^Eva"]
    assert rig.worklist.away() == ""


def test_what_arrives_is_told_for_this_station_alone(rig: Rig, server: WorklistPeer) -> None:
    server.entries += [entry(3, DAY, station="ELSEWHERE"), entry(4, DAY)]
    assert [item.patient.id for item in rig.refresh().arrived] == ["P4"]
    assert rig.refresh().arrived == []  # once
    server.entries = server.entries[:1]
    assert rig.refresh().arrived == []


def test_a_new_day_or_another_question_makes_nothing_arrive(
    rig: Rig, server: WorklistPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tomorrow = TODAY + timedelta(days=1)
    server.entries = [entry(7, f"{tomorrow:%Y%m%d}")]
    count = len(rig.changes)

    class Midnight(date):
        @classmethod
        def today(cls) -> date:
            return tomorrow

    monkeypatch.setattr(lists, "date", Midnight)
    rig.worklist._wake.set()  # as it looks by itself every few seconds
    until(lambda: len(rig.changes) > count)
    assert f"{tomorrow:%Y%m%d}".encode() in server.asked[-1]
    assert rig.changes[-1].arrived == []
    assert rig.names() == ["Müster7^Eva"]
    server.entries.append(entry(8, f"{tomorrow:%Y%m%d}"))
    rig.configure(modality="ES")
    until(lambda: rig.names() == ["Müster7^Eva", "Müster8^Eva"])
    assert rig.changes[-1].arrived == []


def test_what_the_refresh_asks_for(rig: Rig, server: WorklistPeer) -> None:
    count = server.queries
    rig.configure(days_before=1, days_after=2, station_aet="ROOM1", modality="ES")
    until(lambda: server.queries > count)
    first, last = (f"{TODAY + timedelta(days=days):%Y%m%d}" for days in (-1, 2))
    asked = server.asked[-1]
    for text in (f"{first}-{last}", "ROOM1", "ES"):
        assert text.encode() in asked


def test_after_a_restart_with_the_server_away_the_list_is_there_with_its_age(tmp_path: Path) -> None:
    with worklist_peer() as server:
        server.entries = [entry(1, DAY)]
        rig = Rig(tmp_path, host="127.0.0.1", port=server.port)
        until(lambda: rig.changes)
        rig.stop()
    time.sleep(1.1)
    rig.start()
    try:
        until(lambda: len(rig.changes) > 1)
        service = rig.worklist.service()
        assert service is not None
        assert (service.state, service.code, service.count) == ("unreachable", "refused", 1)
        assert service.at == rig.changes[0].service.at
        assert rig.names() == ["Müster1^Eva"]
        answer = rig.ask()
        assert [item.patient.id for item in answer.items] == ["P1"]
        assert (answer.from_cache, answer.complete) == (True, False)
        assert 1 <= answer.age_s < 60
        assert answer.trouble["code"] == "refused"
        assert answer.trouble["message"]
        assert answer.trouble["hint"]
    finally:
        rig.stop()


def test_a_server_that_is_away_is_asked_less_and_less_and_never_more_often(rig: Rig) -> None:
    pauses = []
    for failures in range(6):
        rig.worklist._failures = failures
        pauses.append(rig.worklist._pause(60.0))
    assert pauses[0] == 60
    assert all(pause >= 60 for pause in pauses)
    assert pauses[2] >= 120
    assert max(pauses) <= 360
    assert rig.worklist._pause(900.0) >= 900


def test_settings_that_change_while_a_refresh_hangs_are_in_force_at_once(tmp_path: Path) -> None:
    with worklist_peer() as slow, worklist_peer() as other:
        slow.hold.set()
        slow.entries, other.entries = [entry(1, DAY)], [entry(2, DAY)]
        rig = Rig(tmp_path, host="127.0.0.1", port=slow.port, timeout_s=3.0)
        try:
            until(lambda: slow.queries)
            rig.configure(port=other.port)
            until(lambda: rig.names() == ["Müster2^Eva"], 20)
            assert all(change.service.state == "ok" for change in rig.changes)
            rig.configure(host="")
            assert rig.worklist.service() is None
            with pytest.raises(SmartBoxError) as caught:
                rig.ask()
            assert (caught.value.code, bool(caught.value.hint)) == ("not-found", True)
        finally:
            slow.hold.clear()
            rig.stop()


def test_more_than_the_limit_is_said(rig: Rig, server: WorklistPeer) -> None:
    server.entries = [entry(number, DAY) for number in range(30)]
    count = len(rig.changes)
    rig.configure(limit=20)
    until(lambda: len(rig.changes) > count)
    service = rig.changes[-1].service
    assert (service.state, service.count, service.truncated) == ("ok", 20, True)
    assert len(rig.names()) == 20


def test_ten_thousand_entries_from_a_slow_server(rig: Rig, server: WorklistPeer) -> None:
    """Longer than the time-out as a whole, never without progress; a query by hand runs beside it."""
    rig.configure(timeout_s=6.0)
    server.entries = [entry(number, DAY) for number in range(10_000)]
    server.pause = (250, 0.2)
    count = len(rig.changes)
    rig.worklist.refresh_now()
    answer = rig.ask(cached=True)
    assert answer.items
    until(lambda: any(change.service.count == 10_000 for change in rig.changes[count:]), 180, "the long list")
    begin = time.monotonic()
    assert len(rig.ask(cached=True).items) == 10_000
    assert len(rig.ask(cached=True, name="müster99*").items) == 111
    assert time.monotonic() - begin < 5


def test_a_station_without_a_port_that_listens_is_told_in_words(tmp_path: Path) -> None:
    rig = Rig(tmp_path, host="127.0.0.1", port=free_port())
    try:
        until(lambda: rig.changes)
        assert rig.changes[0].service.reason
        assert rig.ask().items == []
        assert rig.ask().age_s is None
    finally:
        rig.stop()


@pytest.mark.parametrize(
    ("stated", "utc"),
    [("+0200", "08:30:00"), ("-0330", "14:00:00"), ("+0000", "10:30:00"), ("+0200 ", "08:30:00")],
)
def test_an_answer_brings_its_own_offset(stated: str, utc: str) -> None:
    source = {"00080201": {"vr": "SH", "Value": [stated]}}
    text = scheduled.with_offset("2026-11-21T10:30:00", source)
    assert text is not None
    assert datetime.fromisoformat(text).astimezone(UTC).isoformat() == f"2026-11-21T{utc}+00:00"


@pytest.mark.parametrize("stated", ["", "MEZ", "+99", None, 2])
def test_an_offset_that_is_none_is_the_boxs(stated: object) -> None:
    here = scheduled.with_offset("2026-11-21T10:30:00", {})
    assert here is not None
    assert scheduled.with_offset("2026-11-21T10:30:00", {"00080201": {"vr": "SH", "Value": [stated]}}) == here
