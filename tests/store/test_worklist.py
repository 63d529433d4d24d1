"""The worklist in a real SQLite file: what a list replaces, what it keeps, how fast, how it is searched."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from smartbox_tui.model.worklist import WorklistKeys
from smartbox_tui.spool.examfile import ExamFile, RevisionFile
from smartbox_tui.store import records
from smartbox_tui.store import worklist as kept
from smartbox_tui.store.database import Store
from smartbox_tui.store.worklist import Heard, LastList

DAY = "2026-11-21"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "smartbox.db")
    yield made
    made.close()


def heard(number: int, *, name: str = "Test^Eva", day: str = DAY, source: str = "{}", **values: Any) -> Heard:
    item = {
        "id": f"w{number}", "patient": {"id": f"P{number}", "name": name}, "accession_number": f"A{number}",
        "modality": "ES", "station": "ENDO", **values,
    }  # fmt: skip
    at = f"{day}T{number % 24:02d}:00:00" if day else ""
    return Heard(f"w{number}", f"P{number}", f"A{number}", at, json.dumps(item), source)


def last(at: str, count: int) -> LastList:
    return LastList(f"{DAY}T{at}:00.000+00:00", count, False, DAY, DAY, "asked")


def replace_list(store: Store, items: list[Heard], at: str = "10:00", purge: str = "2026-11-14") -> Any:
    stale = f"{DAY}T{at}"[:13]
    return store.write(
        lambda db: kept.replace_list(db, items, last(at, len(items)), stale=stale, purge=purge)
    ).result()


def put(store: Store, items: list[Heard], at: str = f"{DAY}T10:00:00.000+00:00") -> None:
    store.write(lambda db: kept.put(db, items, at)).result()


def ids(rows: list[kept.Row]) -> list[str]:
    return [row.id for row in rows]


def open_exam(store: Store, exam: str, worklist: str, state: str = "open") -> None:
    file = ExamFile(exam, state, "2.25.1", f"{DAY}T10:00:00+01:00", "engine")
    revision = RevisionFile(1, {"id": "P1"}, f"{DAY}T10:00:00+01:00", worklist_id=worklist)
    store.write(lambda db: records.put_exam(db, file, revision)).result()


def test_the_first_list_has_no_news_the_next_only_what_is_new(store: Store) -> None:
    assert replace_list(store, [heard(1), heard(2)]) is None
    assert replace_list(store, [heard(2), heard(3)]) == {"w3"}
    assert ids(kept.listed(store.reader)) == ["w2", "w3"]
    assert kept.listed_count(store.reader) == 2
    assert replace_list(store, []) == frozenset()
    assert kept.listed(store.reader) == []
    assert ids(kept.search(store.reader, WorklistKeys())) == ["w1", "w2", "w3"]  # known, in no list any more


def test_a_list_remembers_when_and_what_was_asked(store: Store) -> None:
    assert kept.last_list(store.reader) is None
    replace_list(store, [heard(1)], at="11:30")
    assert kept.last_list(store.reader) == last("11:30", 1)


def test_what_was_changed_by_the_server_is_changed_here(store: Store) -> None:
    replace_list(store, [heard(1)])
    replace_list(store, [heard(1, name="Neu^Eva", source='{"x": 1}')])
    assert kept.entry(store.reader, "w1") == (heard(1, name="Neu^Eva").item, '{"x": 1}')
    assert kept.entry(store.reader, "w9") is None


def test_entries_heard_by_hand_are_no_part_of_the_list(store: Store) -> None:
    replace_list(store, [heard(1)])
    put(store, [heard(1, name="Neu^Eva"), heard(2)])
    assert ids(kept.listed(store.reader)) == ["w1"]
    assert "Neu^Eva" in kept.listed(store.reader)[0].item
    assert [row.listed for row in kept.search(store.reader, WorklistKeys())] == [True, False]
    assert replace_list(store, [heard(1), heard(2)]) == {"w2"}  # in the list for the first time


def test_what_was_not_heard_for_days_is_forgotten_but_not_what_an_open_exam_needs(store: Store) -> None:
    put(store, [heard(number) for number in range(4)], at="2026-11-10T00:00:00.000+00:00")
    open_exam(store, "e1", "w1")
    open_exam(store, "e2", "w2", state="closed")
    replace_list(store, [heard(3)], purge="2026-11-14T00:00:00")
    assert sorted(ids(kept.search(store.reader, WorklistKeys()))) == ["w1", "w3"]


def test_an_entry_says_which_exam_was_opened_from_it(store: Store) -> None:
    replace_list(store, [heard(1), heard(2)])
    open_exam(store, "e1", "w1")
    assert {row.id: row.exam for row in kept.listed(store.reader)} == {"w1": "e1", "w2": None}
    assert {row.id: row.exam for row in kept.rows_of(store.reader, ["w1", "w9"])} == {"w1": "e1"}


def test_by_time_and_what_has_none_last(store: Store) -> None:
    replace_list(store, [heard(9), heard(3), heard(5, day="")])
    assert ids(kept.listed(store.reader)) == ["w3", "w9", "w5"]


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"name": "muller*"}, ["w1"]),
        ({"name": "MÜLLER^JÖRG"}, ["w1"]),
        ({"name": "MÜLLER^JÖRG^^^"}, ["w1"]),
        ({"name": "M?ller^*"}, ["w1"]),
        ({"name": "müller"}, []),
        ({"name": "lukasz*"}, ["w2"]),
        ({"name": "weiss*"}, ["w3"]),
        ({"name": "山田*"}, ["w4"]),
        ({"name": "yamada*"}, ["w4"]),
        ({"name": "*"}, ["w1", "w2", "w3", "w4"]),
        ({"patient_id": "p2"}, ["w2"]),
        ({"patient_id": "P*"}, ["w1", "w2", "w3", "w4"]),
        ({"patient_id": "P[1-2]"}, []),
        ({"accession": "A3"}, ["w3"]),
        ({"modality": "US"}, ["w4"]),
        ({"station_aet": "ROOM2"}, ["w3"]),
        ({"date_from": date(2026, 11, 22)}, ["w4"]),
        ({"date_to": date(2026, 11, 21)}, ["w1", "w2", "w3"]),
        ({"date_from": date(2026, 11, 23)}, []),
    ],
)
def test_search_on_the_box(store: Store, keys: dict[str, Any], found: list[str]) -> None:
    entries = [
        heard(1, name="Müller^Jörg"),
        heard(2, name="ŁUKASZ^Zofia"),
        heard(3, name="Weiß^Ute", station="ROOM1\\ROOM2"),
        heard(4, name="Yamada^Tarou=山田^太郎=やまだ^たろう", modality="US", day="2026-11-22"),
    ]
    put(store, entries)
    assert sorted(ids(kept.search(store.reader, WorklistKeys(**keys)))) == found


def test_an_entry_without_a_time_is_found_on_every_day(store: Store) -> None:
    put(store, [heard(1, day=""), heard(2)])
    day = date(2026, 11, 25)
    assert ids(kept.search(store.reader, WorklistKeys(date_from=day, date_to=day))) == ["w1"]


def test_ten_thousand_entries(store: Store) -> None:
    """The numbers: well under a second for each refresh; here a loaded machine has five."""
    many = [heard(number, source="x" * 2000) for number in range(10_000)]
    begin = time.monotonic()
    replace_list(store, many)
    replace_list(store, [*many[:-10], *[heard(number, source="y" * 2000) for number in range(10_000, 10_010)]])
    assert len(kept.listed(store.reader)) == 10_000
    assert len(kept.search(store.reader, WorklistKeys(patient_id="P99*"))) == 111
    assert time.monotonic() - begin < 5


def test_an_unchanged_list_writes_next_to_nothing(store: Store) -> None:
    many = [heard(number) for number in range(2000)]
    replace_list(store, many)
    before = rows_written(store)
    replace_list(store, many)
    assert rows_written(store) - before <= 2  # the time of the list
    replace_list(store, [*many[1:], heard(0, name="Neu^Eva")])
    assert 1 < rows_written(store) - before <= 5


def rows_written(store: Store) -> int:
    return int(store.write(lambda db: db.connection().total_changes).result())
