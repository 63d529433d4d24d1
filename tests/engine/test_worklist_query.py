"""Queries of the worklist by hand: what is asked, what is answered when the server is away, slow or deaf."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from smartbox_tui.errors import SmartBoxError
from smartbox_tui.wire import commands
from tests.engine.worklist_rig import DAY, TODAY, Rig
from tests.support.box import until
from tests.support.worklist_peer import WorklistPeer, element, entry


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
    assert "trouble" not in msgspec.to_builtins(answer)


def test_a_line_cut_in_a_query_by_hand_gives_what_came_and_what_is_on_the_box(
    rig: Rig, server: WorklistPeer
) -> None:
    server.entries, server.fail_after = [entry(number, DAY) for number in (5, 6, 7)], 2
    answer = rig.ask()
    assert {item.patient.id for item in answer.items} == {"P1", "P2", "P5", "P6"}
    assert (answer.from_cache, answer.complete) == (True, False)
    assert answer.trouble


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
    assert msgspec.to_builtins(answer).get("trouble") is None
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


async def test_a_server_that_is_deaf_to_cancelling_holds_up_nobody(rig: Rig, server: WorklistPeer) -> None:
    server.entries = [entry(number, DAY) for number in range(50)]
    server.pause = (10, 1.5)
    command = commands.WorklistQuery(id=str(uuid4()))
    running = asyncio.create_task(rig.queries.query(command))
    await asyncio.sleep(1.0)
    assert rig.queries.cancel(command.id)
    begin = time.monotonic()
    answer = await asyncio.wait_for(running, 20)
    assert time.monotonic() - begin < 4.5  # it talks on for six more seconds
    assert 10 <= len(answer.items) < 50
    assert (answer.from_cache, answer.complete) == (False, False)
    assert rig.worklist.entry(answer.items[0].id)


def test_a_query_that_succeeds_brings_the_refresh_back(rig: Rig, server: WorklistPeer) -> None:
    server.status = 0xC001
    rig.refresh()
    server.status = 0
    count = len(rig.changes)
    assert rig.ask().complete
    while len(rig.changes) == count:
        time.sleep(0.05)
    assert rig.changes[-1].service.state == "ok"


def test_a_list_is_for_this_room_and_a_person_is_looked_for_everywhere(rig: Rig, server: WorklistPeer) -> None:
    count = server.queries
    rig.configure(station_aet="ROOM1", modality="ES")
    until(lambda: server.queries > count, 20)
    room, modality = element(0x40, 0x01, "ROOM1"), element(0x08, 0x60, "ES")
    cases: list[tuple[dict[str, str], bool, bool]] = [
        ({}, True, True),
        ({"date": "any"}, True, True),
        ({"station": "*"}, False, True),
        ({"modality": "*"}, True, False),
        ({"station": "ROOM2"}, False, True),
        ({"name": "Meier"}, False, False),
        ({"patient": "P1"}, False, False),
        ({"accession": "A1", "station": "ROOM1"}, True, False),
    ]
    for values, in_room, of_modality in cases:
        rig.ask(**values)
        assert (room in server.asked[-1], modality in server.asked[-1]) == (in_room, of_modality), values
