"""The worklist of an engine: the last list stands whatever the server does, and its age is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from smartbox_tui.dicom.preload import preload
from smartbox_tui.dicom.scu.find import find_worklist
from smartbox_tui.engine import worklist as lists
from smartbox_tui.engine.worklist import Worklist
from smartbox_tui.engine.worklist_query import Queries
from smartbox_tui.errors import SmartBoxError
from smartbox_tui.settings.schema import Settings
from smartbox_tui.settings.schema import Worklist as WorklistSettings
from smartbox_tui.store import worklist as kept
from smartbox_tui.store.database import Store
from smartbox_tui.wire import commands, events
from tests.support.box import until
from tests.support.dcmtk import free_port
from tests.support.worklist_peer import WorklistPeer, element, entry, worklist_peer

TODAY = date.today()
DAY = f"{TODAY:%Y%m%d}"


class Rig:
    """A worklist with a store of its own; `changes` are the events it published."""

    def __init__(self, folder: Path, **values: Any) -> None:
        self.folder = folder
        self.settings = Settings(worklist=WorklistSettings(**({"aet": "RIS", "timeout_s": 5.0} | values)))
        self.changes: list[events.WorklistChanged] = []
        self.start()

    def start(self) -> None:
        self.store = Store(self.folder / "smartbox.db")
        self.worklist = Worklist(
            self.store,
            lambda: self.settings,
            find=find_worklist,
            publish=self._publish,
            status_changed=lambda: None,
        )
        self.queries = Queries(self.worklist)
        self.worklist.start()

    def _publish(self, event: msgspec.Struct) -> None:
        assert isinstance(event, events.WorklistChanged)
        self.changes.append(event)

    def refresh(self) -> events.WorklistChanged:
        """One more refresh, and what was said of it."""
        count = len(self.changes)
        self.worklist.refresh_now()
        until(lambda: len(self.changes) > count, 20, "a refresh")
        return self.changes[count]

    def configure(self, **values: Any) -> None:
        self.settings = replace(self.settings, worklist=replace(self.settings.worklist, **values))
        self.worklist.reconfigure()

    def names(self) -> list[str]:
        return [item.patient.name for item in lists.items(kept.listed(self.store.reader))]

    def ask(self, **values: Any) -> Any:
        return asyncio.run(self.queries.query(commands.WorklistQuery(id=str(uuid4()), **values)))

    def stop(self) -> None:
        self.queries.stop()
        self.worklist.stop()
        self.store.close()


@pytest.fixture(scope="module", autouse=True)
def _libraries() -> None:
    preload()


@pytest.fixture
def server() -> Iterator[WorklistPeer]:
    with worklist_peer() as running:
        yield running


@pytest.fixture
def rig(server: WorklistPeer, tmp_path: Path) -> Iterator[Rig]:
    server.entries = [entry(1, DAY), entry(2, DAY)]
    made = Rig(tmp_path, host="127.0.0.1", port=server.port)
    until(lambda: made.changes, 10, "the first refresh")
    yield made
    made.stop()


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
        assert answer.error["code"] == "refused"
        assert answer.error["message"]
        assert answer.error["hint"]
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


# ---- by hand


def test_an_id_is_found_before_a_name(rig: Rig, server: WorklistPeer) -> None:
    server.entries = []
    count = server.queries
    answer = rig.ask(patient="Meier")
    first, second = server.asked[count:]
    assert element(0x10, 0x20, "Meier") in first
    assert element(0x10, 0x10, "") in first
    assert element(0x10, 0x10, "Meier*") in second
    assert element(0x10, 0x20, "") in second
    assert (answer.items, answer.from_cache, answer.age_s, answer.complete) == ([], False, 0.0, True)
    server.entries = [entry(5, DAY)]
    assert [item.patient.id for item in rig.ask(patient="P5").items] == ["P5"]
    assert server.queries == count + 3


def test_what_was_asked_by_hand_can_be_opened_and_is_no_part_of_the_list(rig: Rig, server: WorklistPeer) -> None:
    yesterday = TODAY - timedelta(days=1)
    server.entries = [entry(9, f"{yesterday:%Y%m%d}")]
    (item,) = rig.ask(date=yesterday.isoformat()).items
    assert f"{yesterday:%Y%m%d}".encode() in server.asked[-1]
    assert not item.listed
    assert rig.worklist.entry(item.id).patient.id == "P9"
    assert rig.names() == ["Müster1^Eva", "Müster2^Eva"]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("2026-11-21", b"20261121"),
        ("2026-11-20/2026-11-22", b"20261120-20261122"),
        ("2026-11-20/", b"20261120-"),
        ("/2026-11-22", b"-20261122"),
    ],
)
def test_dates(rig: Rig, server: WorklistPeer, text: str, asked: bytes) -> None:
    rig.ask(date=text)
    assert asked in server.asked[-1]


def test_any_date_asks_for_none(rig: Rig, server: WorklistPeer) -> None:
    rig.ask(date="any")
    assert DAY.encode() not in server.asked[-1]
    assert DAY.encode() in server.asked[0]


@pytest.mark.parametrize("text", ["2026-13-01", "tomorrow", "2026-11-22/2026-11-20", "2026-11-20/x"])
def test_dates_that_are_none(rig: Rig, text: str) -> None:
    with pytest.raises(SmartBoxError) as caught:
        rig.ask(date=text)
    assert caught.value.code == "bad-value"


@pytest.mark.parametrize("values", [{"patient": "a\\b"}, {"name": "x" * 400}, {"accession": "a\tb"}])
def test_keys_that_are_none(rig: Rig, values: dict[str, str]) -> None:
    with pytest.raises(SmartBoxError) as caught:
        rig.ask(**values)
    assert caught.value.code == "bad-value"


def test_cached_asks_nobody(rig: Rig, server: WorklistPeer) -> None:
    count = server.queries
    time.sleep(0.2)
    assert [item.patient.id for item in rig.ask(cached=True).items] == ["P1", "P2"]
    answer = rig.ask(cached=True, patient="muster2")
    assert [item.patient.id for item in answer.items] == ["P2"]
    assert answer.from_cache
    assert answer.complete
    assert answer.age_s > 0
    assert server.queries == count
    assert "error" not in msgspec.to_builtins(answer)


def test_a_line_cut_in_a_query_by_hand_gives_what_came_and_what_is_on_the_box(
    rig: Rig, server: WorklistPeer
) -> None:
    server.entries, server.fail_after = [entry(number, DAY) for number in (5, 6, 7)], 2
    answer = rig.ask()
    assert {item.patient.id for item in answer.items} == {"P1", "P2", "P5", "P6"}
    assert (answer.from_cache, answer.complete) == (True, False)
    assert answer.error


async def test_a_query_is_cancelled_by_whoever_asked_and_the_loop_goes_on(rig: Rig, server: WorklistPeer) -> None:
    server.hold.set()
    command = commands.WorklistQuery(id=str(uuid4()))
    running = asyncio.create_task(rig.queries.query(command))
    again = asyncio.create_task(rig.queries.query(command))  # the same one: no second question
    await asyncio.sleep(0.3)
    count = server.queries
    assert not running.done()
    assert rig.queries.cancel(command.id)
    server.hold.clear()
    answer = await asyncio.wait_for(running, 20)
    assert not answer.complete
    assert msgspec.to_builtins(answer).get("error") is None
    assert await again is answer
    assert server.queries == count
    assert not rig.queries.cancel(command.id)


async def test_a_fifth_query_at_a_time_is_refused(rig: Rig, server: WorklistPeer) -> None:
    server.hold.set()
    running = [asyncio.create_task(rig.queries.query(commands.WorklistQuery(id=str(uuid4())))) for _ in range(4)]
    await asyncio.sleep(0.1)
    with pytest.raises(SmartBoxError) as caught:
        await rig.queries.query(commands.WorklistQuery(id=str(uuid4())))
    assert caught.value.code == "in-use"
    server.hold.clear()
    assert all(len(answer.items) == 2 for answer in await asyncio.wait_for(asyncio.gather(*running), 30))
    assert (await rig.queries.query(commands.WorklistQuery(id=str(uuid4())))).complete


def test_ten_thousand_entries_from_a_slow_server(rig: Rig, server: WorklistPeer) -> None:
    """Longer than the time-out as a whole, never without progress; a query by hand runs beside it."""
    rig.configure(timeout_s=2.0)
    server.entries = [entry(number, DAY) for number in range(10_000)]
    server.pause = (500, 0.2)
    count = len(rig.changes)
    rig.worklist.refresh_now()
    answer = rig.ask(cached=True)
    assert answer.items
    until(lambda: any(change.service.count == 10_000 for change in rig.changes[count:]), 60, "the long list")
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
