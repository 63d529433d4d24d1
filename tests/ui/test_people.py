"""The worklist as the console holds it: found however it is typed, nobody taken for another, thousands of them."""

from __future__ import annotations

import time
from datetime import date

import pytest
from msgspec.structs import replace

from smartbox_tui.ui import people
from smartbox_tui.ui.asking import query_for
from smartbox_tui.ui.codes import clean, matching
from smartbox_tui.wire.state import Patient, WorklistItem
from tests.support.fakepeople import item, worklist

LIST = people.entries(worklist())


def ids(found: list[people.Entry]) -> list[str]:
    return [entry.item.id for entry in found]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("müller", {"item-0", "item-1", "item-5"}),
        ("MUELLER", {"item-0", "item-1", "item-5"}),
        ("muller", {"item-0", "item-5"}),
        ("jörg mül", {"item-0", "item-1", "item-5"}),
        ("lukas", {"item-2"}),
        ("ayse", {"item-3"}),
        ("weiss", {"item-4"}),
        ("Weiß, Gerda", {"item-4"}),
        ("04713", {"item-2"}),
        ("a-1183", {"item-3"}),
        ("ogd", {"item-3"}),
        ("14.03.1961", {"item-0"}),
        ("1961-05", {"item-5"}),
        ("heide omurlu", {"item-6"}),
        ("nobody", set()),
    ],
)
def test_whatever_is_typed_finds_them(typed: str, found: set[str]) -> None:
    assert set(ids(people.select(LIST, typed))) == found


def test_by_time_emergencies_come_first_and_by_name_they_do_not() -> None:
    assert ids(people.select(LIST))[:3] == ["item-4", "item-0", "item-1"]
    assert ids(people.select(LIST, by_name=True))[:2] == ["item-3", "item-2"]


def test_an_entry_without_a_time_stands_last_and_on_every_day() -> None:
    timeless = item(0, id="never", scheduled_at=None)
    found = people.select(people.entries([timeless, *worklist()]), day=date(2026, 11, 20))
    assert ids(found)[-1] == "never"
    tomorrow = people.select(people.entries([timeless, *worklist()]), day=date(2026, 11, 21))
    assert ids(tomorrow) == ["never"]


def test_the_station_filter_keeps_what_names_no_station() -> None:
    nowhere = item(0, id="nowhere", station="")
    found = people.select(people.entries([nowhere, *worklist()]), station="ENDO2")
    assert set(ids(found)) == {"nowhere", "item-0", "item-3", "item-6"}


def test_those_who_share_a_name_are_marked_with_what_tells_them_apart() -> None:
    marked = {entry.item.id: entry.differs for entry in LIST}
    both = frozenset({"id", "birth_date"})
    assert {key: value for key, value in marked.items() if value} == {
        "item-0": both,
        "item-1": both,
        "item-5": both,
    }


def test_one_patient_with_two_procedures_is_one_patient() -> None:
    again = replace(item(2), id="again", accession_number="A-9", procedure="Gastroskopie")
    assert not any(entry.differs for entry in people.entries([item(2), again]))


def test_the_same_number_with_another_birth_date_is_loud() -> None:
    other = item(2, id="other", patient=replace(item(2).patient, birth_date="1979-09-22"))
    assert [entry.differs for entry in people.entries([item(2), other])] == [frozenset({"birth_date"})] * 2


def test_ten_thousand_entries_are_filtered_while_one_types() -> None:
    """The bar is 100 ms from key to screen; this is the filter's share of it, with room for a slow machine."""
    many = [
        WorklistItem(
            id=str(number),
            patient=Patient(id=f"P{number:06d}", name=f"MÜLLER{number % 977}^Jörg", birth_date="1961-03-14"),
            accession_number=f"A{number}",
            procedure="Koloskopie",
            scheduled_at=f"2026-11-20T{number % 24:02d}:00:00",
        )
        for number in range(10_000)
    ]
    found = people.entries(many)
    times = []
    for typed in ("m", "mu", "mue", "muel", "mueller9", "mueller97 p0009", "zzz"):
        begun = time.perf_counter()
        people.select(found, typed, by_name=True, day=date(2026, 11, 20))
        times.append(time.perf_counter() - begun)
    assert sorted(times)[len(times) // 2] < 0.1, times
    assert len(people.select(found, "p000976")) == 1


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("A-1182", ["item-2"]),
        (" 04713\r\n", ["item-2"]),
        ("S3", ["item-3"]),
        ("R3", ["item-3"]),
        ("0471", []),
        ("04713x", []),
        ("", []),
        ("x" * 300, []),
    ],
)
def test_a_code_means_exactly_one_identifier(code: str, found: list[str]) -> None:
    assert [each.id for each in matching(worklist(), code)] == found


def test_a_code_may_mean_several_steps_of_one_patient() -> None:
    again = replace(item(2), id="again", step_id="S99")
    assert {each.id for each in matching([*worklist(), again], "04713")} == {"item-2", "again"}


def test_what_a_scanner_adds_is_taken_away() -> None:
    assert clean("\x02 4711-22 \x1d\r\n") == "4711-22"


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("müller", {"date": "any", "name": "müller*"}),
        ("Müller, Jörg", {"date": "any", "name": "Müller^Jörg*"}),
        ("m?ller*", {"date": "any", "name": "m?ller*"}),
        ("4711-22", {"date": "any", "patient": "4711-22"}),
        ("3.12.2026", {"date": "2026-12-03"}),
    ],
)
def test_the_server_is_asked_for_what_was_typed(typed: str, asked: dict[str, str]) -> None:
    query = query_for(f" {typed} ")
    told = {"date": query.date, "name": query.name, "patient": query.patient}
    assert {key: value for key, value in told.items() if value} == asked
